//! What the underground pictures stand on, in axes east, north, up at the camera's target: the excavation of the cut-away
//! view, and the grid at ground level that one sees from below. With the words that belong to them.

use crate::{Kind, Label, Look};
use glam::{DVec2, DVec3};
use strata_model::WorkingFrame;
use strata_scene::{Mode, View};
use strata_tiles::content::{Primitive, Role};

/// The city's plan metres at the camera's target, for the grid overhead.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlanGrid {
    /// Working frame, m.
    pub east_m: f64,
    pub north_m: f64,
    /// See `WorkingFrame::convergence_deg`.
    pub convergence_deg: f64,
}

impl PlanGrid {
    /// At a place in ECEF; none outside of the frame.
    pub fn at(frame: &WorkingFrame, place_in_ecef: [f64; 3]) -> Option<Self> {
        let [east_m, north_m, _] = frame.working_from_ecef(place_in_ecef).ok()?;
        Some(Self { east_m, north_m, convergence_deg: frame.convergence_deg([east_m, north_m]).ok()? })
    }
    /// Working metres of a place given east and north of the target (true north).
    pub(crate) fn working_from_enu(&self, enu: DVec2) -> DVec2 {
        DVec2::new(self.east_m, self.north_m) + DVec2::from_angle(-self.convergence_deg.to_radians()).rotate(enu)
    }
    fn enu_from_working(&self, working: DVec2) -> DVec2 {
        DVec2::from_angle(self.convergence_deg.to_radians()).rotate(working - DVec2::new(self.east_m, self.north_m))
    }
}

/// Where the frost reaches in Changchun, m below the ground.
pub const FROST_M: f32 = 1.69;
/// Half the side of the grid overhead, m.
const REACH_M: f64 = 400.0;

/// A sheet at the height of the target, seen from below; uv: working metres less a multiple of 1 km, which f32 holds to a mm.
pub(crate) fn ceiling(grid: PlanGrid) -> Primitive {
    let r = REACH_M;
    let corners = [[-r, -r], [-r, r], [r, r], [r, -r]];
    let base = DVec2::new((grid.east_m / 1000.0).floor(), (grid.north_m / 1000.0).floor()) * 1000.0;
    Primitive {
        role: Some(Role::Other),
        positions: corners.map(|c| [c[0] as f32, c[1] as f32, 0.0]).to_vec(),
        normals: vec![[0.0, 0.0, -1.0]; 4],
        uv: corners.map(|c| (grid.working_from_enu(DVec2::from(c)) - base).as_vec2().to_array()).to_vec(),
        uv2: vec![[0.0; 2]; 4],
        feature_rows: vec![0; 4],
        indices: vec![0, 1, 2, 0, 2, 3],
        ..Default::default()
    }
}

/// Numbers of the depth ruler and of the frost line, or of the grid overhead; nothing in other modes.
pub(crate) fn words(view: &View, look: &Look, text_px: f32, halo: [u8; 3], ink: [u8; 3]) -> Vec<Label> {
    let on = |p: DVec3| view.project(view.enu.ecef_from_local(p.to_array()));
    let label = |text: String, at: [f32; 2], rank: i64| Label { ink, halo, ..Label::new(Kind::Ruler, text, at, text_px, rank) };
    match look.mode {
        Mode::Cutaway => ruler(view, look.cut_m, &on, &label),
        // Lines without numbers are better than wrong ones.
        Mode::Below => look.grid.map(|g| grid(view, g, &on, &label)).unwrap_or_default(),
        Mode::Surface | Mode::Xray => Vec::new(),
    }
}

type On<'a> = &'a dyn Fn(DVec3) -> Option<([f32; 2], f32)>;
type Write<'a> = &'a dyn Fn(String, [f32; 2], i64) -> Label;

