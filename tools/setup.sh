#!/usr/bin/env bash
# Installs what Strata needs on Debian 12: setup.sh demo | test. Says what and why; does nothing when it is all there.
set -euo pipefail
what=${1:-demo}
build=(build-essential pkg-config clang libclang-dev libgdal-dev libproj-dev libsqlite3-dev)     # GDAL, PROJ and SQLite to link against
run=(gdal-bin proj-data mesa-vulkan-drivers libvulkan1 libgl1-mesa-dri libegl1 ca-certificates fonts-noto-cjk)  # a software GPU, Chinese glyphs
web=(rustc-web rust-web-src)                                                                     # the browser's wasm, where rustup has no wasm target
test=(chromium)                                                                                  # the browser that the tests drive
want=("${build[@]}" "${run[@]}")
rustup target list --installed 2>/dev/null | grep -q wasm32-unknown-unknown || want+=("${web[@]}")
[ "$what" = test ] && want+=("${test[@]}")
missing=()
for p in "${want[@]}"; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing from Debian: ${missing[*]}"
  echo "setup: (GDAL, PROJ, SQLite to read city files; Mesa to draw without a graphics card; Noto for Chinese; rustc-web for the browser; Chromium for tests)"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
command -v cargo >/dev/null || { echo "setup: a Rust toolchain (cargo, 1.95 or newer) is needed: install rustup first"; exit 1; }
command -v npm >/dev/null || { echo "setup: Node.js 20 with npm is needed for the viewer"; exit 1; }
