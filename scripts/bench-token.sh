#!/usr/bin/env bash
# What a token costs, natively, in WebAssembly and with the peers: builds all of it and prints one table.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

package=selvedge-bench-token
cargo build --locked --release -p $package
(
    use_wasm_toolchain
    # The profile of the edges: what is measured is what is shipped.
    cargo build --locked --profile wasm --target wasm32-wasip1 -p $package
)
# V8 as current as the peer wants it.
use_modern_node
exec node benches/token/table.mjs "$TARGET_DIR/release/$package" "$TARGET_DIR/wasm32-wasip1/wasm/$package.wasm"
