//! Pressure mains and ducts: along every street that has them.

use super::{Bore, KINDS, Kind, Mark, Network, TEE, junctions::Junctions, rank};
use crate::{connections::Taps, plan::*, plane::*};
use std::collections::{HashMap, HashSet};

/// Waterworks, gate stations and heat plants stand near these places.
const SOURCES: [P2; 8] = [
    [-1_500.0, -2_800.0],
    [300.0, 1_150.0],
    [-6_800.0, -3_600.0],
    [-4_600.0, 3_300.0],
    [5_200.0, 4_100.0],
    [6_300.0, -3_900.0],
    [-900.0, -7_600.0],
    [8_800.0, -8_300.0],
];
const BEND: Mark = ("bend", Some("弯头"), None);
const VALVE: Mark = ("valve", None, Some("阀门"));

pub(super) fn bore(kind: &Kind, rank: usize) -> Bore {
    let round = |dn: i64, wall: f64| Bore { dn_mm: dn, outer_m: [dn as f64 / 1000.0 + wall; 2], round: true };
    let block = |dn_mm: i64, height: f64| Bore { dn_mm, outer_m: [dn_mm as f64 / 1000.0, height], round: false };
    match kind.class {
        "JS" => round([600, 300, 200][rank], 0.02),
        "RQ" => round([300, 200, 100][rank], 0.015),
        "RL" => round([500, 300, 150][rank], 0.12),
        "GY" => round([200, 150, 100][rank], 0.01),
        "DL" => block([1000, 600, 400][rank], 0.30),
        "TX" => block([600, 400, 300][rank], 0.25),
        _ => block(3000, 3.0),
    }
}

/// How the return line of a heating network passes under the supply at a junction: it lies deeper by so much, so far
/// along every street, and is level with its partner from a way farther on.
#[derive(Debug, Clone, Copy, Default)]
struct Dip {
    deeper_m: f64,
    low_m: f64,
    level_m: f64,
}

/// A straight pipe that leaves the ground's shape by more gets a point in its middle.
const BENT_M: f64 = 0.06;
/// Between the faces of supply and return where they cross, the survey's uncertainty included.
const UNDERPASS_M: f64 = 0.24;

/// By place; and by run, whether the return line stays low all the way, for want of room beside its partner.
fn dips(plan: &Plan, kind: &Kind, js: &Junctions) -> (Vec<Dip>, Vec<bool>) {
    let outer = |e: u32| plan.road(e).map_or(0.0, |r| bore(kind, rank(r)).outer_m[1]);
    let mut low = vec![false; js.runs.len()];
    if let Some(supply) = KINDS.iter().find(|k| kind.letters == "RLH" && k.letters == "RLG") {
        let partner = Junctions::new(plan, supply);
        let ends: HashMap<u32, [P2; 2]> =
            partner.runs.iter().filter(|r| !r.stub).map(|r| (r.edge, r.ends.map(|n| partner.at[n]))).collect();
        for (run, low) in js.runs.iter().zip(&mut low).filter(|(r, _)| !r.stub) {
            let away = ends.get(&run.edge).map(|[a, b]| run.ends.map(|n| dot(left(unit(sub(*b, *a))), sub(js.at[n], *a))));
            *low = away.is_none_or(|[a, b]| a * b <= 0.0 || a.abs().min(b.abs()) < outer(run.edge) + 0.16);
        }
    }
    let mut streets: Vec<Vec<u32>> = vec![Vec::new(); js.at.len()];
    for run in js.runs.iter().filter(|r| !r.stub && kind.letters == "RLH") {
        run.ends.iter().for_each(|&n| streets[js.home[n]].push(run.edge));
    }
    let mut crowded = vec![false; js.at.len()];
    js.runs.iter().zip(&low).filter(|(_, low)| **low).for_each(|(r, _)| r.ends.iter().for_each(|&n| crowded[js.home[n]] = true));
    let one = |&home: &usize| {
        let edges = || streets[home].iter().copied();
        // In a mere bend the two lie side by side.
        if edges().count() < 3 && !crowded[home] {
            return Dip::default();
        }
        let outer = edges().map(outer).fold(0.0, f64::max);
        let [narrow, wide] = [f64::min, f64::max].map(|f| edges().map(|e| plan.half_red_m(e)).reduce(f).unwrap_or(0.0));
        let low_m = (0.12 * wide).max(0.2 * narrow);
        Dip { deeper_m: outer + UNDERPASS_M, low_m, level_m: low_m + 7.0 * (outer + UNDERPASS_M) }
    };
    (js.home.iter().map(one).collect(), low)
}

