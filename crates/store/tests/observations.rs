#![allow(clippy::unwrap_used, reason = "a test may panic")]

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant as Clock},
};
use strata_model::{Crs, Instant};
use strata_store::{
    Appended, BatchKey, Bound, Checked, CityMeta, Column, Comparison, Fate, NewObservation, OBSERVATIONS, Observation, ObservationQuery,
    Observations, Order, Store, Where, check_observations,
};

fn new(stream: &str, at: i64, result: f64) -> NewObservation {
    NewObservation { stream: stream.into(), at: Instant(at), until: None, result_at: None, result, parameters: None }
}

fn open(dir: &Path) -> Observations {
    Observations::open(dir, Box::new(|_| {})).unwrap()
}

fn all(o: &Observations) -> Vec<Observation> {
    o.query(&ObservationQuery::default()).unwrap()
}

#[test]
fn one_stream_has_one_result_at_one_time() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    let o = Observations::open(dir.path(), Box::new(move |kept| ear.lock().unwrap().extend(kept.iter().map(|k| k.id)))).unwrap();
    let full = NewObservation {
        until: Some(Instant(7)),
        result_at: Some(Instant(9)),
        parameters: Some("{\"battery\":3.1}".into()),
        ..new("甲", 5, 0.1)
    };
    let first = o.append(vec![full.clone(), new("b", 5, 2.0), new("b", 5, 2.0), new("b", 5, 3.0)], None, Instant(0)).unwrap();
    assert_eq!(first, Appended::Done(vec![Fate::New(1), Fate::New(2), Fate::Same(2), Fate::Other(2)]));
    assert_eq!(*heard.lock().unwrap(), [1, 2], "only what is new is told of");
    drop(o);
    let o = open(dir.path());
    assert_eq!(o.append(vec![full.clone()], None, Instant(0)).unwrap(), Appended::Done(vec![Fate::Same(1)]));
    let got = all(&o);
    assert_eq!((got.len(), got[0].stream.as_ref(), got[0].until, got[0].result_at), (2, "甲", Some(Instant(7)), Some(Instant(9))));
    assert_eq!((got[0].result, got[0].parameters.as_deref()), (0.1, Some("{\"battery\":3.1}")));
    for bad in [f64::NAN, f64::INFINITY] {
        let e = o.append(vec![new("b", 6, 1.0), new("b", 7, bad)], None, Instant(0)).unwrap_err();
        assert!(e.code() == "invalid" && e.to_string().contains("observation 1"), "{e}");
    }
    assert_eq!(all(&o).len(), 2, "a batch is kept whole or not at all");
    assert_eq!(Observations::open(dir.path(), Box::new(|_| {})).err().unwrap().code(), "locked");
    assert_eq!((o.extent("b").unwrap(), o.extent("none").unwrap()), (Some((Instant(5), Instant(5))), None));
}

#[test]
fn a_batch_under_a_key_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let key = |actor: &str, fingerprint: &str| Some(BatchKey { actor: actor.into(), key: "k".into(), fingerprint: fingerprint.into() });
    let o = open(dir.path());
    let done = o.append(vec![new("a", 1, 1.0), new("a", 2, 1.0)], key("anna", "x"), Instant(0)).unwrap();
    assert_eq!(done, Appended::Done(vec![Fate::New(1), Fate::New(2)]));
    drop(o);
    let o = open(dir.path());
    let again = o.append(vec![new("a", 1, 1.0), new("a", 2, 1.0)], key("anna", "x"), Instant(0)).unwrap();
    assert_eq!(again, Appended::Again(vec![Fate::New(1), Fate::New(2)]));
    assert_eq!(o.append(vec![new("a", 9, 1.0)], key("anna", "y"), Instant(0)).unwrap(), Appended::OtherRequest);
    assert!(matches!(o.append(vec![new("a", 9, 1.0)], key("boris", "y"), Instant(0)).unwrap(), Appended::Done(_)));
    assert_eq!(all(&o).len(), 3);
}

