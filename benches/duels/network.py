"""Pipes: a million of them joined, walked, cut into segments; beside them WNTR, pgRouting, FCL and the EPANET toolkit."""
import json
import os
import time
from importlib.metadata import version
from pathlib import Path

from common import HELPERS, HERE, ROUNDS, VAR, VENV, Skipped, Table, Took, alternating, median, run, spread
from postgres import Cluster

OUT = VAR / "network"
NETWORKS = Path(os.environ.get("STRATA_DATA", HERE.parent.parent / "shared/data")) / "epanet/networks"
EDGES = int(os.environ.get("EDGES", "1000000"))


def told(args, of=None):
    """A helper's own figures, `{"took": {"wall", "cpu"}, …}`, as its last line says them."""
    found = json.loads(run(args).out.strip().split("\n")[-1])
    took = found["took"] if of is None else found[of]["took"]
    return found, Took(took["wall"], took["cpu"])


def clocked(work):
    """What this process itself takes for a piece of work."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = work()
    return answer, Took(time.perf_counter() - wall, time.process_time() - cpu)


def same(what, ours, theirs):
    if ours != theirs:
        raise RuntimeError(f"{what}: Strata answers {ours}, the peer {theirs}")


def rows(taken, unit=1e3, digits=2):
    """The first side is ours."""
    # What is shorter than the system's tick has no CPU seconds; its wall time stands in.
    base = median([max(t.cpu, t.wall if t.cpu < 0.05 else 0.0) for t in next(iter(taken.values()))])
    return [[name, spread([t.cpu * unit for t in runs], digits), spread([t.wall * unit for t in runs], digits), f"{median([t.cpu for t in runs]) / base:.2f}"] for name, runs in taken.items()]


HEAD = ["side", "CPU, ms", "wall, ms", "CPU over Strata's"]


def alone():
    out = run([HELPERS / "bench-network", EDGES]).out.strip()
    print("\n".join("  " + line for line in out.split("\n")), flush=True)
    lines = [[what.strip(), told.strip()] for what, _, told in (line.partition(": ") for line in out.split("\n")) if told]
    return Table("A million pipes", ["what", "seen"], lines, ["runs and their medians are the program's own"])


def segments():
    """WNTR's segments of BWSN-2; each round checks again that both find the same."""
    script, found = HERE.parent / "crates/pipes/tests/peers/valve_segments.py", OUT / "segments.json"
    seen = {}

    def wntr():
        found.write_text(run([VENV / "python", script, NETWORKS / "BWSN_Network_2.inp", "strategic", "2", "1"]).out)
        seen["peer"] = json.loads(found.read_text())
        return Took(seen["peer"]["wall"], seen["peer"]["seconds"])

    def ours():
        seen["ours"], took = told([HELPERS / "bench-network", "segments", found])
        return took

    wntr()
    taken = alternating({"Strata": ours, "WNTR": wntr}, min(ROUNDS, 3))
    a = seen["ours"]
    notes = [f"{a['links']} links, {a['valves']} valves, the same {a['segments']} segments (checked each round); WNTR {seen['peer']['wntr']}, {min(ROUNDS, 3)} rounds."]
    notes += ["2 000 isolations there, each with a stuck valve and its users summed: median {:.4f} ms, 99 % {:.4f} ms, longest {:.4f} ms.".format(*a["isolations"])]
    return Table("Valve segments of BWSN-2", HEAD, rows(taken, digits=3), notes)


