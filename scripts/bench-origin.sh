#!/usr/bin/env bash
# How fast the origin wakes its blocked players, beside a bare send loop and a peer: builds all of it and prints tables.
# Arguments go to the benchmark, such as --seconds 5 --only 2,000.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

peer=$(tool multimux-cli "$MULTIMUX_CLI_VERSION" multimux)
if [[ ! -x $peer ]]; then
    say "cargo install multimux-cli $MULTIMUX_CLI_VERSION (the peer); it is compiled once and kept in $TOOLS"
    # Optimised as its makers have it, for it is measured. Its lock file names versions that not every registry has.
    build=$TOOLS/build/multimux-cli-$MULTIMUX_CLI_VERSION
    CARGO_TARGET_DIR=$build cargo install multimux-cli --version "$MULTIMUX_CLI_VERSION" \
        --root "$TOOLS/multimux-cli-$MULTIMUX_CLI_VERSION"
    rm -rf "$build"
fi
cargo build --locked --release -p selvedge -p selvedge-bench-origin
# Two sockets a player, in one process, for the bare loop.
ulimit -n "$(ulimit -Hn)"
exec "$TARGET_DIR/release/selvedge-bench-origin" --selvedge "$TARGET_DIR/release/selvedge" --multimux "$peer" "$@"
