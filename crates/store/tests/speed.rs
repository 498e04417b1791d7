//! Filling a layer must not be the slow part of an import. Prints what it measured; the bound is loose on purpose.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant as Clock;
use strata_model::*;

#[test]
fn bulk_and_small_commits_are_quick() {
    let n = std::env::var("STRATA_SPEED_FEATURES").ok().and_then(|t| t.parse().ok()).unwrap_or(50_000);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let features: Vec<Feature> = (0..n).map(|i| random_feature(&mut rng, &format!("JS-{i:07}"))).collect();
    let rate = |t: Clock| n as f64 / t.elapsed().as_secs_f64();

    let t = Clock::now();
    let mut w = store.begin("anna", "import", at(0)).unwrap();
    w.layer(&l).unwrap();
    features.iter().for_each(|f| w.put(&l.id, f).unwrap());
    let put = rate(t);
    w.commit().unwrap();
    let bulk = rate(t);

    let t = Clock::now();
    let mut w = store.begin("anna", "import again", at(1)).unwrap();
    features.iter().for_each(|f| w.put(&l.id, f).unwrap());
    assert_eq!(w.commit().unwrap().layers[0].1, 0);
    let again = rate(t);

    let t = Clock::now();
    let mut w = store.begin("anna", "import more", at(1)).unwrap();
    let more = n / 5;
    features[..more].iter().for_each(|f| w.put(&l.id, &Feature { id: format!("{}-x", f.id).as_str().into(), ..f.clone() }).unwrap());
    w.commit().unwrap();
    let more = more as f64 / t.elapsed().as_secs_f64();

    let t = Clock::now();
    let mut seen = 0;
    store
        .scan(&l.id, &mut |_| {
            seen += 1;
            Ok(())
        })
        .unwrap();
    let scan = rate(t);
    assert_eq!(seen, n + n / 5);

    let t = Clock::now();
    for i in 0..100 {
        let mut w = store.begin("anna", "edit", at(2)).unwrap();
        w.put(&l.id, &random_feature(&mut rng, &format!("JS-{:07}", i * 7))).unwrap();
        w.commit().unwrap();
    }
    let small = t.elapsed().as_secs_f64() * 10.0;
    let t = Clock::now();
    let feed = store.changes(Version(store.head().unwrap().0 - 1)).unwrap();
    let feed = (feed.len(), t.elapsed());
    let t = Clock::now();
    store.integrity().unwrap();
    let sound = t.elapsed();
    let size = std::fs::metadata(dir.path().join("record.gpkg")).unwrap().len() as f64 / n as f64;
    eprintln!(
        "{n} features: put {put:.0}/s, with index and commit {bulk:.0}/s, put again unchanged {again:.0}/s, more of them {more:.0}/s, scan {scan:.0}/s, \
         commit of one {small:.2} ms, feed of one version {feed:?}, integrity {sound:?}, {size:.0} B each"
    );
    assert_eq!(feed.0, 1);
    assert!(bulk > 2_000.0, "{bulk:.0} features/s");
}