def walks():
    """pgRouting reads its edges with each question, as it always does; ours holds the network, whose building is told."""
    table = OUT / "edges.csv"
    first, _ = told([HELPERS / "bench-network", "walks", EDGES, table], "path")
    pg = Cluster()
    try:
        pg.sql("CREATE EXTENSION IF NOT EXISTS postgis; CREATE EXTENSION IF NOT EXISTS pgrouting; DROP TABLE IF EXISTS pipes; CREATE TABLE pipes (id bigint PRIMARY KEY, source bigint, target bigint, cost float8)")
        run(["psql", "-X", "-q", "-c", f"\\copy pipes FROM '{table}' CSV"], env=pg.environment)
        pg.sql("ANALYZE pipes")
        edges = "$$SELECT id, source, target, cost, cost AS reverse_cost FROM pipes$$"
        questions = {
            "connected": ("pgr_breadthFirstSearch", f"SELECT count(*) FROM pgr_breadthFirstSearch({edges}, {first['middle']}, directed => false)"),
            "distances": ("pgr_drivingDistance", f"SELECT count(*), sum(agg_cost) FROM pgr_drivingDistance({edges}, {first['middle']}, 1e12, directed => false)"),
            "path": ("pgr_bdDijkstra", f"SELECT sum(cost) FROM pgr_bdDijkstra({edges}, {first['from']}, {first['to']}, directed => false)"),
        }
        lines, notes = [], []
        for what, (function, query) in questions.items():
            def peer():
                cpu, wall = pg.cpu_s(), time.perf_counter()
                answer = [float(v) for v in pg.sql(query).strip().split("|")]
                wall = time.perf_counter() - wall
                # The server counts a process of its own when it has ended.
                time.sleep(0.3)
                same(function, first[what]["answer"], answer)
                return Took(wall, pg.cpu_s() - cpu)

            peer()
            taken = alternating({f"Strata, {what}": lambda: told([HELPERS / "bench-network", "walks", EDGES, table], what)[1], function: peer})
            lines += rows(taken, digits=1)
        version = pg.sql("SELECT pgr_version()").strip()
        answers = ", ".join(f"{w} {first[w]['answer']}" for w in questions)
        notes = [f"{first['edges']} edges of 80 to 120 m; the same answers: {answers} (nodes; nodes and the sum of their distances, m; length, m)."]
        notes += [f"pgRouting {version}, {pg.version()}, reads its edges with each question (connections closed between); Strata holds them: {first['build']['wall']:.2f} s to build and {first['landmarks']['wall']:.2f} s for the landmarks of the shortest way, once for a version of the city."]
        return Table("Walks over a million pipes", HEAD, lines, notes)
    finally:
        pg.stop()


def between(p, q):
    """Distance of two segments in space, by the library that knows nothing of ours: the least of a convex square."""
    from scipy.optimize import lsq_linear
    import numpy as np

    a, b, c, d = (np.array(v) for v in (p[:3], p[3:6], q[:3], q[3:6]))
    best = lsq_linear(np.stack([b - a, c - d], axis=1), c - a, bounds=(0, 1), tol=1e-14)
    return (2 * best.cost) ** 0.5


def clearance():
    """20 000 capsules with a margin beside FCL; then a city's pieces by the rules."""
    import fcl
    import numpy as np

    file, margin, n = OUT / "capsules.json", 0.3, 20_000
    _, _ = told([HELPERS / "bench-bodies", "capsules", n, margin, file])
    given = json.loads(file.read_text())
    capsules, ours = given["capsules"], {(int(a), int(b)) for a, b, _ in given["pairs"]}
    found = {}

    def poses():
        out = []
        for x0, y0, z0, x1, y1, z1, r in capsules:
            way = np.array([x1 - x0, y1 - y0, z1 - z0])
            length = np.linalg.norm(way)
            w = way / length
            u = np.cross(w, [1.0, 0, 0] if abs(w[0]) < 0.9 else [0, 1.0, 0])
            u /= np.linalg.norm(u)
            out.append((r + margin / 2, length, np.stack([u, np.cross(w, u), w], axis=1), np.array([x0 + x1, y0 + y1, z0 + z1]) / 2))
        return out

    ready = poses()

    def peer():
        def work():
            shapes = [fcl.Capsule(r, length) for r, length, _, _ in ready]
            bodies = [fcl.CollisionObject(shape, fcl.Transform(turn, at)) for shape, (_, _, turn, at) in zip(shapes, ready)]
            manager = fcl.DynamicAABBTreeCollisionManager()
            manager.registerObjects(bodies)
            manager.setup()
            # The wrapper of a body differs from call to call; that of its shape does not.
            ids = {id(shape): i for i, shape in enumerate(shapes)}
            data = fcl.CollisionData(request=fcl.CollisionRequest(num_max_contacts=10_000_000, enable_contact=True))
            manager.collide(data, fcl.defaultCollisionCallback)
            pairs = ((ids[id(c.o1)], ids[id(c.o2)]) for c in data.result.contacts)
            return {(min(p), max(p)) for p in pairs}

        found["hits"], took = clocked(work)
        return took

    peer()
    # Where the two differ, the exact distance says who is right.
    undecided, wrong = 0, []
    for i, j in ours ^ found["hits"]:
        gap = between(capsules[i], capsules[j]) - capsules[i][6] - capsules[j][6]
        undecided += abs(gap - margin) < 1e-6
        if abs(gap - margin) >= 1e-6 and ((i, j) in ours) != (gap < margin):
            wrong.append((i, j))
    same("capsules that Strata judges wrongly", [], wrong)
    taken = alternating({"Strata": lambda: told([HELPERS / "bench-bodies", "capsules", n, margin, file])[1], "FCL": peer})
    theirs = len(ours ^ found["hits"]) - undecided
    notes = [f"{n} capsules, nearer than {margin} m: Strata {len(ours)} pairs, FCL {len(found['hits'])}; FCL wrong in {theirs} by the exact distance, {undecided} within 1 µm of the margin."]
    notes += [f"python-fcl {version('python-fcl')}: `DynamicAABBTreeCollisionManager` and its narrow phase, from Python as it is offered; Strata gives the distance of each pair too."]
    tables = [Table("Capsules nearer than a margin", HEAD, rows(taken, digits=1), notes)]
    seen = {}

    def city():
        seen["city"], took = told([HELPERS / "bench-bodies", "city", EDGES])
        return took

    taken = alternating({"all class pairs": city})
    s = seen["city"]
    notes = [f"{s['pieces']} pieces of pipe in lanes of {s['kinds']} kinds, every pair that comes near by the rules: {s['findings']} findings."]
    return tables + [Table("Clearance of a million pieces", HEAD, rows(taken, digits=0), notes)]


