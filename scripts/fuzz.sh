#!/usr/bin/env bash
# Fuzzing under libFuzzer, with the stable toolchain: fuzz.sh <runs> [target]...
#
# Without targets: all of the token's; `origin` stands for all of the origin's, `edge` for all of the edge's and of breaks.
# What libFuzzer learns is kept in target/fuzz/corpus, an input that broke something in target/fuzz/artifacts. Collected
# vectors, where SELVEDGE_VECTORS names them, are among the seeds.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TOKEN=(frame claims matchers verifier renew)
ORIGIN=(cmaf init demux body gzip range scte35)
EDGE=(mpd playlist documents request marks)

runs=${1:?say how many runs of each: fuzz.sh 100000}
shift
[[ $# -gt 0 ]] || set -- "${TOKEN[@]}"
[[ $* != origin ]] || set -- "${ORIGIN[@]}"
[[ $* != edge ]] || set -- "${EDGE[@]}"

host=$(rustc -vV | sed -n 's/^host: //p')
out=$TARGET_DIR/fuzz
bin=$out/$host/release
# What libFuzzer steers by: a counter for each edge, and the two sides of each comparison. Naming the target, though
# it is this machine's own, keeps build scripts and macros as they are.
export RUSTFLAGS="--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS=$(tr -s ' \n' ' ' <<< "$RUSTFLAGS")

features() {
    for target; do
        case $target in
            cmaf | init | demux | body | gzip | range) echo origin ;;
            scte35 | documents) echo breaks ;;
            mpd | playlist) printf 'breaks\nedge\n' ;;
            request | marks) echo edge ;;
        esac
    done | sort -u | paste -sd, -
}

bins=()
for target; do bins+=(--bin "$target"); done
cargo build --quiet --locked --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$out" \
    --features "$(features "$@")" --bin seeds "${bins[@]}"

vectors=()
if [[ -d ${SELVEDGE_VECTORS:-}/cat ]]; then
    for file in "$SELVEDGE_VECTORS"/cat/*.json; do
        [[ $file == */keys.json ]] || vectors+=("$file")
    done
fi
"$bin/seeds" "$out/seeds" "${vectors[@]}"

# What real encoders send, as far as it goes into one input, behind the bytes that a target reads first.
for target in init cmaf demux body; do
    mkdir -p "$out/seeds/$target"
    for file in origin/tests/captures/*/*init* origin/tests/captures/*/*.cmf? origin/tests/captures/*/*/init*; do
        name=$(tr / - <<< "${file#origin/tests/captures/}")
        case $target in
            init) head -c 1000 "$file" ;;
            body) printf '\x40\x00' && head -c 1000 "$file" ;;
            *) printf '\x40' && head -c 1000 "$file" ;;
        esac > "$out/seeds/$target/$name"
    done
done

for target; do
    mkdir -p "$out/corpus/$target" "$out/seeds/$target" "$out/artifacts/$target" "$out/log"
    say "fuzzing $target, $runs runs"
    dict=fuzz/cat.dict
    [[ ! -f fuzz/$target.dict ]] || dict=fuzz/$target.dict
    # Every bound but that of the token's length is within reach of 1024 bytes, and what is short is tried more often.
    if ! "$bin/$target" -runs="$runs" -max_len=1024 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=1 \
        -dict="$dict" -artifact_prefix="$out/artifacts/$target/" \
        "$out/corpus/$target" "$out/seeds/$target" > "$out/log/$target.log" 2>&1; then
        tail -40 "$out/log/$target.log" >&2
        fail "$target: the input that did it is in $out/artifacts/$target"
    fi
    grep -E '^#[0-9]+\s+DONE|^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$out/log/$target.log"
done
