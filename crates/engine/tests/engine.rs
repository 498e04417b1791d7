//! Corners: damage, odd shapes of data, what scopes hide, refusals.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{fs, sync::Arc};
use strata_engine::{Engine, EngineError};
use strata_model::*;

fn put(n: u32, p: Point3) -> Feature {
    Feature {
        id: FeatureId::new(format!("f{n}")),
        geometry: Geometry::Point(p),
        valid: Interval::ALWAYS,
        attributes: vec![format!("n{n}").into(), Value::Null, i64::from(n).into(), true.into()],
    }
}

fn filled(dir: &std::path::Path, features: &[Feature]) -> Engine {
    let engine = Engine::open(dir).unwrap();
    engine
        .build(layer("buildings"), Version(1), &mut |sink| {
            features.iter().cloned().try_for_each(|feature| sink(FeatureVersion { feature, since: Version(1), until: None }))
        })
        .unwrap();
    engine
}

fn all() -> Query {
    Query::all(id("buildings"), Scope::everything())
}

#[test]
fn flipped_and_cut_bytes_are_noticed_and_never_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let features: Vec<Feature> = (0..60).map(|n| Feature { id: FeatureId::new(format!("f{n}")), ..feature(&mut rng, 9) }).collect();
    let good = tempfile::tempdir().unwrap();
    filled(good.path(), &features);
    for name in ["buildings-1.arrow", "buildings-1.index"] {
        let bytes = fs::read(good.path().join(name)).unwrap();
        let cuts = (0..60).map(|_| rng.random_range(0..bytes.len())).map(|at| bytes[..at].to_vec()).collect::<Vec<_>>();
        let flips = (0..300).map(|_| {
            let mut b = bytes.clone();
            let at = rng.random_range(0..b.len());
            b[at] ^= 1 << rng.random_range(0..8);
            b
        });
        for bad in cuts.into_iter().chain(flips.collect::<Vec<_>>()) {
            let dir = tempfile::tempdir().unwrap();
            for other in ["buildings-1.arrow", "buildings-1.index"] {
                fs::copy(good.path().join(other), dir.path().join(other)).unwrap();
            }
            fs::write(dir.path().join(name), &bad).unwrap();
            let engine = Engine::open(dir.path()).unwrap();
            assert_eq!(engine.segment_version(&id("buildings")), None, "{name} of {} bytes was believed", bad.len());
            assert_eq!(engine.damaged().len(), 1);
            assert!(dir.path().join(format!("{name}.damaged")).exists());
            assert!(matches!(engine.snapshot().query(&all()), Err(EngineError::UnknownLayer { .. })));
        }
    }
    // The set-aside one does not come in the way of a new build.
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &features);
    fs::remove_file(dir.path().join("buildings-1.index")).unwrap();
    assert_eq!(Engine::open(dir.path()).unwrap().segment_version(&id("buildings")), None);
    filled(dir.path(), &features);
    assert_eq!(Engine::open(dir.path()).unwrap().snapshot().count(&all()).unwrap(), 60);
}

#[test]
fn another_layers_files_under_this_name_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), &[put(1, [0.0; 3])]);
    for ending in ["arrow", "index"] {
        fs::rename(dir.path().join(format!("buildings-1.{ending}")), dir.path().join(format!("roads-1.{ending}"))).unwrap();
    }
    assert_eq!(Engine::open(dir.path()).unwrap().segment_version(&id("roads")), None);
}

#[test]
fn a_failed_build_leaves_the_earlier_segment() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), &[put(1, [0.0; 3])]);
    let failed = engine.build(layer("buildings"), Version(2), &mut |_| Err(EngineError::source("the record is gone")));
    assert!(matches!(failed, Err(EngineError::Source { .. })));
    assert_eq!((engine.segment_version(&id("buildings")), engine.snapshot().count(&all()).unwrap()), (Some(Version(1)), 1));
}

