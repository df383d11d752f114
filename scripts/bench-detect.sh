#!/usr/bin/env bash
# What detection survives: attacks on a session's copy of a watermarked montage, and colluding sessions.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${BENCH_SECONDS:-120}
clips=$(scripts/fetch-clips.sh)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 scripts/montage.py "$clips" "$folder/montage.mp4" "$seconds" 848x480 1
cargo bench --locked -p selvedge-encoder --bench detect -- "$folder/montage.mp4" "$folder" "$@"
