#!/usr/bin/env bash
# Where rustup can fetch nothing: makes a toolchain `selvedge-wasm` out of Debian's Rust, with a standard library
# built from source for the targets given. build-std.sh <target>...
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES=(rustc-web cargo-web rust-web-src wasi-libc lld-22)
RUSTLIB=/usr/lib/rustlib
HOST=$(rustc --print host-tuple)

[[ $(id -u) -eq 0 ]] && command -v apt-get rustup > /dev/null ||
    fail "the targets $* are missing: run 'rustup target add $*' with access to static.rust-lang.org"

say "apt-get install ${PACKAGES[*]} (Debian's Rust, whose standard library can be built here)"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install --yes --no-install-recommends "${PACKAGES[@]}" > /dev/null

mkdir -p "$RUSTLIB/$HOST/bin"
ln -sf ../../../llvm-22/bin/lld "$RUSTLIB/$HOST/bin/rust-lld"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/src"
printf '#![no_std]\n' > "$scratch/src/lib.rs"
printf '[package]\nname = "nothing"\nedition = "2024"\n' > "$scratch/Cargo.toml"

for target; do
    say "building the standard library for $target"
    # The features of build-std are unstable; the compiler and the library are of one release, so they fit.
    (
        cd "$scratch"
        RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$scratch/target" \
            /usr/bin/cargo build --quiet --release -Zbuild-std=std,panic_abort --target "$target"
    )
    mkdir -p "$RUSTLIB/$target/lib"
    # An upgraded compiler reads none of what the one before it left, and must not find it.
    rm -f "$RUSTLIB/$target/lib/"*.rlib
    rm -f "$scratch/target/$target/release/deps/"libnothing-*
    cp "$scratch/target/$target/release/deps/"*.rlib "$RUSTLIB/$target/lib/"
    if [[ $target == wasm32-wasi* ]]; then
        mkdir -p "$RUSTLIB/$target/lib/self-contained"
        cp /usr/lib/wasm32-wasi/crt1-*.o /usr/lib/wasm32-wasi/libc.a "$RUSTLIB/$target/lib/self-contained/"
    fi
    /usr/bin/rustc -V > "$RUSTLIB/$target/lib/$BUILT_BY"
done

rustup toolchain link selvedge-wasm /usr
