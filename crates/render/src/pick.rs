//! What lies under a pixel: the ray meets the very triangles that are drawn, so the answer is exact to the geometry.

use crate::{
    Look, Renderer, TileHandle,
    section::{Cut, CutPipe},
    tile::under,
    words::cut_holds,
};
use glam::{DMat4, DVec3, Vec3};
use strata_model::geographic_from_ecef;
use strata_scene::{Mode, View};
use strata_tiles::content::{Primitive, Role, TileContent};

/// A tile's triangles as the processor keeps them, in the tile's frame.
pub(crate) struct PickMesh {
    parts: Vec<Part>,
    ground: Vec<Part>,
    pub ids: Vec<String>,
    valid: Vec<(i32, i32)>,
    /// As `legend::class_number` has them; of pipes.
    classes: Vec<u8>,
}

struct Part {
    /// A pipe, a well or what sits on them.
    beneath: bool,
    pipe: bool,
    positions: Vec<Vec3>,
    rows: Vec<u32>,
    indices: Vec<u32>,
    centre: Vec3,
    radius: f32,
}

/// Ground is no object that one clicks; trees are too many and say nothing.
fn picked(role: Role) -> bool {
    !matches!(role, Role::Terrain | Role::TreeCrown | Role::TreeTrunk)
}

impl PickMesh {
    pub fn new(content: &TileContent) -> Self {
        let part = |p: &Primitive| {
            let positions: Vec<Vec3> = p.positions.iter().map(|v| Vec3::from(*v)).collect();
            let centre = positions.iter().sum::<Vec3>() / positions.len().max(1) as f32;
            let radius = positions.iter().map(|v| v.distance(centre)).fold(0.0, f32::max);
            let beneath = p.role.is_some_and(under);
            let pipe = p.role == Some(Role::Pipe);
            Part { beneath, pipe, positions, rows: p.feature_rows.clone(), indices: p.indices.clone(), centre, radius }
        };
        let parts: Vec<Part> =
            content.primitives.iter().filter(|p| p.instances.is_empty() && p.role.is_none_or(picked)).map(part).collect();
        let ground = content.primitives.iter().filter(|p| p.role == Some(Role::Terrain)).map(part).collect();
        let t = &content.features;
        let valid = t.valid_from_day.iter().copied().zip(t.valid_to_day.iter().copied()).collect();
        let text = |column: &str, row: usize| t.columns.get(column).and_then(|c| c.text(row)).unwrap_or_default();
        let class = |row: usize| crate::legend::class_number(text("class", row), text("subclass", row)) as u8;
        let piped = parts.iter().any(|p| p.pipe);
        let classes = (0..if piped { t.ids.len() } else { 0 }).map(class).collect();
        Self { parts, ground, ids: t.ids.clone(), valid, classes }
    }

