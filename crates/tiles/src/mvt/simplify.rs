//! Fewer vertices where the eye cannot tell, in tile units.

use super::clip::Point;
use std::borrow::Cow;

/// Douglas–Peucker without recursion; both ends stay. Distance is to the segment, so loops do not collapse.
pub fn line(points: &[Point], tolerance: f64) -> Cow<'_, [Point]> {
    if points.len() < 3 || tolerance <= 0.0 {
        return Cow::Borrowed(points);
    }
    let mut keep = vec![false; points.len()];
    keep[0] = true;
    keep[points.len() - 1] = true;
    let mut work = vec![(0, points.len() - 1)];
    while let Some((first, last)) = work.pop() {
        let far = (first + 1..last)
            .map(|i| (i, distance2(points[i], points[first], points[last])))
            .fold((0, -1.0), |best, now| if now.1 > best.1 { now } else { best });
        if far.1 > tolerance * tolerance {
            keep[far.0] = true;
            work.push((first, far.0));
            work.push((far.0, last));
        }
    }
    points.iter().zip(keep).filter(|(_, k)| *k).map(|(p, _)| *p).collect()
}

/// A closed ring: split at the vertex farthest from the first, so that the closing point is no privilege that
/// could flatten it. Fewer than four points come back as empty.
pub fn ring(points: &[Point], tolerance: f64) -> Cow<'_, [Point]> {
    if points.len() < 5 || tolerance <= 0.0 {
        return Cow::Borrowed(points);
    }
    let d = |p: &Point| (p[0] - points[0][0]).powi(2) + (p[1] - points[0][1]).powi(2);
    let far = (1..points.len() - 1).fold(1, |best, i| if d(&points[i]) > d(&points[best]) { i } else { best });
    let mut out = line(&points[..=far], tolerance).into_owned();
    out.pop();
    out.extend_from_slice(&line(&points[far..], tolerance));
    if out.len() < 4 { Cow::Owned(Vec::new()) } else { Cow::Owned(out) }
}

fn distance2(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let l2 = dx * dx + dy * dy;
    let t = if l2 > 0.0 { (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / l2).clamp(0.0, 1.0) } else { 0.0 };
    (p[0] - a[0] - t * dx).powi(2) + (p[1] - a[1] - t * dy).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_dropped_vertex_is_farther_than_the_tolerance(
            points in proptest::collection::vec((0.0..400.0f64, 0.0..400.0f64), 2..60), tolerance in 0.5..40.0f64,
        ) {
            let points: Vec<Point> = points.into_iter().map(|(x, y)| [x, y]).collect();
            let thin = line(&points, tolerance);
            prop_assert!(thin.first() == points.first() && thin.last() == points.last());
            for p in &points {
                let near = thin.windows(2).map(|w| distance2(*p, w[0], w[1])).fold(f64::INFINITY, f64::min);
                prop_assert!(near.sqrt() <= tolerance + 1e-9);
            }
        }
    }

    #[test]
    fn a_square_with_many_points_keeps_its_corners() {
        let mut ring_points: Vec<Point> = Vec::new();
        for i in 0..40 {
            let t = f64::from(i % 10) * 10.0;
            ring_points.push([[t, 0.0], [100.0, t], [100.0 - t, 100.0], [0.0, 100.0 - t]][i as usize / 10]);
        }
        ring_points.push(ring_points[0]);
        assert_eq!(ring(&ring_points, 1.0).len(), 5);
        assert!(ring(&[[0.0, 0.0], [9.0, 0.0], [9.0, 0.1], [0.0, 0.1], [0.0, 0.0]], 1.0).is_empty(), "a sliver is dropped");
    }
}
