//! What a section box leaves of the city, and the earth that it opens.
//!
//! Two frames: the box's own axes (m from its centre; the second is turned `heading_deg` from north, the third is up), and its
//! cube, the same stretched so that the faces lie at −1 and 1.

use crate::{TileHandle, pick::PickMesh};
use glam::{DMat4, DVec2, DVec3, Vec3};
use std::collections::BTreeMap;
use strata_scene::SectionBox;
use strata_tiles::content::{Column, FeatureTable, Primitive, Role, TileContent};

/// From the earth to the box's own axes.
fn axes_from_ecef(section: &SectionBox) -> DMat4 {
    let enu = DMat4::from_cols_array(&strata_model::Enu::at_geographic(section.centre).matrix_ecef_from_local()).inverse();
    DMat4::from_rotation_z(section.heading_deg.to_radians()) * enu
}

fn cube_from_axes(section: &SectionBox) -> DMat4 {
    let (low, high) = (DVec3::from(section.low_m), DVec3::from(section.high_m));
    DMat4::from_scale(2.0 / (high - low).max(DVec3::splat(0.01))) * DMat4::from_translation(-(low + high) / 2.0)
}

/// From the earth to a cube from −1 to 1.
pub(crate) fn cube_from_ecef(section: &SectionBox) -> DMat4 {
    cube_from_axes(section) * axes_from_ecef(section)
}

/// The corners of the outline in the cube's plan; none: the whole cube.
pub(crate) fn outline_in_cube(section: &SectionBox) -> Vec<DVec2> {
    let cube = cube_from_axes(section);
    section.outline.iter().map(|c| cube.transform_point3(DVec2::from(*c).extend(0.0)).truncate()).collect()
}

