//! Cutting geometry at the edge of a tile with its buffer, in tile units (f64).

use geo::{BooleanOps, Coord, LineString, MultiPolygon, Polygon};

pub type Point = [f64; 2];

/// The square `[low, high]²`.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub low: f64,
    pub high: f64,
}

impl Frame {
    pub fn contains(self, p: Point) -> bool {
        p.iter().all(|v| (self.low..=self.high).contains(v))
    }
    /// All of them.
    pub fn holds(self, points: &[Point]) -> bool {
        points.iter().all(|&p| self.contains(p))
    }
    pub fn meets(self, points: &[Point]) -> bool {
        let (mut min, mut max) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for p in points {
            for k in 0..2 {
                min[k] = min[k].min(p[k]);
                max[k] = max[k].max(p[k]);
            }
        }
        (0..2).all(|k| min[k] <= self.high && max[k] >= self.low)
    }
    /// Closed ring of its corners, positive area.
    fn corners(self) -> [Point; 5] {
        let (l, h) = (self.low, self.high);
        [[l, l], [h, l], [h, h], [l, h], [l, l]]
    }
    /// Liang–Barsky. `None`: wholly outside. A segment that lies on the edge is inside.
    fn segment(self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (mut t0, mut t1) = (0.0_f64, 1.0_f64);
        // The axis and the edge at which the way in and the way out lie.
        let (mut way_in, mut way_out) = ((0, 0.0), (0, 0.0));
        for k in 0..2 {
            let d = b[k] - a[k];
            for (p, q, edge) in [(-d, a[k] - self.low, self.low), (d, self.high - a[k], self.high)] {
                if p == 0.0 {
                    if q < 0.0 {
                        return None;
                    }
                } else if p < 0.0 && q / p > t0 {
                    (t0, way_in) = (q / p, (k, edge));
                } else if p > 0.0 && q / p < t1 {
                    (t1, way_out) = (q / p, (k, edge));
                }
            }
        }
        // The ends themselves are given back untouched; cut ones stand exactly on their edge.
        let at = |t: f64, (axis, edge): (usize, f64)| {
            let mut p = [0, 1].map(|k| (a[k] + t * (b[k] - a[k])).clamp(self.low, self.high));
            p[axis] = edge;
            p
        };
        (t0 <= t1).then(|| (if t0 == 0.0 { a } else { at(t0, way_in) }, if t1 == 1.0 { b } else { at(t1, way_out) }))
    }
}

/// The parts of a line inside the frame, in its direction. Parts of no length are left out.
pub fn line(points: &[Point], frame: Frame) -> Vec<Vec<Point>> {
    if points.iter().all(|&p| frame.contains(p)) {
        return if points.len() < 2 { Vec::new() } else { vec![points.to_vec()] };
    }
    let mut parts: Vec<Vec<Point>> = Vec::new();
    let mut open = false;
    for w in points.windows(2) {
        match frame.segment(w[0], w[1]) {
            None => open = false,
            Some((a, b)) => {
                match parts.last_mut() {
                    Some(part) if open && part.last() == Some(&a) => part.push(b),
                    _ => parts.push(vec![a, b]),
                }
                open = b == w[1];
            }
        }
    }
    parts.retain(|p| p.windows(2).any(|w| w[0] != w[1]));
    parts
}

/// The parts of a polygon (shell first, then holes; closed rings) inside the frame.
///
/// A shell that crosses the frame once is closed along the frame (one step of Weiler–Atherton). Where several
/// stretches or a hole on the frame are in play, the exact overlay is taken: neighbouring parts are never
/// joined by edges along the frame.
pub fn polygon(rings: &[Vec<Point>], frame: Frame) -> Vec<Vec<Vec<Point>>> {
    let Some(shell) = rings.first().filter(|r| r.len() >= 4 && frame.meets(r)) else { return Vec::new() };
    if shell.iter().all(|&p| frame.contains(p)) {
        return vec![rings.to_vec()];
    }
    let inside = |r: &Vec<Point>| r.iter().all(|&p| frame.contains(p));
    if rings[1..].iter().any(|r| !inside(r) && frame.meets(r)) {
        return overlay(rings, frame);
    }
    let cut = match one_stretch(shell, frame) {
        Stretch::None if contains(shell, [(frame.low + frame.high) / 2.0; 2]) => frame.corners().to_vec(),
        Stretch::None => return Vec::new(),
        Stretch::One(part) => closed_along(part, signed_area(shell) > 0.0, frame),
        Stretch::More => return overlay(rings, frame),
    };
    let mut out = vec![cut];
    out.extend(rings[1..].iter().filter(|r| inside(r)).cloned());
    vec![out]
}

