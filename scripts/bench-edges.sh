#!/usr/bin/env bash
# What a playlist costs each edge in processor time, beside a service that says hello: builds all of it and prints a
# table. An argument says how many requests: bench-edges.sh [2000]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts/setup.sh wasm viceroy
scripts/wasm.sh
(
    use_wasm_toolchain
    cargo build --locked --profile wasm --target wasm32-wasip1 -p selvedge-edge-fastly --example hello
)
cargo build --locked --release -p selvedge
use_modern_node
SELVEDGE_PROFILE=release exec node benches/edges/run.mjs \
    "$TARGET_DIR/wasm32-wasip1/wasm/examples/hello.wasm" "$@"