#[test]
fn an_empty_layer_answers_nothing_and_knows_its_fields() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), &[]);
    engine.declare(layer("roads"));
    for engine in [engine, Engine::open(dir.path()).unwrap()] {
        let s = engine.snapshot();
        assert_eq!(s.query(&all()).unwrap().layer, layer("buildings"));
        assert_eq!((s.count(&all().at(Instant(0))).unwrap(), s.bounds(&id("buildings"), &Scope::everything())), (0, None));
        assert_eq!(s.get(&id("buildings"), &"f1".into(), None, &Scope::everything()).unwrap(), None);
    }
    let engine = Engine::open(&dir.path().join("other")).unwrap();
    engine.declare(layer("roads"));
    engine.apply(Version(1), &[(id("roads"), Change::Put(put(1, [1.0, 2.0, 3.0])))]).unwrap();
    assert_eq!(engine.snapshot().query(&Query::all(id("roads"), Scope::public())).unwrap().features[0].attributes.len(), 3);
}

#[test]
fn ten_thousand_at_one_point_and_identical_boxes() {
    let features: Vec<Feature> = (0..10_000).map(|n| put(n, [440_000.1, 4_860_000.2, 200.3])).collect();
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), &features);
    let s = engine.snapshot();
    let here = Bounds3 { min: [440_000.1, 4_860_000.2, 200.3], max: [440_000.1, 4_860_000.2, 200.3] };
    assert_eq!(s.count(&all().within(here)).unwrap(), 10_000);
    let beside = Bounds3 { min: [440_000.1 + 1e-9, here.min[1], here.min[2]], max: [440_001.0, here.max[1], here.max[2]] };
    assert_eq!(s.count(&all().within(beside)).unwrap(), 0, "a nanometre beside is beside");
    let page = s.query(&Query { offset: 9_990, limit: Some(100), ..all().within(here) }).unwrap();
    assert_eq!(page.features.len(), 10);
    assert_eq!(s.get(&id("buildings"), &"f9999".into(), None, &Scope::everything()).unwrap(), Some(features[9_999].clone()));
}

#[test]
fn more_rows_than_one_batch_come_back_whole() {
    let features: Vec<Feature> = (0..40_000).map(|n| put(n, [f64::from(n % 200), f64::from(n / 200), 0.0])).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut got = filled(dir.path(), &features).snapshot().query(&all()).unwrap().features;
    got.sort_by_key(|f| f.attributes[2].as_i64());
    assert_eq!(got, features);
}

#[test]
fn hidden_is_the_same_as_missing() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), &[put(1, [0.0; 3])]);
    engine.declare(Arc::new(Layer { id: id("secrets"), classification: Classification::Secret, ..(*layer("x")).clone() }));
    let s = engine.snapshot();
    let text = |layer: &str, scope: Scope| s.query(&Query::all(id(layer), scope)).unwrap_err().to_string();
    assert_eq!(text("secrets", Scope::public()), text("nowhere", Scope::public()).replace("nowhere", "secrets"));
    assert!(s.layer(&id("secrets"), &Scope::public()).is_none() && s.layers(&Scope::public()).len() == 1);
    assert!(s.get(&id("secrets"), &"f1".into(), None, &Scope::public()).is_err());

    let by = |name: &str| Filter::parse_cql2(&format!("{name} = 1")).unwrap();
    let fault = |name: &str| s.count(&Query::all(id("buildings"), Scope::public()).matching(by(name))).unwrap_err().to_string();
    assert_eq!(fault("floors"), fault("flaws").replace("flaws", "floors"));
    let open = s.query(&Query::all(id("buildings"), Scope::public())).unwrap();
    assert!(open.layer.field("floors").is_none() && open.layer.fields.len() == 3);
    assert_eq!(open.features[0].attributes, vec!["n1".into(), Value::Null, true.into()]);
}

