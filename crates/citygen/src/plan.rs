//! The cheap plan: ground, streets, blocks. Everything else is derived from it block by block.

use crate::{
    dice::{Dice, For},
    graph::*,
    ground::{Ground, box_ring},
    map::*,
    plane::*,
    streets::{Names, Section, against, numbered, sections},
};
use std::{collections::HashMap, f64::consts::FRAC_PI_6, sync::Arc};
use strata_model::Bounds2;

#[derive(Debug, Clone)]
pub(crate) struct Road {
    pub zh: Arc<str>,
    pub en: Arc<str>,
    pub class: Class,
    pub red_m: f64,
    pub kerb_m: f64,
    pub lanes: i64,
    /// The whole street, also outside the box, from its north or west end: house numbers count along it.
    pub axis: Vec<P2>,
}

#[derive(Debug)]
pub(crate) struct Block {
    pub face: Face,
    pub zone: Zone,
}

pub(crate) struct Plan {
    pub seed: u64,
    pub bounds: Bounds2,
    pub ground: Ground,
    pub roads: Vec<Road>,
    pub graph: Graph,
    pub blocks: Vec<Block>,
    /// Per edge: does it span the river?
    pub bridge: Vec<bool>,
    /// Per edge: do the sides of its street count against the edge's sense?
    pub against: Vec<bool>,
    pub sections: Vec<Section>,
}

impl Plan {
    pub fn new(seed: u64, bounds: Bounds2, step_m: f64) -> Self {
        let ground = Ground::new(seed, bounds, step_m);
        let mut roads: Vec<Road> = Vec::new();
        let mut names = Names::new(seed);
        let mut strands = Vec::new();
        for r in main_roads() {
            let (mut red_m, mut kerb_m, mut lanes) = r.class.section();
            if r.zh == "人民大街" {
                (red_m, kerb_m, lanes) = (60.0, 38.0, 8);
            }
            let mut used = false;
            for piece in keep(&r.points, &bounds) {
                for points in outside_squares(&piece) {
                    used = true;
                    strands.push(Strand { points, road: roads.len() as RoadId });
                }
            }
            if used {
                names.take(r.zh);
                let axis = numbered(r.points);
                roads.push(Road { zh: r.zh.into(), en: r.en.into(), class: r.class, red_m, kerb_m, lanes, axis });
            }
        }
        for s in SQUARES.iter().filter(|s| bounds.grown(-s.radius - 60.0).contains(s.centre)) {
            let n = 32;
            let points: Vec<P2> = (0..=n)
                .map(|i| {
                    let a = (i % n) as f64 / f64::from(n) * std::f64::consts::TAU;
                    [s.centre[0] + s.radius * a.cos(), s.centre[1] + s.radius * a.sin()]
                })
                .collect();
            strands.push(Strand { points: points.clone(), road: roads.len() as RoadId });
            let (zh, en) = (format!("{}环路", s.zh).into(), format!("{} Circle", s.en).into());
            roads.push(Road { zh, en, class: Class::Arterial, red_m: 36.0, kerb_m: 24.0, lanes: 5, axis: points });
        }
        let mut frame = box_ring(&bounds);
        frame.push(frame[0]);
        strands.push(Strand { points: frame, road: FRAME });
        let main = Graph::new(&strands, 7.0);

        let mut cutter = Cutter { ground: &ground, seed, ends: HashMap::new(), names, roads: &mut roads, strands: Vec::new() };
        for e in 0..main.edges.len() as u32 {
            let (a, b) = main.ends(e);
            cutter.strands.push(Strand { points: vec![a, b], road: main.edges[e as usize].road });
        }
        for (n, star) in main.star.iter().enumerate() {
            if star.iter().filter(|&&e| main.edges[e as usize].road != FRAME).count() > 2 {
                cutter.remember(main.nodes[n]);
            }
        }
        for (i, f) in main.faces().iter().enumerate() {
            cutter.face(i as u64, main.ring(f));
        }
        let strands = cutter.strands;
        let mut graph = Graph::new(&strands, 0.5);
        drop_islands(&mut graph, &roads);
        let blocks = graph
            .faces()
            .into_iter()
            .map(|face| {
                let ring = graph.ring(&face);
                let c = inner_point(&ring);
                Block { zone: zone(c, ground.river.nearest(c).0), face }
            })
            .collect();
        let bridge = (0..graph.edges.len() as u32)
            .map(|e| {
                let (a, b) = graph.ends(e);
                let d = [0.25, 0.5, 0.75].map(|t| ground.river.nearest(lerp(a, b, t)).0);
                d.iter().all(|d| *d < RIVER_ROAD_OFFSET_M - 5.0)
            })
            .collect();
        let (sections, against) = (sections(&graph), against(&graph));
        Self { seed, bounds, ground, roads, graph, blocks, bridge, against, sections }
    }

