//! The ground as its triangles: heights, exact profiles, and volumes over it. Working frame, m.

use crate::clearance::Plan;
use std::ops::ControlFlow;
use strata_engine::{EngineError, View};
use strata_model::{Bounds2, Geometry, Point3, Query, Theme};

/// Triangles of the terrain over some area, with an index.
pub struct Ground {
    triangles: Vec<[Point3; 3]>,
    plan: Plan,
}

/// A part of a line over one triangle: where it begins and ends along the line (0 to 1) and the heights there. The ground
/// is straight between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    pub t: [f64; 2],
    pub z: [f64; 2],
}

fn plan_area2(t: &[Point3; 3]) -> f64 {
    (t[1][0] - t[0][0]) * (t[2][1] - t[0][1]) - (t[2][0] - t[0][0]) * (t[1][1] - t[0][1])
}

/// Height of a triangle's plane. The triangle is not upright.
fn plane_z(t: &[Point3; 3], p: [f64; 2]) -> f64 {
    let area = plan_area2(t);
    let (dx, dy) = (p[0] - t[0][0], p[1] - t[0][1]);
    let u = (dx * (t[2][1] - t[0][1]) - dy * (t[2][0] - t[0][0])) / area;
    let v = (dy * (t[1][0] - t[0][0]) - dx * (t[1][1] - t[0][1])) / area;
    t[0][2] + u * (t[1][2] - t[0][2]) + v * (t[2][2] - t[0][2])
}

impl Ground {
    /// Upright triangles and such with numbers that are not finite are left out; all wind counter-clockwise from above.
    pub fn new(triangles: impl IntoIterator<Item = [Point3; 3]>) -> Self {
        let turned = |t: [Point3; 3]| if plan_area2(&t) < 0.0 { [t[0], t[2], t[1]] } else { t };
        let sound = |t: &[Point3; 3]| t.iter().flatten().all(|v| v.is_finite()) && plan_area2(t) > 1e-12;
        let triangles: Vec<[Point3; 3]> = triangles.into_iter().map(turned).filter(sound).collect();
        let boxes: Vec<[f64; 4]> = triangles
            .iter()
            .map(|t| {
                let side = |k: usize, pick: fn(f64, f64) -> f64| pick(pick(t[0][k], t[1][k]), t[2][k]);
                [side(0, f64::min), side(1, f64::min), side(0, f64::max), side(1, f64::max)]
            })
            .collect();
        Self { plan: Plan::new(&boxes), triangles }
    }

