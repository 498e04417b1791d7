"""Pipes as a graph: a million of them joined, traced and cut into segments; BWSN-2 beside WNTR."""
from common import HELPERS, Table, run


def duel():
    out = run([HELPERS / "bench-network"]).out.strip()
    print("\n".join("  " + line for line in out.split("\n")), flush=True)
    rows = [[what.strip(), told.strip()] for what, _, told in (line.partition(": ") for line in out.split("\n")) if told]
    return [Table("Networks", ["what", "seen"], rows, ["runs and their medians are the program's own"])]