fn overlay(rings: &[Vec<Point>], frame: Frame) -> Vec<Vec<Vec<Point>>> {
    let ring = |r: &[Point]| LineString::new(r.iter().map(|p| Coord { x: p[0], y: p[1] }).collect());
    let subject = Polygon::new(ring(&rings[0]), rings[1..].iter().filter(|r| frame.meets(r)).map(|r| ring(r)).collect());
    let cut: MultiPolygon = subject.intersection(&Polygon::new(ring(&frame.corners()), Vec::new()));
    let back = |r: &LineString| r.0.iter().map(|c| [c.x, c.y].map(|v| v.clamp(frame.low, frame.high))).collect::<Vec<_>>();
    cut.0.iter().map(|p| std::iter::once(p.exterior()).chain(p.interiors()).map(back).collect()).collect()
}

enum Stretch {
    None,
    One(Vec<Point>),
    More,
}

/// The stretches of a closed ring inside the frame; one that runs through the ring's first point counts once.
fn one_stretch(ring: &[Point], frame: Frame) -> Stretch {
    let mut parts = line(ring, frame);
    if parts.len() == 2 && parts[0].first() == parts[1].last() {
        let first = parts.swap_remove(0);
        parts[0].extend(&first[1..]);
    }
    match parts.pop() {
        None => Stretch::None,
        Some(part) if parts.is_empty() && part.first() != part.last() => Stretch::One(part),
        Some(_) => Stretch::More,
    }
}

/// Closes a stretch from its exit to its entry along the frame, with the ring's inside on the same hand.
fn closed_along(mut part: Vec<Point>, positive: bool, frame: Frame) -> Vec<Point> {
    let side = frame.high - frame.low;
    // Way along the frame in sides, 0..4, in the turn of positive area.
    let along = |p: Point| {
        if p[1] <= frame.low {
            (p[0] - frame.low) / side
        } else if p[0] >= frame.high {
            1.0 + (p[1] - frame.low) / side
        } else if p[1] >= frame.high {
            2.0 + (frame.high - p[0]) / side
        } else {
            3.0 + (frame.high - p[1]) / side
        }
    };
    let (Some(&entry), Some(&exit)) = (part.first(), part.last()) else { return part };
    let (from, to) = (along(exit), along(entry));
    let corners = frame.corners();
    if positive {
        let to = if to < from { to + 4.0 } else { to };
        part.extend((0..9).filter(|&k| f64::from(k) > from && f64::from(k) < to).map(|k| corners[k as usize % 4]));
    } else {
        let to = if to > from { to - 4.0 } else { to };
        part.extend((-4..5).rev().filter(|&k| f64::from(k) < from && f64::from(k) > to).map(|k: i32| corners[k.rem_euclid(4) as usize]));
    }
    part.push(entry);
    part
}

/// Shoelace; positive for the turn x → y.
pub fn signed_area(ring: &[Point]) -> f64 {
    let Some(o) = ring.first() else { return 0.0 };
    ring.windows(2).map(|w| (w[0][0] - o[0]) * (w[1][1] - o[1]) - (w[1][0] - o[0]) * (w[0][1] - o[1])).sum::<f64>() / 2.0
}

