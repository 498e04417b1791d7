"""The packed time-space index beside geo-index, and beside PostGIS where it is installed."""
import json
import os

from common import HELPERS, Skipped, Table, run
from postgres import Cluster


def duel():
    environment, pg, note = dict(os.environ), None, None
    try:
        pg = Cluster()
        pg.sql("CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS btree_gist")
        environment.update(pg.environment, PG="1")
        note = f"PostgreSQL {pg.version()}: GiST over the box in three dimensions and `tstzrange`, one connection, the server's own time."
    except Skipped as why:
        note = f"PostGIS is left out: {why}"
    try:
        out = run([HELPERS / "bench-index"], env=environment).out
    finally:
        if pg:
            pg.stop()
    print("\n".join("  " + line for line in out.strip().split("\n")[:-1]), flush=True)
    told = json.loads(out.strip().split("\n")[-1])
    head = ["boxes", "question", "side", "wall, ms", "CPU, ms", "hits", "ours over it"]
    rows = [[k, q, s, f"{wall:.2f} ({low:.2f}–{high:.2f})", "" if cpu is None else f"{cpu:.2f}", hits, f"{ratio:.2f}"] for k, q, s, wall, low, high, cpu, hits, ratio in told]
    notes = [
        "geo-index 0.4 knows plan boxes only. `plan`: both answer the plan window, ours compares height and time all the same. `z, time`: geo-index's hits are filtered by height and time.",
        "the same hits (count and hash of the sorted rows) before any time is taken; windows are a batch, times are of the batch; build: ours over it is of CPU.",
        note,
    ]
    return [Table("One million boxes", head, rows, notes)]
