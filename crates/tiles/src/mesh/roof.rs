//! LOD2 from a footprint: walls and the roof that `roof` names. Pitched roofs want a footprint of nearly a
//! rectangle; where it is none, a flat roof stands in.

use super::building::{Block, cap, extrude, floor, walls};
use super::plan::{self, P2};
use super::sink::Sink;
use super::{Scene, surface};
use crate::content::Role;
use strata_model::{Feature, Point3};

const PARAPET_M: f64 = 0.6;
const PARAPET_WIDTH_M: f64 = 0.25;

pub(super) fn body(sink: &mut Sink, scene: &Scene, f: &Feature, b: &Block) {
    let height = b.top - b.base;
    let kind = f.text(scene.layer, "roof").unwrap_or("flat");
    let quad = if matches!(kind, "gable" | "hip" | "saw") && height > 2.0 { quad(b) } else { None };
    match (kind, quad) {
        ("saw", Some(q)) => saw(sink, &q, b),
        ("gable", Some(q)) => pitched(sink, &q, b, false),
        ("hip", Some(q)) => pitched(sink, &q, b, true),
        _ => {
            let inner: Option<Vec<Vec<P2>>> = b.rings.iter().map(|r| plan::inset(r, PARAPET_WIDTH_M)).collect();
            let whole = plan::area(&b.rings);
            match inner.filter(|i| whole > 40.0 && height > 3.0 && plan::area(i) > 0.6 * whole) {
                Some(inner) => {
                    parapet(sink, b, &inner);
                    let floors = scene.number(f, "floors").unwrap_or(height / 3.0);
                    if floors >= 6.0 && whole >= 120.0 {
                        lift_house(sink, b, &inner);
                    }
                }
                None => extrude(sink, b),
            }
        }
    }
}

/// Four corners, counter-clockwise, the first side a long one: the footprint's own when it has four, else those
/// of its rectangle when it fills nine tenths of it.
fn quad(b: &Block) -> Option<[P2; 4]> {
    if b.rings.len() != 1 {
        return None;
    }
    let own = plan::corners(&b.rings[0]);
    let q: [P2; 4] = match <[P2; 4]>::try_from(own) {
        Ok(q) => q,
        Err(_) => {
            let r = plan::rectangle(&b.rings[0])?;
            let filled = plan::area(&b.rings) / r.area().max(1e-9);
            (filled > 0.9).then(|| r.scaled(filled.sqrt()).corners())?
        }
    };
    let side = |i: usize| (q[(i + 1) % 4][0] - q[i][0]).hypot(q[(i + 1) % 4][1] - q[i][1]);
    // A trapezoid far from a rectangle would give a crooked ridge.
    let (s, t) = ([side(0), side(2)], [side(1), side(3)]);
    let even = |p: [f64; 2]| p[0].min(p[1]) > 0.6 * p[0].max(p[1]);
    if !even(s) || !even(t) || s[0].min(t[0]) < 2.0 {
        return None;
    }
    Some(if s[0] + s[1] >= t[0] + t[1] { q } else { [q[1], q[2], q[3], q[0]] })
}

fn mid(a: P2, b: P2, t: f64) -> P2 {
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t]
}

fn at(p: P2, z: f64) -> Point3 {
    [p[0], p[1], z]
}

/// A convex face of a pitched roof; `from_edge` is each corner's distance to the nearest roof edge.
fn slope(sink: &mut Sink, points: &[Point3], from_edge: &[f64]) {
    let n = surface::normal(points);
    let mut mesh = sink.mesh(Role::Roof);
    let at: Vec<u32> = points.iter().zip(from_edge).map(|(p, d)| mesh.plan_vertex(*p, n, [1.0, *d])).collect();
    for w in at[1..].windows(2) {
        mesh.triangle(at[0], w[0], w[1]);
    }
}

fn wall(sink: &mut Sink, points: Vec<Point3>, base: f64) {
    let n = surface::normal(&points);
    let length = (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]).sqrt();
    if length > 1e-9 {
        surface::one(sink, Role::Wall, &[points], n.map(|v| v / length), base);
    }
}

fn parapet(sink: &mut Sink, b: &Block, inner: &[Vec<P2>]) {
    let rim = b.top + PARAPET_M;
    walls(sink, &b.rings, b.base, rim, Role::Wall);
    let mut mesh = sink.mesh(Role::Roof);
    for (outer, inner) in b.rings.iter().zip(inner) {
        for i in 0..outer.len() {
            let j = (i + 1) % outer.len();
            let mut top = |p: P2| mesh.plan_vertex(at(p, rim), [0.0, 0.0, 1.0], [0.0; 2]);
            let strip = [top(outer[i]), top(outer[j]), top(inner[j]), top(inner[i])];
            mesh.quad(strip[0], strip[1], strip[2], strip[3]);
            let n = [inner[i][1] - inner[j][1], inner[j][0] - inner[i][0], 0.0];
            let mut side = |p: P2, z: f64| mesh.plan_vertex(at(p, z), n, [0.0; 2]);
            let back = [side(inner[j], b.top), side(inner[i], b.top), side(inner[i], rim), side(inner[j], rim)];
            mesh.quad(back[0], back[1], back[2], back[3]);
        }
    }
    let deck = Block { rings: inner.to_vec(), base: b.base, top: b.top };
    let triangles = plan::triangles(&mut sink.earcut, &deck.rings);
    cap(sink, &deck, &triangles, b.top, Role::Roof);
    let triangles = plan::triangles(&mut sink.earcut, &b.rings);
    floor(sink, b, &triangles);
}

