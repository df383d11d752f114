#!/bin/sh
# Makes docs/demo.png, the README's picture, from the screenshot that the end-to-end test of the
# demo keeps: fewer colours, so that it stays light.
set -eu
cd "$(dirname "$0")/.."

shot=${1:-tests/artifacts/demo/big-buck-bunny.png}
[ -f "$shot" ] || { echo "demo-picture: $shot is missing; run tests/e2e/demo.test.mjs" >&2; exit 2; }
ffmpeg -v error -y -i "$shot" -filter_complex \
    'scale=1280:-2:flags=lanczos,split[a][b];[a]palettegen=max_colors=256:stats_mode=full[p];[b][p]paletteuse=dither=sierra2_4a' \
    -frames:v 1 -compression_level 100 -pred mixed docs/demo.png
ls -l docs/demo.png
