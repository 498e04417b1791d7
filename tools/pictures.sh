#!/usr/bin/env bash
# Draws the pictures of the documentation and the references of the picture tests anew: pictures.sh STRATA [SCENE…]
# The city is made for it, so that references never come from an older one.
set -euo pipefail
strata=$1; shift
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"$strata" demo --no-serve --dir "$work/city" >/dev/null
mkdir -p "$root/docs/img" "$root/tests/golden"
scenes=("$@")
[ ${#scenes[@]} -gt 0 ] || for file in "$root"/scenes/[0-9]*.json; do scenes+=("$(basename "$file" .json)"); done
for name in "${scenes[@]}"; do
  "$strata" shot "$work/city" "$name" -o "$root/docs/img/$name.png" --size 1280x720 --frame
  "$strata" shot "$work/city" "$name" -o "$root/tests/golden/$name.png" --size 800x500 --frame
done
