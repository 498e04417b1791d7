"""C200, the synthetic city of the tile duels: L-shaped buildings and three-point pipes over 20 x 20 km of EPSG:4551.

Seeded, so every run and every side gets the same bytes. One GeoPackage for Strata and GDAL, GeoParquet and FlatGeobuf
in degrees for the tilers that read nothing else. All files carry the attributes that all tiles carry.
"""
import subprocess
import sys
import time
from pathlib import Path

SEED = 20_261_124
CENTRE = (445_717.0, 4_861_466.0)
SIDE_M = 20_000.0
# What Strata's tiles say of every feature beside its attributes; the others get them as columns.
VALID_FROM, VALID_FROM_DAY, VALID_TO_DAY = "2000-01-01", 10_957, 2_147_483_647
USES = ["residential", "office", "commercial", "industrial", "school", "public"]
CLASSES = ["JS", "PS", "RQ", "RL", "DL", "TX", "GY", "QT"]


def frames(buildings, pipes, seed=SEED):
    import geopandas
    import numpy as np
    import shapely

    rng = np.random.default_rng(seed)

    def places(n):
        return np.stack([c + rng.uniform(-SIDE_M / 2, SIDE_M / 2, n) for c in CENTRE], 1)

    def turned(local, centre, angle):
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        x = local[..., 0] * c - local[..., 1] * s + centre[:, :1]
        y = local[..., 0] * s + local[..., 1] * c + centre[:, 1:2]
        # Whole millimetres: the same number in text, in float and in the database.
        return np.round(np.stack([x, y], -1), 3)

    n = buildings
    w, h = rng.uniform(16, 48, n), rng.uniform(12, 40, n)
    a, b = w * rng.uniform(0.35, 0.65, n), h * rng.uniform(0.35, 0.65, n)
    zero = np.zeros(n)
    ell = np.stack([np.stack(p, -1) for p in [(zero, zero), (w, zero), (w, b), (a, b), (a, h), (zero, h), (zero, zero)]], 1)
    plan = turned(ell, places(n), rng.uniform(0, 2 * np.pi, n))
    z = np.repeat(np.round(rng.uniform(195, 225, n), 2)[:, None], 7, 1)
    ring = np.concatenate([plan, z[..., None]], -1)
    ring[:, -1] = ring[:, 0]
    floors = rng.integers(1, 34, n)
    houses = geopandas.GeoDataFrame(
        {
            "id": [f"b{i:06}" for i in range(n)],
            "valid_from_day": VALID_FROM_DAY,
            "valid_to_day": VALID_TO_DAY,
            "use": rng.choice(USES, n),
            "height_m": floors * 3.0,
            "floors": floors,
            "year_built": rng.integers(1950, 2027, n),
        },
        geometry=shapely.polygons(ring),
        crs="EPSG:4551",
    )
    n = pipes
    step = rng.uniform(15, 70, (n, 2))
    bend = rng.uniform(-0.5, 0.5, n)
    zero = np.zeros(n)
    line = np.stack(
        [
            np.stack([zero, zero], -1),
            np.stack([step[:, 0], zero], -1),
            np.stack([step[:, 0] + step[:, 1] * np.cos(bend), step[:, 1] * np.sin(bend)], -1),
        ],
        1,
    )
    plan = turned(line, places(n), rng.uniform(0, 2 * np.pi, n))
    z = np.round(rng.uniform(190, 220, n)[:, None] - np.stack([zero, step[:, 0], step.sum(1)], 1) * 0.003, 3)
    dn = rng.choice([100, 150, 200, 300, 400, 600, 800, 1000], n)
    lines = geopandas.GeoDataFrame(
        {
            "id": [f"p{i:06}" for i in range(n)],
            "valid_from_day": VALID_FROM_DAY,
            "valid_to_day": VALID_TO_DAY,
            "class": rng.choice(CLASSES, n),
            "dn_mm": dn,
            "od_mm": dn + 20.0,
            "material": rng.choice(["PE", "PVC", "steel", "ductile iron"], n),
        },
        geometry=shapely.linestrings(np.concatenate([plan, z[..., None]], -1)),
        crs="EPSG:4551",
    )
    return {"buildings": houses, "pipes": lines}


def written(folder, buildings=200_000, pipes=400_000, peers=True):
    """The city's files, made when they are not there."""
    folder = Path(folder)
    if (folder / "done").exists():
        return folder
    # In a process of its own: a child's peak memory is never told lower than that of who started it.
    subprocess.run([sys.executable, __file__, folder, str(buildings), str(pipes), str(int(peers))], check=True)
    return folder


def make(folder, buildings, pipes, peers):
    folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    gpkg = folder / "city.gpkg"
    gpkg.unlink(missing_ok=True)
    for name, frame in frames(buildings, pipes).items():
        frame.drop(columns=["valid_from_day", "valid_to_day"]).to_file(gpkg, layer=name, driver="GPKG", engine="pyogrio")
        if peers:
            degrees = frame.to_crs(4326)
            degrees.to_parquet(folder / f"{name}.parquet")
            degrees.to_file(folder / f"{name}.fgb", driver="FlatGeobuf", engine="pyogrio")
    (folder / "done").write_text(f"{buildings} {pipes} {SEED}\n")
    print(f"  made {buildings} buildings and {pipes} pipes in {time.time() - began:.0f} s: {folder}", flush=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
