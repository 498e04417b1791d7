//! Rules of place: zone, city, places that coincide, ends that do not meet, ground, bodies that run through each other.

use super::{
    findings::Findings,
    logic::id_of,
    rows::{Line, Net},
    rules::Limits,
    stock::{SAME_PLACE_M, Stock},
};
use crate::reasons::why;
use rstar::{AABB, RTree, primitives::GeomWithData};
use std::collections::{HashMap, HashSet};
use strata_model::{Bounds2, Crs};

/// What is known of the city around the delivery; what is not known is not checked.
#[derive(Default)]
pub struct City<'a> {
    /// Where the city is, working frame.
    pub extent: Option<Bounds2>,
    /// Height of the ground at `[east_m, north_m]`.
    pub ground_m: Option<&'a dyn Fn([f64; 2]) -> Option<f64>>,
    pub stock: Option<&'a Stock>,
}

/// Clashes of one line that are named; more are not looked for.
const CLASHES: usize = 8;

pub fn check(net: &Net, city: &City<'_>, limits: &Limits, found: &mut Findings) {
    same_place(net, limits, found);
    loose_ends(net, limits, found);
    // What the delivery measures anew of the stock is replaced by it.
    let replaced: HashSet<usize> = city.stock.map(|s| s.matches(net)).unwrap_or_default().into_iter().flatten().collect();
    edges(net, city.stock, &replaced, limits, found);
    for l in &net.lines {
        above_ground(net, l, found);
    }
    clashes(net, city.stock, &replaced, limits, found);
}

/// Could it be a plan place in a Gauss-Kruger zone at all, without zone number?
fn in_any_zone([east, north]: [f64; 2]) -> bool {
    (100_000.0..900_000.0).contains(&east) && (0.0..1.0e7).contains(&north) && !(100_000.0..900_000.0).contains(&north)
}

/// Does the system belong to the Chinese Gauss-Kruger families, whose eastings can be judged by themselves?
fn gauss_kruger(crs: Option<&Crs>) -> bool {
    crs.is_none_or(|c| matches!(c.horizontal, 4491..=4554 | 2327..=2442))
}

/// Zone of a three-degree CGCS2000 code without zone number in the easting.
fn zone(crs: Option<&Crs>) -> Option<u32> {
    crs.filter(|c| (4534..=4554).contains(&c.horizontal)).map(|c| u32::from(c.horizontal) - 4534 + 25)
}

/// Zone, city and terrain. A point that is nowhere near loses its place, so that no other rule measures with it.
pub fn places(net: &mut Net, crs: Option<&Crs>, city: &City<'_>, limits: &Limits, found: &mut Findings) {
    let judged = gauss_kruger(crs);
    if city.extent.is_none() {
        found.not_checked.insert("outside-city", "the extent of the city is not known");
    }
    if city.ground_m.is_none() {
        found.not_checked.insert("ground-level", "the city has no terrain");
    }
    for p in &mut net.points {
        let (Some(at), Some([north, east])) = (p.at, p.written) else { continue };
        if judged && !written_in_zone(north, east, crs) {
            let reason = if in_any_zone([north, east]) { why("exchanged", &[]) } else { why("no-zone", &[]) };
            let place = format!("{north}, {east}");
            found.add("crs-zone", p.row, &p.id, reason).value(place);
            p.at = None;
            continue;
        }
        if city.extent.is_some_and(|b| !b.contains(at)) {
            found.add("outside-city", p.row, &p.id, why("outside", &[]));
            p.at = None;
            continue;
        }
        if let (Some(ground), Some(surveyed)) = (city.ground_m.and_then(|g| g(at)), p.ground_m) {
            let gap = surveyed - ground;
            if gap.abs() > limits.terrain_m {
                found.add("ground-level", p.row, &p.id, why("terrain-at", &[&format_args!("{ground:.2}")])).field("ground").value(surveyed);
            }
        }
    }
}

fn written_in_zone(north: f64, east: f64, crs: Option<&Crs>) -> bool {
    if !(0.0..1.0e7).contains(&north) {
        return false;
    }
    if (100_000.0..900_000.0).contains(&east) {
        return in_any_zone([east, north]);
    }
    // A zone number in front: 42 443 761.
    let number = (east / 1.0e6).floor();
    (13.0..61.0).contains(&number) && in_any_zone([east - number * 1.0e6, north]) && zone(crs).is_none_or(|z| f64::from(z) == number)
}

