#!/usr/bin/env bash
# No file names a folder of somebody's machine: this checkout, this home, or any home.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What a path begins after: `web/src/` is not in the folder `/src`.
BEFORE='(^|[^A-Za-z0-9._$}])'

# Where a file names a folder: named_in <absolute folder>
named_in() {
    # A folder right below the root, such as /src, is named by many a file that means another.
    [[ $1 == /*/* ]] || return 0
    git grep -nIE -e "$BEFORE$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<< "$1")/" -- . || true
}

found=$(
    named_in "$ROOT"
    named_in "${HOME%/}"
    git grep -nIE -e "$BEFORE/(home|Users|root)/[a-z]" -- . ':!scripts/no-local-paths.sh' || true
)
[[ -z $found ]] || fail "paths of a developer's machine:
$found"
