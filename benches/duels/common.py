"""What all duels share: running and timing a side, alternating rounds, the machine in words, the result tables."""
import json
import os
import platform
import re
import statistics
import subprocess
import time
import traceback
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VAR = HERE / "var"
VENV = VAR / "venv" / "bin"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")) / "release"
STRATA = TARGET / "strata"
HELPERS = TARGET
ROUNDS = int(os.environ.get("ROUNDS", "5"))
QUIET = 0.5


class Skipped(Exception):
    """A duel that cannot be held here; its text says why."""


@dataclass
class Took:
    """One timed run. Seconds; CPU is user and system of the process and all that it waited for."""

    wall: float
    cpu: float
    rss_mib: float = 0.0
    out: str = ""


def run(args, quiet_errors=True, stdout=subprocess.PIPE, **kwargs):
    began = time.perf_counter()
    child = subprocess.Popen([str(a) for a in args], stdout=stdout, stderr=subprocess.PIPE if quiet_errors else None, **kwargs)
    # Both pipes end on their own files, so that neither can fill up while the other is read.
    import threading

    errors = []
    reader = threading.Thread(target=lambda: errors.append(child.stderr.read()) if child.stderr else None)
    reader.start()
    out = child.stdout.read().decode(errors="replace") if child.stdout else ""
    reader.join()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        text = (errors[0] if errors and errors[0] else b"").decode(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(str(a) for a in args)} ended with {child.returncode}\n{text}\n{out[-2000:]}")
    return Took(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out)


def alternating(sides, rounds=ROUNDS):
    """A B A B …: every side once a round. `sides` maps a name to a function that gives a `Took`."""
    taken = {name: [] for name in sides}
    for n in range(rounds):
        for name, side in sides.items():
            taken[name].append(side())
            print(f"    round {n + 1}: {name}: wall {taken[name][-1].wall:.2f} s, cpu {taken[name][-1].cpu:.2f} s", flush=True)
    return taken


def median(values):
    return statistics.median(values)


def spread(values, digits=2):
    """`median (least–greatest)`"""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def load():
    return os.getloadavg()[0]


def busy_s():
    """CPU seconds that the whole machine has been busy since it started."""
    user, nice, system, _, _, irq, soft, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def adopt_orphans():
    """From now on what a browser leaves behind when it ends becomes a child of this process, and its seconds are ours."""
    import ctypes

    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def own_s():
    # Orphans that have ended are counted once they are waited for; a child that runs on is left alone.
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def process_s(pid):
    """CPU seconds of a running process, its threads included."""
    text = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(text[11]) + int(text[12])) / os.sysconf("SC_CLK_TCK")


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    system = re.search(r'PRETTY_NAME="(.+)"', Path("/etc/os-release").read_text())
    return f"{os.cpu_count()} cores of {cpu[1].strip() if cpu else platform.machine()}, {memory:.0f} GiB, {system[1] if system else platform.system()}"


def wait_for_quiet(seconds=150):
    """What was built just before still stands in the load average; it falls within two minutes when nothing else runs."""
    end = time.time() + seconds
    while load() > QUIET and time.time() < end:
        before, clock = busy_s(), time.time()
        time.sleep(5)
        if (busy_s() - before) / (time.time() - clock) > QUIET:
            return
    return


@dataclass
class Table:
    """One table of a duel's results."""

    title: str
    head: list
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def markdown(self):
        lines = [f"**{self.title}**", "", "| " + " | ".join(self.head) + " |", "|" + "---|" * len(self.head)]
        lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in self.rows]
        return "\n".join(lines + [""] + [f"- {n}" for n in self.notes] + ([""] if self.notes else []))

    def as_json(self):
        return {"title": self.title, "head": self.head, "rows": self.rows, "notes": self.notes}


def held(name, about, duel):
    """Runs one duel and says under which load. `others` is what other processes took, in cores."""
    print(f"\n== {name}: {about}", flush=True)
    adopt_orphans()
    before, busy, own, clock = load(), busy_s(), own_s(), time.time()
    try:
        tables = duel()
    except Skipped as why:
        print(f"  SKIPPED: {why}", flush=True)
        return {"name": name, "about": about, "skipped": str(why)}
    except Exception as fault:
        traceback.print_exc()
        return {"name": name, "about": about, "failed": str(fault).strip().split("\n")[0]}
    # A duel stops its servers and browsers, so that they stand among our children here.
    others = max(0.0, (busy_s() - busy - (own_s() - own)) / (time.time() - clock))
    for t in tables:
        print("\n" + t.markdown(), flush=True)
    return {
        "name": name,
        "about": about,
        "date": date.today().isoformat(),
        "machine": machine(),
        "load_before": round(before, 2),
        "others_cores": round(others, 2),
        "rounds": ROUNDS,
        "seconds": round(time.time() - clock),
        "tables": [t.as_json() for t in tables],
    }


def publish(results, quiet_start):
    """Into `RESULTS.md` and `results.json` when the machine was quiet; else beside them in `var/`, marked."""
    order = ["index", "mvt", "live", "3dtiles", "import", "network", "browser"]
    noisy = {r["name"]: r for r in results if "tables" in r and (quiet_start > QUIET or r["others_cores"] > QUIET)}
    clean = {r["name"]: r for r in results if "tables" in r and r["name"] not in noisy}
    for kind, found, folder in [("", clean, HERE), ("NOT PUBLISHABLE: ", noisy, VAR)]:
        if not found:
            continue
        kept = folder / "results.json"
        every = json.loads(kept.read_text()) if kept.exists() else {}
        every.update(found)
        kept.write_text(json.dumps(every, indent=1, ensure_ascii=False) + "\n")
        text = ["# Results" if not kind else "# Figures that are not publishable: other work ran on the machine", ""]
        text += ["Written by `make bench`; `README.md` beside it says how a duel is held. Median (least–greatest) of the rounds.", ""]
        for name in sorted(every, key=lambda n: order.index(n) if n in order else 99):
            r = every[name]
            text += [f"## {name}: {r['about']}", ""]
            text += [f"{r['date']}, {r['machine']}, load average {r['load_before']} before, other processes {r['others_cores']} cores meanwhile.", ""]
            for t in r["tables"]:
                text += [Table(**t).markdown()]
        place = folder / "RESULTS.md"
        place.write_text("\n".join(text).rstrip() + "\n")
        print(f"{kind}{', '.join(found)} → {place}")
    for r in results:
        if "skipped" in r:
            print(f"skipped: {r['name']}: {r['skipped']}")
        if "failed" in r:
            print(f"FAILED: {r['name']}: {r['failed']}")