fn major(c: Option<strata_model::codes::PipeClass>) -> &'static str {
    c.map_or("", |c| c.major)
}

/// Buckets of the plan; a point looks into its own and the eight around.
struct Grid {
    cell_m: f64,
    cells: HashMap<(i64, i64), Vec<usize>>,
}

impl Grid {
    fn key(&self, at: [f64; 2]) -> (i64, i64) {
        ((at[0] / self.cell_m).floor() as i64, (at[1] / self.cell_m).floor() as i64)
    }
    fn near(&self, at: [f64; 2]) -> impl Iterator<Item = usize> + '_ {
        let (x, y) = self.key(at);
        (-1..=1).flat_map(move |i| (-1..=1).map(move |j| (x + i, y + j))).filter_map(|k| self.cells.get(&k)).flatten().copied()
    }
    fn put(&mut self, at: [f64; 2], i: usize) {
        self.cells.entry(self.key(at)).or_default().push(i);
    }
}

fn same_place(net: &Net, limits: &Limits, found: &mut Findings) {
    let mut grid = Grid { cell_m: limits.same_m.max(1e-4), cells: HashMap::new() };
    for (i, p) in net.points.iter().enumerate() {
        let (Some(at), Some(ground)) = (p.at, p.ground_m) else { continue };
        // A number that stands twice is found as that.
        if net.by_id.get(&p.id) != Some(&i) && !p.id.is_empty() {
            continue;
        }
        let first = grid.near(at).find(|j| {
            let q = &net.points[*j];
            let near = q.at.is_some_and(|b| (at[0] - b[0]).hypot(at[1] - b[1]) < limits.same_m);
            near && q.ground_m.is_some_and(|g| (g - ground).abs() < limits.same_m) && major(q.class) == major(p.class)
        });
        match first {
            Some(j) => {
                let q = &net.points[j];
                let table = found.tables.get(q.row.table).cloned().unwrap_or_default();
                found.add("same-place", p.row, &p.id, why("same-place", &[&q.id, &table, &q.row.row]));
            }
            // Only the first of a heap is kept: ten thousand points at one place cost no more than any others.
            None => grid.put(at, i),
        }
    }
}

fn loose_ends(net: &Net, limits: &Limits, found: &mut Findings) {
    let mut grid = Grid { cell_m: limits.loose_m.max(1e-3), cells: HashMap::new() };
    let mut heaps: HashMap<(i64, i64), usize> = HashMap::new();
    let ids: Vec<usize> = (0..net.points.len()).filter(|i| net.by_id.get(&net.points[*i].id) == Some(i)).collect();
    for &i in &ids {
        let Some(at) = net.points[i].at else { continue };
        let n = heaps.entry(grid.key(at)).or_default();
        *n += 1;
        if *n <= 64 {
            grid.put(at, i);
        }
    }
    for &i in &ids {
        let (p, Some(star)) = (&net.points[i], net.star.get(&i)) else { continue };
        let (Some(at), [only]) = (p.at, &star[..]) else { continue };
        let line = &net.lines[only.0];
        let own = net.ends(line);
        let other = grid.near(at).find(|j| {
            let q = &net.points[*j];
            let d = q.at.map_or(f64::INFINITY, |b| (at[0] - b[0]).hypot(at[1] - b[1]));
            *j != i && !own.contains(&Some(*j)) && q.class == p.class && d >= limits.same_m && d < limits.loose_m
        });
        if let Some(j) = other {
            let q = &net.points[j];
            found.add("loose-end", p.row, &p.id, why("just-beside", &[&q.id]));
        }
    }
}