    pub fn road(&self, edge: u32) -> Option<&Road> {
        self.roads.get(self.graph.edges[edge as usize].road as usize)
    }
    /// A street that people and pipes use: neither frame nor railway.
    pub fn is_street(&self, edge: u32) -> bool {
        self.road(edge).is_some_and(|r| r.class != Class::Rail)
    }
    pub fn half_red_m(&self, edge: u32) -> f64 {
        self.road(edge).map_or(0.0, |r| r.red_m / 2.0)
    }

    /// The land of a block inside the red lines of its streets and outside the water.
    pub fn net(&self, block: &Block) -> Vec<Area> {
        let ring = self.graph.ring(&block.face);
        let half: Vec<f64> = block.face.edges.iter().map(|&e| self.half_red_m(e)).collect();
        let wet: Vec<Ring> = if matches!(block.zone, Zone::River | Zone::Park | Zone::Hills | Zone::Rural) {
            let mut b = Bounds2::EMPTY;
            ring.iter().for_each(|&p| b.extend(p));
            self.ground.waters.iter().filter(|w| w.ring.iter().any(|&p| b.contains(p))).map(|w| w.ring.clone()).collect()
        } else {
            Vec::new()
        };
        if wet.is_empty() && is_convex(&ring) {
            let shell = shrink(&ring, |i| half[i]);
            return if shell.len() > 2 { vec![Area { shell, holes: Vec::new() }] } else { Vec::new() };
        }
        let mut cut = wet;
        for (i, (a, b)) in edges(&ring).enumerate() {
            let h = half[i];
            if h > 0.0 {
                let n = left(unit(sub(b, a)));
                cut.push(vec![along(a, n, -h), along(b, n, -h), along(b, n, h), along(a, n, h)]);
                let r = h.min(half[(i + ring.len() - 1) % ring.len()]).max(0.01);
                cut.push((0..12).map(|k| along(a, [(k as f64 * FRAC_PI_6).cos(), (k as f64 * FRAC_PI_6).sin()], r)).collect());
            }
        }
        if cut.is_empty() {
            return vec![Area { shell: clean(ring), holes: Vec::new() }];
        }
        minus(&ring, &cut)
    }
}

/// A point well inside: the centroid, or for a bent ring the middle of its widest chord through it.
pub(crate) fn inner_point(ring: &[P2]) -> P2 {
    let c = centroid(ring);
    if inside(ring, c) {
        return c;
    }
    let o = oriented_box(ring);
    let mut hits: Vec<f64> = Vec::new();
    let v = o.v();
    for (a, b) in edges(ring) {
        let (da, db) = (dot(sub(a, o.centre), o.u), dot(sub(b, o.centre), o.u));
        if (da > 0.0) != (db > 0.0) {
            hits.push(dot(sub(lerp(a, b, da / (da - db)), o.centre), v));
        }
    }
    hits.sort_by(f64::total_cmp);
    hits.chunks_exact(2).max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0]))).map_or(c, |w| o.at(0.0, (w[0] + w[1]) / 2.0))
}

/// The parts of a line inside a box.
pub(crate) fn keep(line: &[P2], b: &Bounds2) -> Vec<Vec<P2>> {
    let mut out: Vec<Vec<P2>> = Vec::new();
    for w in line.windows(2) {
        let (a, d) = (w[0], sub(w[1], w[0]));
        let (mut t0, mut t1) = (0.0f64, 1.0f64);
        for k in 0..2 {
            if d[k].abs() < 1e-12 {
                if a[k] < b.min[k] || a[k] > b.max[k] {
                    t1 = -1.0;
                }
            } else {
                let (u, v) = ((b.min[k] - a[k]) / d[k], (b.max[k] - a[k]) / d[k]);
                t0 = t0.max(u.min(v));
                t1 = t1.min(u.max(v));
            }
        }
        if t0 < t1 {
            let (p, q) = (lerp(w[0], w[1], t0), lerp(w[0], w[1], t1));
            match out.last_mut().filter(|l| l.last().is_some_and(|e| dist(*e, p) < 1e-6)) {
                Some(l) => l.push(q),
                None => out.push(vec![p, q]),
            }
        }
    }
    out
}

