"""The C200 city as Strata keeps it, made once from its GeoPackage."""
import json
import shutil

import c200
from common import STRATA, VAR, run

C200 = VAR / "c200"


def made(folder=C200, buildings=200_000, pipes=400_000, peers=True):
    """The folder of the city; its `files` are beside it."""
    files = c200.written(folder, buildings, pipes, peers)
    city = files / "city"
    if not (files / "imported").exists():
        shutil.rmtree(city, ignore_errors=True)
        run([STRATA, "new", city, "--crs", "EPSG:4551+5737", "--name", "C200 (synthetic)"])
        took = run([STRATA, "--json", "import", city, files / "city.gpkg", "--valid-from", c200.VALID_FROM])
        report = json.loads(took.out.strip().split("\n")[-1])["report"]
        assert report["taken"] == buildings + pipes, report
        (files / "imported").write_text(took.out)
        print(f"  imported into the record and indexed: wall {took.wall:.0f} s, cpu {took.cpu:.0f} s, {took.rss_mib:.0f} MiB", flush=True)
    return city