/// Ends of the delivery against ends of the stock that stays: what another survey measured there should be met.
fn edges(net: &Net, stock: Option<&Stock>, replaced: &HashSet<usize>, limits: &Limits, found: &mut Findings) {
    let Some(stock) = stock else {
        found.not_checked.insert("edge-match", "no stock was given");
        return;
    };
    let mut grid = Grid { cell_m: limits.edge_m.max(1e-3), cells: HashMap::new() };
    let ends: Vec<(usize, [f64; 3])> =
        (0..stock.pipes.len()).filter(|i| !replaced.contains(i)).flat_map(|i| stock.pipes[i].axis.map(|end| (i, end))).collect();
    let mut heaps: HashMap<(i64, i64), usize> = HashMap::new();
    for (n, (_, at)) in ends.iter().enumerate() {
        let heap = heaps.entry(grid.key([at[0], at[1]])).or_default();
        *heap += 1;
        if *heap <= 64 {
            grid.put([at[0], at[1]], n);
        }
    }
    // What was meant to meet a point of the delivery is found as that.
    let loose: HashSet<_> = found.list.iter().filter(|f| f.rule.id == "loose-end").filter_map(|f| f.at).collect();
    let mut points: Vec<(&usize, &Vec<(usize, usize)>)> = net.star.iter().filter(|(_, star)| star.len() == 1).collect();
    points.sort_by_key(|(i, _)| **i);
    for (&i, star) in points {
        let (p, line, end) = (&net.points[i], &net.lines[star[0].0], star[0].1);
        if loose.contains(&p.row) {
            continue;
        }
        let (Some(at), Some(level), Some(class)) = (p.at, line.axis_m(end), line.class) else { continue };
        let nearest = grid
            .near(at)
            .map(|n| &ends[n])
            .filter(|(old, b)| stock.pipes[*old].class == class.major && (b[2] - level).abs() <= limits.edge_m)
            .map(|(old, b)| (*old, (at[0] - b[0]).hypot(at[1] - b[1])))
            .min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((old, gap)) = nearest.filter(|(_, gap)| *gap > SAME_PLACE_M && *gap <= limits.edge_m) {
            let reason = why("stock-end-beside", &[&stock.pipes[old].id, &format_args!("{gap:.2}")]);
            found.add("edge-match", p.row, &p.id, reason).value(format!("{gap:.3} m"));
        }
    }
}

fn above_ground(net: &Net, l: &Line, found: &mut Findings) {
    if l.in_the_open() {
        return;
    }
    for (end, p) in net.ends(l).into_iter().enumerate() {
        let Some(p) = p.map(|p| &net.points[p]) else { continue };
        // An outfall or a riser comes out of the ground on purpose.
        if matches!(p.feature.as_deref(), Some("出水口" | "出地")) {
            continue;
        }
        let half = l.size.map_or(0.0, |s| s.half_height_m());
        let top = l.level_m[end].map(|z| if l.to_invert { z + 2.0 * half } else { z });
        if let (Some(top), Some(ground)) = (top, p.ground_m)
            && top > ground
        {
            found.add("above-ground", l.row, &id_of(l), why("top-above", &[&format_args!("{:.3}", top - ground), &p.id]));
            return;
        }
    }
}

type Body = GeomWithData<rstar::primitives::Rectangle<[f64; 3]>, usize>;

/// Axis and radius of a line as a capsule.
#[derive(Clone, Copy)]
pub(super) struct Capsule {
    pub axis: [[f64; 3]; 2],
    pub radius_m: f64,
}

impl Capsule {
    fn envelope(&self) -> AABB<[f64; 3]> {
        let [a, b] = self.axis;
        let r = self.radius_m;
        AABB::from_corners([0, 1, 2].map(|k| a[k].min(b[k]) - r), [0, 1, 2].map(|k| a[k].max(b[k]) + r))
    }
    fn depth_m(&self, other: &Self) -> f64 {
        self.radius_m + other.radius_m - distance_m(self.axis, other.axis)
    }
}

fn tree(bodies: &[Option<Capsule>]) -> RTree<Body> {
    let of = |(i, b): (usize, &Option<Capsule>)| {
        let e = b.as_ref()?.envelope();
        Some(GeomWithData::new(rstar::primitives::Rectangle::from_corners(e.lower(), e.upper()), i))
    };
    RTree::bulk_load(bodies.iter().enumerate().filter_map(of).collect())
}

