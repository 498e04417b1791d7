//! A network is joined once for a snapshot, and never outlives it: another version, proposal, moment or asker has its own.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use serde_json::json;
use std::sync::Arc;
use strata_engine::{Engine, Snapshot, View};
use strata_model::*;
use strata_pipes::{Class, isolate::ISOLATE, joining::Joining, kept::Kept, trace::TRACE};

/// Two pipes end to end, the second from 2020 on; `more` adds a third.
fn pipe(id: &str, from: f64, valid: Interval) -> Feature {
    let axis = Geometry::LineString(vec![[from, 0.0, 0.0], [from + 10.0, 0.0, 0.0]]);
    Feature { valid, ..feature(&pipe_layer(), id, axis, &[("class", "JS".into()), ("dn_mm", Value::Float(200.0))]) }
}

fn met(view: &View) -> i64 {
    (TRACE.run)(view, &json!({"from": "A", "mode": "connected"})).unwrap()["pipes"].as_i64().unwrap()
}

#[test]
fn the_second_question_meets_the_same_network_and_a_new_version_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    let (layer, points) = (pipe_layer(), point_layer());
    engine.declare(layer.clone());
    engine.declare(points);
    let since = |year| Interval::since(Instant::from_ymd(year, 1, 1));
    let put = |f: Feature| (layer.id.clone(), Change::Put(f));
    engine.apply(Version(1), &[put(pipe("A", 0.0, Interval::ALWAYS)), put(pipe("B", 10.0, since(2020)))]).unwrap();
    let scope = Scope::everything();
    let first = engine.snapshot();
    fn in_year<'a>(snapshot: &'a Snapshot, scope: &'a Scope, year: i32) -> View<'a> {
        View { snapshot, base: snapshot, scope, at: Instant::from_ymd(year, 6, 1) }
    }
    macro_rules! at {
        ($snapshot:expr, $year:expr) => {
            in_year($snapshot, &scope, $year)
        };
    }
    let net = |view: &View| Kept::read(view, Joining::of(Class::Js)).unwrap().net;
    // The same city: one network, whatever the hour; before the second pipe was laid, another.
    assert!(Arc::ptr_eq(&net(&at!(&first, 2024)), &net(&at!(&first, 2026))));
    assert!(Arc::ptr_eq(&net(&at!(&first, 2024)), &net(&at!(&engine.snapshot(), 2024))));
    assert_eq!((met(&at!(&first, 2024)), met(&at!(&first, 2019))), (2, 1));
    // On the very day of a change the moment counts.
    let day = |ms| View { at: Instant(Instant::from_ymd(2020, 1, 1).0 + ms), ..at!(&first, 2020) };
    assert_eq!((met(&day(-1)), met(&day(0)), met(&day(1))), (1, 2, 2));
    // Another asker: who sees no pipe has no network, though one is kept.
    let public = Scope::public();
    assert!((TRACE.run)(&View { scope: &public, ..at!(&first, 2024) }, &json!({"from": "A"})).is_err());
    // A proposal has its own network and leaves the city's alone; changed, it is another one.
    let mut proposal = Proposal {
        id: "p".into(),
        title: "more".into(),
        base: Version(1),
        state: ProposalState::Open,
        changes: vec![put(pipe("C", 20.0, Interval::ALWAYS))],
    };
    let laid = first.with_proposal(&proposal).unwrap();
    assert_eq!((met(&at!(&laid, 2024)), met(&at!(&first, 2024))), (3, 2));
    assert!(Arc::ptr_eq(&net(&at!(&laid, 2024)), &net(&at!(&first.with_proposal(&proposal).unwrap(), 2024))));
    proposal.changes.push(put(pipe("D", 30.0, Interval::ALWAYS)));
    assert_eq!(met(&at!(&first.with_proposal(&proposal).unwrap(), 2024)), 4);
    // A commit while a snapshot is held, and one while none is.
    engine.apply(Version(2), &[put(pipe("C", 20.0, Interval::ALWAYS))]).unwrap();
    let second = engine.snapshot();
    assert_eq!((met(&at!(&second, 2024)), met(&at!(&first, 2024))), (3, 2));
    drop((first, laid, second));
    engine.apply(Version(3), &[put(pipe("D", 30.0, Interval::ALWAYS))]).unwrap();
    assert_eq!(met(&at!(&engine.snapshot(), 2024)), 4);
}

/// Random questions in random order, each asked of a city that has answered others and of one that was just opened.
#[test]
fn kept_networks_answer_as_fresh_ones() {
    let (warm, layers) = City::district(11);
    let pipes: Vec<&Feature> =
        layers.iter().find(|l| l.0.id.as_str() == "pipes").unwrap().1.iter().filter(|f| f.id.as_str().starts_with("JS")).collect();
    let cold = || City::of(&layers);
    for i in 0..4 {
        let id = pipes[pipes.len() * (i * 2 + 1) / 8].id.as_str();
        for (analysis, inputs) in [
            (&TRACE, json!({"from": id, "mode": "downstream", "max_distance_m": 400})),
            (&ISOLATE, json!({"place": id})),
            (&ISOLATE, json!({"place": id, "reach_m": 60})),
        ] {
            let answer = warm.ask(analysis, inputs.clone()).unwrap();
            assert_eq!(answer, warm.ask(analysis, inputs.clone()).unwrap());
            if i == 3 {
                assert_eq!(answer, cold().ask(analysis, inputs).unwrap());
            }
        }
    }
}
