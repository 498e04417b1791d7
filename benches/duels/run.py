"""run.py [DUEL…]: holds the duels one after the other and writes the tables."""
import importlib
import os
import sys

from common import QUIET, held, load, machine, publish, wait_for_quiet

DUELS = {
    "index": ("duel_index", "the packed time-space index beside geo-index and PostGIS"),
    "mvt": ("mvt", "vector tiles in bulk beside freestiler and tippecanoe"),
    "live": ("live", "vector tiles on request beside PostGIS"),
    "3dtiles": ("threed", "3D Tiles in bulk beside py3dtiles"),
    "import": ("ingest", "reading CityGML and GeoPackage beside GDAL"),
    "network": ("network", "pipes as a graph and as bodies, beside WNTR, pgRouting, FCL and EPANET"),
    "browser": ("browser", "the first picture in the browser"),
}


def main():
    wanted = [w for a in sys.argv[1:] for w in a.replace(",", " ").split()] or list(DUELS)
    for name in wanted:
        if name not in DUELS:
            sys.exit(f"there is no duel `{name}`; there are {', '.join(DUELS)}")
    wait_for_quiet()
    quiet = load()
    print(f"{machine()}, load average {quiet:.2f}, {os.environ.get('ROUNDS', '5')} rounds")
    if quiet > QUIET:
        print(f"load above {QUIET}: these figures are NOT PUBLISHABLE")
    results = []
    for name in wanted:
        results.append(held(name, DUELS[name][1], importlib.import_module(DUELS[name][0]).duel))
        # After each: what is measured stays, whatever the next one does.
        publish(results[-1:], quiet)
    sys.exit(any("failed" in r for r in results))


main()