    /// Triangles of one feature, in the tile's frame.
    pub fn triangles_of(&self, row: u32, f: &mut dyn FnMut([Vec3; 3])) {
        self.each(&mut |r, t| {
            if r == row {
                f(t);
            }
        });
    }
    /// Triangles of all that stands on `day`, with their rows.
    pub fn for_each(&self, day: i32, f: &mut dyn FnMut(u32, [Vec3; 3])) {
        self.each(&mut |r, t| {
            if self.valid.get(r as usize).is_none_or(|(from, to)| *from <= day && day < *to) {
                f(r, t);
            }
        });
    }
    /// Triangles of the pipes that lie there on `day`, with their rows; of meshes whose sphere, middle and radius, is `near`.
    pub fn pipes(&self, day: i32, near: &dyn Fn(Vec3, f32) -> bool, f: &mut dyn FnMut(u32, [Vec3; 3])) {
        self.each_of(&|part| part.pipe && near(part.centre, part.radius), &mut |r, t| {
            if self.valid.get(r as usize).is_none_or(|(from, to)| *from <= day && day < *to) {
                f(r, t);
            }
        });
    }
    pub fn class(&self, row: u32) -> u8 {
        self.classes.get(row as usize).copied().unwrap_or(0)
    }
    fn each(&self, f: &mut dyn FnMut(u32, [Vec3; 3])) {
        self.each_of(&|_| true, f);
    }
    fn each_of(&self, wanted: &dyn Fn(&Part) -> bool, f: &mut dyn FnMut(u32, [Vec3; 3])) {
        for part in self.parts.iter().filter(|p| wanted(p)) {
            for t in part.indices.chunks_exact(3) {
                let row = part.rows.get(t[0] as usize).copied().unwrap_or(0);
                f(row, [t[0], t[1], t[2]].map(|i| part.positions.get(i as usize).copied().unwrap_or(Vec3::ZERO)));
            }
        }
    }
    /// Positions and indices of the ground, in the tile's frame.
    pub fn ground_parts(&self) -> impl Iterator<Item = (&[Vec3], &[u32])> {
        self.ground_near(|_, _| true)
    }
    /// The same of meshes whose sphere, middle and radius, is `near`.
    pub fn ground_near(&self, near: impl Fn(Vec3, f32) -> bool) -> impl Iterator<Item = (&[Vec3], &[u32])> {
        self.ground.iter().filter(move |p| near(p.centre, p.radius)).map(|p| (p.positions.as_slice(), p.indices.as_slice()))
    }
    /// Where a ray meets the ground that is `there`, given the share of its length; both ends in ECEF. The share of the nearest.
    pub fn ground(&self, ecef_from_tile: &DMat4, from: DVec3, to: DVec3, there: &dyn Fn(f64) -> bool) -> Option<f64> {
        if self.ground.is_empty() {
            return None;
        }
        let tile_from_ecef = ecef_from_tile.inverse();
        let (from, to) = (tile_from_ecef.transform_point3(from), tile_from_ecef.transform_point3(to));
        let length = from.distance(to);
        let direction = ((to - from) / length).as_vec3();
        let mut best: Option<f32> = None;
        for part in &self.ground {
            // From the point of the ray beside the part, so that a far start costs no precision.
            let reach = (part.centre.as_dvec3() - from).dot((to - from) / length) - f64::from(part.radius) - 1.0;
            let start = (from + (to - from) * (reach / length)).as_vec3();
            if (part.centre - start).cross(direction).length() > part.radius {
                continue;
            }
            for t in part.indices.chunks_exact(3) {
                let [a, b, c] = [t[0], t[1], t[2]].map(|i| part.positions.get(i as usize).copied().unwrap_or(Vec3::ZERO));
                let met = meet(start, direction, a, b, c)
                    .map(|d| d + reach as f32)
                    .filter(|d| *d > 0.0 && f64::from(*d) <= length && there(f64::from(*d) / length));
                best = match (best, met) {
                    (Some(x), Some(y)) => Some(x.min(y)),
                    (x, y) => x.or(y),
                };
            }
        }
        best.map(|d| f64::from(d) / length)
    }
    /// The nearest row that stands on `day`, of what lies beneath or of all else, and its distance along the ray; of what is
    /// `there`, given a distance.
    pub fn hit(
        &self,
        ecef_from_tile: &DMat4,
        view: &View,
        ray_in_enu: Vec3,
        day: i32,
        beneath: bool,
        there: &dyn Fn(f64) -> bool,
    ) -> Option<(u32, f64)> {
        let tile_from_ecef = ecef_from_tile.inverse();
        let eye = tile_from_ecef.transform_point3(DVec3::from(view.eye_in_ecef)).as_vec3();
        let ahead = DVec3::from(view.enu.ecef_from_local((view.eye_in_enu + ray_in_enu.as_dvec3() * 1000.0).to_array()));
        let direction = (tile_from_ecef.transform_point3(ahead).as_vec3() - eye).normalize();
        let mut best: Option<(u32, f32)> = None;
        for part in self.parts.iter().filter(|p| p.beneath == beneath) {
            let to = part.centre - eye;
            if to.cross(direction).length() > part.radius || to.dot(direction) < -part.radius {
                continue;
            }
            for t in part.indices.chunks_exact(3) {
                let [a, b, c] = [t[0], t[1], t[2]].map(|i| part.positions.get(i as usize).copied().unwrap_or(Vec3::ZERO));
                let Some(d) = meet(eye, direction, a, b, c) else { continue };
                let row = part.rows.get(t[0] as usize).copied().unwrap_or(0);
                let stands = self.valid.get(row as usize).is_none_or(|(from, to)| *from <= day && day < *to);
                if stands && best.is_none_or(|(_, nearest)| d < nearest) && there(f64::from(d)) {
                    best = Some((row, d));
                }
            }
        }
        best.map(|(row, d)| (row, f64::from(d)))
    }
}

