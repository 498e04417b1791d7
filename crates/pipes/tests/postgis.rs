//! Distances in space against PostGIS (`ST_3DDistance`), in a cluster of its own that ends with the test. Says that it
//! skipped where PostgreSQL or PostGIS is not installed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use rand::{Rng, SeedableRng};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use strata_pipes::clearance::{Body, gap};

/// PostgreSQL refuses to run as root: then as nobody.
fn command(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0"));
    if root {
        let mut c = Command::new("setpriv");
        c.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
        return c;
    }
    Command::new(program)
}

fn installed() -> Option<PathBuf> {
    let bin = Command::new("pg_config").arg("--bindir").output().ok().map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    let folders =
        bin.into_iter().map(PathBuf::from).chain(std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|d| d.path().join("bin")));
    folders.into_iter().find(|f| f.join("initdb").exists() && f.join("pg_ctl").exists())
}

struct Cluster {
    bin: PathBuf,
    dir: tempfile::TempDir,
}

impl Cluster {
    fn start(bin: PathBuf) -> Option<Self> {
        let dir = tempfile::tempdir_in("/tmp").ok()?;
        Command::new("chmod").arg("777").arg(dir.path()).status().ok()?;
        let data = dir.path().join("data");
        let quiet = |mut c: Command| c.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
        let mut init = command(&bin.join("initdb"));
        init.args(["-A", "trust", "-U", "test", "-E", "UTF8", "--no-sync", "-D"]).arg(&data);
        let mut run = command(&bin.join("pg_ctl"));
        let options = format!("-c listen_addresses='' -c unix_socket_directories={} -c fsync=off", dir.path().display());
        run.args(["-w", "-o", &options, "-l"]).arg(dir.path().join("log")).arg("-D").arg(&data).arg("start");
        (quiet(init) && quiet(run)).then_some(Self { bin, dir })
    }
    fn ask(&self, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-U", "test", "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", "-h"]).arg(self.dir.path());
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        let mut pipe = child.stdin.take().ok_or("psql has no input")?;
        let text = sql.to_owned();
        let writer = std::thread::spawn(move || pipe.write_all(text.as_bytes()));
        let out = child.wait_with_output().map_err(|e| e.to_string())?;
        let _ = writer.join();
        if out.status.success() {
            Ok(String::from_utf8_lossy(&out.stdout).into())
        } else {
            Err(String::from_utf8_lossy(&out.stderr).into())
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = command(&self.bin.join("pg_ctl"));
        stop.args(["-m", "immediate", "-D"]).arg(self.dir.path().join("data")).arg("stop");
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

#[test]
fn axes_are_as_far_apart_as_postgis_says() {
    let Some(cluster) = installed().and_then(Cluster::start) else {
        println!("skipped: no PostgreSQL that starts here");
        return;
    };
    if let Err(e) = cluster.ask("create extension postgis;") {
        println!("skipped: no PostGIS ({})", e.lines().next().unwrap_or_default());
        return;
    }
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let base = [443_761.0, 4_862_949.0, 210.0];
    let mut pairs = Vec::new();
    for i in 0..4_000 {
        let mut axis = || {
            let a: [f64; 3] = [0, 1, 2].map(|k| base[k] + dice.random_range(-20.0..20.0) * if k == 2 { 0.1 } else { 1.0 });
            let b: [f64; 3] = [0, 1, 2].map(|k| a[k] + dice.random_range(-30.0..30.0) * if k == 2 { 0.02 } else { 1.0 });
            [a, b]
        };
        let (p, mut q) = (axis(), axis());
        match i % 10 {
            // Exact parallels, a common end, a standing one.
            0 => q = p.map(|x| [x[0] + 0.7, x[1] - 0.3, x[2] - 1.1]),
            1 => q[0] = p[1],
            2 => q[1] = [q[0][0], q[0][1], q[0][2] + 2.0],
            _ => {}
        }
        pairs.push((p, q));
    }
    let point = |p: [f64; 3]| format!("ST_MakePoint({:?},{:?},{:?})", p[0], p[1], p[2]);
    let line = |a: [[f64; 3]; 2]| format!("ST_MakeLine({},{})", point(a[0]), point(a[1]));
    let rows: Vec<String> = pairs.iter().enumerate().map(|(i, (p, q))| format!("({i},{},{})", line(*p), line(*q))).collect();
    let sql = format!("select ST_3DDistance(a,b)::float8 from (values {}) t(i,a,b) order by i;", rows.join(","));
    let told: Vec<f64> = cluster.ask(&sql).unwrap().lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(told.len(), pairs.len());
    let mut near = 0;
    for ((p, q), told) in pairs.iter().zip(told) {
        let body = |axis: [[f64; 3]; 2], r: f64| Body { axis, half_m: [r, r], round: true };
        let ours = gap(&body(*p, 0.2), &body(*q, 0.15)).gap_m;
        assert!((ours - (told - 0.35)).abs() < 1e-6, "{p:?} {q:?}: {ours} and {told}");
        near += usize::from(told < 0.5);
    }
    assert!(near > 300, "{near} pairs within half a metre");
}