/// Radial streets end at the circle of their square.
fn outside_squares(line: &[P2]) -> Vec<Vec<P2>> {
    let mut lines = vec![line.to_vec()];
    for s in SQUARES {
        let mut next = Vec::new();
        for l in lines {
            let mut run: Vec<P2> = Vec::new();
            for w in l.windows(2) {
                let (f, d) = (sub(w[0], s.centre), sub(w[1], w[0]));
                let (a, b, c) = (dot(d, d), dot(f, d), dot(f, f) - s.radius * s.radius);
                let disc = b * b - a * c;
                let parts: Vec<(f64, f64)> = if disc <= 0.0 || a <= 0.0 {
                    vec![(0.0, 1.0)]
                } else {
                    let (t0, t1) = ((-b - disc.sqrt()) / a, (-b + disc.sqrt()) / a);
                    if t1 <= 0.0 || t0 >= 1.0 { vec![(0.0, 1.0)] } else { vec![(0.0, t0), (t1, 1.0)] }
                };
                for (from, to) in parts {
                    if to - from > 1e-9 {
                        extend(&mut run, lerp(w[0], w[1], from), lerp(w[0], w[1], to), &mut next);
                    }
                }
            }
            if run.len() > 1 {
                next.push(run);
            }
        }
        lines = next;
    }
    lines
}

fn extend(run: &mut Vec<P2>, a: P2, b: P2, done: &mut Vec<Vec<P2>>) {
    if run.last().is_some_and(|e| dist(*e, a) > 1e-6) {
        done.push(std::mem::take(run));
    }
    if run.is_empty() {
        run.push(a);
    }
    run.push(b);
}

/// Streets that no other street reaches stop being streets: every pipe must have a way to its source.
fn drop_islands(g: &mut Graph, roads: &[Road]) {
    let street = |e: &Edge| roads.get(e.road as usize).is_some_and(|r| r.class != Class::Rail);
    let mut group = vec![u32::MAX; g.nodes.len()];
    let mut best = (0usize, 0u32);
    for start in 0..g.nodes.len() as u32 {
        if group[start as usize] != u32::MAX {
            continue;
        }
        let (mut stack, mut size) = (vec![start], 0);
        group[start as usize] = start;
        while let Some(n) = stack.pop() {
            size += 1;
            for &e in &g.star[n as usize] {
                let m = g.other(e, n);
                if street(&g.edges[e as usize]) && group[m as usize] == u32::MAX {
                    group[m as usize] = start;
                    stack.push(m);
                }
            }
        }
        best = best.max((size, start));
    }
    for e in &mut g.edges {
        if street(e) && group[e.a as usize] != best.1 {
            e.road = FRAME;
        }
    }
}

/// Cuts faces between main roads into blocks.
struct Cutter<'a> {
    ground: &'a Ground,
    seed: u64,
    names: Names,
    /// Where streets already end, by cells of [`SNAP_M`].
    ends: HashMap<(i64, i64), Vec<P2>>,
    roads: &'a mut Vec<Road>,
    strands: Vec<Strand>,
}

/// A new street meets the one across when it would end this close to it.
const SNAP_M: f64 = 42.0;

