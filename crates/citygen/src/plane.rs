//! Plan geometry in local metres. Rings are open (the first point is not repeated) and run counter-clockwise.

use geo::{BooleanOps, Buffer, Coord, LineString, MultiPolygon};
use strata_model::Bounds2;

pub(crate) type P2 = [f64; 2];
pub(crate) type Ring = Vec<P2>;

pub(crate) fn add(a: P2, b: P2) -> P2 {
    [a[0] + b[0], a[1] + b[1]]
}
pub(crate) fn sub(a: P2, b: P2) -> P2 {
    [a[0] - b[0], a[1] - b[1]]
}
/// `a + d · k`.
pub(crate) fn along(a: P2, d: P2, k: f64) -> P2 {
    [a[0] + d[0] * k, a[1] + d[1] * k]
}
pub(crate) fn dot(a: P2, b: P2) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}
pub(crate) fn cross(a: P2, b: P2) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}
pub(crate) fn dist(a: P2, b: P2) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
pub(crate) fn lerp(a: P2, b: P2, t: f64) -> P2 {
    [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t]
}
/// `[1, 0]` for a zero vector.
pub(crate) fn unit(a: P2) -> P2 {
    let l = a[0].hypot(a[1]);
    if l > 1e-12 { [a[0] / l, a[1] / l] } else { [1.0, 0.0] }
}
/// A quarter turn to the left.
pub(crate) fn left(a: P2) -> P2 {
    [-a[1], a[0]]
}

pub(crate) fn area(ring: &[P2]) -> f64 {
    let Some(&o) = ring.first() else { return 0.0 };
    (1..ring.len().saturating_sub(1)).map(|i| cross(sub(ring[i], o), sub(ring[i + 1], o))).sum::<f64>() / 2.0
}

pub(crate) fn centroid(ring: &[P2]) -> P2 {
    let Some(&o) = ring.first() else { return [0.0; 2] };
    let (mut s, mut a) = ([0.0; 2], 0.0);
    for i in 1..ring.len().saturating_sub(1) {
        let (p, q) = (sub(ring[i], o), sub(ring[i + 1], o));
        let c = cross(p, q);
        a += c;
        s = along(s, add(p, q), c / 3.0);
    }
    if a.abs() < 1e-9 { o } else { along(o, s, 1.0 / a) }
}

pub(crate) fn inside(ring: &[P2], p: P2) -> bool {
    let mut odd = false;
    for (a, b) in edges(ring) {
        if (a[1] > p[1]) != (b[1] > p[1]) && p[0] < (b[0] - a[0]) * (p[1] - a[1]) / (b[1] - a[1]) + a[0] {
            odd = !odd;
        }
    }
    odd
}

pub(crate) fn edges(ring: &[P2]) -> impl Iterator<Item = (P2, P2)> + '_ {
    (0..ring.len()).map(move |i| (ring[i], ring[(i + 1) % ring.len()]))
}

/// Distance from `p` to the segment and the share of the way at which the foot lies.
pub(crate) fn to_segment(a: P2, b: P2, p: P2) -> (f64, f64) {
    let d = sub(b, a);
    let l2 = dot(d, d);
    let t = if l2 > 0.0 { (dot(sub(p, a), d) / l2).clamp(0.0, 1.0) } else { 0.0 };
    (dist(p, along(a, d, t)), t)
}

pub(crate) fn to_ring(ring: &[P2], p: P2) -> f64 {
    edges(ring).map(|(a, b)| to_segment(a, b, p).0).fold(f64::INFINITY, f64::min)
}

pub(crate) fn is_convex(ring: &[P2]) -> bool {
    let n = ring.len();
    (0..n).all(|i| {
        let (a, b, c) = (ring[i], ring[(i + 1) % n], ring[(i + 2) % n]);
        cross(unit(sub(b, a)), unit(sub(c, b))) > -0.003
    })
}

/// Drops points that repeat or lie on the straight between their neighbours; turns the ring counter-clockwise.
pub(crate) fn clean(mut ring: Ring) -> Ring {
    if area(&ring) < 0.0 {
        ring.reverse();
    }
    loop {
        let n = ring.len();
        if n < 3 {
            return Vec::new();
        }
        let bad = (0..n).find(|&i| {
            let (a, b, c) = (ring[(i + n - 1) % n], ring[i], ring[(i + 1) % n]);
            dist(a, b) < 0.05 || (cross(unit(sub(b, a)), unit(sub(c, b))).abs() < 0.002 && dot(sub(b, a), sub(c, b)) > 0.0)
        });
        match bad {
            Some(i) => drop(ring.remove(i)),
            None => return ring,
        }
    }
}

/// The part of a convex ring on the side of the line to which `normal` points.
pub(crate) fn clip(ring: &[P2], point: P2, normal: P2) -> Ring {
    let mut out = Vec::with_capacity(ring.len() + 2);
    for (a, b) in edges(ring) {
        let (da, db) = (dot(sub(a, point), normal), dot(sub(b, point), normal));
        if da >= 0.0 {
            out.push(a);
        }
        if (da > 0.0 && db < 0.0) || (da < 0.0 && db > 0.0) {
            out.push(lerp(a, b, da / (da - db)));
        }
    }
    out
}

