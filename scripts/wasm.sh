#!/usr/bin/env bash
# Builds the edge for one platform or both: wasm.sh [cloudflare|fastly]...
#
# wrangler.toml and fastly.toml call this too. Cargo decides what has to be compiled; the steps after it are
# left out when the module that it made, and what they make of it, are those of the last time.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WASM_OPT=$ROOT/node_modules/binaryen/bin/wasm-opt
ESBUILD=$ROOT/node_modules/esbuild/bin/esbuild
# Named one by one: Fastly refuses a module that uses any other, which `--all-features` would allow.
FASTLY_FEATURES=(
    --enable-bulk-memory --enable-sign-ext --enable-nontrapping-float-to-int --enable-mutable-globals
    --enable-multivalue --enable-reference-types
)

# What a product is made of beside its module: these scripts, npm's tools, and whether wasm-opt was among them.
ingredients() {
    sha256sum "$1" scripts/wasm.sh scripts/lib.sh package-lock.json
    if [[ -x $WASM_OPT ]]; then echo "with wasm-opt"; else echo "without wasm-opt"; fi
}

# Whether a product was made from all that as it is now: unchanged <module> <stamp> <product>
unchanged() {
    [[ -e $3 && -e $2 && $(ingredients "$1") == "$(< "$2")" ]]
}

cloudflare() {
    local module=$TARGET_DIR/wasm32-unknown-unknown/wasm/selvedge_edge_cloudflare.wasm
    local stamp=$TARGET_DIR/wasm32-unknown-unknown/wasm/cloudflare.sha256
    # As worker-build will call it, so that cargo finds nothing to do then.
    WASM_BINDGEN_USE_JS_SYS=1 \
        cargo build --locked --profile wasm --target wasm32-unknown-unknown -p selvedge-edge-cloudflare --lib
    if unchanged "$module" "$stamp" edge/cloudflare/build/index_bg.wasm; then return; fi

    # What is not named here, worker-build downloads; what npm or setup.sh brought is used instead.
    local bindgen; bindgen=$(tool wasm-bindgen-cli "$WASM_BINDGEN_VERSION" wasm-bindgen)
    if [[ -x $bindgen ]]; then export WASM_BINDGEN_BIN=$bindgen; fi
    if [[ -x $WASM_OPT ]]; then export WASM_OPT_BIN=$WASM_OPT; fi
    if [[ -x $ESBUILD ]]; then export ESBUILD_BIN=$ESBUILD; fi
    scripts/setup.sh worker-build
    (cd edge/cloudflare && "$(tool worker-build "$WORKER_BUILD_VERSION")" --profile wasm)
    ingredients "$module" > "$stamp"
}

fastly() {
    local module=$TARGET_DIR/wasm32-wasip1/wasm/selvedge-edge-fastly.wasm
    local stamp=$TARGET_DIR/wasm32-wasip1/wasm/fastly.sha256
    cargo build --locked --profile wasm --target wasm32-wasip1 -p selvedge-edge-fastly
    if unchanged "$module" "$stamp" bin/main.wasm; then return; fi

    mkdir -p bin
    if [[ -x $WASM_OPT ]]; then
        "$WASM_OPT" -Os --strip-debug "${FASTLY_FEATURES[@]}" "$module" -o bin/main.wasm
    else
        say "no wasm-opt (npm ci brings it): the module is larger than it need be"
        cp "$module" bin/main.wasm
    fi
    ingredients "$module" > "$stamp"
}

[[ $# -gt 0 ]] || set -- cloudflare fastly
scripts/setup.sh wasm-targets
use_wasm_toolchain
for platform; do
    case $platform in
        cloudflare) cloudflare ;;
        fastly) fastly ;;
        *) fail "unknown platform '$platform': cloudflare or fastly" ;;
    esac
done
