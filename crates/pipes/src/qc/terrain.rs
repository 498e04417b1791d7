//! The ground of the city under a delivery.

use std::{collections::HashMap, ops::ControlFlow};
use strata_engine::{EngineError, View};
use strata_model::{Bounds2, Geometry, Point3, Query, Theme};

/// Triangles of the terrain in buckets of the plan.
#[derive(Default)]
pub struct Terrain {
    triangles: Vec<[Point3; 3]>,
    cells: HashMap<(i64, i64), Vec<usize>>,
}

const CELL_M: f64 = 40.0;

fn cell(v: f64) -> i64 {
    (v / CELL_M).floor() as i64
}

impl Terrain {
    /// Every terrain layer that the asker sees, inside the box.
    pub fn of(view: &View, bounds: Bounds2) -> Result<Self, EngineError> {
        let mut out = Self::default();
        for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::Terrain) {
            let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at).within(bounds.with_all_heights());
            view.snapshot.for_each(&q, &mut |f| {
                if let Geometry::Tin { points, triangles } = &f.geometry {
                    for t in triangles {
                        let corners = t.map(|i| points.get(i as usize).copied());
                        if let [Some(a), Some(b), Some(c)] = corners {
                            out.put([a, b, c], bounds);
                        }
                    }
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(out)
    }
    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
    }
    fn put(&mut self, t: [Point3; 3], bounds: Bounds2) {
        let range = |k: usize| {
            let (low, high) = (t[0][k].min(t[1][k]).min(t[2][k]), t[0][k].max(t[1][k]).max(t[2][k]));
            (low.max(bounds.min[k]), high.min(bounds.max[k]))
        };
        let ([x0, x1], [y0, y1]) = (<[f64; 2]>::from(range(0)), <[f64; 2]>::from(range(1)));
        if x0 > x1 || y0 > y1 {
            return;
        }
        for i in cell(x0)..=cell(x1) {
            for j in cell(y0)..=cell(y1) {
                self.cells.entry((i, j)).or_default().push(self.triangles.len());
            }
        }
        self.triangles.push(t);
    }
    /// Height of the ground at `[east_m, north_m]`; `None` off the terrain.
    pub fn height_m(&self, p: [f64; 2]) -> Option<f64> {
        self.cells.get(&(cell(p[0]), cell(p[1])))?.iter().find_map(|i| {
            let [a, b, c] = self.triangles[*i];
            let det = (b[1] - c[1]) * (a[0] - c[0]) + (c[0] - b[0]) * (a[1] - c[1]);
            if det.abs() < 1e-12 {
                return None;
            }
            let u = ((b[1] - c[1]) * (p[0] - c[0]) + (c[0] - b[0]) * (p[1] - c[1])) / det;
            let v = ((c[1] - a[1]) * (p[0] - c[0]) + (a[0] - c[0]) * (p[1] - c[1])) / det;
            let w = 1.0 - u - v;
            let inside = [u, v, w].iter().all(|x| *x >= -1e-9);
            inside.then_some(u * a[2] + v * b[2] + w * c[2])
        })
    }
}
