# `make test` proves the program.
.PHONY: build test lint
SHELL := /bin/bash

build:
	@tools/setup.sh demo
	cargo build -p strata

test:
	@tools/setup.sh test
	cargo build --workspace --all-targets
	cargo test --workspace

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
