# What is run by hand and by machines alike: there is no second list of commands anywhere.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The two adapters are built for their WebAssembly targets, everything else natively.
NATIVE := --workspace --exclude selvedge-edge-cloudflare --exclude selvedge-edge-fastly
# What is tested natively: in one selection, for another one would build most dependencies again.
TESTED := --workspace --exclude selvedge-edge-fastly

# What the demo shows: `test`, a file, or bikes.mp4 or bigbuckbunny.mp4, which are fetched.
INPUT ?= test
# More of its flags, such as DEMO_ARGS='--port 9000'; `target/debug/selvedge demo --help` lists them.
DEMO_ARGS ?=
# For how long `make soak` watches each edge, in seconds, and the origin, in hours of media.
SOAK ?= 900
SOAK_HOURS ?= 6
# How many hours of a channel with breaks the players of edge/tests play in `make soak`.
PLAYED_HOURS ?= 24
# How many inputs `make fuzz` tries: of each fuzz target, of each property, and of each property of stitched documents.
RUNS ?= 10000000
CASES ?= 20000
STITCHED ?= 100000

.PHONY: help demo test check fix bench soak fuzz wasm tools clean

help:
	@echo 'make demo    encoder, origin, edge and a page that plays, on this machine; INPUT=<file> for your own'
	@echo 'make test    everything: unit tests, both WebAssembly edges, players in a browser'
	@echo 'make check   format, lints, documentation, licences'
	@echo 'make fix     repair what format and lints can repair'
	@echo 'make bench   our hot paths beside what they are measured against'
	@echo 'make soak    the players on each edge for long, their tokens renewed, low latency; SOAK=$(SOAK) s; a channel of SOAK_HOURS=$(SOAK_HOURS); one with breaks of PLAYED_HOURS=$(PLAYED_HOURS)'
	@echo 'make fuzz    token, origin and edge under libFuzzer and every property at length; RUNS=$(RUNS), CASES=$(CASES), STITCHED=$(STITCHED)'
	@echo 'make wasm    both edges: edge/cloudflare/build/ and bin/main.wasm'
	@echo 'make tools   only bring what `make test` needs'
	@echo 'make clean   remove what was built'

demo:
	@scripts/setup.sh demo
	cargo build --locked -p selvedge -p selvedge-encoder
	@npm run --silent build:page
	@scripts/demo.sh '$(INPUT)' $(DEMO_ARGS)

test: tools
	cargo test --locked $(TESTED)
	cargo test --locked -p selvedge-token --all-features
	@scripts/fuzz.sh 100000
	@scripts/fuzz.sh 30000 origin
	@npm run --silent build:page
	@scripts/wasm.sh
	@scripts/e2e.sh

check:
	@scripts/setup.sh check
	cargo fmt --all --check
	cargo clippy --locked $(NATIVE) --all-targets -- -D warnings
	cargo clippy --locked -p selvedge-token --all-targets --all-features -- -D warnings
	cargo clippy --locked -p selvedge-token --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps $(NATIVE)
	@scripts/lint-wasm.sh
	@scripts/deny.sh
	@scripts/no-local-paths.sh

fix:
	@scripts/setup.sh check
	cargo clippy --locked $(NATIVE) --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all

bench:
	@scripts/setup.sh debian-demo node npm wasm-targets
	cargo bench --locked -p selvedge
	@scripts/bench-token.sh
	@scripts/bench-edges.sh
	@scripts/bench-origin.sh
	@scripts/bench-watermark.sh
	@scripts/bench-detect.sh

soak: tools
	SOAK_HOURS=$(SOAK_HOURS) cargo test --locked --release -p selvedge-origin --test soak -- --ignored --nocapture
	SELVEDGE_HOURS=$(PLAYED_HOURS) cargo test --locked --release -p selvedge-edge --test stitching --test dash hours_of
	cargo build --locked -p selvedge -p selvedge-encoder
	@scripts/wasm.sh
	@npm run --silent build:page
	@SOAK_SECONDS=$(SOAK) scripts/e2e.sh --test-name-pattern='in the header' tests/e2e/renewal.test.mjs
	@LATENCY_SECONDS=180 scripts/e2e.sh tests/e2e/latency.test.mjs

fuzz:
	@scripts/setup.sh debian-demo
	@scripts/fuzz.sh $(RUNS)
	@scripts/fuzz.sh $(RUNS) origin
	@scripts/fuzz.sh $(RUNS) edge
	PROPTEST_CASES=$(CASES) cargo test --locked -p selvedge-token -p selvedge-breaks -p selvedge-origin
	PROPTEST_CASES=$(CASES) cargo test --locked -p selvedge-edge --lib --test hostile
	PROPTEST_CASES=$(STITCHED) cargo test --locked --release -p selvedge-edge --test stitching --test dash --test insertion
	PROPTEST_CASES=$(CASES) cargo test --locked -p selvedge-encoder --lib

wasm:
	@scripts/setup.sh wasm
	@scripts/wasm.sh

tools:
	@scripts/setup.sh test

clean:
	cargo clean
	rm -rf bin edge/cloudflare/build web/dist tests/artifacts .wrangler
