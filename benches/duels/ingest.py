"""Reading files: `strata import --dry-run` (everything read, checked, in the working frame, with height and meaning) beside
GDAL, which writes what it has read into memory (`ogr2ogr -f Memory`) or as text (`ogrinfo -al`)."""
import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import c200
import city
from common import HERE, STRATA, VAR, Table, alternating, median, run, spread

OUT = VAR / "import"
DATA = Path(os.environ.get("STRATA_BENCH_DATA", HERE.parent.parent / "shared/data"))


REPEATS = 40
# Yokosuka: buildings of LOD1 and LOD2, and the plane zone in which it lies.
PLATEAU = "plateau-citymodel/yokosuka-shi/udx/bldg/52397519_bldg_6697_op.gml"
ZONE = "EPSG:6677"


def citygml():
    """A CityGML of PLATEAU with its members many times over, each time with ids of their own: one file alone is read in
    the time that a program takes to start. `STRATA_BENCH_CITYGML` names another file (in the zone of EPSG:6677)."""
    path = Path(os.environ.get("STRATA_BENCH_CITYGML", DATA / PLATEAU))
    if not path.exists():
        return None
    OUT.mkdir(parents=True, exist_ok=True)
    large = OUT / f"{path.name.removesuffix('.gz').removesuffix('.gml')}-x{REPEATS}.gml"
    if not large.exists():
        text = (gzip.open(path) if path.suffix == ".gz" else open(path, "rb")).read().decode()
        first, last = re.search(r"<(\w+:)?cityObjectMember", text).start(), [m.end() for m in re.finditer(r"</(\w+:)?cityObjectMember>", text)][-1]
        with open(large, "w") as out:
            out.write(text[:first])
            for n in range(REPEATS):
                # ids, and all that points to them
                out.write(re.sub(r'(gml:id="|href="#|uri="#|ring="#|>#)([^"<]+)', rf"\g<1>\g<2>-{n}", text[first:last]))
            out.write(text[last:])
    return large


def sides(place, path, zone, more=()):
    def whole():
        place_of_copy = OUT / "whole"
        shutil.rmtree(place_of_copy, ignore_errors=True)
        run([STRATA, "new", place_of_copy, "--crs", zone])
        return run([STRATA, "--json", "import", place_of_copy, path, "--partial", *more])

    def ogr_whole():
        (OUT / "whole.gpkg").unlink(missing_ok=True)
        return run(["ogr2ogr", "-f", "GPKG", OUT / "whole.gpkg", path, "-skipfailures", "-t_srs", zone])

    return {
        "Strata reads": lambda: run([STRATA, "--json", "import", place, path, "--dry-run", "--partial", *more]),
        "ogr2ogr into memory": lambda: run(["ogr2ogr", "-f", "Memory", "nothing", path, "-t_srs", zone, "-skipfailures"]),
        "ogrinfo -al": lambda: run(["ogrinfo", "-ro", "-al", path], stdout=subprocess.DEVNULL),
        "Strata imports (record, audit, index)": whole,
        "ogr2ogr to GeoPackage": ogr_whole,
    }


def duel():
    OUT.mkdir(parents=True, exist_ok=True)
    files = c200.written(city.C200)
    houses = OUT / "buildings.gpkg"
    if not houses.exists():
        run(["ogr2ogr", "-f", "GPKG", houses, files / "city.gpkg", "buildings"])
    tables = []
    inputs = [("GeoPackage, 200 000 buildings of C200", houses, "EPSG:4551", ["--valid-from", c200.VALID_FROM])]
    gml = citygml()
    if gml:
        inputs.insert(0, (f"CityGML of PLATEAU: Yokosuka, its members {REPEATS} times", gml, ZONE, []))
    else:
        print(f"  SKIPPED: CityGML: {DATA / PLATEAU} is not there; STRATA_BENCH_CITYGML names a file", flush=True)
    for title, path, zone, more in inputs:
        print(f"  {title}", flush=True)
        empty = OUT / f"empty-{zone.removeprefix('EPSG:')}"
        if not empty.exists():
            run([STRATA, "new", empty, "--crs", zone])
        both = sides(empty, path, zone, more)
        told = json.loads(both["Strata reads"]().out.strip().split("\n")[-1])["report"]
        seen = sum(int(line.split(":")[1]) for line in run(["ogrinfo", "-ro", "-al", "-so", path]).out.split("\n") if line.startswith("Feature Count:"))
        taken = alternating(both)
        base = median([t.cpu for t in taken["Strata reads"]])
        rows = [[n, spread([t.cpu for t in runs]), spread([t.wall for t in runs]), f"{max(t.rss_mib for t in runs):.0f}", f"{median([t.cpu for t in runs]) / base:.2f}"] for n, runs in taken.items()]
        layers = ", ".join(f"{n} {l}" for l, n in told["layers"].items())
        notes = [f"{path.stat().st_size / 1e6:.1f} MB; Strata read {told['read']}, took {told['taken']}, refused {told['refused']} ({layers}); GDAL counts {seen} features.", f"both transform into {zone}; Strata checks every geometry and keeps height and the kind of each face."]
        tables.append(Table(title, ["side", "CPU, s", "wall, s", "peak MiB", "CPU over Strata's reading"], rows, notes))
    return tables