fn holds(w: &Where, o: &Observation) -> bool {
    let ordered = |op: &Comparison, a: f64, b: f64| match op {
        Comparison::Eq => a == b,
        Comparison::Ne => a != b,
        Comparison::Lt => a < b,
        Comparison::Le => a <= b,
        Comparison::Gt => a > b,
        Comparison::Ge => a >= b,
    };
    match w {
        Where::And(all) => all.iter().all(|w| holds(w, o)),
        Where::Or(all) => all.iter().any(|w| holds(w, o)),
        Where::Not(w) => !holds(w, o),
        Where::Stream(id) => o.stream == *id,
        Where::Compare(c, op, b) => {
            let b = match b {
                Bound::Int(v) => *v as f64,
                Bound::Float(v) => *v,
            };
            match c {
                Column::Id => ordered(op, o.id as f64, b),
                Column::At => ordered(op, o.at.0 as f64, b),
                Column::Result => ordered(op, o.result, b),
                Column::ResultAt => o.result_at.is_some_and(|t| ordered(op, t.0 as f64, b)),
            }
        }
    }
}

fn condition(rng: &mut ChaCha8Rng, depth: usize) -> Where {
    let ops = [Comparison::Eq, Comparison::Ne, Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge];
    let some = |rng: &mut ChaCha8Rng| (0..rng.random_range(0..3)).map(|_| condition(rng, depth + 1)).collect();
    match rng.random_range(0..if depth > 3 { 2 } else { 5 }) {
        0 => Where::Stream(["a", "b", "c", "none"].choose(rng).map(|s| (*s).into()).unwrap()),
        1 => {
            let column = *[Column::Id, Column::At, Column::Result, Column::ResultAt].choose(rng).unwrap();
            let bound = match column {
                Column::Result => Bound::Float(f64::from(rng.random_range(0..8_i32))),
                Column::Id => Bound::Int(rng.random_range(0..300)),
                _ => Bound::Int(rng.random_range(0..200)),
            };
            Where::Compare(column, *ops.choose(rng).unwrap(), bound)
        }
        2 => Where::And(some(rng)),
        3 => Where::Or(some(rng)),
        _ => Where::Not(Box::new(condition(rng, depth + 1))),
    }
}

/// Every question against a walk through all there is; every walk page by page against the whole.
#[test]
fn questions_are_answered_as_by_looking_at_each() {
    let dir = tempfile::tempdir().unwrap();
    let o = open(dir.path());
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_125);
    for _ in 0..300 {
        let at = rng.random_range(0..200);
        let result_at = rng.random_bool(0.7).then(|| Instant(at + rng.random_range(0..5)));
        let one = NewObservation { result_at, ..new(["a", "b", "c"].choose(&mut rng).unwrap(), at, f64::from(rng.random_range(0..8_i32))) };
        o.append(vec![one], None, Instant(0)).unwrap();
    }
    let everything = all(&o);
    assert!(everything.len() > 150 && everything.windows(2).all(|w| w[0].id < w[1].id));
    let mut found = 0;
    for n in 0..2000 {
        let streams = (n % 3 == 0).then(|| BTreeSet::from(["a".into(), if n % 2 == 0 { "b".into() } else { "none".into() }]));
        let filter = (n % 5 != 0).then(|| condition(&mut rng, 0));
        let order =
            [None, Some(Column::Id), Some(Column::At), Some(Column::Result)][n % 4].map(|column| Order { column, descending: n % 7 < 3 });
        let mut expected: Vec<&Observation> = everything
            .iter()
            .filter(|x| streams.as_ref().is_none_or(|s: &BTreeSet<Arc<str>>| s.contains(&x.stream)))
            .filter(|x| filter.as_ref().is_none_or(|f| holds(f, x)))
            .collect();
        let value = |x: &Observation| match order.map(|o| o.column) {
            Some(Column::At) => x.at.0 as f64,
            Some(Column::Result) => x.result,
            _ => 0.0,
        };
        expected.sort_by(|a, b| value(a).total_cmp(&value(b)).then(a.id.cmp(&b.id)));
        if order.is_some_and(|o| o.descending) {
            expected.reverse();
        }
        let query = ObservationQuery { streams, filter, order, ..ObservationQuery::default() };
        let ids = |v: &[Observation]| v.iter().map(|x| x.id).collect::<Vec<_>>();
        let expected: Vec<u64> = expected.iter().map(|x| x.id).collect();
        assert_eq!(ids(&o.query(&query).unwrap()), expected, "{query:?}");
        assert_eq!(o.count(&query).unwrap(), expected.len() as u64, "{query:?}");
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = o.query(&ObservationQuery { after, limit: Some(17), ..query.clone() }).unwrap();
            let Some(last) = page.last() else { break };
            let bound = match order.map(|o| o.column) {
                Some(Column::At) => Bound::Int(last.at.0),
                Some(Column::Result) => Bound::Float(last.result),
                _ => Bound::Int(0),
            };
            after = Some((bound, last.id));
            walked.extend(ids(&page));
        }
        assert_eq!(walked, expected, "page by page: {query:?}");
        let middle = o.query(&ObservationQuery { offset: 3, limit: Some(4), ..query.clone() }).unwrap();
        assert_eq!(ids(&middle), expected.iter().skip(3).take(4).copied().collect::<Vec<_>>());
        found += expected.len();
    }
    assert!(found > 20_000, "the questions hardly found anything ({found})");
}