/// Beside the staffs of the two walls that face the eye, at their shared corner and at their outer ends.
fn ruler(view: &View, size_m: [f32; 3], on: On<'_>, label: Write<'_>) -> Vec<Label> {
    let [x, y, depth] = size_m.map(f64::from);
    let f = view.forward_in_enu;
    // The far corner: both its walls look towards the eye.
    let far = DVec2::new(if f.x >= 0.0 { x } else { -x }, if f.y >= 0.0 { y } else { -y }) / 2.0;
    let along_x = DVec2::new(-2.0 * far.x, 0.0);
    let along_y = DVec2::new(0.0, -2.0 * far.y);
    let mut out = Vec::new();
    for (k, (corner, way)) in [(far, along_x), (far, along_y), (far + along_x, -along_x), (far + along_y, -along_y)].into_iter().enumerate()
    {
        // Just beside the staff, which ends 0.48 m from the corner.
        let at = corner + way.normalize_or_zero() * 1.05;
        let deepest = depth.clamp(0.0, 40.0).floor() as i32;
        for metre in 0..=deepest {
            let z = -f64::from(metre);
            if let Some((p, _)) = on(at.extend(z)) {
                let text = if metre == deepest { format!("{metre} m") } else { metre.to_string() };
                // Where not every number finds room, the even ones do.
                let even = if metre % 2 == 0 { 0 } else { 50 };
                out.push(label(text, p, 100 + even + 10 * k as i64 + i64::from(metre)));
            }
        }
    }
    // The frost line on the wall that one sees longer.
    let z = -f64::from(FROST_M) - 0.4;
    let frost = [along_x, along_y].into_iter().filter_map(|way| {
        let ((a, _), (b, _)) = (on((far + way * 0.3).extend(z))?, on((far + way * 0.7).extend(z))?);
        Some((a, b, (b[0] - a[0]).hypot(b[1] - a[1])))
    });
    if let Some((a, b, _)) = frost.max_by(|p, q| p.2.total_cmp(&q.2)) {
        let middle = [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
        out.push(Label { ink: [11, 70, 140], ..label(format!("冻深 Frost {FROST_M} m"), middle, 90).along(a, b) });
    }
    out
}

/// Each line of the grid named once, near the eye: eastings along one row of the grid, northings along one column.
fn grid(view: &View, grid: PlanGrid, on: On<'_>, label: Write<'_>) -> Vec<Label> {
    const STEP_M: f64 = 10.0;
    let eye = view.eye_in_enu.truncate();
    let ahead = view.forward_in_enu.as_dvec3().truncate().normalize_or_zero();
    let whole = |p: DVec2| (p / STEP_M).round();
    let row = whole(grid.working_from_enu(eye + ahead * 26.0));
    let column = whole(grid.working_from_enu(eye + ahead * 26.0 + DVec2::new(-ahead.y, ahead.x) * 9.0));
    let mut out = Vec::new();
    for i in -9..=9 {
        let east = (row + DVec2::new(f64::from(i), 0.5)) * STEP_M;
        let north = (column + DVec2::new(0.5, f64::from(i))) * STEP_M;
        for (at, along, text) in [(east, DVec2::Y, format!("E {:.0}", east.x)), (north, DVec2::X, format!("N {:.0}", north.y))] {
            let place = |p: DVec2| on(grid.enu_from_working(p).extend(0.0));
            if let (Some((p, far)), Some((q, _))) = (place(at), place(at + along))
                && (5.0..75.0).contains(&far)
            {
                out.push(Label { apart_px: 1.0, ..label(text, p, 400 + far as i64).along(p, q) });
            }
        }
    }
    out
}

/// `size_m` is east, north, depth. uv: metres along the wall, metres below its top; uv2: wall length, depth. The walls
/// look inward, counter-clockwise seen from inside the pit.
pub(crate) fn pit(size_m: [f32; 3]) -> Primitive {
    let [x, y, d] = [size_m[0] / 2.0, size_m[1] / 2.0, size_m[2]];
    let mut p = Primitive { role: Some(Role::Other), ..Default::default() };
    let mut quad = |corners: [[f32; 3]; 4], normal: [f32; 3], uv: [[f32; 2]; 4], uv2: [f32; 2]| {
        let first = p.positions.len() as u32;
        p.positions.extend(corners);
        p.normals.extend([normal; 4]);
        p.uv.extend(uv);
        p.uv2.extend([uv2; 4]);
        p.feature_rows.extend([0; 4]);
        p.indices.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
    };
    let mut wall = |a: [f32; 2], b: [f32; 2], normal: [f32; 3]| {
        let length = (b[0] - a[0]).hypot(b[1] - a[1]);
        let corners = [[a[0], a[1], -d], [b[0], b[1], -d], [b[0], b[1], 0.0], [a[0], a[1], 0.0]];
        quad(corners, normal, [[0.0, d], [length, d], [length, 0.0], [0.0, 0.0]], [length, d]);
    };
    wall([-x, y], [x, y], [0.0, -1.0, 0.0]);
    wall([x, -y], [-x, -y], [0.0, 1.0, 0.0]);
    wall([x, y], [x, -y], [-1.0, 0.0, 0.0]);
    wall([-x, -y], [-x, y], [1.0, 0.0, 0.0]);
    let floor = [[-x, -y, -d], [x, -y, -d], [x, y, -d], [-x, y, -d]];
    quad(floor, [0.0, 0.0, 1.0], [[0.0, d + 1.0]; 4], [0.0, d]);
    p
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Vec3;
    use strata_scene::Camera;

    #[test]
    fn the_grid_overhead_is_the_citys_own() {
        let grid = PlanGrid { east_m: 126_543.2, north_m: 4_860_987.6, convergence_deg: 0.485 };
        let p = ceiling(grid);
        // 400√2 m to the north-east of the target, true: turned by the convergence into the grid. Grid north lies 0.485° west of
        // true north, so a step to true north gains easting.
        let north = grid.working_from_enu(DVec2::new(0.0, 100.0));
        assert!((north.x - grid.east_m - 100.0 * 0.485f64.to_radians().sin()).abs() < 1e-6, "{north}");
        let there = DVec2::new(-17.0, 250.0);
        assert!(grid.enu_from_working(grid.working_from_enu(there)).distance(there) < 1e-9);
        let side = Vec3::from(p.positions[0]).distance(Vec3::from(p.positions[1]));
        let on_grid = DVec2::new(f64::from(p.uv[1][0] - p.uv[0][0]), f64::from(p.uv[1][1] - p.uv[0][1])).length();
        assert!((f64::from(side) - on_grid).abs() < 1e-3);
    }

    #[test]
    fn the_ruler_stands_on_the_walls_that_one_sees() {
        for heading in [35.0, 120.0, 250.0, 300.0] {
            let view = Camera::new([125.3, 43.9, 200.0], 60.0, heading, -22.0).view([1000, 700]);
            let mut look = Look::at(strata_model::Instant::from_ymd(2026, 6, 21), 125.3, 43.9, 8.0);
            look.mode = Mode::Cutaway;
            look.cut_m = [24.0, 24.0, 6.0];
            let words = words(&view, &look, 12.0, [255; 3], [0; 3]);
            for text in ["0", "3", "6 m"] {
                assert_eq!(words.iter().filter(|l| l.text == text).count(), 4, "{heading}: {text}");
            }
            // Deeper is lower on the screen, on each staff.
            let staff: Vec<&Label> = words.iter().filter(|l| (100..107).contains(&l.rank)).collect();
            assert_eq!(staff.len(), 4, "0, 2, 4, 6 m first");
            assert!(staff.windows(2).all(|w| w[1].at[1] > w[0].at[1] + 2.0), "{heading}");
            assert!(words.iter().filter(|l| l.text.contains("1.69")).count() == 1);
        }
    }

    #[test]
    fn the_pit_is_open_above_and_as_large_as_asked() {
        let p = pit([20.0, 10.0, 6.0]);
        // The volume under the divergence theorem, faces looking inward: minus the box's, the lid adding nothing at height 0.
        let volume: f32 = p
            .indices
            .chunks(3)
            .map(|t| {
                let [a, b, c] = [t[0], t[1], t[2]].map(|i| Vec3::from(p.positions[i as usize]));
                a.dot(b.cross(c)) / 6.0
            })
            .sum();
        assert!((volume + 1200.0).abs() < 0.1, "{volume}");
        assert!(p.positions.iter().all(|v| v[2] <= 0.0));
    }
}
