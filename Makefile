# `make test` proves the program, `make bench` measures it beside its peers.
.PHONY: build demo test bench pictures lint client
SHELL := /bin/bash
CITY ?= var/changchun

build:
	@tools/setup.sh demo
	cargo build -p strata
	@tools/viewer.sh

demo: build
	$${CARGO_TARGET_DIR:-target}/debug/strata demo --dir $(CITY) --live --viewer viewer/dist

test:
	@tools/setup.sh test
	cargo build --workspace --all-targets
	@tools/viewer.sh
	@cd tests/web && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --silent; }
	cargo test --workspace

# The pictures of the documentation and the references of the picture tests, drawn anew (look at each before you commit it).
pictures: build
	tools/pictures.sh $${CARGO_TARGET_DIR:-target}/debug/strata

bench:
	@tools/setup.sh test
	benches/run.sh $(ONLY)

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# The typed client, from the description that the server itself gives.
client: build
	tools/client.sh $${CARGO_TARGET_DIR:-target}/debug/strata
