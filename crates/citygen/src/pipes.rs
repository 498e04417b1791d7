//! Pipes under every street: eight classes, each a connected network of its own.
//!
//! Every class keeps a line beside the street's axis (a share of the half red line, in the order of GB 50289 from the red
//! line inwards) and a band of depth, so that no two share a place at a crossing. Where streets meet, a class has one
//! point: the place nearest to all its lines there. Pressure mains follow the streets; drains run in a tree to the
//! outfalls on the river, a street that closes a loop falling from its middle to both ends.

use crate::{
    connections::Taps,
    dice::{For, hash},
    map::*,
    plan::*,
    plane::*,
};
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

/// One class, or one of a pair of lines (supply and return).
pub(crate) struct Kind {
    pub class: &'static str,
    pub subclass: &'static str,
    /// Letters of its point numbers.
    pub letters: &'static str,
    /// Share of the half red line, left of the street's sense positive.
    beside: f64,
    /// Top of the pipe below the ground, m; for drains the least cover at their upper ends.
    top_m: f64,
    well: &'static str,
    pub owner: &'static str,
}

const fn kind(
    class: &'static str,
    subclass: &'static str,
    letters: &'static str,
    beside: f64,
    top_m: f64,
    well: &'static str,
    owner: &'static str,
) -> Kind {
    Kind { class, subclass, letters, beside, top_m, well, owner }
}

impl Kind {
    pub fn embed(&self) -> &'static str {
        match self.class {
            "DL" | "TX" => "管块",
            "QT" => "综合管廊",
            _ => "直埋",
        }
    }
    pub fn life_years(&self) -> i64 {
        match self.class {
            "RQ" | "RL" | "GY" => 30,
            "DL" | "TX" => 40,
            "QT" => 100,
            _ => 50,
        }
    }
    /// Of the axis of every pipe of a pressure network or duct, whatever its size, so that all meet at a node.
    pub fn axis_depth_m(&self) -> f64 {
        self.top_m + bore(self, 0).outer_m[1] / 2.0
    }
    /// Runs without falling and without pressure: cables and the tunnel.
    fn is_duct(&self) -> bool {
        matches!(self.class, "DL" | "TX" | "QT")
    }
}

