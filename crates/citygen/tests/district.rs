//! The district is the same for the same seed, sound, and nothing stands on another.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};
use strata_citygen::{District, Truth};
use strata_model::{Bounds3, Feature, Layer, Polygon};

fn made(seed: u64) -> (Vec<(Arc<Layer>, Feature)>, Truth) {
    let mut all = Vec::new();
    let truth = District::new(seed)
        .unwrap()
        .generate(&mut |l, f| {
            all.push((l.clone(), f));
            Ok(())
        })
        .unwrap();
    (all, truth)
}

fn inside(p: [f64; 3], polygon: &Polygon) -> bool {
    let ring = polygon.shell();
    ring.windows(2)
        .filter(|w| (w[0][1] > p[1]) != (w[1][1] > p[1]) && p[0] < (w[1][0] - w[0][0]) * (p[1] - w[0][1]) / (w[1][1] - w[0][1]) + w[0][0])
        .count()
        % 2
        == 1
}

#[test]
fn the_seed_decides_everything_and_every_feature_is_sound() {
    let ((a, truth), (b, _), (c, _)) = (made(42), made(42), made(43));
    assert!(a == b && a != c);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut ids = std::collections::HashSet::new();
    for (layer, f) in &a {
        f.check(layer).unwrap_or_else(|e| panic!("{} {}: {e}", layer.id, f.id));
        assert!(layer.synthetic && ids.insert((layer.id.clone(), f.id.clone())), "{} {}", layer.id, f.id);
        *counts.entry(layer.id.to_string()).or_default() += 1;
    }
    assert_eq!(truth.counts.iter().filter(|(_, n)| **n > 0).map(|(l, n)| (l.clone(), *n)).collect::<BTreeMap<_, _>>(), counts);
    println!("{counts:?}");
    assert!(counts["buildings"] > 3_000 && counts["roads"] > 500 && counts["terrain"] == 81 && counts["rail"] > 0, "{counts:?}");
}

#[test]
fn houses_stand_in_the_district_and_not_in_one_another() {
    let (all, _) = made(42);
    let houses: Vec<(&Feature, &Polygon, Bounds3)> = all
        .iter()
        .filter(|(l, _)| l.id.as_str() == "buildings")
        .map(|(_, f)| match &f.geometry {
            strata_model::Geometry::Polygon(p) => (f, p, f.geometry.bounds().unwrap()),
            g => panic!("{g:?}"),
        })
        .collect();
    let mut clashes = 0;
    for (i, (f, p, b)) in houses.iter().enumerate() {
        // The centroid of a house lies in no other that stands at the same time (a podium may carry its tower).
        let c = p.plan_centroid();
        for (g, q, d) in &houses[..i] {
            if b.plan().intersects(&d.plan()) && f.valid.overlaps(&g.valid) && inside(c, p) && inside(c, q) {
                clashes += 1;
            }
        }
    }
    assert!(clashes * 100 < houses.len(), "{clashes} of {} houses stand in another", houses.len());
    println!("{clashes} of {}", houses.len());
}

#[test]
fn every_anchor_lies_in_the_district_and_no_tree_in_a_house() {
    let district = District::new(42).unwrap();
    let (all, truth) = made(42);
    for a in district.anchors() {
        assert!(truth.bounds.contains([a.position[0], a.position[1]]) && a.position[2] > 150.0, "{a:?}");
    }
    let houses: Vec<(&Polygon, Bounds3)> = all
        .iter()
        .filter_map(|(l, f)| match &f.geometry {
            strata_model::Geometry::Polygon(p) if l.id.as_str() == "buildings" => Some((p, f.geometry.bounds().unwrap())),
            _ => None,
        })
        .collect();
    let (mut trees, mut within) = (0, 0);
    for (_, f) in all.iter().filter(|(l, _)| l.id.as_str() == "trees") {
        let strata_model::Geometry::Point(p) = &f.geometry else { panic!("a point") };
        trees += 1;
        within += usize::from(houses.iter().any(|(h, b)| b.plan().contains([p[0], p[1]]) && inside(*p, h)));
    }
    println!("{within} of {trees} trees");
    assert!(trees > 5_000 && within * 200 < trees, "{within} of {trees} trees stand in houses");
}