impl Cutter<'_> {
    fn remember(&mut self, p: P2) {
        self.ends.entry(cell(p)).or_default().push(p);
    }
    fn near(&self, p: P2) -> Option<P2> {
        let (x, y) = cell(p);
        (x - 1..=x + 1)
            .flat_map(|i| (y - 1..=y + 1).map(move |j| (i, j)))
            .filter_map(|c| self.ends.get(&c))
            .flatten()
            .copied()
            .filter(|q| dist(*q, p) < SNAP_M)
            .min_by(|a, b| dist(*a, p).total_cmp(&dist(*b, p)))
    }

    fn face(&mut self, index: u64, ring: Ring) {
        let mut dice = Dice::new(self.seed, For::Cuts, index);
        let mut todo = vec![ring];
        while let Some(ring) = todo.pop() {
            let c = inner_point(&ring);
            let z = zone(c, self.ground.river.nearest(c).0);
            let (most, least) = z.block();
            let o = oriented_box(&ring);
            let size = area(&ring);
            let long = o.half[0] > 2.6 * o.half[1] && o.half[0] > 1.6 * least && most.is_finite();
            if (size < most * dice.range(0.8, 1.25) && !long) || o.half[0] * 2.0 < 1.9 * least {
                continue;
            }
            let cut = (0..9).find_map(|i| {
                let t = o.half[0] * dice.range(-0.12, 0.12) * f64::from(1 + i / 3);
                self.try_cut(&ring, o.at(t, 0.0), o.v(), least)
            });
            // A very large face of an odd shape is worth more tries, in both directions and anywhere.
            let cut = cut.or_else(|| {
                (0..if size > 6.0 * most { 60 } else { 0 }).find_map(|i| {
                    let at = o.at(o.half[0] * dice.range(-0.8, 0.8), o.half[1] * dice.range(-0.8, 0.8));
                    self.try_cut(&ring, at, if i % 2 == 0 { o.v() } else { o.u }, least)
                })
            });
            let Some((a, b)) = cut else { continue };
            let class = if size > 420_000.0 { Class::Secondary } else { Class::Local };
            self.street(a, b, class, z);
            todo.extend(halves(&ring, a, b));
        }
    }

    /// A street through `point` along `v` from side to side of the ring, if it makes decent corners.
    fn try_cut(&self, ring: &[P2], point: P2, v: P2, least: f64) -> Option<(P2, P2)> {
        if !inside(ring, point) {
            return None;
        }
        let n = left(v);
        let (mut lo, mut hi) = (f64::NEG_INFINITY, f64::INFINITY);
        for (a, b) in edges(ring) {
            let (da, db) = (dot(sub(a, point), n), dot(sub(b, point), n));
            if (da > 0.0) != (db > 0.0) {
                let s = dot(sub(lerp(a, b, da / (da - db)), point), v);
                if s <= 0.0 { lo = lo.max(s) } else { hi = hi.min(s) }
            }
        }
        if !lo.is_finite() || !hi.is_finite() || hi - lo < least * 0.6 {
            return None;
        }
        let mut ends = [along(point, v, lo), along(point, v, hi)];
        for p in &mut ends {
            if let Some(q) = self.near(*p).filter(|q| to_ring(ring, *q) < 0.2) {
                *p = q;
            }
        }
        let d = unit(sub(ends[1], ends[0]));
        for p in ends {
            for (a, b) in edges(ring) {
                if to_segment(a, b, p).0 < 0.3 && cross(unit(sub(b, a)), d).abs() < 0.62 {
                    return None;
                }
            }
            // Not beside a corner: either on it or a house's depth away.
            let corner = ring.iter().map(|q| dist(*q, p)).filter(|d| *d > 0.3).fold(f64::INFINITY, f64::min);
            let bend = ring.iter().enumerate().filter(|(_, q)| dist(**q, p) < 30.0 && dist(**q, p) > 0.3).any(|(i, q)| {
                let m = ring.len();
                let (before, after) = (unit(sub(*q, ring[(i + m - 1) % m])), unit(sub(ring[(i + 1) % m], *q)));
                cross(before, after).abs() > 0.25
            });
            if bend || corner < 8.0 {
                return None;
            }
        }
        (1..12).all(|i| inside(ring, lerp(ends[0], ends[1], f64::from(i) / 12.0))).then_some((ends[0], ends[1]))
    }

    fn street(&mut self, a: P2, b: P2, class: Class, zone: Zone) {
        let d = sub(b, a);
        // Streets run north or east, so that their pipes lie on the same side all along.
        let (a, b) = if (d[0] + d[1] * 1.0001) < 0.0 { (b, a) } else { (a, b) };
        let north = d[1].abs() > d[0].abs();
        let id = self.roads.len();
        let kind = match (north, class, zone) {
            (_, Class::Local, Zone::OldTown) if id.is_multiple_of(3) => ("胡同", "Lane"),
            (true, ..) => ("街", "Street"),
            (false, ..) => ("路", "Road"),
        };
        let (zh, en) = self.names.give(id as u64, kind);
        let (mut red_m, mut kerb_m, lanes) = class.section();
        if zone == Zone::OldTown && class == Class::Local {
            (red_m, kerb_m) = (15.0, 8.0);
        }
        self.roads.push(Road { zh: zh.into(), en: en.into(), class, red_m, kerb_m, lanes, axis: numbered(vec![a, b]) });
        self.strands.push(Strand { points: vec![a, b], road: id as RoadId });
        self.remember(a);
        self.remember(b);
    }
}

fn cell(p: P2) -> (i64, i64) {
    ((p[0] / SNAP_M).floor() as i64, (p[1] / SNAP_M).floor() as i64)
}

/// The two rings on both sides of a chord whose ends lie on the ring.
fn halves(ring: &[P2], a: P2, b: P2) -> Vec<Ring> {
    let mut all = ring.to_vec();
    let mut index = |p: P2| {
        if let Some(i) = all.iter().position(|q| dist(*q, p) < 0.3) {
            return all[i];
        }
        let n = all.len();
        let at = (0..n)
            .min_by(|&i, &j| to_segment(all[i], all[(i + 1) % n], p).0.total_cmp(&to_segment(all[j], all[(j + 1) % n], p).0))
            .unwrap_or(0);
        all.insert(at + 1, p);
        p
    };
    let (a, b) = (index(a), index(b));
    let find = |p: P2| all.iter().position(|q| *q == p).unwrap_or(0);
    let (i, j) = (find(a).min(find(b)), find(a).max(find(b)));
    let one = all[i..=j].to_vec();
    let two = all[j..].iter().chain(&all[..=i]).copied().collect();
    vec![one, two]
}