def hydraulics():
    import warnings

    from epanet import toolkit as en

    # Its warnings of unbalanced moments come as Python's.
    warnings.simplefilter("ignore")
    tables = []
    for name in ["L-TOWN", "BWSN_Network_2"]:
        path, heads, seen = NETWORKS / f"{name}.inp", OUT / f"{name}.json", {}
        text = path.read_text(errors="replace").upper()

        def ours():
            seen["ours"], took = told([HELPERS / "bench-hydraulics", path, heads])
            return took

        def peer():
            def work():
                p = en.createproject()
                en.open(p, str(path), str(OUT / "report.txt"), "")
                # Flow units up to AFD are of feet.
                m = 0.3048 if en.getflowunits(p) <= en.AFD else 1.0
                ids = [en.getnodeid(p, i) for i in range(1, en.getcount(p, en.NODECOUNT) + 1)]
                en.openH(p)
                en.initH(p, en.NOSAVE)
                links, out = en.getcount(p, en.LINKCOUNT), []
                while True:
                    at, heads, flows = en.runH(p), en.doubleArray(len(ids)), en.doubleArray(links)
                    en.getnodevalues(p, en.HEAD, heads)
                    en.getlinkvalues(p, en.FLOW, flows)
                    out.append((at, heads))
                    if en.nextH(p) == 0:
                        break
                en.closeH(p)
                en.close(p)
                en.deleteproject(p)
                return ids, m, out

            seen["peer"], took = clocked(work)
            return took

        ours(), peer()
        ids, m, truth = seen["peer"]
        solved = json.loads(heads.read_text())
        same(f"{name}: moments", [t for t, _ in solved], [t for t, _ in truth])
        off = {}
        for (_, mine), (_, theirs) in zip(solved, truth):
            for n, i in enumerate(ids):
                if i in mine:
                    off[i] = max(off.get(i, 0.0), abs(mine[i] - theirs[n] * m))
        apart = [i for i, d in off.items() if d > 0.01]
        if apart:
            raise RuntimeError(f"{name}: {len(apart)} heads differ by more than 1 cm")
        worst = max(off.values())
        taken = alternating({"Strata's door": ours, "toolkit": peer})
        notes = [f"{seen['ours']['links']} links, {len(truth)} moments; heads differ by {worst:.1e} m at most over {len(off)} nodes; solving alone takes Strata {seen['ours']['solved']['cpu'] * 1e3:.0f} ms of CPU."]
        notes += [f"the door solves and answers with pressures and flows of a network that it holds; its first question, which reads network and model out of the city, takes {seen['ours']['first']['cpu'] * 1e3:.0f} ms of CPU; the toolkit (owa-epanet {version('owa-epanet')}, EPANET 2.3) reads the file, solves and gives heads and flows of each moment."]
        tables.append(Table(f"Hydraulics of {name}", HEAD, rows(taken, digits=0), notes))
    return tables


def duel():
    OUT.mkdir(parents=True, exist_ok=True)
    tables = [alone()]
    for part, needs in [(segments, True), (walks, False), (clearance, False), (hydraulics, True)]:
        if needs and not NETWORKS.is_dir():
            print(f"  SKIPPED: {part.__name__}: STRATA_DATA names the folder with epanet/networks", flush=True)
            continue
        print(f"  {part.__name__}", flush=True)
        try:
            found = part()
            tables += found if isinstance(found, list) else [found]
        except Skipped as why:
            print(f"  SKIPPED: {part.__name__}: {why}", flush=True)
    return tables
