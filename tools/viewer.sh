#!/usr/bin/env bash
# Builds the web client into viewer/dist, with the wasm of crates/render. Nothing to do when nothing has changed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd); cd "$root"
tools/wasm/build.sh "$root/viewer/src/pkg"
cd viewer
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --silent
stamp=$(cat package-lock.json vite.config.js ../data/codes/{survey-headers,landuse-2023,landuse-2023-en}.csv *.html $(find src -type f | LC_ALL=C sort) | sha256sum | cut -d' ' -f1)
[ "$(cat dist/stamp 2>/dev/null)" = "$stamp" ] && exit 0
npx vite build --logLevel warn
echo "$stamp" > dist/stamp