/// Whether the section box takes a place, east, north, up at the target.
pub(crate) fn section_takes<'v>(view: &'v View, look: &Look) -> impl Fn(DVec3) -> bool + 'v {
    let cut = look.section.as_ref().map(Cut::new);
    move |p| cut.as_ref().is_some_and(|c| c.takes(DVec3::from(view.enu.ecef_from_local(p.to_array()))))
}

impl Renderer {
    /// The feature that one sees under a pixel among these tiles: its tile, its id and its distance from the eye, m. Where the
    /// picture shows what lies beneath through all else, so does the pointer.
    pub fn pick(&self, view: &View, [x, y]: [f32; 2], look: &Look, tiles: &[TileHandle]) -> Option<(TileHandle, String, f64)> {
        let ray = view.ray(x, y);
        let in_cut = |d: f64| look.mode == Mode::Cutaway && cut_holds(look, view.eye_in_enu + ray.as_dvec3() * d);
        let takes = section_takes(view, look);
        // The earth that a section opens hides what lies in it.
        let (soil_m, cut_pipe) = self.soil_under(view, ray, look).map_or((f64::INFINITY, None), |(d, pipe)| (d, pipe));
        let taken = |d: f64| d > soil_m || takes(view.eye_in_enu + ray.as_dvec3() * d);
        let nearest = |beneath: bool, there: &dyn Fn(f64) -> bool| {
            let hit = |h: &TileHandle| {
                let (ecef_from_tile, mesh) = self.mesh_of(*h)?;
                mesh.hit(ecef_from_tile, view, ray, look.day, beneath, there).map(|(row, d)| (*h, row, d))
            };
            tiles.iter().filter_map(hit).min_by(|a, b| a.2.total_cmp(&b.2))
        };
        let below = || nearest(true, &|d| !taken(d));
        let above = || nearest(false, &|d| !in_cut(d) && !taken(d));
        let hit = match look.mode {
            Mode::Xray => below().or_else(above),
            // The surface is a lid that is not drawn.
            Mode::Below => below(),
            Mode::Surface | Mode::Cutaway => {
                // A cover lies in the ground that it is seen in.
                let ground = self.ground_under(view, [x, y], look, tiles).map(|p| distance(view, p) + 0.5);
                let below = below().filter(|b| ground.is_none_or(|g| b.2 <= g));
                below.into_iter().chain(above()).min_by(|a, b| a.2.total_cmp(&b.2))
            }
        };
        let Some((handle, row, d)) = hit else { return cut_pipe.map(|p| (p.tile, p.id.clone(), soil_m)) };
        Some((handle, self.mesh_of(handle)?.1.ids.get(row as usize)?.clone(), d))
    }
    /// How far from the eye a ray meets the earth of a section, m, and the pipe that is cut there.
    pub(crate) fn soil_under(&self, view: &View, ray: Vec3, look: &Look) -> Option<(f64, Option<&CutPipe>)> {
        let soil = self.soil.as_ref().filter(|_| look.section.is_some() && look.mode == Mode::Surface)?;
        let (frame, mesh) = self.mesh_of(self.stage.as_ref()?.1)?;
        let (row, d) = mesh.hit(frame, view, ray, look.day, false, &|_| true)?;
        Some((d, (row as usize).checked_sub(1).and_then(|k| soil.pipes.get(k))))
    }
    /// Ellipsoidal height of the drawn ground at `[lon_deg, lat_deg]`; `None` where none of these tiles has any.
    pub fn ground_m(&self, [lon, lat]: [f64; 2], tiles: &[TileHandle]) -> Option<f64> {
        const TOP_M: f64 = 9000.0;
        const DEEP_M: f64 = -600.0;
        let [from, to] = [TOP_M, DEEP_M].map(|h| DVec3::from(strata_model::ecef_from_geographic([lon, lat, h])));
        let share = |h: &TileHandle| self.mesh_of(*h).and_then(|(frame, mesh)| mesh.ground(frame, from, to, &|_| true));
        tiles.iter().filter_map(share).min_by(f64::total_cmp).map(|s| TOP_M + (DEEP_M - TOP_M) * s)
    }
    /// Where the ray through a pixel meets the drawn ground, `[lon_deg, lat_deg, height_m]`; an excavation has none.
    pub fn ground_under(&self, view: &View, [x, y]: [f32; 2], look: &Look, tiles: &[TileHandle]) -> Option<[f64; 3]> {
        const REACH_M: f64 = 60_000.0;
        let ray = view.ray(x, y).as_dvec3();
        let from = DVec3::from(view.eye_in_ecef);
        let to = DVec3::from(view.enu.ecef_from_local((view.eye_in_enu + ray * REACH_M).to_array()));
        let takes = section_takes(view, look);
        let there = |s: f64| {
            let p = view.eye_in_enu + ray * (s * REACH_M);
            (look.mode != Mode::Cutaway || !cut_holds(look, p)) && !takes(p)
        };
        let share = |h: &TileHandle| self.mesh_of(*h).and_then(|(frame, mesh)| mesh.ground(frame, from, to, &there));
        let s = tiles.iter().filter_map(share).min_by(f64::total_cmp)?;
        Some(geographic_from_ecef((from + (to - from) * s).to_array()))
    }
}

