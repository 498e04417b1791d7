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
    return [Table("The synthetic district, 1280 × 720", ["what", "seen", "wanted"], rows, ["a fresh browser profile each visit: nothing is cached in it"])]
