#!/usr/bin/env bash
# Lints and documents the two adapters for the targets that they run on.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_wasm_toolchain

export RUSTDOCFLAGS='-D warnings'
while read -r package target; do
    if cargo clippy --version > /dev/null 2>&1; then
        cargo clippy --locked -p "$package" --target "$target" -- -D warnings
    else
        say "this toolchain has no clippy: $package is only compiled"
        cargo check --locked -p "$package" --target "$target"
    fi
    cargo doc --locked --no-deps -p "$package" --target "$target"
done << 'LIST'
selvedge-edge-cloudflare wasm32-unknown-unknown
selvedge-edge-fastly wasm32-wasip1
LIST