fn clashes(net: &Net, stock: Option<&Stock>, replaced: &HashSet<usize>, limits: &Limits, found: &mut Findings) {
    let bodies: Vec<Option<Capsule>> = net
        .lines
        .iter()
        .map(|l| {
            let axis = net.axis(l).filter(|_| l.start != l.end)?;
            let short = (axis[0][0] - axis[1][0]).hypot(axis[0][1] - axis[1][1]) < 1_000.0;
            short.then(|| Capsule { axis, radius_m: l.radius_m() })
        })
        .collect();
    let own = tree(&bodies);
    let old: Vec<Option<Capsule>> =
        stock.map(|s| s.pipes.iter().map(|p| Some(Capsule { axis: p.axis, radius_m: p.radius_m })).collect()).unwrap_or_default();
    let old_tree = tree(&old);
    let together: HashSet<(usize, usize)> =
        net.star.values().filter(|s| s.len() < 1_000).flat_map(|s| s.iter().flat_map(|a| s.iter().map(|b| (a.0, b.0)))).collect();
    for (i, (l, body)) in net.lines.iter().zip(&bodies).enumerate() {
        let Some(body) = body else { continue };
        let mut hits: Vec<(String, f64)> = Vec::new();
        // Each pair once, at the row that comes later.
        for other in own.locate_in_envelope_intersecting(body.envelope()).map(|o| o.data).filter(|o| *o < i) {
            if hits.len() >= CLASHES {
                break;
            }
            let (Some(it), k) = (bodies[other], &net.lines[other]) else { continue };
            let same_pair = [&k.start, &k.end].iter().all(|e| **e == l.start || **e == l.end);
            if together.contains(&(i, other)) || same_pair || (l.class == k.class && beside(body, &it, limits.loose_m)) {
                continue;
            }
            let deep = body.depth_m(&it);
            if deep > limits.clash_m {
                hits.push((id_of(k), deep));
            }
        }
        tell("clash-own", l, hits, found);
        let mut hits: Vec<(String, f64)> = Vec::new();
        for other in old_tree.locate_in_envelope_intersecting(body.envelope()).map(|o| o.data).filter(|o| !replaced.contains(o)) {
            if hits.len() >= CLASHES {
                break;
            }
            let (Some(it), Some(pipe)) = (old[other], stock.and_then(|s| s.pipes.get(other))) else { continue };
            // What ends at the same point is joined to it; what ends beside it was meant to be, and is found as such.
            let joined = [&pipe.start, &pipe.end].iter().any(|e| !e.is_empty() && (**e == l.start || **e == l.end))
                || (l.class.is_some_and(|c| c.major == pipe.class) && beside(body, &it, limits.edge_m));
            let deep = body.depth_m(&it);
            if !joined && deep > limits.clash_m {
                hits.push((pipe.id.clone(), deep));
            }
        }
        tell("clash-stock", l, hits, found);
    }
    if stock.is_none() {
        found.not_checked.insert("clash-stock", "no stock was given");
    }
}

fn tell(rule: &str, l: &Line, mut hits: Vec<(String, f64)>, found: &mut Findings) {
    let Some(deepest) = hits.iter().map(|h| h.1).max_by(f64::total_cmp) else { return };
    hits.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<&str> = hits.iter().map(|h| h.0.as_str()).collect();
    found.add(rule, l.row, &id_of(l), why("through", &[&names.join("、")])).value(format!("{deepest:.3} m"));
}

/// Do two lines end side by side? They were meant to meet there, and the loose end is found as such.
fn beside(a: &Capsule, b: &Capsule, within_m: f64) -> bool {
    let near = |p: [f64; 3], q: [f64; 3]| (p[0] - q[0]).hypot(p[1] - q[1]) < within_m;
    a.axis.iter().any(|p| b.axis.iter().any(|q| near(*p, *q)))
}

/// Shortest distance of two segments, m. A segment may be a point.
pub(super) fn distance_m(p: [[f64; 3]; 2], q: [[f64; 3]; 2]) -> f64 {
    let sub = |a: [f64; 3], b: [f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let (d1, d2, r) = (sub(p[1], p[0]), sub(q[1], q[0]), sub(p[0], q[0]));
    let (a, e, f) = (dot(d1, d1), dot(d2, d2), dot(d2, r));
    let (s, t) = if a <= 1e-18 && e <= 1e-18 {
        (0.0, 0.0)
    } else if a <= 1e-18 {
        (0.0, (f / e).clamp(0.0, 1.0))
    } else {
        let c = dot(d1, r);
        if e <= 1e-18 {
            ((-c / a).clamp(0.0, 1.0), 0.0)
        } else {
            let b = dot(d1, d2);
            let det = a * e - b * b;
            let s = if det > 1e-12 * a * e { ((b * f - c * e) / det).clamp(0.0, 1.0) } else { 0.0 };
            let t = (b * s + f) / e;
            if t < 0.0 {
                ((-c / a).clamp(0.0, 1.0), 0.0)
            } else if t > 1.0 {
                (((b - c) / a).clamp(0.0, 1.0), 1.0)
            } else {
                (s, t)
            }
        }
    };
    let at = |o: [f64; 3], d: [f64; 3], t: f64| [o[0] + d[0] * t, o[1] + d[1] * t, o[2] + d[2] * t];
    let between = sub(at(p[0], d1, s), at(q[0], d2, t));
    dot(between, between).sqrt()
}
