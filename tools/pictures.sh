#!/usr/bin/env bash
# Draws the pictures of the documentation: pictures.sh STRATA CITY
set -euo pipefail
strata=$1; city=$2
[ -f "$city/record.gpkg" ] || "$strata" demo --no-serve --dir "$city"
for name in 01-city-day 02-street-facades 03-winter-dahan 04-night 05-landuse 07-xray 08-cutaway 10-timediff; do
  "$strata" shot "$city" "$name" -o "docs/img/$name.png" --size 1280x720 --frame
done
