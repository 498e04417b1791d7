"""Vector tiles on request: the same list of zoom 14 tiles from `strata serve` over HTTP and from PostGIS with `pgbench`."""
import json
import random
import re
import shutil
import subprocess
import time
import urllib.request

import c200
import city
from common import HELPERS, HERE, ROUNDS, STRATA, VAR, Table, median, process_s, run, spread
from postgres import Cluster

OUT = VAR / "live"
CLIENTS, SECONDS, TILES = 4, 6, 200
ATTRIBUTES = {"buildings": '"use", height_m, floors, year_built', "pipes": '"class", dn_mm, od_mm, material'}


class Server:
    """`strata serve` on a free port of the loopback; it stops when its standard input closes, or here by its pid."""

    def __init__(self, place, *more):
        self.child = subprocess.Popen(
            [STRATA, "serve", place, "--listen", "127.0.0.1:0", "--stop-with-parent", *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        address = re.match(r"url=http://([^/]+)/", self.child.stdout.readline())
        if not address:
            raise RuntimeError("strata serve did not start")
        self.host = address[1]
        self.token = self.child.stdout.readline().strip().removeprefix("token=")

    def ask(self, seconds, list_file, packing="identity"):
        return json.loads(run([HELPERS / "bench-ask", self.host, self.token, CLIENTS, seconds, list_file, packing]).out)

    def cpu_s(self):
        return process_s(self.child.pid)

    def stop(self):
        if self.child.poll() is not None:
            return
        self.child.stdin.close()
        self.child.terminate()
        self.child.wait()


def tile_list():
    """Layer and tile, drawn from those that the city's inner 18 km cover."""
    import pyproj

    to_mercator = pyproj.Transformer.from_crs(4551, 3857, always_xy=True)
    size = 2 * 20037508.342789244 / 2**14
    half = c200.SIDE_M / 2 - 1000
    corners = [to_mercator.transform(c200.CENTRE[0] + a, c200.CENTRE[1] + b) for a in (-half, half) for b in (-half, half)]
    xs, ys = [int((p[0] + 20037508.342789244) / size) for p in corners], [int((20037508.342789244 - p[1]) / size) for p in corners]
    every = [(layer, x, y) for layer in ATTRIBUTES for x in range(min(xs), max(xs) + 1) for y in range(min(ys), max(ys) + 1)]
    return random.Random(c200.SEED).sample(every, min(TILES, len(every)))


def prepared(pg, tiles):
    """Each layer in mercator, in two dimensions, clustered by its index, analysed: what its documentation advises."""
    if not pg.has("c200_ready"):
        pg.sql("CREATE EXTENSION IF NOT EXISTS postgis")
        for layer in ATTRIBUTES:
            pg.sql(f"DROP TABLE IF EXISTS {layer}")
            pg.load(layer, city.C200 / f"{layer}.fgb", "-t_srs", "EPSG:3857", "-dim", "XY", "-lco", "SPATIAL_INDEX=NONE")
            pg.sql(f"CREATE INDEX {layer}_g ON {layer} USING gist (geom)")
            pg.sql(f"CLUSTER {layer} USING {layer}_g")
            pg.sql(f"VACUUM ANALYZE {layer}")
            inner = f"SELECT id, valid_from_day, valid_to_day, {ATTRIBUTES[layer]}, ST_AsMVTGeom(geom, ST_TileEnvelope(14, x, y), 4096, 64, true) AS geom FROM {layer} WHERE geom && ST_TileEnvelope(14, x, y, margin => 64.0 / 4096)"
            pg.sql(f"CREATE OR REPLACE FUNCTION {layer}_tile(x int, y int) RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT ST_AsMVT(q, '{layer}', 4096, 'geom') FROM ({inner}) q WHERE geom IS NOT NULL $$")
        pg.sql("CREATE TABLE c200_ready()")
    pg.sql("DROP TABLE IF EXISTS list; CREATE TABLE list(i int PRIMARY KEY, layer text, x int, y int); DROP SEQUENCE IF EXISTS n; CREATE SEQUENCE n")
    pg.sql("INSERT INTO list VALUES " + ", ".join(f"({i}, '{l}', {x}, {y})" for i, (l, x, y) in enumerate(tiles)))
    cases = "RETURN CASE r.layer " + " ".join(f"WHEN '{l}' THEN {l}_tile(r.x, r.y)" for l in ATTRIBUTES) + " END;"
    pg.sql(f"CREATE OR REPLACE FUNCTION tile(n int) RETURNS bytea LANGUAGE plpgsql STABLE AS $$ DECLARE r list; BEGIN SELECT * INTO r FROM list WHERE i = n; {cases} END $$")
    (OUT / "tile.sql").write_text(f"SELECT length(tile((nextval('n') % {len(tiles)})::int));\n")


def bench(pg, *more):
    """Tiles a second, CPU ms a tile, mean ms."""
    before = pg.cpu_s()
    out = run(["pgbench", "-n", "-M", "prepared", "-f", OUT / "tile.sql", "-c", CLIENTS, "-j", "1", *more], env=pg.environment).out
    done = int(re.search(r"transactions actually processed: (\d+)", out)[1])
    tps = float(re.search(r"tps = ([\d.]+) \(without", out)[1])
    latency = float(re.search(r"latency average = ([\d.]+)", out)[1])
    # The server knows what its processes took once they have ended.
    time.sleep(1)
    return tps, (pg.cpu_s() - before) * 1e3 / done, latency


def asked(server, seconds, list_file, packing="identity"):
    before = server.cpu_s()
    told = server.ask(seconds, list_file, packing)
    return told["per_s"], (server.cpu_s() - before) * 1e3 / told["answers"], told["p50_ms"], told["p95_ms"], told["bytes"] / told["answers"]


def same(pg, server, tiles):
    """Both sides' tiles counted by the same reader."""
    found = {}
    for side in ("strata", "postgis"):
        shutil.rmtree(OUT / side, ignore_errors=True)
    for layer, x, y in tiles:
        request = urllib.request.Request(f"http://{server.host}/tiles/{layer}/14/{x}/{y}.mvt", headers={"Authorization": f"Bearer {server.token}"})
        ours = urllib.request.urlopen(request).read()
        theirs = bytes.fromhex(pg.sql(f"SELECT encode({layer}_tile({x}, {y}), 'hex')").strip())
        for side, data in (("strata", ours), ("postgis", theirs)):
            place = OUT / side / layer / "14" / str(x)
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{y}.mvt").write_bytes(data)
    for side in ("strata", "postgis"):
        found[side] = json.loads(run([HELPERS / "bench-tally", OUT / side]).out)
    rows = []
    for layer in ATTRIBUTES:
        a, b = (found[side]["layers"][layer] for side in ("strata", "postgis"))
        assert a.keys() == b.keys(), f"{layer}: other tiles"
        other = sum(1 for k in a if a[k][1] != b[k][1])
        worst = max(abs(a[k][i] - b[k][i]) / max(a[k][i], 1) for k in a for i in (2, 3))
        rows.append([layer, len(a), *(int(sum(t[0] for t in s.values())) for s in (a, b)), *(int(sum(t[1] for t in s.values())) for s in (a, b)), other, f"{worst:.2%}"])
    head = ["layer", "tiles", "instances: Strata", "PostGIS", "on the tile itself: Strata", "PostGIS", "tiles with other instances", "largest difference of area or length in a tile"]
    return Table("What lies in the tiles", head, rows)


def duel():
    place = city.made()
    OUT.mkdir(parents=True, exist_ok=True)
    tiles = tile_list()
    list_file = OUT / "list.txt"
    list_file.write_text("\n".join(f"/tiles/{l}/14/{x}/{y}.mvt" for l, x, y in tiles) + "\n")
    pg, server = Cluster(), None
    kinds = ["Strata cold", "Strata warm, cache off", "Strata cached", "PostGIS cold", "PostGIS warm", "gzip, cache off", "gzip, cached"]
    taken = {k: [] for k in kinds}
    try:
        prepared(pg, tiles)
        versions = pg.version()
        for n in range(ROUNDS):
            # One writer to a city: the server without a cache goes before the one with it comes.
            server = Server(place, "--recipe", HERE / "c200.toml", "--tile-cache-mib", "0")
            taken["Strata cold"].append(asked(server, 0, list_file))
            pg.stop()
            pg.start()
            taken["PostGIS cold"].append(bench(pg, "-t", len(tiles) // CLIENTS))
            taken["Strata warm, cache off"].append(asked(server, SECONDS, list_file))
            taken["PostGIS warm"].append(bench(pg, "-T", SECONDS))
            taken["gzip, cache off"].append(asked(server, SECONDS, list_file, "gzip"))
            if n == 0:
                answer = same(pg, server, tiles)
            server.stop()
            server = Server(place, "--recipe", HERE / "c200.toml")
            server.ask(0, list_file, "gzip")
            taken["Strata cached"].append(asked(server, SECONDS, list_file))
            taken["gzip, cached"].append(asked(server, SECONDS, list_file, "gzip"))
            server.stop()
            print(f"    round {n + 1}: " + ", ".join(f"{k} {v[-1][0]:.0f}/s" for k, v in taken.items()), flush=True)
    finally:
        if server:
            server.stop()
        pg.stop()
    column = {k: [spread([t[0] for t in v], 0), spread([t[1] for t in v])] for k, v in taken.items()}
    times = median([t[0] for t in taken["Strata warm, cache off"]]) / median([t[0] for t in taken["PostGIS warm"]])
    cpu = median([t[1] for t in taken["PostGIS warm"]]) / median([t[1] for t in taken["Strata warm, cache off"]])
    rows = [
        ["Strata over HTTP, not packed: tiles/s", column["Strata cold"][0], column["Strata warm, cache off"][0], column["Strata cached"][0]],
        ["PostGIS, pgbench, not packed: tiles/s", column["PostGIS cold"][0], column["PostGIS warm"][0], "it keeps no tiles"],
        ["Strata over HTTP, gzip: tiles/s", "", column["gzip, cache off"][0], column["gzip, cached"][0]],
        ["Strata: CPU ms a tile", column["Strata cold"][1], column["Strata warm, cache off"][1], column["Strata cached"][1]],
        ["PostGIS: CPU ms a tile", column["PostGIS cold"][1], column["PostGIS warm"][1], "–"],
        ["Strata: p50, p95 ms", *(f"{median([t[2] for t in taken[k]]):.1f}, {median([t[3] for t in taken[k]]):.1f}" for k in kinds[:3])],
        ["PostGIS: mean ms", *(f"{median([t[2] for t in taken[k]]):.1f}" for k in kinds[3:5]), "–"],
        ["Strata over PostGIS, tiles/s", "", f"{times:.1f}", ""],
        ["PostGIS over Strata, CPU a tile", "", f"{cpu:.1f}", ""],
    ]
    notes = [
        f"PostgreSQL {versions}; {CLIENTS} clients, the same list of {len(tiles)} tiles of one layer each, {SECONDS} s a round. PostGIS is asked without HTTP.",
        "cold: the server was just started (the files are in the page cache of the system); warm: after that pass, Strata with `--tile-cache-mib 0`; cached: Strata with its cache.",
        f"a tile of ours has {median([t[4] for t in taken['Strata cached']]) / 1e3:.1f} kB in the mean, {median([t[4] for t in taken['gzip, cached']]) / 1e3:.1f} kB packed.",
    ]
    return [Table("C200 at zoom 14, on request", ["", "cold", "warm, no tile cache", "cached"], rows, notes), answer]
