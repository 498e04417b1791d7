# Two commands for newcomers: `make demo` shows a city, `make test` proves the program.
.PHONY: demo test bench pictures golden lint
SHELL := /bin/bash
CITY ?= var/changchun
STRATA = $${CARGO_TARGET_DIR:-target}/debug/strata

demo: build viewer/dist
	$(STRATA) demo --dir $(CITY) --viewer viewer/dist

test:
	@tools/setup.sh test
	cargo build --workspace --all-targets
	@tools/viewer.sh
	@cd tests/web && { [ -d node_modules ] || npm ci --no-audit --no-fund --silent; }
	cargo test --workspace

.PHONY: build viewer/dist
build:
	@tools/setup.sh demo
	cargo build -p strata

viewer/dist:
	@tools/viewer.sh

# The pictures of the documentation, drawn anew from scenes/ (look at each one before you commit it).
pictures: build
	tools/pictures.sh $(STRATA) $(CITY) docs

# New references for the golden pictures, from a city made afresh: the only way in which they are written.
golden: build
	rm -rf var/golden && tools/pictures.sh $(STRATA) var/golden golden

bench:
	benches/run.sh

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
