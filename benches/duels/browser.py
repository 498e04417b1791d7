"""The planner's page on a warm server in headless Chromium with a software adapter, and the size of its wasm."""
import gzip
import json
import os
import shutil

from common import HERE, ROUNDS, STRATA, VAR, Skipped, Table, run, spread
from live import Server

ROOT = HERE.parent
WASM = ROOT / "viewer/src/pkg/render_bg.wasm"


def duel():
    if not shutil.which("chromium"):
        raise Skipped("chromium is not installed (apt-get install chromium)")
    if os.environ.get("STRATA_BENCH_PAGE") == "broken":
        raise RuntimeError("the page does not build (tools/viewer.sh)")
    if not (ROOT / "viewer/dist/index.html").exists() or not WASM.exists():
        raise Skipped("the page is not built (tools/viewer.sh)")
    web = ROOT / "tests/web"
    if not (web / "node_modules/playwright-core").exists():
        run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=web)
    place = VAR / "district"
    if not place.exists():
        run([STRATA, "demo", "--dir", place, "--no-serve"])
    server = Server(place, "--viewer", ROOT / "viewer/dist")
    try:
        both = beside(web, server)
        seen = []
        # The first visit warms the server and is not counted.
        for n in range(ROUNDS + 1):
            told = json.loads(run(["node", HERE / "duels/first.mjs", web, f"http://{server.host}", server.token]).out.strip().split("\n")[-1])
            assert not told["errors"] and told["drawn"], told
            print(f"    visit {n}: first picture {told['first_picture_ms']} ms", flush=True)
            seen.append(told)
    finally:
        server.stop()
    raw = WASM.read_bytes()
    packed = "console.log(require('zlib').brotliCompressSync(require('fs').readFileSync(process.argv[1])).length)"
    brotli = int(run(["node", "-e", packed, WASM]).out)
    rows = [
        ["first picture, ms from the address to a drawn city", spread([t["first_picture_ms"] for t in seen[1:]], 0), "under 3 000"],
        ["the page's own clock, ms", spread([t["page_first_picture_ms"] for t in seen[1:]], 0), ""],
        ["wasm, MiB: raw / gzip / brotli", f"{len(raw) / 2**20:.2f} / {len(gzip.compress(raw, 9)) / 2**20:.2f} / {brotli / 2**20:.2f}", "under 6 compressed"],
    ]
    return [Table("The synthetic district, 1280 × 720", ["what", "seen", "wanted"], rows, ["a fresh browser profile each visit, nothing is cached in it; the browser itself has started three seconds before"]), both]


def beside(web, server):
    """CesiumJS and our twin on the same tiles along the same cameras, in one Chromium."""
    pictures = VAR / "beside"
    pictures.mkdir(exist_ok=True)
    told = json.loads(run(["node", HERE / "duels/beside.mjs", web, ROOT / "viewer", f"http://{server.host}", server.token, HERE / "flight.json", ROUNDS, pictures]).out.strip().split("\n")[-1])
    assert not told["errors"], "the browser complained: see above"
    sides = {}
    for s in told["seen"]:
        sides.setdefault(s["side"], []).append(s)
    # A round's figure is the mean over its stops.
    mean = lambda s, key: sum(p[key] for p in s["places"]) / len(s["places"])
    rows = [
        [
            name,
            spread([mean(s, "picture_ms") for s in visits], 0),
            spread([s["places"][0]["first_settled_ms"] / 1000 for s in visits]),
            spread([sum(p["settled_ms"] for p in s["places"][1:]) / 1000 / (len(s["places"]) - 1) for s in visits]),
            spread([s["bytes"] / 1e6 for s in visits], 1),
            spread([s["heap"] / 2**20 for s in visits], 0),
        ]
        for name, visits in sides.items()
    ]
    notes = [
        f"one Chromium, SwiftShader, 1280 × 720, every pixel drawn; {len(told['stops'])} stops of benches/flight.json ({', '.join(told['stops'])}); layers terrain, water, roads, rail, buildings, trees from one server, gzip, nothing cached between visits.",
        "ms a picture: the camera turns a fiftieth of a degree a picture, over eight pictures after the first at each stop, or twenty seconds. First settled: from the address on, with the program. Heap: JavaScript's, and the wasm's memory.",
        "Both are asked for tiles right to 16 px (Strata low: 24). Strata draws facades, sky, shadows and haze by its preset; CesiumJS the tiles' own colours, with four cascades where it says shadows.",
        "the pictures of the first round lie in benches/var/beside.",
    ]
    return Table("Beside CesiumJS on the same tiles", ["side", "ms a picture", "first settled, s", "each next stop settled, s", "MB received", "heap, MiB"], rows, notes)
