"""The peer's side: freestile.py OUT LAYER=PARQUET… → what reading and tiling took, as one JSON line."""
import json
import resource
import sys
import time


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


import freestiler
import geopandas

begun, clock = cpu(), time.perf_counter()
layers = {name: geopandas.read_parquet(path) for name, path in (a.split("=") for a in sys.argv[2:])}
read, clock_read = cpu(), time.perf_counter()
freestiler.freestile(layers, sys.argv[1], tile_format="mvt", min_zoom=14, max_zoom=14, simplification=False, quiet=True)
print(json.dumps({"read_cpu": read - begun, "cpu": cpu() - read, "wall": time.perf_counter() - clock_read}))