const CHILD: &str = "STRATA_OBSERVATIONS_TEST_CHILD";

/// Four threads bring batches; each tells of a batch when it has been acknowledged.
fn child(dir: &Path) -> ! {
    let o = open(dir);
    let begin: BTreeMap<String, i64> =
        (0..4).map(|t| format!("s{t}")).map(|s| (s.clone(), o.extent(&s).unwrap().map_or(0, |e| e.1.0 + 1))).collect();
    let out = Mutex::new(std::io::stdout());
    std::thread::scope(|scope| {
        for (stream, begin) in &begin {
            let (o, out) = (&o, &out);
            scope.spawn(move || {
                for n in 0.. {
                    let size = 1 + n % 50;
                    let first = begin + 100 * n;
                    let rows = (0..size).map(|i| new(stream, first + i, 1.0)).collect();
                    o.append(rows, None, Instant(0)).unwrap();
                    let mut out = out.lock().unwrap();
                    writeln!(out, "ack {stream} {first} {size}").and_then(|()| out.flush()).unwrap();
                }
            });
        }
    });
    std::process::exit(0)
}

#[test]
fn acknowledged_batches_survive_kills_whole() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut batches = 0;
    for kill in 0..25 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "acknowledged_batches_survive_kills_whole", "--nocapture", "--test-threads=1"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            BufReader::new(pipe).lines().map_while(Result::ok).filter(|l| l.contains("ack ")).collect::<Vec<_>>()
        });
        std::thread::sleep(Duration::from_micros(rng.random_range(20_000..150_000)));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let o = open(dir.path());
        let kept: BTreeSet<(Arc<str>, i64)> = all(&o).into_iter().map(|x| (x.stream, x.at.0)).collect();
        for line in reader.join().unwrap() {
            let words: Vec<&str> = line.rsplit_once("ack ").unwrap().1.split(' ').collect();
            // The kill may have cut the last line.
            let [stream, first, size] = words[..] else { continue };
            let (first, size): (i64, i64) = (first.parse().unwrap(), size.parse().unwrap());
            (0..size).for_each(|i| assert!(kept.contains(&(stream.into(), first + i)), "kill {kill}: {stream} has lost {}", first + i));
            batches += 1;
        }
    }
    assert!(batches > 100, "the child hardly got to write ({batches}); the test says nothing");
    eprintln!("25 kills, {batches} acknowledged batches");
}