#[test]
fn what_cannot_be_taken_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), &[put(1, [0.0; 3])]);
    let b = || id("buildings");
    let good = (b(), Change::Put(put(2, [0.0; 3])));
    assert!(matches!(engine.apply(Version(1), std::slice::from_ref(&good)), Err(EngineError::NotAscending { .. })));
    assert!(matches!(
        engine.apply(Version(2), &[good.clone(), (id("x"), Change::Remove("f".into()))]),
        Err(EngineError::UnknownLayer { .. })
    ));
    let mut odd = put(3, [0.0; 3]);
    odd.attributes[1] = "tall".into();
    assert!(matches!(engine.apply(Version(2), &[good.clone(), (b(), Change::Put(odd.clone()))]), Err(EngineError::AttributeKind { .. })));
    odd.attributes.pop();
    assert!(matches!(engine.apply(Version(2), &[good.clone(), (b(), Change::Put(odd))]), Err(EngineError::AttributeCount { .. })));
    assert_eq!((engine.snapshot().count(&all()).unwrap(), engine.snapshot().version()), (1, Version(1)));
    engine.apply(Version(2), &[good]).unwrap();
    assert_eq!(engine.snapshot().count(&all()).unwrap(), 2);
}

#[test]
fn new_fields_keep_the_old_values_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path(), &[put(1, [0.0; 3])]);
    engine.apply(Version(2), &[(id("buildings"), Change::Put(put(2, [0.0; 3])))]).unwrap();
    let mut wider = (*layer("buildings")).clone();
    wider.fields.insert(0, Field::new("owner", FieldKind::Text, "权属", "Owner"));
    engine.declare(Arc::new(wider));
    let got = engine.snapshot().query(&all()).unwrap();
    for (n, f) in got.features.iter().enumerate() {
        let n = n as i64 + 1;
        assert_eq!(f.attributes, vec![Value::Null, format!("n{n}").into(), Value::Null, n.into(), true.into()]);
    }
}

/// More rows than are held in memory: they wait on the disk, come back in their own order, and leave nothing behind.
#[test]
fn rows_of_many_batches_are_what_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut slow, engine) = (Slow::default(), Engine::open(dir.path()).unwrap());
    let n = 40_000;
    for k in 0..n {
        let p = [rng.random_range(0.0..4000.0), rng.random_range(0.0..4000.0), rng.random_range(0.0..50.0)];
        // Every tenth one is the older word about the one before.
        let (of, since, until) = if k % 10 == 9 { (k - 1, 1, Some(Version(2))) } else { (k, 2, None) };
        let mut feature = put(of, p);
        if k % 7 == 0 {
            feature.attributes[0] = Value::Null;
        }
        slow.rows.push(FeatureVersion { feature, since: Version(since), until });
    }
    engine.build(layer("buildings"), Version(2), &mut |sink| slow.rows.iter().cloned().try_for_each(&mut *sink)).unwrap();
    let left: Vec<String> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.len() == 2 && left.iter().all(|f| f.starts_with("buildings-2.") && !f.ends_with(".part")), "{left:?}");
    let (snapshot, layer) = (engine.snapshot(), layer("buildings"));
    for version in [None, Some(Version(1))] {
        for _ in 0..40 {
            let at = [rng.random_range(0.0..4000.0), rng.random_range(0.0..4000.0), 0.0];
            let side = rng.random_range(10.0..600.0);
            let mut q = all();
            q.bounds = Some(Bounds3 { min: at, max: [at[0] + side, at[1] + side, 50.0] });
            q.version = version;
            let mut found = snapshot.query(&q).unwrap().features;
            found.sort_by(|a, b| a.id.cmp(&b.id));
            assert_eq!(found, slow.query(&layer, &q, Version(2)));
        }
    }
    for k in [0, 8, 16_384, 39_998] {
        let (id, scope) = (FeatureId::new(format!("f{k}")), Scope::everything());
        assert_eq!(snapshot.history(&self::id("buildings"), &id, &scope).unwrap(), slow.history(&layer, &id, &scope));
    }
}