fn contains(ring: &[Point], p: Point) -> bool {
    ring.windows(2).fold(false, |inside, w| {
        let crosses = (w[0][1] > p[1]) != (w[1][1] > p[1]) && p[0] < (w[1][0] - w[0][0]) * (p[1] - w[0][1]) / (w[1][1] - w[0][1]) + w[0][0];
        inside != crosses
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{Area, Euclidean, Intersects, Length};
    use proptest::prelude::*;

    const FRAME: Frame = Frame { low: -64.0, high: 4160.0 };

    fn geo_ring(r: &[Point]) -> LineString {
        LineString::new(r.iter().map(|p| Coord { x: p[0], y: p[1] }).collect())
    }
    fn window() -> Polygon {
        Polygon::new(geo_ring(&[[-64.0, -64.0], [4160.0, -64.0], [4160.0, 4160.0], [-64.0, 4160.0], [-64.0, -64.0]]), vec![])
    }
    fn area(parts: &[Vec<Vec<Point>>]) -> f64 {
        parts.iter().map(|rings| Polygon::new(geo_ring(&rings[0]), rings[1..].iter().map(|r| geo_ring(r)).collect()).unsigned_area()).sum()
    }
    /// A star-shaped ring: any radii give a simple ring.
    fn star(centre: Point, radii: &[f64]) -> Vec<Point> {
        let mut ring: Vec<Point> = radii
            .iter()
            .enumerate()
            .map(|(i, r)| {
                let a = i as f64 / radii.len() as f64 * std::f64::consts::TAU;
                [centre[0] + r * a.cos(), centre[1] + r * a.sin()]
            })
            .collect();
        ring.push(ring[0]);
        ring
    }

    proptest! {
        #[test]
        fn clipped_polygons_have_the_area_of_the_intersection(
            cx in -3000.0..7000.0f64, cy in -3000.0..7000.0f64,
            radii in proptest::collection::vec(50.0..4000.0f64, 3..24), hole in 0.05..0.9f64,
        ) {
            let shell = star([cx, cy], &radii);
            let inner: Vec<f64> = radii.iter().map(|_| radii.iter().copied().fold(f64::INFINITY, f64::min) * hole * 0.5).collect();
            let rings = vec![shell, star([cx, cy], &inner)];
            let subject = Polygon::new(geo_ring(&rings[0]), vec![geo_ring(&rings[1])]);
            let expected = subject.intersection(&window()).unsigned_area();
            let parts = polygon(&rings, FRAME);
            prop_assert!((area(&parts) - expected).abs() <= 1e-6 * expected.max(1e6), "{} is not {}", area(&parts), expected);
            for p in parts.iter().flatten().flatten() {
                prop_assert!(FRAME.contains(*p), "{p:?}");
            }
        }

        #[test]
        fn clipped_lines_have_the_length_of_the_intersection(points in proptest::collection::vec((-5000.0..9000.0f64, -5000.0..9000.0f64), 2..30)) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| [x, y]).collect();
            let expected = window().clip(&geo::MultiLineString::new(vec![geo_ring(&points)]), false);
            let expected: f64 = expected.0.iter().map(|l| Euclidean.length(l)).sum();
            let parts = line(&points, FRAME);
            let got: f64 = parts.iter().map(|p| Euclidean.length(&geo_ring(p))).sum();
            prop_assert!((got - expected).abs() < 1e-3 * expected.max(1000.0), "{got} is not {expected}");
            for part in &parts {
                prop_assert!(part.iter().all(|&p| FRAME.contains(p)));
            }
        }
    }

    #[test]
    fn a_comb_is_cut_into_its_teeth() {
        // Three teeth reach into the frame from the left, their spine stays outside.
        let mut ring = vec![[-500.0, 0.0]];
        for i in 0..3 {
            let y = f64::from(i) * 1000.0;
            ring.extend([[1000.0, y], [1000.0, y + 400.0], [-400.0, y + 400.0], [-400.0, y + 1000.0]]);
        }
        ring.extend([[-500.0, 3000.0], [-500.0, 0.0]]);
        let parts = polygon(&[ring], FRAME);
        assert_eq!(parts.len(), 3);
        assert!((area(&parts) - 3.0 * 1064.0 * 400.0).abs() < 1.0);
        let polygons: Vec<Polygon> = parts.iter().map(|r| Polygon::new(geo_ring(&r[0]), vec![])).collect();
        assert!(!polygons[0].intersects(&polygons[1]));
    }

    #[test]
    fn what_swallows_the_frame_becomes_the_frame_and_what_is_far_is_gone() {
        let big = vec![vec![[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6], [-1e6, -1e6]]];
        assert!((area(&polygon(&big, FRAME)) - 4224.0f64.powi(2)).abs() < 1e-3);
        let far = vec![vec![[1e5, 0.0], [1e5 + 5.0, 0.0], [1e5, 5.0], [1e5, 0.0]]];
        assert!(polygon(&far, FRAME).is_empty());
        assert!(line(&[[1e5, 0.0], [1e5, 9.0]], FRAME).is_empty());
    }
}