/// What a power cut can leave of the log: any beginning of it. Batches are there whole or not at all.
#[test]
fn a_torn_log_costs_whole_batches() {
    let dir = tempfile::tempdir().unwrap();
    let o = open(dir.path());
    for n in 0..40 {
        o.append((0..50).map(|i| new("a", n * 50 + i, n as f64)).collect(), None, Instant(0)).unwrap();
    }
    let bytes = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (file, log) = (bytes(OBSERVATIONS), bytes(&format!("{OBSERVATIONS}-wal")));
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut counts = BTreeSet::new();
    for n in 0..40 {
        let copy = dir.path().join(format!("torn-{n}"));
        std::fs::create_dir(&copy).unwrap();
        std::fs::write(copy.join(OBSERVATIONS), &file).unwrap();
        std::fs::write(copy.join(format!("{OBSERVATIONS}-wal")), &log[..rng.random_range(0..=log.len())]).unwrap();
        let o = open(&copy);
        let found = all(&o).len();
        assert_eq!(found % 50, 0, "half a batch");
        counts.insert(found);
    }
    assert!(counts.len() > 5, "cuts all over the log: {counts:?}");
}

#[test]
fn an_older_program_leaves_a_newer_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let raw = rusqlite::Connection::open(dir.path().join(OBSERVATIONS)).unwrap();
    raw.pragma_update(None, "user_version", 2).unwrap();
    drop(raw);
    let refused = Observations::open(dir.path(), Box::new(|_| {})).err().unwrap();
    assert_eq!(refused.code(), "schema-newer");
}

#[test]
fn many_small_batches_share_one_way_to_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let o = open(dir.path());
    let began = Clock::now();
    let (threads, each) = (16, 250);
    std::thread::scope(|s| {
        for t in 0..threads {
            let o = &o;
            s.spawn(move || {
                for i in 0..each {
                    o.append(vec![new(&format!("s{t}"), i, 1.0)], None, Instant(0)).unwrap();
                }
            });
        }
    });
    let rate = f64::from(threads) * each as f64 / began.elapsed().as_secs_f64();
    eprintln!("single observations from {threads} threads, each acknowledged from the disk: {rate:.0}/s");
    let began = Clock::now();
    for n in 0..40 {
        o.append((0..500).map(|i| new("bulk", n * 500 + i, 1.0)).collect(), None, Instant(0)).unwrap();
    }
    let bulk = 20_000.0 / began.elapsed().as_secs_f64();
    eprintln!("batches of 500: {bulk:.0}/s");
    assert_eq!(all(&o).len(), 24_000);
    assert!(rate > 1000.0 && bulk > 10_000.0, "{rate:.0}/s singly, {bulk:.0}/s in batches");
}

#[test]
fn a_backup_beside_a_busy_writer_holds_whole_batches_and_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let meta = CityMeta { name: "c".into(), crs: Crs::CHANGCHUN, geoid_offset_m: 0.0, synthetic: true };
    let store = Store::create(dir.path(), &meta).unwrap();
    let o = open(dir.path());
    let (stop, batches) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicI64::new(0));
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|s| {
        s.spawn(|| {
            for b in 0.. {
                if stop.load(order) {
                    break;
                }
                o.append((0..50).map(|i| new(&format!("s{i}"), b, b as f64)).collect(), None, Instant(0)).unwrap();
                batches.store(b + 1, order);
            }
        });
        for n in 0..5 {
            while batches.load(order) < n * 20 {
                std::thread::yield_now();
            }
            let to = dir.path().join(format!("copy{n}"));
            let (least, began) = (batches.load(order), Clock::now());
            store.backup(&to).unwrap();
            assert!(began.elapsed() < Duration::from_secs(20), "a writer does not make it begin anew for ever");
            let most = batches.load(order) + 1;
            let seen = check_observations(&to).unwrap().unwrap();
            assert!(
                (least * 50..=most * 50).contains(&(seen.observations as i64)) && seen.observations.is_multiple_of(50),
                "{least} {most} {seen:?}"
            );
            assert_eq!(seen.unsealed, 0);
            // It opens, holds what it must, and goes on.
            let copy = open(&to);
            assert_eq!(copy.count(&ObservationQuery::default()).unwrap(), seen.observations);
            assert!(matches!(copy.append(vec![new("late", 1, 1.0)], None, Instant(0)).unwrap(), Appended::Done(_)));
            drop(copy);
            assert_eq!(check_observations(&to).unwrap().unwrap().observations, seen.observations + 1);
        }
        stop.store(true, order);
    });
    // While it is written, too, and a city without observations has none.
    assert!(check_observations(dir.path()).unwrap().is_some());
    assert_eq!(check_observations(&dir.path().join("nothing")).unwrap(), None);
}

