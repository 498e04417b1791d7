//! What has been acknowledged survives SIGKILL, and nothing is half there.
//!
//! The test runs itself once more as a child that commits in a loop and prints each version when `commit` has
//! returned; the parent kills it at a seeded moment and looks at what is left.

mod common;

use common::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant as Clock},
};
use strata_model::*;
use strata_store::Store;

const CHILD: &str = "STRATA_KILL_TEST_CHILD";
const KILLS: usize = 50;

/// Commit `v` puts features `0..size(v)` of both layers with `dn_mm = v`, and removes `gone-{v-1}` while adding `gone-{v}`.
fn size(version: u64) -> usize {
    3 + (version as usize * 7) % 40
}

fn feature(name: String, version: u64) -> Feature {
    pipe(&name, version as f64, version as i64)
}

fn child(dir: &Path) -> ! {
    let mut store = Store::open(dir).unwrap();
    let layers = ["pipes", "wells"].map(|n| layer(n, GeometryKind::Any));
    loop {
        let v = store.head().unwrap().0 + 1;
        let mut w = store.begin("child", &format!("commit {v}"), at(v as i64)).unwrap();
        for l in &layers {
            w.layer(l).unwrap();
            (0..size(v)).for_each(|i| w.put(&l.id, &feature(format!("f{i}"), v)).unwrap());
            w.put(&l.id, &feature(format!("gone-{v}"), v)).unwrap();
            if v > 1 {
                w.remove(&l.id, &format!("gone-{}", v - 1).as_str().into()).unwrap();
            }
        }
        w.idempotency_key(&format!("key-{v}"));
        let commit = w.commit().unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "ack {}", commit.version.0).and_then(|()| out.flush()).unwrap();
    }
}

/// Every version is whole: the log, the audit, and in both layers just the rows that its commit made.
fn inspect(store: &Store) {
    store.integrity().unwrap();
    let head = store.head().unwrap().0;
    let log = store.log().unwrap();
    assert_eq!(log.len() as u64, head);
    if head == 0 {
        return;
    }
    for l in ["pipes", "wells"].map(id) {
        let mut made = vec![0_usize; head as usize + 1];
        let mut ended = vec![0_usize; head as usize + 1];
        store
            .scan(&l, &mut |f| {
                assert_eq!(f.feature.attributes[1], Value::Int(f.since.0 as i64), "a row of another commit");
                made[f.since.0 as usize] += 1;
                if let Some(until) = f.until {
                    ended[until.0 as usize] += 1;
                }
                Ok(())
            })
            .unwrap();
        let mut largest = 0;
        for v in 1..=head {
            assert_eq!(made[v as usize], size(v) + 1, "rows made by version {v}");
            let replaced = size(v).min(largest) + usize::from(v > 1);
            assert_eq!(ended[v as usize], replaced, "rows ended by version {v}");
            largest = largest.max(size(v));
            let commit = &log[v as usize - 1];
            assert_eq!(commit.message, format!("commit {v}"));
            let told = commit.layers.iter().find(|(k, ..)| *k == l).unwrap();
            assert_eq!((told.1, told.2), (size(v) as u64 + 1, u64::from(v > 1)));
        }
    }
}

#[test]
fn acknowledged_commits_survive_fifty_kills() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(20_260_120);
    let (dir, store) = city();
    drop(store);
    let mut city = dir.path().to_owned();
    let (mut acknowledged, mut unspoken) = (0, 0);
    let started = Clock::now();
    for kill in 0..KILLS {
        // A fresh city now and then, so that also the first commits and the making of tables are hit.
        if kill % 10 == 5 {
            city = dir.path().join(format!("city-{kill}"));
            drop(Store::create(&city, &meta()).unwrap());
        }
        let before = Store::open_read_only(&city).unwrap().head().unwrap().0;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "acknowledged_commits_survive_fifty_kills", "--nocapture", "--test-threads=1"])
            .env(CHILD, &city)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let acks = BufReader::new(pipe).lines().map_while(Result::ok);
            acks.filter_map(|l| l.rsplit_once("ack ").and_then(|(_, v)| v.parse::<u64>().ok())).max()
        });
        let micros = if rng.random_range(0..3) == 0 { rng.random_range(0..30_000) } else { rng.random_range(10_000..250_000) };
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let acked = reader.join().unwrap().unwrap_or(before);

        let store = Store::open(&city).unwrap();
        let head = store.head().unwrap().0;
        assert!(head >= acked, "kill {kill}: {acked} was acknowledged, the record ends at {head}");
        assert!(head <= acked + 1, "kill {kill}: more than the one commit in flight");
        inspect(&store);
        acknowledged += acked - before;
        unspoken += head - acked;
    }
    let took = started.elapsed();
    eprintln!("{KILLS} kills, {acknowledged} acknowledged commits, {unspoken} commits done but not yet told, {took:?}");
    assert!(acknowledged > KILLS as u64, "the child hardly got to commit ({acknowledged}); the test says nothing");
    assert!(took < Duration::from_secs(60), "{took:?}");
}
