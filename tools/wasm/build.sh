#!/usr/bin/env bash
# The browser's twin: build.sh OUT_DIR writes render.js, render_bg.wasm and render.d.ts.
# Tries rustup's own wasm target; where that is refused, builds with Debian's rustc-web and a sysroot of our own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); root=$(cd "$here/../.." && pwd); out=${1:?output dir}
target=${CARGO_TARGET_DIR:-$root/target}
log() { printf '%s\n' "$*" >&2; }
# Nothing to do when nothing that goes into the wasm has changed.
stamp=$(cd "$root" && cat Cargo.lock Cargo.toml $(find crates/render crates/scene crates/tiles crates/model shaders tools/wasm -type f -name '*.rs' -o -type f -name '*.wgsl' -o -type f -name '*.toml' -o -type f -name '*.sh' | LC_ALL=C sort) | sha256sum | cut -d' ' -f1)
[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && { log "wasm: up to date"; exit 0; }
native_rustc=$(rustc --print sysroot)
wasm_target=$target/wasm
if rustup target list --installed 2>/dev/null | grep -q wasm32-unknown-unknown || timeout 60 rustup target add wasm32-unknown-unknown >/dev/null 2>&1; then
  log "wasm: building with rustup's target"
  run() { CARGO_TARGET_DIR=$wasm_target cargo build "$@"; }
else
  log "wasm: rustup's target is refused here; building with Debian's rustc-web"
  [ -x /usr/bin/rustc ] || { log "wasm: rustc-web is missing (apt-get install rustc-web rust-web-src)"; exit 1; }
  "$here/sysroot.sh" "$target/wasm-sysroot"
  linker=$(find "$native_rustc/lib/rustlib" -name rust-lld -type f | head -n 1)
  run() {
    RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$wasm_target \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=--sysroot=$target/wasm-sysroot \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker cargo build "$@"
  }
fi
cd "$root"
run --profile web --target wasm32-unknown-unknown -p strata-render --no-default-features --features web
CARGO_TARGET_DIR=$target/glue cargo run --quiet --manifest-path tools/wasm/bindgen/Cargo.toml -- \
  "$wasm_target/wasm32-unknown-unknown/web/strata_render.wasm" "$out"
echo "$stamp" > "$out/stamp"
log "wasm: $(stat -c %s "$out/render_bg.wasm") bytes, $(gzip -9c "$out/render_bg.wasm" | wc -c) bytes gzip"