fn in_ring(ring: &[DVec2], p: DVec2) -> bool {
    let crosses = |i: &usize| {
        let (a, b) = (ring[*i], ring[(i + 1) % ring.len()]);
        (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x
    };
    (0..ring.len()).filter(crosses).count() % 2 == 1
}

/// A section made ready for many questions.
pub(crate) struct Cut {
    pub cube: DMat4,
    outline: Vec<DVec2>,
    /// The outline in triangles, counter-clockwise.
    ears: Vec<[DVec2; 3]>,
    outside: bool,
}

impl Cut {
    pub fn new(section: &SectionBox) -> Self {
        let outline = outline_in_cube(section);
        Self { cube: cube_from_ecef(section), ears: ears(&outline), outline, outside: section.outside }
    }
    fn holds(&self, p: DVec3) -> bool {
        p.abs().max_element() <= 1.0 && (self.outline.is_empty() || in_ring(&self.outline, p.truncate()))
    }
    /// Whether a place, ECEF, is not drawn.
    pub fn takes(&self, ecef: DVec3) -> bool {
        self.holds(self.cube.transform_point3(ecef)) == self.outside
    }
    /// What of a triangle in the cube's own axes is drawn: its part inside, as triangles; or all of it, where what is outside
    /// stays and a corner lies there.
    pub fn left_of(&self, t: [DVec3; 3]) -> Vec<[DVec3; 3]> {
        if self.outside {
            return if t.iter().any(|p| !self.holds(*p)) { vec![t] } else { Vec::new() };
        }
        let mut boxed = t.to_vec();
        for axis in 0..3 {
            for side in [1.0, -1.0] {
                boxed = halved(&boxed, |p| 1.0 - side * p[axis]);
            }
        }
        let fan = |ring: Vec<DVec3>| (1..ring.len().saturating_sub(1)).map(|i| [ring[0], ring[i], ring[i + 1]]).collect::<Vec<_>>();
        if self.outline.is_empty() {
            return fan(boxed);
        }
        let within = |ear: &[DVec2; 3]| {
            (0..3).fold(boxed.clone(), |ring, i| {
                let (a, b) = (ear[i], ear[(i + 1) % 3]);
                halved(&ring, |p| (b - a).perp_dot(p.truncate() - a))
            })
        };
        self.ears.iter().flat_map(|ear| fan(within(ear))).collect()
    }
}

fn ears(ring: &[DVec2]) -> Vec<[DVec2; 3]> {
    let mut indices: Vec<u32> = Vec::new();
    earcut::Earcut::new().earcut(ring.iter().map(|p| p.to_array()), &[], &mut indices);
    let turned = |[a, b, c]: [DVec2; 3]| if (b - a).perp_dot(c - a) < 0.0 { [a, c, b] } else { [a, b, c] };
    indices.chunks_exact(3).map(|t| turned([t[0], t[1], t[2]].map(|i| ring[i as usize]))).collect()
}

/// The part of a convex ring where `room` is not negative.
fn halved(ring: &[DVec3], room: impl Fn(DVec3) -> f64) -> Vec<DVec3> {
    let mut kept = Vec::with_capacity(ring.len() + 1);
    for i in 0..ring.len() {
        let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
        let (ra, rb) = (room(a), room(b));
        if ra >= 0.0 {
            kept.push(a);
        }
        if (ra >= 0.0) != (rb >= 0.0) {
            kept.push(a.lerp(b, ra / (ra - rb)));
        }
    }
    kept
}

/// How far behind a cut its earth stands, m: what is cut with it, a pipe, stands out of the wall.
const BEHIND_M: f64 = 0.12;

/// The plan of a section in its own axes, counter-clockwise: the outline within the box, or the box.
fn plan(section: &SectionBox) -> Vec<DVec2> {
    let ([x0, y0, _], [x1, y1, _]) = (section.low_m, section.high_m);
    let whole = vec![DVec2::new(x0, y0), DVec2::new(x1, y0), DVec2::new(x1, y1), DVec2::new(x0, y1)];
    if section.outline.is_empty() {
        return whole;
    }
    let mut ring: Vec<DVec3> = section.outline.iter().map(|c| DVec2::from(*c).extend(0.0)).collect();
    for (axis, side, at) in [(0, 1.0, x1), (0, -1.0, -x0), (1, 1.0, y1), (1, -1.0, -y0)] {
        ring = halved(&ring, |p| at - side * p[axis]);
    }
    let mut ring: Vec<DVec2> = ring.iter().map(|p| p.truncate()).collect();
    ring.dedup_by(|a, b| a.distance(*b) < 1e-6);
    if (0..ring.len()).map(|i| ring[i].perp_dot(ring[(i + 1) % ring.len()])).sum::<f64>() < 0.0 {
        ring.reverse();
    }
    ring
}

/// The same ring with every side moved to its left by so much; to its right where it is negative.
fn moved(ring: &[DVec2], by_m: f64) -> Vec<DVec2> {
    let n = ring.len();
    let left = |i: usize| (ring[(i + 1) % n] - ring[i]).normalize_or_zero().perp();
    (0..n)
        .map(|i| {
            let (a, b) = (left((i + n - 1) % n), left(i));
            // A needle's tip would run away.
            ring[i] + (a + b) / (1.0 + a.dot(b)).max(0.2) * by_m
        })
        .collect()
}

/// The earth that a section opens, and what it was made from.
pub(crate) struct Soil {
    pub section: SectionBox,
    pub day: i32,
    /// The tiles that it was asked of, whether or not one has any ground.
    pub of: Vec<TileHandle>,
    /// In the box's own axes: a wall under the drawn ground along each side of the plan, down to the bottom, and the bottom
    /// itself, in row 0; then the cut ends of pipes, a row each. uv: metres along the side and below the ground, or 0 in the
    /// middle of a pipe and 1 on its rim; uv2: length of the side, depth. Nothing where no ground lies above the bottom.
    pub content: TileContent,
    /// Of the rows from 1 on.
    pub pipes: Vec<CutPipe>,
    /// Beside the staffs at the ends of each wall.
    pub numbers: Vec<Number>,
}

/// A depth under the ground, beside its staff.
pub(crate) struct Number {
    pub metre: i32,
    pub ecef: DVec3,
    pub normal_in_ecef: DVec3,
}
/// The staff ends 0.46 m from the corner.
const BESIDE_M: f64 = 1.05;

/// The cut end of a pipe.
pub(crate) struct CutPipe {
    pub tile: TileHandle,
    pub row: u32,
    pub id: String,
    /// Its middle, and which way it looks.
    pub ecef: DVec3,
    pub normal_in_ecef: DVec3,
}

/// One side of a plan: from where, which way, how long, and which way its wall looks.
struct Side {
    from: DVec2,
    way: DVec2,
    length: f64,
    normal: DVec3,
}

impl Side {
    fn of(ring: &[DVec2], outwards: f64) -> Vec<Self> {
        let side = |i: usize| {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            let way = (b - a).normalize_or_zero();
            Self { from: a, way, length: a.distance(b), normal: (-way.perp() * outwards).extend(0.0) }
        };
        (0..ring.len()).map(side).collect()
    }
    fn at(&self, s: f64, z: f64) -> DVec3 {
        (self.from + self.way * s).extend(z)
    }
    /// Where a triangle crosses the upright plane over the side: metres along it and height.
    fn crossed(&self, t: &[DVec3; 3]) -> Option<[DVec2; 2]> {
        let off = t.map(|p| self.way.perp_dot(p.truncate() - self.from));
        let along = t.map(|p| DVec2::new(self.way.dot(p.truncate() - self.from), p.z));
        let met: Vec<DVec2> = (0..3)
            .map(|i| (i, (i + 1) % 3))
            .filter(|&(i, j)| (off[i] >= 0.0) != (off[j] >= 0.0))
            .map(|(i, j)| along[i].lerp(along[j], off[i] / (off[i] - off[j])))
            .collect();
        <[DVec2; 2]>::try_from(met).ok()
    }
    /// The course of the ground along the side, where it lies above the bottom, parted where it goes through the top.
    fn profile(&self, t: &[DVec3; 3], [low, high]: [f64; 2]) -> Vec<[DVec2; 2]> {
        let Some([mut p, mut q]) = self.crossed(t) else { return Vec::new() };
        if p.x > q.x {
            std::mem::swap(&mut p, &mut q);
        }
        // A skirt hangs straight down.
        if q.x - p.x < 1e-4 || q.x <= 0.0 || p.x >= self.length {
            return Vec::new();
        }
        let at = |s: f64| p.lerp(q, ((s - p.x) / (q.x - p.x)).clamp(0.0, 1.0));
        let mut stops = vec![p.x.max(0.0), q.x.min(self.length)];
        for level in [low, high] {
            let s = p.x + (q.x - p.x) * (level - p.y) / (q.y - p.y);
            if s.is_finite() && s > stops[0] && s < stops[1] {
                stops.push(s);
            }
        }
        stops.sort_by(f64::total_cmp);
        stops.windows(2).map(|w| [at(w[0]), at(w[1])]).filter(|[p, q]| (p.y + q.y) / 2.0 > low).collect()
    }
}

/// See [`Soil`], but for `of`; of these meshes, each with its tile and its place in ECEF.
pub(crate) fn soil<'m>(section: &SectionBox, day: i32, meshes: impl Iterator<Item = (TileHandle, &'m DMat4, &'m PickMesh)>) -> Soil {
    let axes = axes_from_ecef(section);
    let ecef_from_axes = axes.inverse();
    let outwards = if section.outside { -1.0 } else { 1.0 };
    let (low, high) = (section.low_m[2] + BEHIND_M * outwards, section.high_m[2]);
    let plan = plan(section);
    let behind = moved(&plan, BEHIND_M * outwards);
    let (cuts, walls) = (Side::of(&plan, outwards), Side::of(&behind, outwards));
    let middle = plan.iter().sum::<DVec2>() / plan.len().max(1) as f64;
    let reach = plan.iter().map(|c| c.distance(middle)).fold(0.0, f64::max) + 1.0;
    let near = |t: &[DVec3; 3]| {
        let (a, b) = (t[0].min(t[1]).min(t[2]).truncate(), t[0].max(t[1]).max(t[2]).truncate());
        middle.clamp(a, b).distance(middle) <= reach
    };
    let mut p = Primitive { role: Some(Role::Other), ..Default::default() };
    let mut push = |at: DVec3, normal: DVec3, uv: [f64; 2], uv2: [f64; 2], row: u32| {
        p.positions.push(at.as_vec3().to_array());
        p.normals.push(normal.as_vec3().to_array());
        p.uv.push(uv.map(|v| v as f32));
        p.uv2.push(uv2.map(|v| v as f32));
        p.feature_rows.push(row);
        p.positions.len() as u32 - 1
    };
    let (mut pipes, mut classes, mut numbers) = (Vec::new(), vec![0u8], Vec::new());
    let mut indices = Vec::new();
    let mut deepest: f64 = 0.0;
    for (handle, ecef_from_tile, mesh) in meshes {
        let axes_from_tile = axes * *ecef_from_tile;
        let beside = |centre: Vec3, radius: f32| {
            axes_from_tile.transform_point3(centre.as_dvec3()).truncate().distance(middle) <= reach + f64::from(radius)
        };
        for (positions, corners) in mesh.ground_near(beside) {
            let at: Vec<DVec3> = positions.iter().map(|v| axes_from_tile.transform_point3(v.as_dvec3())).collect();
            for t in corners.chunks_exact(3) {
                let (Some(a), Some(b), Some(c)) = (at.get(t[0] as usize), at.get(t[1] as usize), at.get(t[2] as usize)) else { continue };
                let t = [*a, *b, *c];
                for side in walls.iter().filter(|_| near(&t)) {
                    for [from, to] in side.profile(&t, [low, high]) {
                        let deep = |s: DVec2| (s.y - low).max(0.0);
                        deepest = deepest.max(deep(from)).max(deep(to));
                        let mut corner = |s: DVec2, z: f64| push(side.at(s.x, z), side.normal, [s.x, s.y - z], [side.length, deep(s)], 0);
                        for (s, at) in [(from, BESIDE_M), (to, side.length - BESIDE_M)] {
                            let end = if at == BESIDE_M { 0.0 } else { side.length };
                            if (s.x - end).abs() < 1e-6 && side.length > 4.0 * BESIDE_M {
                                let shown = |m: &i32| s.y - f64::from(*m) <= high && s.y - f64::from(*m) >= low;
                                numbers.extend((0..40).filter(shown).map(|metre| Number {
                                    metre,
                                    ecef: ecef_from_axes.transform_point3(side.at(at, s.y - f64::from(metre))),
                                    normal_in_ecef: ecef_from_axes.transform_vector3(side.normal),
                                }));
                            }
                        }
                        let q = [corner(from, low), corner(to, low), corner(to, to.y.min(high)), corner(from, from.y.min(high))];
                        indices.extend([q[0], q[1], q[2], q[0], q[2], q[3]]);
                    }
                }
            }
        }
        let mut met: BTreeMap<(u32, usize), Vec<[DVec2; 2]>> = BTreeMap::new();
        mesh.pipes(day, &beside, &mut |row, t| {
            let t = t.map(|v| axes_from_tile.transform_point3(v.as_dvec3()));
            if near(&t) {
                let crossed = |(i, side): (usize, &Side)| side.crossed(&t).map(|edge| (i, edge));
                cuts.iter().enumerate().filter_map(crossed).for_each(|(i, edge)| met.entry((row, i)).or_default().push(edge));
            }
        });
        for ((row, i), edges) in met {
            for ring in parted(edges) {
                let centre = ring.iter().map(|[a, b]| (*a + *b) / 2.0).sum::<DVec2>() / ring.len() as f64;
                if !(0.0..=cuts[i].length).contains(&centre.x) || !(low..=high).contains(&centre.y) {
                    continue;
                }
                pipes.push(CutPipe {
                    tile: handle,
                    row,
                    id: mesh.ids.get(row as usize).cloned().unwrap_or_default(),
                    ecef: ecef_from_axes.transform_point3(cuts[i].at(centre.x, centre.y)),
                    normal_in_ecef: ecef_from_axes.transform_vector3(cuts[i].normal),
                });
                classes.push(mesh.class(row));
                let mut corner = |s: DVec2, rim: f64| push(cuts[i].at(s.x, s.y), cuts[i].normal, [rim, 0.0], [0.0; 2], pipes.len() as u32);
                indices.extend(ring.iter().flat_map(|[a, b]| [corner(centre, 0.0), corner(*a, 1.0), corner(*b, 1.0)]));
            }
        }
    }
    if deepest > 0.0 {
        let normal = DVec3::new(0.0, 0.0, -outwards);
        for ear in ears(&behind) {
            indices.extend(ear.map(|c| push(c.extend(low), normal, [0.0, deepest + 1.0], [0.0, deepest], 0)));
        }
        p.indices = indices;
    }
    let class = |part: fn(u8) -> &'static str| Column::Text(classes.iter().map(|c| part(*c).to_owned()).collect());
    let features = FeatureTable {
        ids: vec![String::new(); classes.len()],
        valid_from_day: vec![i32::MIN; classes.len()],
        valid_to_day: vec![i32::MAX; classes.len()],
        columns: [
            ("class".to_owned(), class(|c| crate::legend::class_of(c).0)),
            ("subclass".to_owned(), class(|c| crate::legend::class_of(c).1)),
        ]
        .into(),
    };
    let content = TileContent { ecef_from_tile: ecef_from_axes.to_cols_array(), primitives: vec![p], features };
    Soil { section: section.clone(), day, of: Vec::new(), content, pipes, numbers }
}

