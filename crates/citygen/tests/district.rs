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

struct Under {
    class: String,
    from: String,
    to: String,
    axis: [[f64; 3]; 2],
    invert: Option<[f64; 2]>,
    depth: [f64; 2],
}

/// Pipes and points as anyone reads them from their layers: the generator's own structures are not asked.
fn underground() -> (Vec<Under>, BTreeMap<String, ([f64; 3], String)>) {
    let (all, _) = made(42);
    let (mut pipes, mut points) = (Vec::new(), BTreeMap::new());
    for (l, f) in &all {
        let text = |n: &str| f.text(l, n).unwrap_or_default().to_owned();
        match (&f.geometry, l.id.as_str()) {
            (strata_model::Geometry::LineString(line), "pipes") => pipes.push(Under {
                class: format!("{}{}", text("class"), &f.id.as_str()[..3]),
                from: text("start_point"),
                to: text("end_point"),
                axis: [line[0], line[line.len() - 1]],
                invert: f.number(l, "start_invert_m").zip(f.number(l, "end_invert_m")).map(|(a, b)| [a, b]),
                depth: [f.number(l, "start_depth_m").unwrap(), f.number(l, "end_depth_m").unwrap()],
            }),
            (strata_model::Geometry::Point(p), "pipe_points") => {
                points.insert(f.id.to_string(), (*p, text("kind")));
            }
            _ => {}
        }
    }
    (pipes, points)
}

#[test]
fn every_network_holds_together_and_water_lies_under_the_frost() {
    let (pipes, points) = underground();
    let mut classes: BTreeMap<&str, Vec<&Under>> = BTreeMap::new();
    for p in &pipes {
        // Ends lie exactly under their points.
        for (id, end) in [(&p.from, p.axis[0]), (&p.to, p.axis[1])] {
            let (at, _) = &points[id];
            assert!((at[0] - end[0]).abs() < 1e-6 && (at[1] - end[1]).abs() < 1e-6 && end[2] < at[2], "{id}");
        }
        if p.class.starts_with("JS") {
            assert!(p.depth.iter().all(|d| *d >= 1.69 + 0.15), "water at {:?}", p.depth);
        }
        // The mouth of a storm drain is in the open; all else is covered.
        let mouth = points[&p.to].1 == "outfall";
        assert!(p.depth[0] > 0.4 && (mouth || p.depth[1] > 0.4), "{} at {:?}", p.class, p.depth);
        classes.entry(&p.class).or_default().push(p);
    }
    println!("{:?}", classes.iter().map(|(c, v)| (*c, v.len())).collect::<Vec<_>>());
    let main: std::collections::BTreeSet<&str> = classes.keys().map(|c| &c[..2]).collect();
    assert_eq!(main.len(), 8, "eight classes: {main:?}");
    assert!(pipes.len() > 20_000, "{}", pipes.len());
    for (class, list) in &classes {
        // Union-find over the point numbers.
        let mut root: BTreeMap<&str, &str> = BTreeMap::new();
        fn find<'a>(root: &mut BTreeMap<&'a str, &'a str>, x: &'a str) -> &'a str {
            let mut x = x;
            while let Some(&p) = root.get(x).filter(|p| **p != x) {
                x = p;
            }
            x
        }
        for p in list {
            root.entry(&p.from).or_insert(&p.from);
            root.entry(&p.to).or_insert(&p.to);
            let (a, b) = (find(&mut root, &p.from), find(&mut root, &p.to));
            root.insert(a, b);
        }
        let keys: Vec<&str> = root.keys().copied().collect();
        let parts: std::collections::BTreeSet<&str> = keys.iter().map(|k| find(&mut root, k)).collect();
        // Streets are one graph, so mains and cables are one network; the tunnel and the works' pipes are of one street or quarter.
        if !class.starts_with("PS") && !class.starts_with("GY") && !class.starts_with("QT") {
            assert_eq!(parts.len(), 1, "{class} falls into {} parts", parts.len());
        }
    }
}

#[test]
fn every_drain_falls_and_reaches_an_outfall() {
    let (pipes, points) = underground();
    let mut next: BTreeMap<&str, Vec<&Under>> = BTreeMap::new();
    let mut drains = 0;
    for p in pipes.iter().filter(|p| p.class.starts_with("PS")) {
        let [a, b] = p.invert.expect("a drain has inverts");
        let length = (p.axis[0][0] - p.axis[1][0]).hypot(p.axis[0][1] - p.axis[1][1]);
        assert!((a - b) / length >= 0.0017, "{} → {} falls {} over {length}", p.from, p.to, a - b);
        next.entry(&p.from).or_default().push(p);
        drains += 1;
    }
    // From every pipe, whichever way it parts, an outfall is met; a walk longer than the network has gone in a circle.
    for p in pipes.iter().filter(|p| p.class.starts_with("PS")) {
        let (mut at, mut steps, mut level) = (p.to.as_str(), 0, p.invert.unwrap()[1]);
        while points[at].1 != "outfall" {
            let q = next.get(at).unwrap_or_else(|| panic!("{at} leads nowhere"))[0];
            let [a, b] = q.invert.unwrap();
            assert!(a <= level + 1e-9 && b < a, "{at}: {a} above {level}");
            (at, level, steps) = (&q.to, b, steps + 1);
            assert!(steps < drains, "{} runs in a circle", p.from);
        }
    }
    println!("{drains} drains reach the river");
}