/// From the eye to a place, `[lon_deg, lat_deg, ellipsoidal_height_m]`, m.
pub(crate) fn distance(view: &View, place: [f64; 3]) -> f64 {
    DVec3::from(strata_model::ecef_from_geographic(place)).distance(DVec3::from(view.eye_in_ecef))
}

/// Möller and Trumbore: the distance at which a ray meets a triangle, from either side.
pub(crate) fn meet(eye: Vec3, direction: Vec3, a: Vec3, b: Vec3, c: Vec3) -> Option<f32> {
    let (e1, e2) = (b - a, c - a);
    let p = direction.cross(e2);
    let det = e1.dot(p);
    if det.abs() < 1e-9 {
        return None;
    }
    let s = eye - a;
    let u = s.dot(p) / det;
    let q = s.cross(e1);
    let v = direction.dot(q) / det;
    let t = e2.dot(q) / det;
    (u >= 0.0 && v >= 0.0 && u + v <= 1.0 && t > 0.0).then_some(t)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strata_model::Enu;
    use strata_scene::Camera;
    use strata_tiles::content::FeatureTable;

    #[test]
    fn the_nearer_of_two_that_stand_is_found_and_one_that_is_gone_is_not() {
        let target = [125.3, 43.9, 200.0];
        let enu = Enu::at_geographic(target);
        let square = |z: f32, row: u32| Primitive {
            role: Some(Role::Roof),
            positions: vec![[-5.0, -5.0, z], [5.0, -5.0, z], [5.0, 5.0, z], [-5.0, 5.0, z]],
            feature_rows: vec![row; 4],
            indices: vec![0, 1, 2, 0, 2, 3],
            ..Default::default()
        };
        let content = TileContent {
            ecef_from_tile: enu.matrix_ecef_from_local(),
            primitives: vec![square(0.0, 0), square(10.0, 1)],
            features: FeatureTable {
                ids: vec!["low".into(), "high".into()],
                valid_from_day: vec![i32::MIN, 0],
                valid_to_day: vec![i32::MAX, 1000],
                ..Default::default()
            },
        };
        let mesh = PickMesh::new(&content);
        let m = DMat4::from_cols_array(&content.ecef_from_tile);
        let view = Camera::new(target, 100.0, 30.0, -60.0).view([800, 600]);
        let ray = view.ray(400.0, 300.0);
        let (row, d) = mesh.hit(&m, &view, ray, 500, false, &|_| true).expect("a hit");
        // The upper square lies 10 m above the target: 10 / sin 60° nearer along the ray.
        assert!(row == 1 && (d - (100.0 - 10.0 / 60f64.to_radians().sin())).abs() < 1e-3, "{row} {d}");
        let (row, d) = mesh.hit(&m, &view, ray, 1000, false, &|_| true).expect("a hit");
        assert!(row == 0 && (d - 100.0).abs() < 1e-3, "{row} {d}");
        assert!(mesh.hit(&m, &view, view.ray(5.0, 5.0), 500, false, &|_| true).is_none());
        // With the upper one taken away the lower is met.
        let (row, _) = mesh.hit(&m, &view, ray, 500, false, &|d| d > 95.0).expect("a hit");
        assert!(row == 0 && mesh.hit(&m, &view, ray, 500, true, &|_| true).is_none());
    }
}
