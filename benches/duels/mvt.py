"""Vector tiles in bulk: C200 at zoom 14, Strata, freestiler and tippecanoe, with the same features in the tiles."""
import json
import shutil

import c200
import city
from common import HELPERS, HERE, STRATA, VAR, VENV, Table, Took, alternating, median, run, spread

OUT = VAR / "mvt"
BUFFER = "4"  # tippecanoe counts 256ths of a tile: 4 are the 64 of 4096 that Strata keeps


def unpacked(archive, folder):
    """A PMTiles archive as `{z}/{x}/{y}.mvt.gz`, for counting."""
    from pmtiles.reader import MmapSource, Reader, all_tiles

    shutil.rmtree(folder, ignore_errors=True)
    with open(archive, "rb") as f:
        for (z, x, y), data in all_tiles(MmapSource(f)):
            place = folder / str(z) / str(x)
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{y}.mvt.gz").write_bytes(data)
    return folder


def sides(place, files, layers):
    def strata(*more):
        def side():
            shutil.rmtree(OUT / "strata", ignore_errors=True)
            return run([STRATA, "tiles", place, *layers, "--format", "mvt", "--recipe", HERE / "c200.toml", "-o", OUT / "strata", *more])

        return side

    def tippecanoe(*more):
        flags = ["-q", "-f", "-Z14", "-z14", "-b", BUFFER, "--no-tile-size-limit", "--no-feature-limit", "--no-tiny-polygon-reduction"]
        flags += ["--no-line-simplification", "--no-tile-stats"]
        named = [a for l in layers for a in ("-L", f"{l}:{files / l}.fgb")]
        return lambda: run([VENV / "tippecanoe", *flags, *more, "-o", OUT / "tippecanoe.pmtiles", *named])

    def freestiler():
        took = run([VENV / "python", HERE / "duels/freestile.py", OUT / "freestiler.pmtiles", *(f"{l}={files / l}.parquet" for l in layers)])
        inner = json.loads(took.out.strip().split("\n")[-1])
        # Tiling alone: what Python, its imports and reading take is told beside it.
        return Took(inner["wall"], inner["cpu"], took.rss_mib, json.dumps({"whole_cpu": took.cpu, **inner}))

    return {
        "Strata, gzip": strata("--gzip"),
        "freestiler 0.3.0 (tiling alone)": freestiler,
        "tippecanoe 2.72.0": tippecanoe(),
        "Strata, not packed": strata(),
        "tippecanoe, not packed": tippecanoe("--no-tile-compression"),
    }


def tallied(folders):
    return json.loads(run([HELPERS / "bench-tally", *folders]).out)


def compared(layers):
    """The tiles of the three beside each other: rows, and notes on what differs."""
    strata = tallied([OUT / "strata"])
    peers = {name: tallied([unpacked(OUT / f"{name}.pmtiles", OUT / name)]) for name in ("freestiler", "tippecanoe")}
    rows = []
    for layer in layers:
        for name, all_of in [("Strata", strata), *peers.items()]:
            tiles = all_of["layers"].get(layer, {})
            total = [sum(t[k] for t in tiles.values()) for k in range(4)]
            ours = strata["layers"][layer]
            # Tiles whose features that meet the tile itself are not as many as ours.
            other = sum(1 for k in ours.keys() | tiles.keys() if ours.get(k, [0] * 4)[1] != tiles.get(k, [0] * 4)[1])
            mean = [max(sum(t[i] for t in ours.values()) / len(ours), 1) for i in range(4)]
            worst = max(abs(ours.get(k, [0] * 4)[i] - tiles.get(k, [0] * 4)[i]) / mean[i] for k in ours for i in (2, 3))
            rows.append([layer, name, len(tiles), int(total[0]), int(total[1]), f"{total[2]:.0f}", f"{total[3]:.0f}", other, f"{worst:.2%}"])
    sizes = ", ".join(f"{name} {t['bytes'] / 1e6:.1f} MB" for name, t in [("Strata", strata), *peers.items()])
    head = ["layer", "tiler", "tiles", "instances", "of them on the tile itself", "area, units²", "length, units", "tiles with other instances", "largest difference in a tile, of a mean tile's area or length"]
    return Table("What lies in the tiles", head, rows, [f"bytes, gzip: {sizes}"])


def duel():
    place = city.made()
    OUT.mkdir(parents=True, exist_ok=True)
    tables = []
    for title, layers in [("C200 buildings (200 000), zoom 14", ["buildings"]), ("C200 buildings and pipes (600 000), zoom 14", ["buildings", "pipes"])]:
        print(f"  {title}", flush=True)
        both = sides(place, city.C200, layers)
        tables.append(None)
        at = len(tables) - 1
        # The answer first.
        for name in ("Strata, gzip", "freestiler 0.3.0 (tiling alone)", "tippecanoe 2.72.0"):
            both[name]()
        tables.append(compared(layers))
        taken = alternating(both)
        ours = {True: median([t.cpu for t in taken["Strata, gzip"]]), False: median([t.cpu for t in taken["Strata, not packed"]])}
        rows = []
        for name, runs in taken.items():
            cpu = median([t.cpu for t in runs])
            base = ours["not packed" not in name]
            rows.append([name, spread([t.cpu for t in runs]), spread([t.wall for t in runs]), f"{max(t.rss_mib for t in runs):.0f}", f"{cpu / base:.2f}"])
        whole = spread([json.loads(t.out)["whole_cpu"] for t in taken["freestiler 0.3.0 (tiling alone)"]])
        notes = [
            f"freestiler with Python, its imports and reading GeoParquet: {whole} s of CPU. Strata's and tippecanoe's seconds are of the whole program.",
            "buffer 64 of 4096 (freestiler has a wider one and no option for it: see its instances below), no simplification, nothing dropped, the same attributes; Strata also projects from EPSG:4551, the others read degrees.",
        ]
        tables[at] = Table(title, ["side", "CPU, s", "wall, s", "peak MiB", "CPU over Strata's"], rows, notes)
    return tables