/// The box over stairs and lift, 6 × 4 × 3 m along the building, where it fits.
fn lift_house(sink: &mut Sink, b: &Block, inner: &[Vec<P2>]) {
    let Some(r) = plan::rectangle(&b.rings[0]) else { return };
    let centre = strata_model::Polygon::new(b.rings[0].iter().chain(b.rings[0].first()).map(|p| at(*p, 0.0)).collect()).plan_centroid();
    let house = plan::Rectangle { centre: [centre[0], centre[1]], axis: r.axis, half: [3.0, 2.0] };
    let ring = house.corners();
    let clear = ring.iter().all(|p| plan::inside(inner, *p) && plan::distance_to_sides(inner, *p) > 1.0);
    if !clear {
        return;
    }
    let body = Block { rings: vec![ring.to_vec()], base: b.top, top: b.top + 3.0 };
    let triangles = plan::triangles(&mut sink.earcut, &body.rings);
    walls(sink, &body.rings, body.base, body.top, Role::Roof);
    cap(sink, &body, &triangles, body.top, Role::Roof);
    floor(sink, &body, &triangles);
}

/// Gable, or hip when `hipped`. The top of the body is the ridge.
fn pitched(sink: &mut Sink, q: &[P2; 4], b: &Block, hipped: bool) {
    let width = mid_distance(q);
    let height = b.top - b.base;
    let eaves = b.top - (width * 0.3).clamp(0.8, 4.5).min(height * 0.5);
    let ends = [mid(q[3], q[0], 0.5), mid(q[1], q[2], 0.5)];
    let length = (ends[1][0] - ends[0][0]).hypot(ends[1][1] - ends[0][1]);
    let floor_block = Block { rings: vec![q.to_vec()], base: b.base, top: b.top };
    let triangles = plan::triangles(&mut sink.earcut, &floor_block.rings);
    floor(sink, &floor_block, &triangles);
    let e = q.map(|p| at(p, eaves));
    let far = width / 2.0;
    if hipped {
        walls(sink, &floor_block.rings, b.base, eaves, Role::Wall);
        let t = (far / length).min(0.5);
        if t > 0.49 {
            let peak = at(mid(ends[0], ends[1], 0.5), b.top);
            for i in 0..4 {
                slope(sink, &[e[i], e[(i + 1) % 4], peak], &[0.0, 0.0, far]);
            }
            return;
        }
        let (r0, r1) = (at(mid(ends[0], ends[1], t), b.top), at(mid(ends[1], ends[0], t), b.top));
        slope(sink, &[e[0], e[1], r1, r0], &[0.0, 0.0, far, far]);
        slope(sink, &[e[1], e[2], r1], &[0.0, 0.0, far]);
        slope(sink, &[e[2], e[3], r0, r1], &[0.0, 0.0, far, far]);
        slope(sink, &[e[3], e[0], r0], &[0.0, 0.0, far]);
        return;
    }
    let (r0, r1) = (at(ends[0], b.top), at(ends[1], b.top));
    let g = q.map(|p| at(p, b.base));
    wall(sink, vec![g[0], g[1], e[1], e[0]], b.base);
    wall(sink, vec![g[1], g[2], e[2], r1, e[1]], b.base);
    wall(sink, vec![g[2], g[3], e[3], e[2]], b.base);
    wall(sink, vec![g[3], g[0], e[0], r0, e[3]], b.base);
    slope(sink, &[e[0], e[1], r1, r0], &[0.0, 0.0, 0.0, 0.0]);
    slope(sink, &[e[2], e[3], r0, r1], &[0.0, 0.0, 0.0, 0.0]);
}

fn mid_distance(q: &[P2; 4]) -> f64 {
    let (a, b) = (mid(q[0], q[1], 0.5), mid(q[2], q[3], 0.5));
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Industrial teeth along the long side, each rising to an upright face of glass.
fn saw(sink: &mut Sink, q: &[P2; 4], b: &Block) {
    let ends = [mid(q[3], q[0], 0.5), mid(q[1], q[2], 0.5)];
    let length = (ends[1][0] - ends[0][0]).hypot(ends[1][1] - ends[0][1]);
    let n = ((length / 8.0).round() as usize).clamp(1, 16);
    let low = b.top - 2.4f64.min((b.top - b.base) * 0.4);
    let along = |i: usize, near: bool, z: f64| {
        let t = i as f64 / n as f64;
        at(if near { mid(q[0], q[1], t) } else { mid(q[3], q[2], t) }, z)
    };
    // The zigzag of one long side, from its far end back to its start.
    let zigzag = |near: bool| -> Vec<Point3> {
        let teeth = (1..=n).rev().flat_map(|i| [along(i, near, b.top), along(i - 1, near, low)]);
        teeth.collect()
    };
    let mut side = vec![at(q[0], b.base), at(q[1], b.base)];
    side.extend(zigzag(true));
    wall(sink, side, b.base);
    let mut side = vec![at(q[2], b.base), at(q[3], b.base)];
    side.extend(zigzag(false).into_iter().rev());
    wall(sink, side, b.base);
    wall(sink, vec![at(q[1], b.base), at(q[2], b.base), at(q[2], b.top), at(q[1], b.top)], b.base);
    wall(sink, vec![at(q[3], b.base), at(q[0], b.base), at(q[0], low), at(q[3], low)], b.base);
    for i in 0..n {
        slope(sink, &[along(i, true, low), along(i + 1, true, b.top), along(i + 1, false, b.top), along(i, false, low)], &[0.0; 4]);
        if i > 0 {
            wall(sink, vec![along(i, true, low), along(i, false, low), along(i, false, b.top), along(i, true, b.top)], b.base);
        }
    }
    let whole = Block { rings: vec![q.to_vec()], base: b.base, top: b.top };
    let triangles = plan::triangles(&mut sink.earcut, &whole.rings);
    floor(sink, &whole, &triangles);
}
