//! Versions, history, changes and differences against a plain map for each version.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use strata_model::*;
use strata_store::{Difference, Store};

type State = BTreeMap<(LayerId, FeatureId), Feature>;

fn compare(store: &Store, layers: &[LayerId], states: &[State]) {
    let head = Version(states.len() as u64 - 1);
    assert_eq!(store.head().unwrap(), head);
    store.integrity().unwrap();
    let names: std::collections::BTreeSet<_> = states.iter().flat_map(|s| s.keys()).collect();
    for (v, state) in states.iter().enumerate() {
        for (l, id) in &names {
            assert_eq!(store.get(l, id, Some(Version(v as u64))).unwrap().as_ref(), state.get(&(l.clone(), id.clone())), "{l}/{id} at {v}");
        }
    }
    for l in layers {
        // What a scan says, cut at each version, is that version's state.
        let mut all = Vec::new();
        store
            .scan(l, &mut |f| {
                all.push(f);
                Ok(())
            })
            .unwrap();
        for (v, state) in states.iter().enumerate() {
            let v = Version(v as u64);
            let held = |f: &&FeatureVersion| f.since <= v && f.until.is_none_or(|u| v < u);
            let got: Vec<_> = all.iter().filter(held).map(|f| (f.feature.id.clone(), &f.feature)).collect();
            let got: BTreeMap<_, _> = {
                assert_eq!(got.len(), got.iter().map(|g| &g.0).collect::<std::collections::BTreeSet<_>>().len());
                got.into_iter().collect()
            };
            let want: BTreeMap<_, _> = state.iter().filter(|((k, _), _)| k == l).map(|((_, id), f)| (id.clone(), f)).collect();
            assert_eq!(got, want, "{l} at {v:?}");
        }
        for f in &all {
            let h = store.history(l, &f.feature.id).unwrap();
            assert!(h.contains(f) && h.windows(2).all(|w| w[0].until.unwrap() <= w[1].since && w[0].since < w[1].since));
            // A row that begins where another ends says something new.
            assert!(h.windows(2).all(|w| w[0].until != Some(w[1].since) || w[0].feature != w[1].feature));
        }
        for (a, before) in states.iter().enumerate() {
            for (b, after) in states.iter().enumerate() {
                let mut want = Vec::new();
                for (_, id) in names.iter().filter(|(k, _)| k == l) {
                    let key = (l.clone(), (*id).clone());
                    match (before.get(&key), after.get(&key)) {
                        (None, Some(f)) => want.push(("added", f.clone())),
                        (Some(f), None) => want.push(("removed", f.clone())),
                        (Some(x), Some(y)) if x != y => want.push(("changed", y.clone())),
                        _ => {}
                    }
                }
                let diff = store.diff(l, Version(a as u64), Version(b as u64)).unwrap();
                let got: Vec<_> = diff
                    .into_iter()
                    .map(|d| match d {
                        Difference::Added(f) => ("added", f),
                        Difference::Removed(f) => ("removed", f),
                        Difference::Changed { before: x, after: y, fields } => {
                            assert_eq!(Some(&x), before.get(&(l.clone(), x.id.clone())));
                            assert_eq!(fields.contains(&"geometry".into()), x.geometry != y.geometry);
                            assert_eq!(fields.contains(&"dn_mm".into()), x.attributes[1] != y.attributes[1]);
                            ("changed", y)
                        }
                    })
                    .collect();
                assert_eq!(got, want, "{l} {a}..{b}");
            }
        }
    }
    // The feed played on any old state gives each later one.
    for start in 0..states.len() {
        let mut state = states[start].clone();
        let changes = store.changes(Version(start as u64)).unwrap();
        let mut changes = changes.into_iter().peekable();
        for (v, want) in states.iter().enumerate().skip(start + 1) {
            while let Some((_, layer, change)) = changes.next_if(|(at, ..)| at.0 == v as u64) {
                let key = (layer, change.id().clone());
                match change {
                    Change::Put(f) => assert_ne!(state.insert(key, f.clone()), Some(f), "a change that is none"),
                    Change::Remove(_) => assert!(state.remove(&key).is_some()),
                }
            }
            assert_eq!(&state, want, "feed from {start} at {v}");
        }
        assert!(changes.next().is_none());
    }
}