impl Network {
    /// Valves at both ends of a street, hydrants or hatches between.
    pub(super) fn mains(&mut self, plan: &Plan, taps: &Taps) {
        let kind = self.kind;
        let js = Junctions::new(plan, kind);
        let (dips, mut low) = dips(plan, kind, &js);
        if let Some(back) = KINDS.iter().find(|k| kind.letters == "RLG" && k.letters == "RLH") {
            // What the supply's connections find beside them.
            let partner = Junctions::new(plan, back);
            let sunk: HashSet<u32> =
                self::dips(plan, back, &partner).1.iter().zip(&partner.runs).filter(|(low, _)| **low).map(|(_, r)| r.edge).collect();
            low = js.runs.iter().map(|r| sunk.contains(&r.edge)).collect();
        }
        let duct = kind.is_duct();
        let mut node: Vec<Option<usize>> = vec![None; js.at.len()];
        for (run, low) in js.runs.iter().zip(low) {
            let Some(road) = plan.road(run.edge) else { continue };
            let bore_here = bore(kind, rank(road));
            let [a, b] = run.ends.map(|n| {
                *node[n].get_or_insert_with(|| {
                    let what = match (duct, js.star[n].len()) {
                        (true, _) => ("well", None, Some(kind.well)),
                        (_, 1) => ("cap", Some("盖堵"), None),
                        (_, 2) => BEND,
                        (_, 3) => TEE,
                        _ => ("cross", Some("四通"), None),
                    };
                    // One depth at a node for all streets that meet there, whatever their sizes.
                    let axis = plan.ground.deck(js.at[n]) - kind.axis_depth_m() - dips[n].deeper_m;
                    self.point(plan, js.at[n], axis, what, &road.zh)
                })
            });
            let (pa, pb) = (self.points[a].at, self.points[b].at);
            let length = dist(pa, pb);
            let ends = run.ends.map(|n| dips[n]);
            let rises = !(low && kind.letters == "RLH") && length > ends[0].level_m + ends[1].level_m + 2.0;
            let deeper = |t: f64| {
                if !rises {
                    return ends[0].deeper_m + (ends[1].deeper_m - ends[0].deeper_m) * t;
                }
                let at = |d: &Dip, s: f64| d.deeper_m * ((d.level_m - s) / (d.level_m - d.low_m).max(1e-9)).clamp(0.0, 1.0);
                at(&ends[0], t * length).max(at(&ends[1], (1.0 - t) * length))
            };
            // Stations along the street: valves 5 m from the ends, others at most 55 m apart.
            let mut stations: Vec<(f64, Mark)> = Vec::new();
            if rises {
                for (d, from_end) in ends.iter().zip([false, true]).filter(|(d, _)| d.deeper_m > 0.0) {
                    let t = |s: f64| if from_end { 1.0 - s / length } else { s / length };
                    stations.push((t(d.low_m), BEND));
                }
            }
            let valves = !duct && (length > 24.0 || rises && ends.iter().any(|d| d.deeper_m > 0.0));
            let valve_m = |d: &Dip| if d.deeper_m > 0.0 && rises { d.level_m } else { 5.0 };
            if valves {
                stations.push((valve_m(&ends[0]) / length, VALVE));
                stations.push((1.0 - valve_m(&ends[1]) / length, VALVE));
            }
            let n = (length / 55.0).ceil() as usize;
            for i in 1..n {
                let what = match kind.class {
                    "JS" if i % 2 == 1 => ("hydrant", None, Some("消防栓")),
                    _ if duct => ("well", None, Some(kind.well)),
                    _ => ("other", Some("直线点"), None),
                };
                stations.push((i as f64 / n as f64, what));
            }
            stations.sort_by(|a, b| a.0.total_cmp(&b.0));
            stations.dedup_by(|a, b| (a.0 - b.0) * length < 0.3 && a.1 != VALVE);
            // And where the ground bends, so that depths hold between them.
            let ends_and = |s: &[(f64, Mark)]| [0.0].into_iter().chain(s.iter().map(|s| s.0)).chain([1.0]).collect::<Vec<_>>();
            let deck = |t: f64| plan.ground.deck(lerp(pa, pb, t));
            let bent = ends_and(&stations)
                .windows(2)
                .map(|w| (w[0], (w[0] + w[1]) / 2.0, w[1]))
                .filter(|(a, m, b)| (deck(*m) - (deck(*a) + deck(*b)) / 2.0).abs() > BENT_M)
                .map(|(_, m, _)| (m, if duct { ("well", None, Some(kind.well)) } else { ("other", Some("直线点"), None) }))
                .collect::<Vec<_>>();
            stations.extend(bent);
            stations.sort_by(|a, b| a.0.total_cmp(&b.0));
            let taps = if run.stub { &[] } else { taps.on(run.edge, kind) };
            if !duct {
                for tap in taps {
                    // A tee of its own, a little farther on where something stands already.
                    let mut t = to_segment(pa, pb, tap.of(kind)).1;
                    while stations.iter().any(|s| (s.0 - t).abs() * length < 0.3) {
                        t += 0.5 / length;
                    }
                    stations.push((t.min(1.0 - 0.2 / length), TEE));
                }
                stations.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            let (mut last, mut tees, mut manholes) = (a, Vec::new(), vec![a]);
            for (t, what) in stations {
                let p = lerp(pa, pb, t);
                let axis = plan.ground.deck(p) - kind.axis_depth_m() - deeper(t);
                let next = self.point(plan, p, axis, what, &road.zh);
                self.pipe(plan, run.edge, [last, next], bore_here, None);
                if what == TEE {
                    tees.push(next)
                } else {
                    manholes.push(next)
                }
                last = next;
            }
            self.pipe(plan, run.edge, [last, b], bore_here, None);
            manholes.push(b);
            for tap in taps {
                let at = tap.of(kind);
                let near = |i: &&usize| (dist(self.points[**i].at, at) * 1000.0) as u64;
                if let Some(&from) = if duct { &manholes } else { &tees }.iter().min_by_key(near) {
                    self.branch(plan, tap, from, low);
                    tees.retain(|t| *t != from);
                }
            }
        }
        if !duct && kind.class != "GY" {
            self.sources(plan);
        }
    }

    fn sources(&mut self, plan: &Plan) {
        let inside: Vec<P2> = SOURCES.iter().copied().filter(|s| plan.bounds.contains(*s)).collect();
        for s in if inside.is_empty() { vec![centre(&plan.bounds)] } else { inside } {
            let near = (0..self.points.len())
                .filter(|&i| self.points[i].feature.is_some())
                .min_by(|&a, &b| dist(self.points[a].at, s).total_cmp(&dist(self.points[b].at, s)));
            if let Some(i) = near {
                let station = match self.kind.class {
                    "JS" => "泵站",
                    "RQ" => "调压站",
                    _ => "换热站",
                };
                (self.points[i].kind, self.points[i].feature, self.points[i].appurtenance) = ("source", None, Some(station));
            }
        }
    }
}