/// Both sides of a line, for any simple ring. Pieces come cleaned.
pub(crate) fn split(ring: &[P2], point: P2, normal: P2) -> (Vec<Ring>, Vec<Ring>) {
    if is_convex(ring) {
        let sides = [normal, [-normal[0], -normal[1]]].map(|n| Some(clean(clip(ring, point, n))).filter(|r| r.len() > 2));
        let [a, b] = sides.map(|r| r.into_iter().collect());
        return (a, b);
    }
    let t = left(normal);
    let half = |n: P2| {
        let (far, a, b) = (2e5, along(point, t, -1e5), along(point, t, 1e5));
        let mut r = vec![a, b, along(b, n, far), along(a, n, far)];
        if area(&r) < 0.0 {
            r.reverse();
        }
        let p = to_geo(ring, &[]).intersection(&to_geo(&r, &[]));
        from_geo(&p).into_iter().map(|a| a.shell).collect::<Vec<_>>()
    };
    (half(normal), half([-normal[0], -normal[1]]))
}

/// Moves every edge inwards by its own distance. Exact for convex rings; for others the result is smaller than it
/// could be, never larger. Empty when nothing is left.
pub(crate) fn shrink(ring: &[P2], by: impl Fn(usize) -> f64) -> Ring {
    let mut out: Ring = ring.to_vec();
    for (i, (a, b)) in edges(ring).enumerate() {
        let n = left(unit(sub(b, a)));
        out = clip(&out, along(a, n, by(i)), n);
        if out.len() < 3 {
            return Vec::new();
        }
    }
    clean(out)
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Oriented {
    pub centre: P2,
    /// Along the longer side.
    pub u: P2,
    pub half: [f64; 2],
}

impl Oriented {
    pub fn v(&self) -> P2 {
        left(self.u)
    }
    pub fn at(&self, a: f64, b: f64) -> P2 {
        along(along(self.centre, self.u, a), self.v(), b)
    }
    pub fn ring(&self) -> Ring {
        let [a, b] = self.half;
        vec![self.at(-a, -b), self.at(a, -b), self.at(a, b), self.at(-a, b)]
    }
    pub fn grown(&self, by: f64) -> Self {
        Self { half: self.half.map(|h| h + by), ..*self }
    }
    /// Do two boxes share inner points? By separating axes.
    pub fn meets(&self, o: &Self) -> bool {
        let d = sub(o.centre, self.centre);
        [self.u, self.v(), o.u, o.v()].into_iter().all(|n| {
            let reach = |b: &Self| b.half[0] * dot(b.u, n).abs() + b.half[1] * dot(b.v(), n).abs();
            dot(d, n).abs() < reach(self) + reach(o)
        })
    }
    /// Lies wholly inside a simple ring.
    pub fn within(&self, ring: &[P2]) -> bool {
        let me = self.ring();
        me.iter().all(|&p| inside(ring, p))
            && !ring.iter().any(|&p| inside(&me, p))
            && edges(&me).all(|(a, b)| edges(ring).all(|(c, d)| !crosses(a, b, c, d)))
    }
}

pub(crate) fn crosses(a: P2, b: P2, c: P2, d: P2) -> bool {
    let s = |p: P2, q: P2, r: P2| cross(sub(q, p), sub(r, p));
    s(a, b, c) * s(a, b, d) < 0.0 && s(c, d, a) * s(c, d, b) < 0.0
}

/// The smallest rectangle around a ring that is parallel to one of its edges.
pub(crate) fn oriented_box(ring: &[P2]) -> Oriented {
    edges(ring)
        .filter(|(a, b)| dist(*a, *b) > 0.5)
        .map(|(a, b)| box_along(ring, unit(sub(b, a))))
        .min_by(|a, b| (a.half[0] * a.half[1]).total_cmp(&(b.half[0] * b.half[1])))
        .unwrap_or(Oriented { centre: centroid(ring), u: [1.0, 0.0], half: [0.0; 2] })
}

pub(crate) fn box_along(ring: &[P2], u: P2) -> Oriented {
    let v = left(u);
    let o = ring[0];
    let (mut lo, mut hi) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for &p in ring {
        for (k, n) in [u, v].into_iter().enumerate() {
            let c = dot(sub(p, o), n);
            lo[k] = lo[k].min(c);
            hi[k] = hi[k].max(c);
        }
    }
    let centre = along(along(o, u, (lo[0] + hi[0]) / 2.0), v, (lo[1] + hi[1]) / 2.0);
    let half = [(hi[0] - lo[0]) / 2.0, (hi[1] - lo[1]) / 2.0];
    if half[0] >= half[1] { Oriented { centre, u, half } } else { Oriented { centre, u: v, half: [half[1], half[0]] } }
}

/// A face of the plan with its holes.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub shell: Ring,
    pub holes: Vec<Ring>,
}

