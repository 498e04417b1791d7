"""A private PostgreSQL with PostGIS in `var/pg`: no network, its own socket, stopped by its own pid."""
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from common import VAR, Skipped, run

BIN = Path("/usr/lib/postgresql/15/bin")
# Roomy for this much data, and nothing waits for a disk.
SETTINGS = ["listen_addresses=", "shared_buffers=2GB", "work_mem=64MB", "maintenance_work_mem=512MB", "fsync=off", "synchronous_commit=off"]
SETTINGS += ["full_page_writes=off", "jit=off", "random_page_cost=1.1", "max_wal_size=4GB", "autovacuum=off", "max_parallel_workers_per_gather=0"]


class Cluster:
    def __init__(self):
        if not (BIN / "postgres").exists():
            raise Skipped("PostgreSQL 15 is not installed (apt-get install postgresql-15-postgis-3)")
        # It refuses to run as root, and its folder must be reachable for its own user.
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.data = Path(os.environ.get("BENCH_PG", "/var/tmp/strata-bench-pg" if self.user else VAR / "pg"))
        self.environment = {**os.environ, "PGHOST": str(self.data / "run"), "PGPORT": "5432", "PGUSER": "postgres", "PGDATABASE": "postgres"}
        if not (self.data / "db" / "PG_VERSION").exists():
            shutil.rmtree(self.data, ignore_errors=True)
            (self.data / "run").mkdir(parents=True)
            if self.user:
                who = pwd.getpwnam("postgres")
                for folder in (self.data, self.data / "run"):
                    os.chown(folder, who.pw_uid, who.pw_gid)
            run([BIN / "initdb", "-D", self.data / "db", "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8"], cwd="/", **self.user)
        self.child = None
        self.start()

    def start(self):
        flags = [a for s in SETTINGS for a in ("-c", s)]
        log = open("/dev/null", "w")
        self.child = subprocess.Popen(
            [BIN / "postgres", "-D", self.data / "db", "-k", self.data / "run", *flags], stdout=log, stderr=log, cwd="/", **self.user
        )
        for _ in range(300):
            if subprocess.run([BIN / "pg_isready", "-q"], env=self.environment).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL does not come up")

    def stop(self):
        self.child.send_signal(signal.SIGINT)
        self.child.wait()

    def cpu_s(self):
        """Of the server and of all its processes that have ended."""
        text = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, text[11:15])) / os.sysconf("SC_CLK_TCK")

    def sql(self, text):
        return run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", text], env=self.environment).out

    def has(self, table):
        return self.sql(f"SELECT to_regclass('{table}') IS NOT NULL").strip() == "t"

    def version(self):
        return self.sql("SELECT split_part(version(), ' ', 2) || ', PostGIS ' || postgis_lib_version()").strip()

    def load(self, table, file, *more):
        """A file of the city as a table, by GDAL."""
        target = "PG:" + " ".join(f"{k}={self.environment[v]}" for k, v in [("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("dbname", "PGDATABASE")])
        environment = {**self.environment, "PG_USE_COPY": "YES"}
        run(["ogr2ogr", "-f", "PostgreSQL", target, file, "-nln", table, "-lco", "GEOMETRY_NAME=geom", "-lco", "FID=ogc", *more], env=environment)
