#!/usr/bin/env bash
# Installs what Strata needs on Debian 12: setup.sh [demo | test]. Says what and why; does nothing when it is all there.
set -euo pipefail
build=(build-essential pkg-config clang libclang-dev cmake libgdal-dev libproj-dev libsqlite3-dev)     # GDAL, PROJ and SQLite to link against, cmake for the EPANET solver
run=(gdal-bin proj-data ca-certificates mesa-vulkan-drivers libvulkan1 fonts-noto-cjk libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon-x11-0)   # grids, strangers that judge our files, a GPU in software, Chinese glyphs, the window's X11
web=(rustc-web rust-web-src)                                                                     # the browser's wasm, where rustup has no wasm target
test=(chromium python3-qgis mosquitto-clients xvfb xdotool curl jq)    # strangers that draw our tiles; a screen in memory and hands for the window; the documentation's examples
want=("${build[@]}" "${run[@]}")
rustup target list --installed 2>/dev/null | grep -q wasm32-unknown-unknown || want+=("${web[@]}")
[ "${1:-demo}" = test ] && want+=("${test[@]}")
missing=()
for p in "${want[@]}"; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing from Debian: ${missing[*]}"
  echo "setup: (a C compiler, clang for bindings, cmake for the EPANET solver; GDAL, PROJ and SQLite to read and keep city files; gdal-bin judges our files in the tests; rustc-web for the browser; chromium and QGIS for the map clients; mosquitto-clients speak MQTT to us; xvfb and xdotool for the window's test; curl and jq for the documentation's examples)"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
command -v cargo >/dev/null || { echo "setup: a Rust toolchain (cargo, 1.95 or newer) is needed: install rustup first"; exit 1; }
command -v npm >/dev/null || { echo "setup: Node.js 20 with npm is needed: the page is built with it, and strangers (the Khronos validator, Mapbox) judge our tiles"; exit 1; }
