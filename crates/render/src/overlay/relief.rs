//! The ground that is drawn, for what lies on it.

use glam::{Vec2, Vec3};
use std::collections::HashMap;

/// The drawn ground in an overlay's frame, for heights.
#[derive(Default)]
pub(super) struct Relief {
    triangles: Vec<[Vec3; 3]>,
    cells: HashMap<[i32; 2], Vec<u32>>,
}

const RELIEF_CELL_M: f32 = 64.0;

impl Relief {
    pub(super) fn add(&mut self, t: [Vec3; 3]) {
        let low = t[0].min(t[1]).min(t[2]) / RELIEF_CELL_M;
        let high = t[0].max(t[1]).max(t[2]) / RELIEF_CELL_M;
        let number = self.triangles.len() as u32;
        self.triangles.push(t);
        for x in low.x.floor() as i32..=high.x.floor() as i32 {
            for y in low.y.floor() as i32..=high.y.floor() as i32 {
                self.cells.entry([x, y]).or_default().push(number);
            }
        }
    }
    pub(super) fn height(&self, p: Vec2) -> Option<f32> {
        let cell = (p / RELIEF_CELL_M).floor();
        let near = self.cells.get(&[cell.x as i32, cell.y as i32])?;
        let heights = near.iter().filter_map(|i| {
            let [a, b, c] = self.triangles[*i as usize];
            let (u, v, w) = (b.truncate() - a.truncate(), c.truncate() - a.truncate(), p - a.truncate());
            let area = u.perp_dot(v);
            let (s, t) = (w.perp_dot(v) / area, u.perp_dot(w) / area);
            (area != 0.0 && s >= -1e-4 && t >= -1e-4 && s + t <= 1.0002).then_some(a.z + (b.z - a.z) * s + (c.z - a.z) * t)
        });
        heights.max_by(f32::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_come_from_the_triangles_of_the_ground() {
        // z = 100 + x/10 + y/5 over 200 m, in triangles of 50 m.
        let z = |x: f32, y: f32| 100.0 + x / 10.0 + y / 5.0;
        let at = |x: f32, y: f32| Vec3::new(x, y, z(x, y));
        let mut relief = Relief::default();
        for x in 0..4 {
            for y in 0..4 {
                let (x, y) = (x as f32 * 50.0, y as f32 * 50.0);
                relief.add([at(x, y), at(x + 50.0, y), at(x + 50.0, y + 50.0)]);
                relief.add([at(x, y), at(x + 50.0, y + 50.0), at(x, y + 50.0)]);
            }
        }
        for (x, y) in [(0.0, 0.0), (13.0, 170.0), (64.0, 64.0), (199.9, 0.1), (128.0, 33.0)] {
            let got = relief.height(Vec2::new(x, y)).expect("ground");
            assert!((got - z(x, y)).abs() < 1e-3, "{x} {y}: {got}");
        }
        assert_eq!(relief.height(Vec2::new(-5.0, 20.0)), None);
    }
}