/// Edges that hang together, for a bent pipe may cross a plane twice.
fn parted(mut edges: Vec<[DVec2; 2]>) -> Vec<Vec<[DVec2; 2]>> {
    let mut out = Vec::new();
    while let Some(first) = edges.pop() {
        let mut ring = vec![first];
        let mut at = 0;
        while at < ring.len() {
            let [a, b] = ring[at];
            let joined = |e: &[DVec2; 2]| e.iter().any(|p| p.distance(a) < 1e-3 || p.distance(b) < 1e-3);
            let (with, without) = edges.into_iter().partition(joined);
            edges = without;
            ring.extend(with);
            at += 1;
        }
        out.push(ring);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cube() -> SectionBox {
        let centre = [125.3, 43.9, 200.0];
        SectionBox { centre, heading_deg: 0.0, low_m: [-1.0; 3], high_m: [1.0; 3], outside: false, outline: Vec::new() }
    }
    /// A gable's plan with a bay: concave, its corners on no face of the cube.
    const BAY: [[f64; 2]; 5] = [[-0.9, -0.8], [0.9, -0.7], [0.8, 0.9], [0.05, -0.1], [-0.85, 0.7]];

    proptest! {
        /// A point of the triangle lies in the cube exactly when it lies in what is left.
        #[test]
        fn what_is_left_of_a_triangle_is_its_part_inside(
            t in prop::array::uniform3(prop::array::uniform3(-3.0..3.0f64)),
            at in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 40),
        ) {
            let t = t.map(DVec3::from);
            let normal = (t[1] - t[0]).cross(t[2] - t[0]);
            prop_assume!(normal.length() > 0.05);
            let whole = |outside| Cut::new(&SectionBox { outside, ..cube() });
            let left = whole(false).left_of(t);
            let holds = |piece: &[DVec3; 3], p: DVec3| {
                (0..3).all(|i| (piece[(i + 1) % 3] - piece[i]).cross(p - piece[i]).dot(normal) >= -1e-9)
            };
            for (u, v) in at {
                let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
                let p = t[0] + (t[1] - t[0]) * u + (t[2] - t[0]) * v;
                // On a face itself either is right.
                if (p.abs().max_element() - 1.0).abs() > 1e-6 {
                    prop_assert_eq!(left.iter().any(|piece| holds(piece, p)), p.abs().max_element() < 1.0, "{:?}", p);
                }
            }
            prop_assert_eq!(whole(true).left_of(t).is_empty(), t.iter().all(|p| p.abs().max_element() <= 1.0));
        }
    }

    proptest! {
        /// The same under an outline that is no box, turned either way; and the shader's question is the triangles' question.
        #[test]
        fn what_is_left_under_an_outline_is_what_lies_over_it(
            t in prop::array::uniform3(prop::array::uniform3(-1.5..1.5f64)),
            at in prop::collection::vec((0.0..1.0f64, 0.0..1.0f64), 40),
            reversed in any::<bool>(),
        ) {
            let t = t.map(DVec3::from);
            let normal = (t[1] - t[0]).cross(t[2] - t[0]);
            prop_assume!(normal.length() > 0.05);
            let mut outline = BAY.to_vec();
            if reversed {
                outline.reverse();
            }
            let cut = |outside| Cut::new(&SectionBox { outside, outline: outline.clone(), ..cube() });
            let (inside, outside) = (cut(false), cut(true));
            let left = inside.left_of(t);
            let holds = |piece: &[DVec3; 3], p: DVec3| {
                (0..3).all(|i| (piece[(i + 1) % 3] - piece[i]).cross(p - piece[i]).dot(normal) >= -1e-9)
            };
            // The winding number, another way to ask than crossings.
            let wound = |p: DVec2| {
                let turn: f64 = (0..5).map(|i| (DVec2::from(BAY[i]) - p).angle_to(DVec2::from(BAY[(i + 1) % 5]) - p)).sum();
                turn.abs() > 3.0
            };
            let off = |p: DVec2| {
                let to = |i: usize| {
                    let (a, b) = (DVec2::from(BAY[i]), DVec2::from(BAY[(i + 1) % 5]));
                    p.distance(a.lerp(b, ((p - a).dot(b - a) / (b - a).length_squared()).clamp(0.0, 1.0)))
                };
                (0..5).map(to).fold(f64::INFINITY, f64::min)
            };
            for (u, v) in at {
                let (u, v) = if u + v > 1.0 { (1.0 - u, 1.0 - v) } else { (u, v) };
                let p = t[0] + (t[1] - t[0]) * u + (t[2] - t[0]) * v;
                // On a face itself either is right.
                if off(p.truncate()) > 1e-6 && (p.z.abs() - 1.0).abs() > 1e-6 {
                    let over = wound(p.truncate()) && p.z.abs() < 1.0;
                    prop_assert_eq!(left.iter().any(|piece| holds(piece, p)), over, "{:?}", p);
                    let ecef = inside.cube.inverse().transform_point3(p);
                    prop_assert_eq!((inside.takes(ecef), outside.takes(ecef)), (!over, over));
                }
            }
        }
    }

    /// The ground of a tile in the cube's own axes, as the processor keeps it.
    fn ground(triangles: &[[[f64; 2]; 3]], height: impl Fn(DVec2) -> f64) -> PickMesh {
        let corners: Vec<DVec2> = triangles.iter().flatten().map(|c| DVec2::from(*c)).collect();
        let terrain = Primitive {
            role: Some(Role::Terrain),
            positions: corners.iter().map(|c| c.extend(height(*c)).as_vec3().to_array()).collect(),
            indices: (0..corners.len() as u32).collect(),
            ..Default::default()
        };
        PickMesh::new(&TileContent { primitives: vec![terrain], ..Default::default() })
    }
    const SHEET: [[[f64; 2]; 3]; 2] = [[[-90.0, -80.0], [95.0, -80.0], [-90.0, 85.0]], [[95.0, -80.0], [95.0, 85.0], [-90.0, 85.0]]];

    #[test]
    fn the_earth_of_a_section_reaches_from_its_bottom_to_the_ground() {
        let slope = |c: DVec2| 1.5 + 0.04 * c.x - 0.02 * c.y;
        let mesh = ground(&SHEET, slope);
        let bay = BAY.map(|[x, y]| [x * 30.0, y * 30.0]).to_vec();
        for (outside, outline) in [(false, Vec::new()), (true, Vec::new()), (false, bay.clone()), (true, bay)] {
            let section =
                SectionBox { heading_deg: 25.0, low_m: [-30.0, -30.0, -6.0], high_m: [30.0, 30.0, 50.0], outside, outline, ..cube() };
            let frame = axes_from_ecef(&section).inverse();
            let found = soil(&section, 0, [(TileHandle(1), &frame, &mesh)].into_iter());
            let content = &found.content;
            let bottom = if outside { -6.0 - BEHIND_M } else { -6.0 + BEHIND_M };
            let axes_from_tile = axes_from_ecef(&section) * DMat4::from_cols_array(&content.ecef_from_tile);
            assert!(axes_from_tile.abs_diff_eq(DMat4::IDENTITY, 1e-6));
            let p = &content.primitives[0];
            let corners: Vec<Vec3> = p.positions.iter().map(|c| Vec3::from(*c)).collect();
            let flat = |k: usize| p.normals[k][2].abs() > 0.5;
            let ring = plan(&section);
            let (mut walls_m2, mut bottom_m2) = (0.0, 0.0);
            for t in p.indices.chunks_exact(3) {
                let [a, b, c] = [t[0], t[1], t[2]].map(|i| corners[i as usize]);
                let area = f64::from((b - a).cross(c - a).length()) / 2.0;
                if flat(t[0] as usize) { bottom_m2 += area } else { walls_m2 += area }
            }
            for (k, c) in corners.iter().enumerate() {
                let c = c.as_dvec3();
                if !flat(k) {
                    // The measure below the ground is the ground's height over the corner.
                    let told = f64::from(p.uv[k][1]);
                    assert!((told - (slope(c.truncate()) - c.z)).abs() < 1e-3, "{c} {told}");
                    assert!((c.z - bottom).abs() < 1e-3 || told.abs() < 1e-3);
                }
                // Behind the cut: within what stays.
                let off = (0..ring.len()).map(|i| {
                    let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
                    c.truncate().distance(a.lerp(b, ((c.truncate() - a).dot(b - a) / (b - a).length_squared()).clamp(0.0, 1.0)))
                });
                assert!(off.fold(f64::INFINITY, f64::min) > BEHIND_M * 0.9 || flat(k));
                assert_eq!(in_ring(&ring, c.truncate()), !outside);
            }
            // The staffs' numbers lie as deep as they say, two staffs to a side.
            for n in &found.numbers {
                let p = axes_from_ecef(&section).transform_point3(n.ecef);
                assert!((slope(p.truncate()) - p.z - f64::from(n.metre)).abs() < 0.06, "{} {p}", n.metre);
            }
            assert_eq!(found.numbers.iter().filter(|n| n.metre == 2).count(), 2 * ring.len());
            // Against the plan that stands behind the cut: its area, and along its sides the depth of a plane's middle.
            let behind = moved(&ring, if outside { -BEHIND_M } else { BEHIND_M });
            let sides = (0..behind.len()).map(|i| (behind[i], behind[(i + 1) % behind.len()]));
            let want: f64 = sides.clone().map(|(a, b)| a.distance(b) * (slope((a + b) / 2.0) - bottom)).sum();
            assert!((walls_m2 - want).abs() < want * 1e-4, "{walls_m2} {want}");
            let plan_m2 = sides.map(|(a, b)| a.perp_dot(b) / 2.0).sum::<f64>();
            assert!((bottom_m2 - plan_m2).abs() < plan_m2 * 1e-4, "{bottom_m2} {plan_m2}");
        }
    }

    #[test]
    fn a_section_above_the_ground_opens_no_earth_and_a_low_lid_cuts_its_walls() {
        let mesh = ground(&SHEET, |c| c.x / 10.0);
        let section = |low: f64, high: f64| SectionBox { low_m: [-20.0, -20.0, low], high_m: [20.0, 20.0, high], ..cube() };
        let frame = axes_from_ecef(&cube()).inverse();
        let of = |s: &SectionBox| soil(s, 0, [(TileHandle(1), &frame, &mesh)].into_iter()).content.primitives.remove(0);
        assert!(of(&section(2.1, 9.0)).indices.is_empty());
        // The ground runs from −2 to 2: above the lid the wall ends at it, and tells how deep that is.
        let lidded = of(&section(-6.0, 1.0));
        let walls = || (0..lidded.positions.len()).filter(|k| lidded.normals[*k][2].abs() < 0.5);
        assert!(walls().all(|k| lidded.positions[k][2] <= 1.0 + 1e-5));
        let deepest = walls().filter(|k| lidded.positions[*k][2] > 0.9).map(|k| lidded.uv[k][1]).fold(0.0, f32::max);
        assert!((deepest - 0.988).abs() < 0.01, "{deepest}");
    }

    #[test]
    fn sides_move_by_what_is_asked_and_corners_with_them() {
        let square = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]].map(DVec2::from);
        let want = [[0.5, 0.5], [3.5, 0.5], [3.5, 3.5], [0.5, 3.5]].map(DVec2::from);
        assert!(moved(&square, 0.5).iter().zip(want).all(|(a, b)| a.distance(b) < 1e-9));
    }
}
