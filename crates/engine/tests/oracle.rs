//! Every kind of question against a look at every row, through commits, rebuilds, restarts and proposals.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::ControlFlow;
use strata_engine::{Engine, Snapshot};
use strata_model::*;

const IDS: u32 = 400;

fn build(engine: &Engine, slow: &Slow, covers: Version) {
    engine.build(layer("buildings"), covers, &mut |sink| slow.rows.iter().cloned().try_for_each(&mut *sink)).unwrap();
}

/// Asks `n` random questions. `newest` is what a query without a version means.
fn compare(rng: &mut ChaCha8Rng, snapshot: &Snapshot, slow: &Slow, newest: Version, n: usize) {
    let layer = layer("buildings");
    let mut with_hits = 0;
    for _ in 0..n {
        let q = query(rng, &layer, snapshot.version());
        let want = slow.query(&layer, &q, newest);
        let batch = snapshot.query(&q).unwrap();
        let mut got = batch.features.clone();
        got.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(got, want, "{q:?}");
        with_hits += usize::from(!want.is_empty());
        assert!(batch.features.iter().all(|f| f.attributes.len() == batch.layer.fields.len()));
        assert_eq!(snapshot.count(&q).unwrap(), want.len());

        let mut streamed = Vec::new();
        snapshot
            .for_each(&q, &mut |f| {
                streamed.push(f);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(streamed, batch.features);
        let mut boxes = Vec::new();
        snapshot.for_each_box(&q, &mut |b, v| boxes.push((*b, v))).unwrap();
        let own: Vec<_> = batch.features.iter().filter_map(|f| Some((f.geometry.bounds()?, f.valid))).collect();
        assert_eq!(boxes, own);

        // Pages are slices of the whole.
        let (offset, limit) = (rng.random_range(0..want.len() + 3), rng.random_range(0..want.len() + 3));
        let page = snapshot.query(&Query { offset, limit: Some(limit), ..q.clone() }).unwrap().features;
        assert_eq!(page, batch.features.iter().skip(offset).take(limit).cloned().collect::<Vec<_>>());

        let one = FeatureId::new(format!("f{}", rng.random_range(0..IDS)));
        let everywhere = Query { bounds: None, valid: None, filter: None, ..q.clone() };
        let want = slow.query(&layer, &everywhere, newest).into_iter().find(|f| f.id == one);
        assert_eq!(snapshot.get(&layer.id, &one, q.version, &q.scope).unwrap(), want);
        assert_eq!(snapshot.history(&layer.id, &one, &q.scope).unwrap(), slow.history(&layer, &one, &q.scope));

        let newest_all = slow.query(&layer, &Query::all(layer.id.clone(), q.scope.clone()), newest);
        let mut all = Bounds3::EMPTY;
        newest_all.iter().filter_map(|f| f.geometry.bounds()).for_each(|b| all.merge(&b));
        assert_eq!(snapshot.bounds(&layer.id, &q.scope), (!all.is_empty()).then_some(all));
        let days = snapshot.change_days(&layer.id, &q.scope);
        assert!(days.is_sorted_by_key(|d| d.0));
        for (day, starts, ends) in &days {
            assert_eq!(*starts as usize, newest_all.iter().filter(|f| f.valid.from.day() == *day).count());
            assert_eq!(*ends as usize, newest_all.iter().filter(|f| f.valid.to.day() == *day).count());
        }
        let bounded = newest_all.iter().flat_map(|f| [f.valid.from, f.valid.to]).filter(|t| *t != Instant::MIN && *t != Instant::MAX);
        assert_eq!(days.iter().map(|d| d.1 + d.2).sum::<u32>() as usize, bounded.count());
    }
    assert!(n < 20 || with_hits > n / 10, "only {with_hits} of {n} questions had an answer: the test asks nothing");
}

#[test]
fn every_question_is_answered_as_by_a_look_at_every_row() {
    for seed in 0..6 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut slow = Slow::default();
        let mut engine = Engine::open(dir.path()).unwrap();
        for v in 1..=3 {
            slow.apply(Version(v), &changes(&mut rng, 150, IDS));
        }
        build(&engine, &slow, Version(3));
        compare(&mut rng, &engine.snapshot(), &slow, Version(3), 40);

        let mut held = (engine.snapshot(), slow.clone(), Version(3));
        for v in 4..=12 {
            let some = changes(&mut rng, 30, IDS);
            slow.apply(Version(v), &some);
            let named: Vec<_> = some.into_iter().map(|c| (id("buildings"), c)).collect();
            engine.apply(Version(v), &named).unwrap();
            assert_eq!(engine.snapshot().version(), Version(v));
            compare(&mut rng, &engine.snapshot(), &slow, Version(v), 10);
            compare(&mut rng, &held.0, &held.1, held.2, 3);
            match v {
                // A rebuild that covers less than what was applied: the rest stays in the delta.
                6 => build(&engine, &slow, Version(5)),
                9 => {
                    build(&engine, &slow, Version(9));
                    drop(engine);
                    engine = Engine::open(dir.path()).unwrap();
                    assert_eq!(engine.segment_version(&id("buildings")), Some(Version(9)));
                    assert!(engine.damaged().is_empty());
                    compare(&mut rng, &engine.snapshot(), &slow, Version(9), 20);
                    held = (engine.snapshot(), slow.clone(), Version(9));
                }
                _ => compare(&mut rng, &engine.snapshot(), &slow, Version(v), 10),
            }
        }
        compare(&mut rng, &held.0, &held.1, held.2, 20);

        // What if: the proposal's changes are one version after the newest, for those alone who ask for no version.
        let some = changes(&mut rng, 60, IDS);
        let proposal = Proposal {
            id: "p".into(),
            title: "What if".into(),
            base: Version(4),
            state: ProposalState::Open,
            changes: some.iter().cloned().map(|c| (id("buildings"), c)).collect(),
        };
        let now = engine.snapshot();
        let what_if = now.with_proposal(&proposal).unwrap();
        let mut slow_if = slow.clone();
        slow_if.apply(Version(13), &some);
        assert_eq!(what_if.version(), Version(12));
        compare(&mut rng, &what_if, &slow_if, Version(13), 40);
        compare(&mut rng, &now, &slow, Version(12), 20);
        compare(&mut rng, &engine.snapshot(), &slow, Version(12), 20);
    }
}
