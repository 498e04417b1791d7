#!/usr/bin/env bash
# A wasm32 standard library for Debian's rustc-web, laid out as a sysroot: sysroot.sh DIR
# Used where `rustup target add wasm32-unknown-unknown` is refused (no network beyond package registries).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); out=${1:?sysroot dir}; build=$out.build
export RUSTC=/usr/bin/rustc
version=$($RUSTC -V)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$version" ] && exit 0
# A second seed in the same folder leaves two libcore, so start clean.
rm -rf "$out" "$build"; lib=$out/lib/rustlib/wasm32-unknown-unknown/lib; mkdir -p "$lib"
CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=-Cembed-bitcode=yes RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$build \
  cargo build --quiet --manifest-path "$here/std-seed/Cargo.toml" --release -Z build-std=std,panic_abort --target wasm32-unknown-unknown
cp "$build"/wasm32-unknown-unknown/release/deps/*.rlib "$lib/"; rm -f "$lib"/libstd_seed-*; rm -rf "$build"
ln -s /usr/lib/rustlib/x86_64-unknown-linux-gnu "$out/lib/rustlib/"
echo "$version" > "$out/stamp"
