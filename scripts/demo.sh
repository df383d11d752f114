#!/usr/bin/env bash
# Runs the demo: demo.sh <test | file | name of a clip> [flags of `selvedge demo`]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

input=$1
shift
case $input in
    bikes.mp4 | bigbuckbunny.mp4)
        if [[ ! -e $input ]]; then
            scripts/setup.sh clips
            input=$(scripts/fetch-clips.sh)/$input
        fi
        ;;
esac
exec "$TARGET_DIR/debug/selvedge" demo --input "$input" "$@"
