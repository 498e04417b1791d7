#!/bin/bash
# The duels, in release, one after the other. A quiet machine is wanted; a loaded one is noted in the output.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --release --quiet
"${CARGO_TARGET_DIR:-target}/release/index" "$@"
"${CARGO_TARGET_DIR:-target}/release/network"
