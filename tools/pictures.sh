#!/usr/bin/env bash
# Draws the pictures of the documentation and the references of the picture tests anew: pictures.sh STRATA [SCENE… | PAGE…]
# Scenes are drawn by the program; pages (13, 15 to 18) by a browser over the served city, with the client in viewer/dist.
# The city is made for it, so that references never come from an older one.
set -euo pipefail
strata=$1; shift
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
"$strata" demo --no-serve --dir "$work/city" >/dev/null
# What is to be seen to the horizon wants the whole city: the documentation's 01, 04 and 06.
whole() { [ -d "$work/whole" ] || "$strata" demo --no-serve --size city --dir "$work/whole" >/dev/null; echo "$work/whole"; }
mkdir -p "$root/docs/img" "$root/tests/golden"
pages=(13-planner 15-pipes-survey 16-pipes-permit 17-pipes-burst 18-section)
scenes=("$@")
[ $# -gt 0 ] && pages=()
for name in "$@"; do case $name in 13-* | 1[5-8]-*) pages+=("$name") ;; esac; done
for i in "${!scenes[@]}"; do case ${scenes[i]} in 13-* | 1[5-8]-*) unset "scenes[i]" ;; esac; done
[ $# -gt 0 ] || for file in "$root"/scenes/{[0-9]*,block-cut}.json; do scenes+=("$(basename "$file" .json)"); done
for name in "${scenes[@]}"; do
  city=$work/city; camera=()
  case $name in 01-* | 04-* | 06-*) city=$(whole) ;; esac
  # There the hills are hills, and their reservoir lies behind them.
  [ "$name" != 06-terrain ] || camera=(--camera "$(jq -r '.[] | select(.name == "jingyue-hills") | .position | join(",")' "$city/anchors.json"),6000,150,-22")
  "$strata" shot "$city" "$name" -o "$root/docs/img/$name.png" --size 1920x1080 --frame "${camera[@]}"
  "$strata" shot "$work/city" "$name" -o "$root/tests/golden/$name.png" --size 800x500 --frame
done
[ ${#pages[@]} -gt 0 ] || exit 0
"$strata" gen survey "$work/delivery" --seed 42 --size sheet --spoil 7:20 >/dev/null
"$strata" serve "$work/city" --listen 127.0.0.1:0 --viewer "$root/viewer/dist" >"$work/served" &
served=$!; trap 'kill "$served"; rm -rf "$work"' EXIT
until grep -q ^token= "$work/served"; do sleep 0.2; done
url=$(sed -n 's|^url=\(.*\)/#.*|\1|p' "$work/served"); token=$(sed -n 's/^token=//p' "$work/served")
others=()
for name in "${pages[@]}"; do
  if [ "$name" = 13-planner ]; then node "$root/tests/web/planner.mjs" "$url" "$token" '{}' "$root/docs/img/$name.png"; else others+=("$name"); fi
done
[ ${#others[@]} -eq 0 ] || node "$root/tests/web/pictures.mjs" "$url" "$token" "$work/delivery" "$root/docs/img" "${others[@]}"