    /// The terrain layers that the asker sees, around a box.
    pub fn around(view: &View, bounds: Bounds2) -> Result<Self, EngineError> {
        let near = bounds.grown(1.0);
        let mut triangles = Vec::new();
        if !bounds.is_empty() {
            for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Terrain) {
                let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at).within(near.with_all_heights());
                view.snapshot.for_each(&q, &mut |f| {
                    if let Geometry::Tin { points, triangles: parts } = &f.geometry {
                        let corners = parts.iter().filter_map(|t| {
                            let [a, b, c] = t.map(|i| points.get(i as usize).copied());
                            Some([a?, b?, c?])
                        });
                        triangles.extend(corners.filter(|t| {
                            let mut b = Bounds2::EMPTY;
                            t.iter().for_each(|p| b.extend([p[0], p[1]]));
                            b.intersects(&near)
                        }));
                    }
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(Self::new(triangles))
    }

    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
    }

    /// Calls `f` with every triangle whose box meets the box, counter-clockwise from above.
    pub fn each(&self, b: &Bounds2, f: &mut impl FnMut(&[Point3; 3])) {
        self.plan.within(&[b.min[0], b.min[1], b.max[0], b.max[1]], &mut |i| f(&self.triangles[i as usize]));
    }

    /// Height of the ground; `None` where there is none.
    pub fn height_m(&self, p: [f64; 2]) -> Option<f64> {
        let mut best: Option<f64> = None;
        self.each(&Bounds2 { min: p, max: p }, &mut |t| {
            let side = |a: Point3, b: Point3| (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
            // On an edge both sides say the same to within a micrometre.
            if (0..3).all(|k| side(t[k], t[(k + 1) % 3]) >= -1e-6) {
                let z = plane_z(t, p);
                best = Some(best.map_or(z, |b: f64| b.max(z)));
            }
        });
        best
    }

    /// The ground along a straight line in plan, in order, exact: one stretch for each triangle. Where there is no ground,
    /// stretches leave a gap.
    pub fn along(&self, a: [f64; 2], b: [f64; 2]) -> Vec<Stretch> {
        let d = [b[0] - a[0], b[1] - a[1]];
        let mut found = Vec::new();
        let mut window = Bounds2::EMPTY;
        window.extend(a);
        window.extend(b);
        self.each(&window, &mut |t| {
            let (mut from, mut to) = (0.0f64, 1.0f64);
            for k in 0..3 {
                let (p, q) = (t[k], t[(k + 1) % 3]);
                let (ex, ey) = (q[0] - p[0], q[1] - p[1]);
                // Left of each edge: start + t·rate ≥ 0.
                let start = ex * (a[1] - p[1]) - ey * (a[0] - p[0]);
                let rate = ex * d[1] - ey * d[0];
                if rate > 0.0 {
                    from = from.max(-start / rate);
                } else if rate < 0.0 {
                    to = to.min(-start / rate);
                } else if start < 0.0 {
                    return;
                }
            }
            if to - from > 1e-12 {
                let at = |s: f64| plane_z(t, [a[0] + d[0] * s, a[1] + d[1] * s]);
                found.push(Stretch { t: [from, to], z: [at(from), at(to)] });
            }
        });
        found.sort_by(|x, y| x.t[0].total_cmp(&y.t[0]).then(y.t[1].total_cmp(&x.t[1])));
        // A line along an edge lies over both triangles.
        let mut done = 0.0;
        found.retain(|s| {
            let new = s.t[1] > done + 1e-9;
            if new {
                done = s.t[1];
            }
            new
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::district;
    use rand::{Rng, SeedableRng};

    /// A roof: ridge along x = 5 at 10 m, eaves at x = 0 and 10 at 5 m.
    fn roof() -> Ground {
        let z = |x: f64| 10.0 - (x - 5.0f64).abs();
        let p = |x: f64, y: f64| [x, y, z(x)];
        Ground::new([
            [p(0.0, 0.0), p(5.0, 0.0), p(5.0, 8.0)],
            [p(0.0, 0.0), p(5.0, 8.0), p(0.0, 8.0)],
            [p(5.0, 0.0), p(5.0, 8.0), p(10.0, 8.0)], // clockwise: turned
            [p(5.0, 0.0), p(10.0, 0.0), p(10.0, 8.0)],
        ])
    }

    #[test]
    fn heights_and_profiles_of_a_roof() {
        let g = roof();
        assert_eq!((g.height_m([5.0, 4.0]), g.height_m([2.0, 1.0]), g.height_m([11.0, 1.0])), (Some(10.0), Some(7.0), None));
        let s = g.along([-10.0, 4.0], [20.0, 4.0]);
        assert!((s[0].t[0] - 10.0 / 30.0).abs() < 1e-12 && (s[s.len() - 1].t[1] - 20.0 / 30.0).abs() < 1e-12);
        let ridge = s.iter().find(|x| (x.t[1] - 0.5).abs() < 1e-12).unwrap();
        assert!((ridge.z[1] - 10.0).abs() < 1e-12);
        assert!(s.windows(2).all(|w| (w[0].t[1] - w[1].t[0]).abs() < 1e-12));
        // Along the ridge, which is an edge of two triangles on each side.
        let along: f64 = g.along([5.0, 0.0], [5.0, 8.0]).iter().map(|s| s.t[1] - s.t[0]).sum();
        assert!((along - 1.0).abs() < 1e-9);
    }

    #[test]
    fn profiles_of_the_district_have_no_gap_and_agree_with_heights() {
        let city = district();
        let b = city.view().snapshot.bounds(&strata_model::LayerId::new("terrain").unwrap(), city.view().scope).unwrap().plan();
        let g = Ground::around(&city.view(), b).unwrap();
        let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        for _ in 0..200 {
            let mut p = || [0, 1].map(|k| dice.random_range(b.min[k] + 1.0..b.max[k] - 1.0));
            let (a, b) = (p(), p());
            let s = g.along(a, b);
            let total: f64 = s.iter().map(|x| x.t[1] - x.t[0]).sum();
            assert!((total - 1.0).abs() < 1e-6, "{a:?} {b:?} {total}");
            for x in s.iter().step_by(17) {
                let t = (x.t[0] + x.t[1]) / 2.0;
                let z = g.height_m([a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t]).unwrap();
                assert!((z - (x.z[0] + x.z[1]) / 2.0).abs() < 1e-6);
            }
        }
    }
}
