//! Plan geometry: rings, insets, boxes, triangles of polygons.

use earcut::Earcut;
use strata_model::{Point3, Polygon};

pub(super) type P2 = [f64; 2];

/// Open rings (closing point and doubled points gone), shell counter-clockwise, holes clockwise, so that the
/// body always lies left. `None` when no shell of an area is left.
pub(super) fn rings(polygon: &Polygon) -> Option<Vec<Vec<Point3>>> {
    let mut out = Vec::with_capacity(polygon.rings.len());
    for (i, ring) in polygon.rings.iter().enumerate() {
        let mut open: Vec<Point3> = Vec::with_capacity(ring.len());
        for p in ring {
            if open.last().is_none_or(|q| (p[0] - q[0]).hypot(p[1] - q[1]) > 1e-3) {
                open.push(*p);
            }
        }
        while open.len() > 1 && (open[0][0] - open[open.len() - 1][0]).hypot(open[0][1] - open[open.len() - 1][1]) <= 1e-3 {
            open.pop();
        }
        let area = signed_area(&open.iter().map(|p| [p[0], p[1]]).collect::<Vec<_>>());
        if open.len() < 3 || area.abs() < 1e-4 {
            if i == 0 {
                return None;
            }
            continue;
        }
        if (area > 0.0) != (i == 0) {
            open.reverse();
        }
        out.push(open);
    }
    (!out.is_empty()).then_some(out)
}

pub(super) fn flat(rings: &[Vec<Point3>]) -> Vec<Vec<P2>> {
    rings.iter().map(|r| r.iter().map(|p| [p[0], p[1]]).collect()).collect()
}

/// Of an open ring; positive counter-clockwise.
pub(super) fn signed_area(ring: &[P2]) -> f64 {
    let Some(o) = ring.first() else { return 0.0 };
    let cross = |a: &P2, b: &P2| (a[0] - o[0]) * (b[1] - o[1]) - (b[0] - o[0]) * (a[1] - o[1]);
    ring.windows(2).map(|w| cross(&w[0], &w[1])).sum::<f64>() / 2.0
}

pub(super) fn area(rings: &[Vec<P2>]) -> f64 {
    rings.iter().map(|r| signed_area(r)).sum::<f64>().max(0.0)
}

/// Triangles over the rings' points, counted through all rings, all counter-clockwise.
pub(super) fn triangles(earcut: &mut Earcut<f64>, rings: &[Vec<P2>]) -> Vec<[u32; 3]> {
    let Some(o) = rings.first().and_then(|r| r.first()).copied() else { return Vec::new() };
    let points: Vec<P2> = rings.iter().flatten().map(|p| [p[0] - o[0], p[1] - o[1]]).collect();
    let holes: Vec<u32> = rings
        .iter()
        .scan(0u32, |n, r| {
            *n += r.len() as u32;
            Some(*n)
        })
        .take(rings.len().saturating_sub(1))
        .collect();
    let mut flat: Vec<u32> = Vec::new();
    earcut.earcut(points.iter().copied(), &holes, &mut flat);
    let mut out: Vec<[u32; 3]> = flat.as_chunks::<3>().0.to_vec();
    let doubled: f64 = out
        .iter()
        .map(|t| {
            let [a, b, c] = t.map(|i| points[i as usize]);
            (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        })
        .sum();
    if doubled < 0.0 {
        out.iter_mut().for_each(|t| t.swap(1, 2));
    }
    out
}

/// The ring moved to its left by `by_m`; `None` where it would fold or a corner run away.
pub(super) fn inset(ring: &[P2], by_m: f64) -> Option<Vec<P2>> {
    let n = ring.len();
    let unit = |a: P2, b: P2| {
        let (x, y) = (b[0] - a[0], b[1] - a[1]);
        let l = x.hypot(y);
        (l > 1e-6).then(|| [x / l, y / l])
    };
    let mut out = Vec::with_capacity(n);
    for i in 0..n {
        let (d0, d1) = (unit(ring[(i + n - 1) % n], ring[i])?, unit(ring[i], ring[(i + 1) % n])?);
        let (n0, n1) = ([-d0[1], d0[0]], [-d1[1], d1[0]]);
        let s = 1.0 + n0[0] * n1[0] + n0[1] * n1[1];
        // 1/s is the square of the mitre's length, halved: a corner sharper than about 30° runs away.
        if s < 0.13 {
            return None;
        }
        out.push([ring[i][0] + (n0[0] + n1[0]) / s * by_m, ring[i][1] + (n0[1] + n1[1]) / s * by_m]);
    }
    let same_way = (0..n).all(|i| {
        let j = (i + 1) % n;
        let (old, new) = ([ring[j][0] - ring[i][0], ring[j][1] - ring[i][1]], [out[j][0] - out[i][0], out[j][1] - out[i][1]]);
        old[0] * new[0] + old[1] * new[1] > 1e-6
    });
    same_way.then_some(out)
}

/// Corners at which the ring turns by more than about 3°.
pub(super) fn corners(ring: &[P2]) -> Vec<P2> {
    let n = ring.len();
    (0..n)
        .filter(|&i| {
            let (a, b, c) = (ring[(i + n - 1) % n], ring[i], ring[(i + 1) % n]);
            let (u, v) = ([b[0] - a[0], b[1] - a[1]], [c[0] - b[0], c[1] - b[1]]);
            let cross = u[0] * v[1] - u[1] * v[0];
            let dot = u[0] * v[0] + u[1] * v[1];
            cross.atan2(dot).abs() > 0.05
        })
        .map(|i| ring[i])
        .collect()
}

/// Smallest rectangle around points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rectangle {
    pub centre: P2,
    /// Along the longer side.
    pub axis: P2,
    /// Half the longer and half the shorter side, m.
    pub half: P2,
}