/// Water lies under the frost (1.69 m and a margin); the rest stands clear of it above or below.
pub(crate) const KINDS: [Kind; 10] = [
    kind("DL", "GD", "DL", 0.86, 0.70, "人孔", "供电企业(合成)"),
    kind("RQ", "TR", "RQ", 0.72, 1.36, "阀门井", "燃气企业(合成)"),
    kind("JS", "PS", "JS", 0.40, 1.86, "阀门井", "供水企业(合成)"),
    kind("PS", "YS", "YS", 0.12, 3.90, "雨水井", "排水企业(合成)"),
    kind("PS", "WS", "WS", -0.14, 4.90, "污水井", "排水企业(合成)"),
    kind("RL", "RS", "RLG", -0.40, 2.80, "阀门井", "供热企业(合成)"),
    kind("RL", "RS", "RLH", -0.47, 2.80, "阀门井", "供热企业(合成)"),
    kind("TX", "XX", "TX", -0.84, 1.05, "人孔", "通信企业(合成)"),
    kind("GY", "YQ", "GY", 0.58, 3.50, "阀门井", "工业企业(合成)"),
    kind("QT", "ZH", "ZH", 0.0, 9.50, "检修井", "管廊企业(合成)"),
];

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Point {
    pub id: String,
    pub at: P2,
    pub ground_m: f64,
    /// Axis of the pipe here.
    pub axis_m: f64,
    pub kind: &'static str,
    pub feature: Option<&'static str>,
    pub appurtenance: Option<&'static str>,
    pub road: Arc<str>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pipe {
    pub id: String,
    pub from: usize,
    pub to: usize,
    /// Outer size: diameter, or width and height of a rectangle, m.
    pub outer_m: [f64; 2],
    pub round: bool,
    pub dn_mm: i64,
    /// Heights of the invert, for drains.
    pub invert_m: Option<[f64; 2]>,
    pub year: i64,
    pub material: &'static str,
    pub pressure: Option<&'static str>,
    pub voltage_kv: Option<f64>,
    pub road: Arc<str>,
}

/// What a point is: kind, 特征, 附属物.
pub(crate) type Mark = (&'static str, Option<&'static str>, Option<&'static str>);

/// The size of a pipe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bore {
    pub dn_mm: i64,
    pub outer_m: [f64; 2],
    pub round: bool,
}

const TEE: Mark = ("tee", Some("三通"), None);
/// Two points this close are one.
const SAME_M: f64 = 0.02;
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
/// At no junction does a drain lie deeper: before it would, a pumping station lifts into the interceptor and ends the basin.
const DEEPEST_DRAIN_M: f64 = 12.0;

/// All pipes and points of one kind.
pub(crate) struct Network {
    pub kind: &'static Kind,
    pub points: Vec<Point>,
    pub pipes: Vec<Pipe>,
    /// Street, point and invert of the wells of drains, for what is connected to them.
    wells: Vec<(u32, usize, f64)>,
}

/// Rank of a street for the size of its pipes: 0 trunk … 2 branch.
fn rank(road: &Road) -> usize {
    if road.red_m > 40.0 {
        0
    } else if road.red_m > 26.0 {
        1
    } else {
        2
    }
}

/// A pressure main or a duct.
fn bore(kind: &Kind, rank: usize) -> Bore {
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

fn drain_size(subclass: &str, upstream_m: f64) -> i64 {
    let steps: &[(f64, i64)] = if subclass == "YS" {
        &[(300.0, 400), (900.0, 600), (2_500.0, 800), (6_000.0, 1000), (12_000.0, 1200), (25_000.0, 1500), (f64::INFINITY, 2000)]
    } else {
        &[(700.0, 300), (2_500.0, 400), (7_000.0, 500), (15_000.0, 600), (30_000.0, 800), (f64::INFINITY, 1000)]
    };
    steps.iter().find(|(m, _)| upstream_m <= *m).map_or(1000, |s| s.1)
}

fn used(plan: &Plan, kind: &Kind, edge: u32) -> bool {
    let Some(road) = plan.road(edge).filter(|_| plan.is_street(edge)) else { return false };
    match kind.class {
        "QT" => &*road.zh == "人民大街",
        "GY" => {
            let (a, b) = plan.graph.ends(edge);
            let m = lerp(a, b, 0.5);
            zone(m, plan.ground.river.nearest(m).0) == Zone::Works
        }
        "PS" => !plan.bridge[edge as usize],
        _ => true,
    }
}

/// Where a kind's lines meet at each node: least squares over the streets there, held near the node.
fn meeting(plan: &Plan, kind: &Kind) -> Vec<P2> {
    let g = &plan.graph;
    (0..g.nodes.len())
        .map(|n| {
            let (mut xx, mut xy, mut yy, mut bx, mut by) = (0.06, 0.0, 0.06, 0.0, 0.0);
            for &e in &g.star[n] {
                if !plan.is_street(e) {
                    continue;
                }
                let (a, b) = g.ends(e);
                let side = left(unit(sub(b, a)));
                let off = kind.beside * plan.half_red_m(e);
                xx += side[0] * side[0];
                xy += side[0] * side[1];
                yy += side[1] * side[1];
                bx += side[0] * off;
                by += side[1] * off;
            }
            let det = xx * yy - xy * xy;
            let p = [(bx * yy - by * xy) / det, (by * xx - bx * xy) / det];
            add(g.nodes[n], p)
        })
        .collect()
}

fn year(plan: &Plan, edge: u32, kind: &Kind) -> i64 {
    let road = plan.graph.edges[edge as usize].road;
    let h = hash(plan.seed, For::Pipes, u64::from(road) << 8 | u64::from(kind.letters.as_bytes()[0]));
    1978 + (h % 45) as i64
}

fn material(class: &str, year: i64, dn: i64) -> &'static str {
    match class {
        "JS" if year < 1995 => "铸铁",
        "JS" => "球墨铸铁",
        "PS" if dn >= 800 || year < 2000 => "混凝土",
        "PS" => "PE",
        "RQ" if year < 1998 => "钢",
        "RQ" if dn <= 200 => "PE",
        "RQ" | "RL" | "GY" => "钢",
        "QT" => "混凝土",
        _ => "PVC",
    }
}

impl Network {
    pub(crate) fn point(&mut self, plan: &Plan, at: P2, axis_m: f64, what: Mark, road: &Arc<str>) -> usize {
        let i = self.points.len();
        let id = format!("{}{:06}", self.kind.letters, i + 1);
        self.points.push(Point {
            id,
            at,
            ground_m: plan.ground.deck(at),
            axis_m,
            kind: what.0,
            feature: what.1,
            appurtenance: what.2,
            road: road.clone(),
        });
        i
    }

    pub(crate) fn pipe(&mut self, plan: &Plan, edge: u32, ends: [usize; 2], bore: Bore, invert_m: Option<[f64; 2]>) {
        let Some(road) = plan.road(edge) else { return };
        let year = year(plan, edge, self.kind);
        self.pipes.push(Pipe {
            id: format!("{}L{:06}", self.kind.letters, self.pipes.len() + 1),
            from: ends[0],
            to: ends[1],
            outer_m: bore.outer_m,
            round: bore.round,
            dn_mm: bore.dn_mm,
            invert_m,
            year,
            material: material(self.kind.class, year, bore.dn_mm),
            pressure: match self.kind.class {
                "RQ" => Some(if rank(road) == 0 { "中压A" } else { "中压B" }),
                _ => None,
            },
            voltage_kv: (self.kind.class == "DL").then(|| [66.0, 10.0, 0.4][rank(road)]),
            road: road.zh.clone(),
        });
    }

    /// Mains and ducts: along every street that has them, valves at both ends, hydrants or hatches between.
    fn pressure(&mut self, plan: &Plan, taps: &Taps) {
        let kind = self.kind;
        let at = meeting(plan, kind);
        let mut node: Vec<Option<usize>> = vec![None; at.len()];
        let duct = kind.is_duct();
        for e in 0..plan.graph.edges.len() as u32 {
            if !used(plan, kind, e) {
                continue;
            }
            let Some(road) = plan.road(e) else { continue };
            let bore_here = bore(kind, rank(road));
            let name = road.zh.clone();
            let edge = plan.graph.edges[e as usize];
            let mut end = |this: &mut Self, n: u32| {
                *node[n as usize].get_or_insert_with(|| {
                    let degree = plan.graph.star[n as usize].iter().filter(|&&e| used(plan, kind, e)).count();
                    let what = match (duct, degree) {
                        (true, _) => ("well", None, Some(kind.well)),
                        (_, 1) => ("cap", Some("盖堵"), None),
                        (_, 2) => ("bend", Some("弯头"), None),
                        (_, 3) => ("tee", Some("三通"), None),
                        _ => ("cross", Some("四通"), None),
                    };
                    let p = at[n as usize];
                    // One depth at a node for all streets that meet there, whatever their sizes.
                    let axis = plan.ground.deck(p) - kind.axis_depth_m();
                    this.point(plan, p, axis, what, &name)
                })
            };
            let (a, b) = (end(self, edge.a), end(self, edge.b));
            let (pa, pb) = (self.points[a].at, self.points[b].at);
            let length = dist(pa, pb);
            if length < SAME_M {
                continue;
            }
            // Stations along the street: valves 5 m from the ends, others at most 55 m apart.
            let mut stations: Vec<(f64, Mark)> = Vec::new();
            let valves = !duct && length > 24.0;
            if valves {
                stations.push((5.0 / length, ("valve", None, Some("阀门"))));
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
            if valves {
                stations.push((1.0 - 5.0 / length, ("valve", None, Some("阀门"))));
            }
            let taps = taps.on(e, kind);
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
                let axis = plan.ground.deck(p) - kind.axis_depth_m();
                let next = self.point(plan, p, axis, what, &road.zh);
                self.pipe(plan, e, [last, next], bore_here, None);
                if what == TEE {
                    tees.push(next)
                } else {
                    manholes.push(next)
                }
                last = next;
            }
            self.pipe(plan, e, [last, b], bore_here, None);
            manholes.push(b);
            for tap in taps {
                let at = tap.of(kind);
                let near = |i: &&usize| (dist(self.points[**i].at, at) * 1000.0) as u64;
                if let Some(&from) = if duct { &manholes } else { &tees }.iter().min_by_key(near) {
                    self.branch(plan, tap, from);
                    tees.retain(|t| *t != from);
                }
            }
        }
        if !duct && kind.class != "GY" {
            let inside: Vec<P2> = SOURCES.iter().copied().filter(|s| plan.bounds.contains(*s)).collect();
            for s in if inside.is_empty() { vec![centre(&plan.bounds)] } else { inside } {
                let near = (0..self.points.len())
                    .filter(|&i| self.points[i].feature.is_some())
                    .min_by(|&a, &b| dist(self.points[a].at, s).total_cmp(&dist(self.points[b].at, s)));
                if let Some(i) = near {
                    let station = match kind.class {
                        "JS" => "泵站",
                        "RQ" => "调压站",
                        _ => "换热站",
                    };
                    (self.points[i].kind, self.points[i].feature, self.points[i].appurtenance) = ("source", None, Some(station));
                }
            }
        }
    }

    /// Drains: a shortest-way tree to the river, uphill streets dear, cut where it would lie too deep.
    fn gravity(&mut self, plan: &Plan, taps: &Taps) {
        let kind = self.kind;
        let g = &plan.graph;
        let at = meeting(plan, kind);
        let slope = if kind.subclass == "YS" { 0.0018 } else { 0.0022 };
        let least_m = kind.top_m;
        let n = g.nodes.len();
        let mut far = vec![f64::INFINITY; n];
        let mut down: Vec<Option<u32>> = vec![None; n];
        let mut heap = BinaryHeap::new();
        let near_river = |p: P2| plan.ground.river.nearest(p).0 < RIVER_ROAD_OFFSET_M + 25.0;
        let key = |d: f64| Reverse((d * 1000.0) as u64);
        let mut ends = vec![false; n];
        for i in 0..n {
            if near_river(g.nodes[i]) && g.star[i].iter().any(|&e| used(plan, kind, e)) {
                (far[i], ends[i]) = (0.0, true);
                heap.push((key(0.0), i as u32));
            }
        }
        while let Some((Reverse(k), i)) = heap.pop() {
            if k > (far[i as usize] * 1000.0) as u64 {
                continue;
            }
            for &e in &g.star[i as usize] {
                if !used(plan, kind, e) {
                    continue;
                }
                let j = g.other(e, i);
                // Water runs from j to i: ground that falls that way is cheap.
                let rise = plan.ground.deck(g.nodes[i as usize]) - plan.ground.deck(g.nodes[j as usize]);
                let d = far[i as usize] + g.length(e) + 60.0 * rise.max(0.0);
                if d < far[j as usize] && far[j as usize] > 0.0 {
                    far[j as usize] = d;
                    down[j as usize] = Some(e);
                    heap.push((key(d), j));
                }
            }
        }
        let mut order: Vec<usize> = (0..n).filter(|&i| far[i].is_finite()).collect();
        order.sort_by(|&a, &b| far[b].total_cmp(&far[a]));
        let ground = |p: P2| plan.ground.deck(p);
        let mut invert: Vec<f64> = (0..n).map(|i| ground(at[i]) - least_m).collect();
        let mut upstream = vec![0.0f64; n];
        // Streets that close a loop fall from their middle.
        let mut chords: Vec<u32> = (0..g.edges.len() as u32)
            .filter(|&e| {
                used(plan, kind, e) && far[g.edges[e as usize].a as usize].is_finite() && far[g.edges[e as usize].b as usize].is_finite()
            })
            .filter(|&e| down[g.edges[e as usize].a as usize] != Some(e) && down[g.edges[e as usize].b as usize] != Some(e))
            .collect();
        let crest = |e: u32| {
            let edge = g.edges[e as usize];
            let (a, b) = (at[edge.a as usize], at[edge.b as usize]);
            let p = lerp(a, b, 0.5);
            (p, dist(a, b) / 2.0, ground(p) - least_m)
        };
        chords.retain(|&e| {
            let (_, half, top) = crest(e);
            let edge = g.edges[e as usize];
            [edge.a, edge.b].iter().all(|&i| ground(at[i as usize]) - (top - slope * half) < DEEPEST_DRAIN_M)
        });
        for &e in &chords {
            let (_, half, top) = crest(e);
            for i in [g.edges[e as usize].a, g.edges[e as usize].b] {
                let i = i as usize;
                invert[i] = invert[i].min(top - slope * half);
                upstream[i] += half;
            }
        }
        for &i in &order {
            if let Some(e) = down[i] {
                let j = g.other(e, i as u32) as usize;
                let length = dist(at[i], at[j]);
                if ground(at[j]) - (invert[i] - slope * length) > DEEPEST_DRAIN_M {
                    (down[i], ends[i]) = (None, true);
                    continue;
                }
                invert[j] = invert[j].min(invert[i] - slope * length);
                upstream[j] += upstream[i] + length;
            }
        }
        let well = ("well", None, Some(kind.well));
        let name = |i: usize| g.star[i].iter().find_map(|&e| plan.road(e)).map_or_else(|| "".into(), |r| r.zh.clone());
        let half_bore = |dn: i64| dn as f64 / 2000.0;
        let mut node: Vec<Option<usize>> = vec![None; n];
        for &i in &order {
            let dn = drain_size(kind.subclass, upstream[i].max(1.0));
            let what = match (ends[i], near_river(g.nodes[i]), kind.subclass) {
                (true, true, "WS") => ("outfall", None, Some("截流井")),
                (true, false, "WS") => ("outfall", None, Some("污水泵站")),
                (true, false, _) => ("outfall", None, Some("雨水泵站")),
                _ => well,
            };
            node[i] = Some(self.point(plan, at[i], invert[i] + half_bore(dn), what, &name(i)));
        }
        for &i in &order {
            let (Some(e), Some(a)) = (down[i], node[i]) else { continue };
            let j = g.other(e, i as u32) as usize;
            let Some(b) = node[j] else { continue };
            self.fall(plan, e, a, b, [invert[i], invert[j]], drain_size(kind.subclass, upstream[i] + dist(at[i], at[j])));
        }
        for e in chords {
            let (p, half, top) = crest(e);
            let dn = drain_size(kind.subclass, half);
            let edge = g.edges[e as usize];
            let (Some(a), Some(b)) = (node[edge.a as usize], node[edge.b as usize]) else { continue };
            let road = plan.road(e).map_or_else(|| "".into(), |r| r.zh.clone());
            let middle = self.point(plan, p, top + half_bore(dn), well, &road);
            self.fall(plan, e, middle, a, [top, invert[edge.a as usize]], dn);
            self.fall(plan, e, middle, b, [top, invert[edge.b as usize]], dn);
        }
        self.house_drains(plan, taps);
        if kind.subclass == "YS" {
            // Storm water leaves into the river: a last pipe from each river node to the bank.
            for &i in order.iter().filter(|&&i| far[i] == 0.0) {
                let line = &plan.ground.river.line;
                let Some(bank) = line.iter().min_by(|a, b| dist(**a, at[i]).total_cmp(&dist(**b, at[i]))) else { continue };
                let d = dist(*bank, at[i]);
                let mouth = lerp(at[i], *bank, ((d - RIVER_HALF_WIDTH_M) / d).clamp(0.1, 1.0));
                let dn = drain_size(kind.subclass, upstream[i].max(1.0));
                let low = invert[i] - slope * dist(at[i], mouth);
                let (Some(a), Some(&e)) = (node[i], g.star[i].iter().find(|&&e| used(plan, kind, e))) else { continue };
                let b = self.point(plan, mouth, low + half_bore(dn), ("outfall", Some("出水口"), None), &name(i));
                self.fall(plan, e, a, b, [invert[i], low], dn);
            }
        }
    }

    fn house_drains(&mut self, plan: &Plan, taps: &Taps) {
        let mut wells = std::mem::take(&mut self.wells);
        wells.sort_by_key(|w| (w.0, w.1));
        for street in wells.chunk_by(|a, b| a.0 == b.0) {
            let here: Vec<(usize, f64)> = street.iter().map(|w| (w.1, w.2)).collect();
            for tap in taps.on(street[0].0, self.kind) {
                self.house_drain(plan, tap, &here);
            }
        }
    }

    /// A drain from one point down to another, wells at most 50 m apart.
    fn fall(&mut self, plan: &Plan, e: u32, from: usize, to: usize, invert: [f64; 2], dn: i64) {
        let (a, b) = (self.points[from].at, self.points[to].at);
        let length = dist(a, b);
        if length < SAME_M {
            return;
        }
        let bore = Bore { dn_mm: dn, outer_m: [dn as f64 / 1000.0 * 1.2; 2], round: true };
        let pieces = (length / 50.0).ceil().max(1.0) as usize;
        let road = plan.road(e).map_or_else(|| "".into(), |r| r.zh.clone());
        let level = |t: f64| invert[0] + (invert[1] - invert[0]) * t;
        let mut last = from;
        for i in 1..=pieces {
            let t = i as f64 / pieces as f64;
            let next = if i == pieces {
                to
            } else {
                self.point(plan, lerp(a, b, t), level(t) + dn as f64 / 2000.0, ("well", None, Some(self.kind.well)), &road)
            };
            let ends = [level((i - 1) as f64 / pieces as f64), level(t)];
            self.pipe(plan, e, [last, next], bore, Some(ends));
            self.wells.push((e, last, ends[0]));
            last = next;
        }
    }

    /// Height of a pipe's axis at its two ends.
    pub fn axis_m(&self, p: &Pipe) -> [f64; 2] {
        match p.invert_m {
            Some(i) => i.map(|z| z + p.dn_mm as f64 / 2000.0),
            // Axes meet exactly at a node, whatever the sizes.
            None => [p.from, p.to].map(|i| self.points[i].axis_m),
        }
    }
}

/// The networks in the order of [`KINDS`], each made when it is asked for: no two are in memory at once.
pub(crate) fn networks<'a>(plan: &'a Plan, taps: &'a Taps) -> impl Iterator<Item = Network> + 'a {
    KINDS.iter().map(|kind| {
        let mut n = Network { kind, points: Vec::new(), pipes: Vec::new(), wells: Vec::new() };
        if kind.class == "PS" {
            n.gravity(plan, taps)
        } else {
            n.pressure(plan, taps)
        }
        n
    })
}
