//! Pipes that run through one another, and drains that are too small: counted without the program's own analyses.

use super::{Made, Point3, Under, underground};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

fn at(s: [Point3; 2], t: f64) -> Point3 {
    [0, 1, 2].map(|k| s[0][k] + (s[1][k] - s[0][k]) * t)
}

fn to_axis(s: [Point3; 2], p: Point3) -> f64 {
    let d = [0, 1, 2].map(|k| s[1][k] - s[0][k]);
    let l2: f64 = d.iter().map(|v| v * v).sum();
    let t = if l2 > 0.0 { ((0..3).map(|k| (p[k] - s[0][k]) * d[k]).sum::<f64>() / l2).clamp(0.0, 1.0) } else { 0.0 };
    let q = at(s, t);
    (0..3).map(|k| (p[k] - q[k]).powi(2)).sum::<f64>().sqrt()
}

/// Distance of two straight axes: that of a place on one to the other is a convex function, so thirds close in on its least.
fn axes_apart(a: [Point3; 2], b: [Point3; 2]) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let (s, t) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if to_axis(b, at(a, s)) < to_axis(b, at(a, t)) { high = t } else { low = s }
    }
    to_axis(b, at(a, (low + high) / 2.0))
}

const CELL_M: f64 = 15.0;
/// Two pipes of one network that meet in one well or fitting, through a piece no longer than this.
const FITTING_M: f64 = 1.0;

/// Every pair of pipes whose faces share a place. A duct counts with the round pipe that fits into it.
fn clashes(pipes: &[Under]) -> Vec<[usize; 2]> {
    let box_of = |p: &Under| [0, 1, 2].map(|k| [p.axis[0][k].min(p.axis[1][k]) - p.radius_m, p.axis[0][k].max(p.axis[1][k]) + p.radius_m]);
    let mut cells: HashMap<[i64; 2], Vec<usize>> = HashMap::new();
    for (i, p) in pipes.iter().enumerate() {
        let [x, y] = [0, 1].map(|k| box_of(p)[k].map(|v| (v / CELL_M).floor() as i64));
        for cx in x[0]..=x[1] {
            for cy in y[0]..=y[1] {
                cells.entry([cx, cy]).or_default().push(i);
            }
        }
    }
    // Points that a short piece makes one.
    let mut fittings: HashSet<[&str; 2]> = HashSet::new();
    for p in pipes.iter().filter(|p| (0..3).map(|k| (p.axis[0][k] - p.axis[1][k]).powi(2)).sum::<f64>().sqrt() <= FITTING_M) {
        fittings.extend([[p.from.as_str(), p.to.as_str()], [p.to.as_str(), p.from.as_str()]]);
    }
    let joined = |a: &Under, b: &Under| {
        let ends = |p: &Under| [p.from.clone(), p.to.clone()];
        ends(a).iter().any(|x| ends(b).iter().any(|y| x == y || fittings.contains(&[x.as_str(), y.as_str()])))
    };
    let mut found = BTreeSet::new();
    for here in cells.values() {
        for (n, &i) in here.iter().enumerate() {
            for &j in &here[..n] {
                let (a, b) = (&pipes[i], &pipes[j]);
                let (p, q) = (box_of(a), box_of(b));
                if (0..3).any(|k| p[k][0] > q[k][1] || q[k][0] > p[k][1]) || joined(a, b) {
                    continue;
                }
                if axes_apart(a.axis, b.axis) < a.radius_m + b.radius_m {
                    found.insert([i.min(j), i.max(j)]);
                }
            }
        }
    }
    found.into_iter().collect()
}

pub fn at_most_so_many_pipes_run_through_others(made: &Made, most: usize) {
    let (mut pipes, _) = underground(made);
    let found = clashes(&pipes);
    let names: Vec<String> = found.iter().take(20).map(|c| c.map(|i| pipes[i].id.as_str()).join(" through ")).collect();
    assert!(found.len() <= most, "{} clashes: {names:?}", found.len());
    println!("{} of {} pairs of pipes clash", found.len(), pipes.len());
    // One that is put through a main is found.
    let main = pipes.iter().find(|p| p.class == "JS" && p.axis[0][0] != p.axis[1][0]).unwrap();
    let [x, y, z] = at(main.axis, 0.5);
    let word = |w: &str| w.to_owned();
    pipes.push(Under {
        id: word("planted"),
        class: word("GY"),
        subclass: word("YQ"),
        radius_m: 0.05,
        dn_m: None,
        letters: word("GY"),
        from: word("p"),
        to: word("q"),
        axis: [[x, y, z - 0.3], [x, y, z + 0.3]],
        invert: None,
        depth: [2.0, 2.6],
    });
    assert_eq!(clashes(&pipes).len(), found.len() + 1);
}

/// Changchun's storm of the older manual once in two years, ψ = 0.65, 60 m of ground along every street, ten minutes to the
/// first drain; what a drain carries by Manning with n = 0.013, all of it at least at its own slope.
pub fn every_storm_drain_carries_the_storm(made: &Made) {
    let (pipes, _) = underground(made);
    let drains: Vec<&Under> = pipes.iter().filter(|p| p.subclass == "YS").collect();
    let mut out: BTreeMap<&str, Vec<&Under>> = BTreeMap::new();
    let mut waits: BTreeMap<&str, usize> = BTreeMap::new();
    for d in &drains {
        out.entry(&d.from).or_default().push(d);
        *waits.entry(&d.to).or_default() += 1;
    }
    let mut ready: VecDeque<&str> = out.keys().copied().filter(|n| !waits.contains_key(n)).collect();
    // Metres of street above a point, and minutes on the way.
    let mut above: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let (mut looked, mut most) = (0, 0.0f64);
    while let Some(n) = ready.pop_front() {
        let (street, minutes) = above.get(n).copied().unwrap_or((0.0, 10.0));
        let list = out.get(n).map_or(&[][..], Vec::as_slice);
        assert!(list.len() < 2 || street == 0.0, "only where water begins it parts: {n}");
        for d in list {
            let length = (d.axis[0][0] - d.axis[1][0]).hypot(d.axis[0][1] - d.axis[1][1]);
            let [high, low] = d.invert.unwrap();
            let bore = d.dn_m.unwrap();
            let area = std::f64::consts::PI * bore * bore / 4.0;
            let carries = area * (bore / 4.0).powf(2.0 / 3.0) * ((high - low) / length).sqrt() / 0.013;
            let storm = 1600.0 * (1.0 + 0.8 * 2f64.log10()) / (minutes + 5.0).powf(0.76);
            let flow = 0.65 * storm * (street + length) * 60.0 / 1e4 / 1e3;
            assert!(flow <= carries * 1.000_001, "{} DN {bore} carries {carries:.3} of {flow:.3} m³/s", d.id);
            most = most.max(flow);
            let next = above.entry(&d.to).or_insert((0.0, 10.0));
            *next = (next.0 + street + length, next.1.max(minutes + length / (carries / area) / 60.0));
            looked += 1;
            let waiting = waits.get_mut(d.to.as_str()).unwrap();
            *waiting -= 1;
            if *waiting == 0 {
                ready.push_back(&d.to);
            }
        }
    }
    assert_eq!(looked, drains.len(), "every drain is reached by the water");
    assert!(most > 1.0, "the largest flow is {most} m³/s");
    println!("{looked} storm drains carry up to {most:.1} m³/s");
}
