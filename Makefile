# `make test` proves the program, `make bench` measures it beside its peers.
.PHONY: build test bench lint
SHELL := /bin/bash

build:
	@tools/setup.sh demo
	cargo build -p strata

test:
	@tools/setup.sh test
	cargo build --workspace --all-targets
	cargo test --workspace

bench:
	benches/run.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
