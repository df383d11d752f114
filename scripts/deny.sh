#!/usr/bin/env bash
# Licences, sources and duplicates of what we depend on, and known vulnerabilities where the list can be fetched.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

deny=$(tool cargo-deny "$CARGO_DENY_VERSION")
"$deny" --locked --workspace --log-level error check licenses bans sources
# The list of advisories is a git repository of its own; a machine without access to it cannot ask.
if timeout 60 "$deny" --locked --workspace --log-level off fetch db > /dev/null 2>&1; then
    "$deny" --locked --workspace --log-level error check --disable-fetch advisories
else
    say "the list of security advisories cannot be fetched from here: not checked"
fi