fn run(seed: u64, commits: usize, edits: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (dir, mut store) = city();
    let layers = [layer("pipes", GeometryKind::Line), layer("pipes-2", GeometryKind::Any)];
    let ids = layers.clone().map(|l| l.id);
    let mut states: Vec<State> = vec![State::new()];
    for n in 0..commits {
        let before = states[n].clone();
        let mut state = before.clone();
        let mut w = store.begin("anna", &format!("commit {n}"), at(n as i64)).unwrap();
        if n == 0 {
            layers.iter().for_each(|l| w.layer(l).unwrap());
        }
        for _ in 0..rng.random_range(0..edits) {
            let l = &ids[rng.random_range(0..2)];
            let name = format!("f{}", rng.random_range(0..8));
            let key = (l.clone(), FeatureId::from(name.as_str()));
            match rng.random_range(0..10) {
                0..=2 => match state.remove(&key) {
                    Some(_) => w.remove(l, &key.1).unwrap(),
                    None => assert_eq!(w.remove(l, &key.1).unwrap_err().code(), "not-found"),
                },
                // Back to what was before this commit, or again what is there: no change.
                3..=4 if before.contains_key(&key) => {
                    w.put(l, &before[&key]).unwrap();
                    state.insert(key.clone(), before[&key].clone());
                }
                5 if state.contains_key(&key) => w.put(l, &state[&key]).unwrap(),
                _ => {
                    let mut f = random_feature(&mut rng, &name);
                    if let Some(old) = state.get(&key).filter(|_| rng.random()) {
                        f = Feature { attributes: f.attributes, ..old.clone() };
                    }
                    w.put(l, &f).unwrap();
                    state.insert(key, f);
                }
            }
        }
        if rng.random_range(0..8) == 0 {
            drop(w);
            let w = store.begin("anna", "nothing", at(n as i64)).unwrap();
            let mut w = w;
            if n == 0 {
                layers.iter().for_each(|l| w.layer(l).unwrap());
            }
            w.commit().unwrap();
            states.push(before);
            continue;
        }
        let commit = w.commit().unwrap();
        for l in &ids {
            let of =
                |s: &State| s.iter().filter(|((k, _), _)| k == l).map(|((_, i), f)| (i.clone(), f.clone())).collect::<BTreeMap<_, _>>();
            let (was, is) = (of(&before), of(&state));
            let puts = is.iter().filter(|(i, f)| was.get(*i) != Some(f)).count() as u64;
            let removes = was.keys().filter(|i| !is.contains_key(*i)).count() as u64;
            let said = commit.layers.iter().find(|(k, ..)| k == l).map_or((0, 0), |(_, p, r)| (*p, *r));
            assert_eq!(said, (puts, removes), "seed {seed} commit {n} {l}");
        }
        states.push(state);
    }
    compare(&store, &ids, &states);
    drop(store);
    compare(&Store::open_read_only(dir.path()).unwrap(), &ids, &states);
}

#[test]
fn the_record_is_a_map_for_each_version() {
    for seed in 0..6 {
        run(seed, 12, 25);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn also_for_short_and_odd_courses(seed in any::<u64>(), commits in 1_usize..6, edits in 1_usize..12) {
        run(seed, commits, edits);
    }
}

#[test]
fn versions_to_come_are_not_found() {
    let (_dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.commit().unwrap();
    assert_eq!(store.get(&l.id, &"a".into(), Some(Version(2))).unwrap_err().code(), "not-found");
    assert_eq!(store.diff(&l.id, Version(0), Version(2)).unwrap_err().code(), "not-found");
    assert_eq!(store.scan(&id("nowhere"), &mut |_| Ok(())).unwrap_err().code(), "not-found");
}