fn to_geo(shell: &[P2], holes: &[Ring]) -> geo::Polygon {
    let line = |r: &[P2]| LineString(r.iter().chain(r.first()).map(|p| Coord { x: p[0], y: p[1] }).collect());
    geo::Polygon::new(line(shell), holes.iter().map(|h| line(h)).collect())
}

fn from_geo(m: &MultiPolygon) -> Vec<Area> {
    let ring = |l: &LineString| clean(l.0.iter().take(l.0.len().saturating_sub(1)).map(|c| [c.x, c.y]).collect());
    m.0.iter()
        .map(|p| Area { shell: ring(p.exterior()), holes: p.interiors().iter().map(ring).filter(|r| r.len() > 2).collect() })
        .filter(|a| a.shell.len() > 2)
        .collect()
}

/// `shell` without the rings of `cut`.
pub(crate) fn minus(shell: &[P2], cut: &[Ring]) -> Vec<Area> {
    let whole = MultiPolygon(vec![to_geo(shell, &[])]);
    let cuts: Vec<geo::Polygon> = cut.iter().map(|r| to_geo(r, &[])).collect();
    from_geo(&whole.difference(&geo::unary_union(&cuts)))
}

pub(crate) fn common(a: &[P2], b: &[P2]) -> Vec<Ring> {
    from_geo(&to_geo(a, &[]).intersection(&to_geo(b, &[]))).into_iter().map(|a| a.shell).collect()
}

/// The ring moved outwards by `by` m.
pub(crate) fn grown(ring: &[P2], by: f64) -> Vec<Ring> {
    from_geo(&to_geo(ring, &[]).buffer(by)).into_iter().map(|a| a.shell).collect()
}

pub(crate) fn centre(b: &Bounds2) -> P2 {
    [0, 1].map(|k| (b.min[k] + b.max[k]) / 2.0)
}

/// A smooth curve through the points (centripetal enough for ours: uniform Catmull-Rom), a point about every `step` m.
pub(crate) fn smooth(points: &[P2], step: f64, closed: bool) -> Vec<P2> {
    let n = points.len();
    let at = |i: isize| if closed { points[i.rem_euclid(n as isize) as usize] } else { points[i.clamp(0, n as isize - 1) as usize] };
    let mut out = Vec::new();
    let spans = if closed { n } else { n - 1 };
    for i in 0..spans as isize {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        let k = (dist(b, c) / step).ceil().max(1.0) as usize;
        for j in 0..k {
            let t = j as f64 / k as f64;
            let f = |x: usize| {
                0.5 * (2.0 * b[x]
                    + (c[x] - a[x]) * t
                    + (2.0 * a[x] - 5.0 * b[x] + 4.0 * c[x] - d[x]) * t * t
                    + (3.0 * b[x] - a[x] - 3.0 * c[x] + d[x]) * t * t * t)
            };
            out.push([f(0), f(1)]);
        }
    }
    if !closed {
        out.push(points[n - 1]);
    }
    out
}

/// The line moved to its left by `by` m, joints mitred.
pub(crate) fn offset(line: &[P2], by: f64) -> Vec<P2> {
    let n = line.len();
    (0..n)
        .map(|i| {
            let before = if i > 0 { unit(sub(line[i], line[i - 1])) } else { unit(sub(line[1], line[0])) };
            let after = if i + 1 < n { unit(sub(line[i + 1], line[i])) } else { before };
            let m = unit(add(left(before), left(after)));
            along(line[i], m, by / dot(m, left(before)).max(0.5))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_shrinks_splits_and_loses_a_hole() {
        let s = vec![[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]];
        assert!((area(&shrink(&s, |i| if i == 0 { 2.0 } else { 1.0 })) - 8.0 * 7.0).abs() < 1e-9);
        let (a, b) = split(&s, [5.0, 5.0], unit([1.0, 1.0]));
        assert!((area(&a[0]) - 50.0).abs() < 1e-9 && (area(&b[0]) - 50.0).abs() < 1e-9);
        let hole = vec![[4.0, 4.0], [6.0, 4.0], [6.0, 6.0], [4.0, 6.0]];
        let left = minus(&s, &[hole]);
        assert!(left.len() == 1 && left[0].holes.len() == 1);
        let c = centroid(&s);
        assert!(dist(c, [5.0, 5.0]) < 1e-9 && inside(&s, c) && (to_ring(&s, c) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn boxes_meet_only_when_they_share_inner_points() {
        let a = Oriented { centre: [0.0, 0.0], u: [1.0, 0.0], half: [2.0, 1.0] };
        let b = Oriented { centre: [3.9, 0.0], u: unit([1.0, 1.0]), half: [1.0, 1.0] };
        assert!(!a.meets(&Oriented { centre: [4.0, 0.0], ..a }) && a.meets(&Oriented { centre: [3.9, 0.0], ..a }));
        assert!(!Oriented { centre: [3.5, 0.0], ..b }.meets(&a) && Oriented { centre: [3.3, 0.0], ..b }.meets(&a));
    }
}
