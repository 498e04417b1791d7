//! A write under a key happens once, however often it is asked for and whenever the process dies.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use strata_model::*;
use strata_store::{KeptAnswer, Once, Request, Store, StoreError};

fn request<'a>(key: &'a str, fingerprint: &'a str) -> Request<'a> {
    Request { actor: "anna", key, fingerprint }
}

/// A commit of one pipe; its version is the answer.
fn put(store: &mut Store, name: &str) -> Result<KeptAnswer, StoreError> {
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", name, at(0))?;
    w.layer(&l)?;
    w.put(&l.id, &pipe(name, 1.0, 100))?;
    let version = w.commit()?.version.0;
    Ok(KeptAnswer { status: 201, location: Some(format!("/{name}")), body: version.to_string().into_bytes() })
}

/// A process that another test is just starting holds what was open here until it becomes its own program: the lock is free a
/// moment later.
fn reopened(dir: &Path) -> Store {
    for _ in 0..200 {
        match Store::open(dir) {
            Err(StoreError::Locked { .. }) => std::thread::sleep(Duration::from_millis(10)),
            other => return other.unwrap(),
        }
    }
    panic!("locked for two seconds");
}

#[test]
fn the_same_request_gets_the_same_answer_and_writes_once() {
    let (dir, mut store) = city();
    let Once::Done(first) = store.once(request("k1", "a"), at(0), |s| put(s, "one")).unwrap() else { panic!("it was new") };
    assert_eq!(first.body, b"1");
    let again = store.once(request("k1", "a"), at(1), |s| put(s, "two")).unwrap();
    assert_eq!(again, Once::Again(first.clone()));
    assert_eq!(store.once(request("k1", "b"), at(1), |s| put(s, "two")).unwrap(), Once::OtherRequest);
    drop(store);
    let mut store = reopened(dir.path());
    assert_eq!(store.once(request("k1", "a"), at(2), |s| put(s, "two")).unwrap(), Once::Again(first));
    assert_eq!((store.head().unwrap(), store.audit_head().unwrap().0), (Version(1), 1));
    let other = Request { actor: "boris", ..request("k1", "a") };
    assert!(matches!(store.once(other, at(3), |s| put(s, "two")).unwrap(), Once::Done(_)), "keys are each actor's own");
    assert_eq!(store.head().unwrap(), Version(2));
    // A week later the key is free.
    let late = Instant(at(0).0 + 8 * 86_400_000);
    assert!(matches!(store.once(request("k2", "c"), late, |s| put(s, "three")).unwrap(), Once::Done(_)));
    assert!(matches!(store.once(request("k1", "b"), late, |s| put(s, "four")).unwrap(), Once::Done(_)));
}

#[test]
fn what_fails_keeps_nothing_and_may_be_tried_again() {
    let (_dir, mut store) = city();
    let failed = store.once(request("k", "a"), at(0), |s| {
        put(s, "one")?;
        Err(StoreError::sink("after the write"))
    });
    assert_eq!(failed.unwrap_err().code(), "stopped");
    assert_eq!((store.head().unwrap(), store.layers().unwrap().len(), store.audit_head().unwrap().0), (Version(0), 0, 0));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = store.once(request("k", "a"), at(0), |s| -> Result<KeptAnswer, StoreError> {
            put(s, "one")?;
            panic!("in the middle")
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(store.head().unwrap(), Version(0));
    // One of two writes inside fails: the other stands.
    let done = store.once(request("k", "a"), at(0), |s| {
        let kept = put(s, "one")?;
        assert_eq!(s.drop_proposal("none", "anna", at(0)).unwrap_err().code(), "not-found");
        Ok::<_, StoreError>(kept)
    });
    assert!(matches!(done.unwrap(), Once::Done(_)));
    assert_eq!((store.head().unwrap(), store.layers().unwrap().len()), (Version(1), 1));
    store.integrity().unwrap();
    store.verify_audit().unwrap();
}

const CHILD: &str = "STRATA_ONCE_TEST_CHILD";

fn child(dir: &Path) -> ! {
    let mut store = Store::open(dir).unwrap();
    loop {
        let n = store.head().unwrap().0 + 1;
        let (key, name) = (format!("key-{n}"), format!("f{n}"));
        store.once(request(&key, &name), at(n as i64), |s| put(s, &name)).unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "ack {n}").and_then(|()| out.flush()).unwrap();
    }
}

#[test]
fn answers_and_writes_survive_a_kill_together() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child(Path::new(&dir));
    }
    let (dir, store) = city();
    drop(store);
    let mut rng = ChaCha8Rng::seed_from_u64(20_261_124);
    let (mut before, mut written) = (0, 0);
    for kill in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "answers_and_writes_survive_a_kill_together", "--nocapture", "--test-threads=1"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pipe = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let acks = BufReader::new(pipe).lines().map_while(Result::ok);
            acks.filter_map(|l| l.rsplit_once("ack ").and_then(|(_, v)| v.parse::<u64>().ok())).max()
        });
        std::thread::sleep(Duration::from_micros(rng.random_range(20_000..150_000)));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let told = reader.join().unwrap().unwrap_or(before);
        let mut store = Store::open(dir.path()).unwrap();
        let head = store.head().unwrap().0;
        assert!(head == told || head == told + 1, "kill {kill}: told {told}, the record ends at {head}");
        for n in 1..=head {
            let (key, name) = (format!("key-{n}"), format!("f{n}"));
            let again = store.once(request(&key, &name), at(n as i64), |s| put(s, "never")).unwrap();
            assert!(matches!(again, Once::Again(a) if a.body == n.to_string().into_bytes()), "kill {kill}: write {n} has lost its answer");
        }
        assert_eq!(store.head().unwrap().0, head, "nothing was written twice");
        written += told - before;
        before = head;
    }
    assert!(written > 40, "the child hardly got to write ({written}); the test says nothing");
}
