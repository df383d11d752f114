#!/usr/bin/env bash
# Runs the tests of the page, of the peers and the end-to-end tests: e2e.sh [flag of node --test]... [test file]...
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
use_modern_node

[[ $# -gt 0 ]] || set -- web/test/*.test.mjs tests/peers/*.test.mjs tests/e2e/*.test.mjs
# One file at a time: each starts encoders, browsers and runtimes that have to keep up with real time.
exec node --test --test-reporter=spec --test-concurrency=1 "$@"
