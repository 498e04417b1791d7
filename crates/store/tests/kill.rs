//! What has been acknowledged survives SIGKILL, and nothing is half there.
//!
//! The test runs itself once more as a child that commits in a loop and prints each version when `commit` has
//! returned; the parent kills it at a seeded moment and looks at what is left.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

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
    loop {
        let version = commit_next(&mut store);
        let mut out = std::io::stdout();
        writeln!(out, "ack {version}").and_then(|()| out.flush()).unwrap();
    }
}

fn commit_next(store: &mut Store) -> u64 {
    let layers = ["pipes", "wells"].map(|n| layer(n, GeometryKind::Any));
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
    w.commit().unwrap().version.0
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

/// What a power cut can leave of the log: any beginning of it, and noise behind.
#[test]
fn a_torn_log_costs_whole_commits_and_never_half_a_one() {
    let (dir, mut store) = city();
    for _ in 0..8 {
        commit_next(&mut store);
    }
    let bytes = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (record, log) = (bytes("record.gpkg"), bytes("record.gpkg-wal"));
    assert!(log.len() > 100_000, "the log holds the commits");
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut heads = std::collections::BTreeSet::new();
    for n in 0..60 {
        let copy = dir.path().join(format!("torn-{n}"));
        std::fs::create_dir(&copy).unwrap();
        let mut log = log.clone();
        let cut = rng.random_range(0..=log.len());
        match n % 3 {
            0 => log.truncate(cut),
            1 => log[cut..].fill(0),
            _ => {
                let end = (cut + 4096).min(log.len());
                rng.fill(&mut log[cut..end]);
            }
        }
        std::fs::write(copy.join("record.gpkg"), &record).unwrap();
        std::fs::write(copy.join("record.gpkg-wal"), &log).unwrap();
        match Store::open(&copy) {
            Ok(store) => {
                inspect(&store);
                heads.insert(store.head().unwrap().0);
            }
            // Cut before the city's own making was in the file.
            Err(e) => assert!(matches!(e.code(), "not-a-record"), "{e}"),
        }
        std::fs::remove_dir_all(&copy).unwrap();
    }
    assert!(heads.len() >= 6, "cuts all over the log: {heads:?}");
}

/// A reader beside the writer: every scan is one version and every version is whole.
#[test]
fn readers_see_whole_versions_while_the_writer_goes_on() {
    let (dir, mut store) = city();
    commit_next(&mut store);
    let path = dir.path().to_owned();
    let reader = std::thread::spawn(move || {
        let store = Store::open_read_only(&path).unwrap();
        let (mut seen, mut last) = (std::collections::BTreeSet::new(), 0);
        while last < 40 {
            let mut made = std::collections::BTreeMap::<u64, usize>::new();
            store
                .scan(&id("wells"), &mut |f| {
                    *made.entry(f.since.0).or_default() += 1;
                    Ok(())
                })
                .unwrap();
            let head = *made.keys().max().unwrap();
            assert!(head >= last);
            (1..=head).for_each(|v| assert_eq!(made.get(&v), Some(&(size(v) + 1)), "version {v} as seen at {head}"));
            last = head;
            seen.insert(head);
        }
        seen.len()
    });
    while commit_next(&mut store) < 40 {}
    let seen = reader.join().unwrap();
    eprintln!("the reader saw {seen} of 40 versions");
}
