#!/usr/bin/env bash
# No file names a folder of somebody's machine: this checkout, this home, or any home.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

found=$(
    git grep -nIF -e "$ROOT/" -e "$HOME/" -- . || true
    git grep -nIE -e '(^|[^A-Za-z0-9._$}])/(home|Users|root)/[a-z]' -- . ':!scripts/no-local-paths.sh' || true
)
[[ -z $found ]] || fail "paths of a developer's machine:
$found"
