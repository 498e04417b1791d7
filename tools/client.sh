#!/usr/bin/env bash
# The typed client, generated anew from the description that a server gives: client.sh STRATA [OUT]
set -euo pipefail
strata=$1
root=$(cd "$(dirname "$0")/.." && pwd)
out=${2:-$root/clients/typescript/strata.d.ts}
work=$(mktemp -d); trap 'kill "${pid:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
"$strata" new "$work/city" --crs EPSG:4551+5737 >/dev/null
"$strata" serve "$work/city" --listen 127.0.0.1:0 >"$work/said" & pid=$!
for _ in $(seq 100); do grep -q '^url=' "$work/said" && break; sleep 0.1; done
url=$(sed -n 's/^url=\([^#]*[^#/]\).*/\1/p' "$work/said")
curl -sS --fail "$url/openapi.json" -o "$work/openapi.json"
cd "$root/tests/web" && { [ -d node_modules ] || npm ci --no-audit --no-fund --silent; }
npx --no-install openapi-typescript "$work/openapi.json" -o "$out" >/dev/null
