#!/usr/bin/env bash
# Draws every scene: pictures.sh STRATA CITY docs|golden. docs: 1920×1080 with frame into docs/img; golden: the tests' references.
set -euo pipefail
strata=$1; city=$2; what=${3:-docs}
[ -f "$city/record.gpkg" ] || "$strata" demo --no-serve --dir "$city"
for scene in scenes/*.json; do
  name=$(basename "$scene" .json)
  if [ "$what" = golden ]; then
    mkdir -p tests/golden; "$strata" shot "$city" "$name" -o "tests/golden/$name.png" --size 640x360
  else
    "$strata" shot "$city" "$name" -o "docs/img/$name.png" --size 1920x1080 --frame
  fi
  echo "$name"
done