impl Rectangle {
    pub fn area(&self) -> f64 {
        4.0 * self.half[0] * self.half[1]
    }
    /// Counter-clockwise; the first side is a long one.
    pub fn corners(&self) -> [P2; 4] {
        let (u, v) = (self.axis, [-self.axis[1], self.axis[0]]);
        [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]
            .map(|[a, b]| [0, 1].map(|k| self.centre[k] + u[k] * a * self.half[0] + v[k] * b * self.half[1]))
    }
    pub fn scaled(mut self, by: f64) -> Self {
        self.half = self.half.map(|h| h * by);
        self
    }
}

pub(super) fn rectangle(points: &[P2]) -> Option<Rectangle> {
    let o = *points.first()?;
    let hull = hull(points.iter().map(|p| [p[0] - o[0], p[1] - o[1]]).collect());
    let mut best: Option<(f64, Rectangle)> = None;
    for i in 0..hull.len() {
        let (a, b) = (hull[i], hull[(i + 1) % hull.len()]);
        let l = (b[0] - a[0]).hypot(b[1] - a[1]);
        if l < 1e-6 {
            continue;
        }
        let u = [(b[0] - a[0]) / l, (b[1] - a[1]) / l];
        let (mut lo, mut hi) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for p in &hull {
            for (k, d) in [p[0] * u[0] + p[1] * u[1], p[1] * u[0] - p[0] * u[1]].into_iter().enumerate() {
                lo[k] = lo[k].min(d);
                hi[k] = hi[k].max(d);
            }
        }
        let half = [(hi[0] - lo[0]) / 2.0, (hi[1] - lo[1]) / 2.0];
        let mid = [(hi[0] + lo[0]) / 2.0, (hi[1] + lo[1]) / 2.0];
        let centre = [o[0] + mid[0] * u[0] - mid[1] * u[1], o[1] + mid[0] * u[1] + mid[1] * u[0]];
        if best.as_ref().is_none_or(|(a, _)| half[0] * half[1] < *a) {
            let r = if half[0] >= half[1] {
                Rectangle { centre, axis: u, half }
            } else {
                Rectangle { centre, axis: [-u[1], u[0]], half: [half[1], half[0]] }
            };
            best = Some((half[0] * half[1], r));
        }
    }
    best.map(|b| b.1)
}

/// Convex hull, counter-clockwise (monotone chain).
fn hull(mut points: Vec<P2>) -> Vec<P2> {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let cross = |o: P2, a: P2, b: P2| (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
    let mut out: Vec<P2> = Vec::with_capacity(points.len());
    for pass in 0..2 {
        let start = out.len();
        let mut add = |p: P2| {
            while out.len() >= start + 2 && cross(out[out.len() - 2], out[out.len() - 1], p) <= 0.0 {
                out.pop();
            }
            out.push(p);
        };
        if pass == 0 {
            points.iter().for_each(|p| add(*p))
        } else {
            points.iter().rev().for_each(|p| add(*p))
        }
        out.pop();
    }
    out
}

pub(super) fn inside(rings: &[Vec<P2>], p: P2) -> bool {
    let mut odd = false;
    for ring in rings {
        for i in 0..ring.len() {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0] {
                odd = !odd;
            }
        }
    }
    odd
}

/// Distance from a place to the nearest side of the rings, m.
pub(super) fn distance_to_sides(rings: &[Vec<P2>], p: P2) -> f64 {
    let mut best = f64::INFINITY;
    for ring in rings {
        for i in 0..ring.len() {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            let d = [b[0] - a[0], b[1] - a[1]];
            let t = (((p[0] - a[0]) * d[0] + (p[1] - a[1]) * d[1]) / (d[0] * d[0] + d[1] * d[1]).max(1e-12)).clamp(0.0, 1.0);
            best = best.min((p[0] - a[0] - t * d[0]).hypot(p[1] - a[1] - t * d[1]));
        }
    }
    best
}

/// Douglas–Peucker in space: the path without the points that lie within `off_m` of what is left. No stretch
/// grows longer than `longest_m` over points that were there.
pub(super) fn simplified(path: &[glam::DVec3], off_m: f64, longest_m: f64) -> Vec<glam::DVec3> {
    if path.len() < 3 {
        return path.to_vec();
    }
    let mut keep = vec![false; path.len()];
    keep[0] = true;
    keep[path.len() - 1] = true;
    let mut open = vec![(0, path.len() - 1)];
    while let Some((i, j)) = open.pop() {
        let (a, b) = (path[i], path[j]);
        let d = b - a;
        let off = |p: glam::DVec3| p.distance(a + d * ((p - a).dot(d) / d.length_squared().max(1e-12)).clamp(0.0, 1.0));
        let far = (i + 1..j).map(|k| (off(path[k]), k)).max_by(|x, y| x.0.total_cmp(&y.0));
        let Some((worst, at)) = far else { continue };
        let at = if worst > off_m {
            at
        } else if d.length() > longest_m {
            (i + j) / 2
        } else {
            continue;
        };
        keep[at] = true;
        open.extend([(i, at), (at, j)]);
    }
    path.iter().zip(keep).filter(|(_, k)| *k).map(|(p, _)| *p).collect()
}