#[test]
fn a_damaged_page_row_stream_or_seal_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let o = open(dir.path());
    // A result whose bytes stand nowhere else in the file.
    let mark = 1234.567_891_011_f64;
    for b in 0..40 {
        let batch = (0..50).map(|i| new(&format!("stream-{i}"), b, if (b, i) == (20, 7) { mark } else { b as f64 }));
        o.append(batch.collect(), None, Instant(0)).unwrap();
    }
    drop(o);
    let sound = dir.path().join(OBSERVATIONS);
    assert_eq!(check_observations(dir.path()).unwrap(), Some(Checked { observations: 2000, unsealed: 0 }));
    let damaged = |what: &str, harm: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join(OBSERVATIONS);
        std::fs::copy(&sound, &file).unwrap();
        harm(&file);
        let e = check_observations(copy.path()).expect_err(what);
        assert!(e.code() == "damaged" && e.to_string().contains("observations"), "{what}: {e}");
    };
    let bytes = |file: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let mut all = std::fs::read(file).unwrap();
        change(&mut all);
        std::fs::write(file, all).unwrap();
    };
    damaged("one bit of one result", &|f| {
        bytes(f, &|all| {
            let at = all.windows(8).position(|w| w == mark.to_be_bytes()).unwrap();
            all[at + 6] ^= 1;
        })
    });
    let pages = std::fs::metadata(&sound).unwrap().len() / 4096;
    for page in 1..pages {
        damaged(&format!("page {page} of {pages} is noise"), &|f| {
            bytes(f, &|all| all[page as usize * 4096..][..4096].iter_mut().enumerate().for_each(|(i, b)| *b = (i * 37 + 11) as u8))
        });
    }
    damaged("no SQLite file", &|f| bytes(f, &|all| all[..16].fill(b'x')));
    damaged("cut off", &|f| bytes(f, &|all| all.truncate(all.len() / 2)));
    for sql in [
        "DELETE FROM observations WHERE id = 777",
        "DELETE FROM observations WHERE id > 1990",
        "UPDATE observations SET at = at + 1000000 WHERE id = 5",
        "UPDATE observations SET until = at WHERE id = 5",
        "UPDATE observations SET parameters = '{}' WHERE id = 5",
        "UPDATE observations SET stream = stream + 1, at = 99 WHERE id = 5",
        "UPDATE streams SET id = 'other' WHERE id = 'stream-3'",
        "DELETE FROM streams WHERE id = 'stream-3'",
        "DELETE FROM seals WHERE first = 1001",
        "UPDATE seals SET hash = zeroblob(32) WHERE first = 1001",
        "DELETE FROM seals WHERE first > 1001",
        "INSERT INTO observations (stream, at, result) VALUES (1, 99, 0)",
    ] {
        damaged(sql, &|f| assert!(rusqlite::Connection::open(f).unwrap().execute(sql, []).unwrap() > 0, "{sql}"));
    }
    // What an older program kept is counted, not vouched for.
    let raw = rusqlite::Connection::open(&sound).unwrap();
    raw.execute_batch("DROP TABLE seals").unwrap();
    drop(raw);
    assert_eq!(check_observations(dir.path()).unwrap(), Some(Checked { observations: 2000, unsealed: 2000 }));
    open(dir.path()).append(vec![new("new", 1, 1.0)], None, Instant(0)).unwrap();
    assert_eq!(check_observations(dir.path()).unwrap(), Some(Checked { observations: 2001, unsealed: 2000 }));
}
