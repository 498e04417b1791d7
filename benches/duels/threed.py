"""3D Tiles in bulk: features a second a core, peak memory for a million features, every GLB through the Khronos validator,
py3dtiles beside it with the same bodies."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import city
from common import HERE, ROUNDS, STRATA, VAR, VENV, Skipped, Table, alternating, median, run, spread
from postgres import Cluster

OUT = VAR / "3dtiles"
PEER_BUILDINGS = 20_000
MILLION = VAR / "million"
ROOM_GIB = 6


def strata(place, layer, out):
    def side():
        shutil.rmtree(out, ignore_errors=True)
        return run([STRATA, "tiles", place, layer, "--format", "3dtiles", "-o", out])

    return side


def validated(folder):
    """GLBs, and those with errors, told by the Khronos validator."""
    script = HERE / "duels/validate.mjs"
    web = HERE.parent / "tests/web"
    if not (web / "node_modules/gltf-validator").exists():
        run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=web)
    return json.loads(run(["node", script, web, folder]).out)


def peer(pg):
    """py3dtiles of the first buildings, as extruded solids in PostGIS."""
    if not pg.has("solids"):
        pg.sql("CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS postgis_sfcgal")
        pg.load("footprints", city.C200 / "city.gpkg", "buildings", "-limit", str(PEER_BUILDINGS), "-overwrite")
        pg.sql("CREATE TABLE solids AS SELECT id AS bid, ST_Extrude(ST_Force3D(ST_Force2D(geom)), 0, 0, height_m) AS geom FROM footprints")
        pg.sql("UPDATE solids SET geom = ST_SetSRID(geom, 4551)")
    where = " ".join(f"{k}={pg.environment[v]}" for k, v in [("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("dbname", "PGDATABASE")])

    def side():
        shutil.rmtree(OUT / "peer", ignore_errors=True)
        return run([VENV / "py3dtiles", "export", "-D", where, "-t", "solids", "-c", "geom", "-i", "bid", "-s", OUT / "peer", "--spec-version", "1.1"])

    return side


def tiles_in(folder):
    files = [p for p in Path(folder).rglob("*") if p.suffix in (".glb", ".b3dm")]
    return len(files), sum(p.stat().st_size for p in files) / 1e6


def duel():
    OUT.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(OUT).free / 2**30) < ROOM_GIB:
        raise Skipped(f"{free:.1f} GiB of disk are free, {ROOM_GIB} are wanted")
    place = city.made()
    rows, notes = [], []
    taken = alternating({l: strata(place, l, OUT / l) for l in ("buildings", "pipes")}, min(ROUNDS, 3))
    # A pipe of three points has two segments.
    for layer, things, word in [("buildings", 200_000, "buildings"), ("pipes", 800_000, "segments")]:
        cpu = [t.cpu for t in taken[layer]]
        files, size = tiles_in(OUT / layer)
        told = validated(OUT / layer)
        rows.append([f"Strata, {things} {word}", spread(cpu), spread([t.wall for t in taken[layer]]), f"{things / median(cpu):.0f} {word}", f"{max(t.rss_mib for t in taken[layer]):.0f}", f"{files}, {size:.0f} MB", f"{told['errors']} errors in {told['files']} files"])
        assert told["files"] == files, (told, files)
        shutil.rmtree(OUT / layer)
    try:
        pg = Cluster()
        try:
            runs = [peer(pg)()]
        finally:
            pg.stop()
        cpu = [t.cpu for t in runs]
        files, size = tiles_in(OUT / "peer")
        rows.append([f"py3dtiles 12.1.1, {PEER_BUILDINGS} buildings", spread(cpu), spread([t.wall for t in runs]), f"{PEER_BUILDINGS / median(cpu):.0f} buildings", f"{max(t.rss_mib for t in runs):.0f}", f"{files}, {size:.0f} MB", "not asked"])
        notes.append("py3dtiles reads the solids from PostGIS, whose own CPU is not counted; one run, and a tenth of the buildings, because it takes minutes.")
    except Exception as e:
        notes.append(f"py3dtiles did not run here: {str(e).strip().splitlines()[0]}")
    table = Table("C200, implicit 3D Tiles 1.1 with metadata and picking ids, the whole program", ["side", "CPU, s", "wall, s", "a second of CPU", "peak MiB", "contents", "gltf-validator"], rows, notes)
    tables = [table]
    if os.environ.get("MILLION", "1") != "0":
        big = city.made(MILLION, 350_000, 650_000, peers=False)
        rows = []
        for layer, n in [("buildings", 350_000), ("pipes", 650_000)]:
            t = strata(big, layer, OUT / "million")()
            shutil.rmtree(OUT / "million")
            rows.append([layer, n, f"{t.cpu:.1f}", f"{t.wall:.1f}", f"{t.rss_mib:.0f}"])
        tables.append(Table("One million features", ["layer", "features", "CPU, s", "wall, s", "peak MiB"], rows, ["one run; the peak counts the mapped segments that stay in memory"]))
    return tables
