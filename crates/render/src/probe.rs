//! Pointing and measuring exact to the geometry: what is answered is a corner, an edge, an axis or a face of the mesh that is
//! drawn, in f64 ECEF or degrees, never the pixel's own place.

use crate::{
    Look, Renderer, TileHandle,
    pick::{PickMesh, distance},
    section::Cut,
};
use glam::{DMat4, DVec3, Vec2, Vec3};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use strata_model::geographic_from_ecef;
use strata_scene::{Mode, View};

/// What a probe has found to hold on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Snap {
    /// A corner of a body.
    Vertex,
    /// A crease or rim of a body.
    Edge,
    /// The axis of a pipe.
    Axis,
    Face,
    Ground,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Of a feature; nothing on bare ground.
    pub feature: Option<(TileHandle, String)>,
    /// `[lon_deg, lat_deg, ellipsoidal_height_m]`.
    pub place: [f64; 3],
    pub snap: Snap,
}

/// A body from its foot to its top, by its drawn mesh.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Extent {
    /// Ellipsoidal heights, m.
    pub low_m: f64,
    pub high_m: f64,
    /// Middle of its box, ellipsoidal, and half the diagonal: what a camera has to hold.
    pub middle: [f64; 3],
    pub radius_m: f64,
}

/// The place of a line that comes nearest to a ray, both in one frame: the share of the line, 0 to 1.
fn nearest_on(a: DVec3, b: DVec3, eye: DVec3, way: DVec3) -> f64 {
    let (u, w) = (b - a, a - eye);
    let (uu, uv, vv) = (u.dot(u), u.dot(way), way.dot(way));
    let d = uu * vv - uv * uv;
    if d.abs() < 1e-12 { 0.0 } else { ((uv * way.dot(w) - vv * u.dot(w)) / d).clamp(0.0, 1.0) }
}

fn to_segment_px(p: Vec2, a: Vec2, b: Vec2) -> f32 {
    let t = ((p - a).dot(b - a) / (b - a).length_squared().max(1e-9)).clamp(0.0, 1.0);
    p.distance(a.lerp(b, t))
}

/// Edges where two faces meet at an angle, or one ends. Faces that lie in one plane share none.
fn creases(mesh: &PickMesh, row: u32) -> Vec<[Vec3; 2]> {
    let key = |v: Vec3| (v * 1000.0).round().to_array().map(|c| c as i64);
    let mut found: HashMap<[[i64; 3]; 2], ([Vec3; 2], Vec<Vec3>)> = HashMap::new();
    mesh.triangles_of(row, &mut |t| {
        let n = (t[1] - t[0]).cross(t[2] - t[0]).normalize_or_zero();
        for (a, b) in [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])] {
            let (p, q) = (key(a), key(b));
            found.entry(if p < q { [p, q] } else { [q, p] }).or_insert_with(|| ([a, b], Vec::new())).1.push(n);
        }
    });
    let sharp = |n: &Vec<Vec3>| n.len() != 2 || n[0].dot(n[1]).abs() < 0.999;
    let mut out: Vec<[Vec3; 2]> = found.into_values().filter(|(_, n)| sharp(n)).map(|(e, _)| e).collect();
    // In an order of their own, so that the same picture snaps to the same place.
    out.sort_by(|a, b| {
        a[0].to_array().iter().zip(b[0].to_array()).map(|(x, y)| x.total_cmp(&y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    out
}

/// Whether a triangle on the screen shares a point with a polygon on it.
fn meets(t: [Vec2; 3], lasso: &[Vec2]) -> bool {
    let inside = |p: Vec2, ring: &[Vec2]| {
        (0..ring.len())
            .filter(|i| {
                let (a, b) = (ring[*i], ring[(i + 1) % ring.len()]);
                (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x
            })
            .count()
            % 2
            == 1
    };
    let side = |p: Vec2, q: Vec2, r: Vec2| (q - p).perp_dot(r - p);
    let crossed = |a: Vec2, b: Vec2, c: Vec2, d: Vec2| side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0;
    t.iter().any(|p| inside(*p, lasso))
        || inside(lasso[0], &t)
        || (0..3).any(|i| (0..lasso.len()).any(|j| crossed(t[i], t[(i + 1) % 3], lasso[j], lasso[(j + 1) % lasso.len()])))
}

impl Renderer {
    /// What lies under a pixel, held to what is near it within `snap_px`: first corners, then edges or a pipe's axis.
    pub fn probe(&self, view: &View, [x, y]: [f32; 2], look: &Look, tiles: &[TileHandle], snap_px: f32) -> Option<Probe> {
        let hit = self.pick(view, [x, y], look, tiles);
        let ground = self.ground_under(view, [x, y], look, tiles);
        let eye = DVec3::from(view.eye_in_ecef);
        // Where the ground is no cover, what is seen through it is meant.
        let covers = matches!(look.mode, Mode::Surface | Mode::Cutaway);
        let Some((handle, id, d)) = hit.filter(|h| !covers || ground.is_none_or(|g| h.2 <= distance(view, g) + 0.5)) else {
            return ground.map(|place| Probe { feature: None, place, snap: Snap::Ground });
        };
        let ahead = DVec3::from(view.enu.ecef_from_local((view.eye_in_enu + view.ray(x, y).as_dvec3()).to_array()));
        let way = (ahead - eye).normalize();
        let face = geographic_from_ecef((eye + way * d).to_array());
        let (ecef_from_tile, mesh) = self.mesh_of(handle)?;
        let row = mesh.ids.iter().position(|i| *i == id)? as u32;
        let pointer = Vec2::new(x, y);
        let screen = |p: Vec3| view.project(ecef_from_tile.transform_point3(p.as_dvec3()).to_array());
        let world = |p: Vec3| ecef_from_tile.transform_point3(p.as_dvec3());
        // What is behind the body that one points at does not attract.
        let near = |p: DVec3| p.distance(eye) <= d + 0.02 * d + 1.0;
        let found = |p: DVec3, snap| Some(Probe { feature: Some((handle, id.clone())), place: geographic_from_ecef(p.to_array()), snap });
        let axes = self.axes_of(handle, row);
        if !axes.is_empty() {
            let mut best: Option<(f64, DVec3)> = None;
            for w in axes.iter().flat_map(|path| path.windows(2)) {
                let (a, b) = (world(w[0]), world(w[1]));
                let p = a.lerp(b, nearest_on(a, b, eye, way));
                let off = (p - eye).cross(way).length();
                if best.is_none_or(|(o, _)| off < o) {
                    best = Some((off, p));
                }
            }
            return best.and_then(|(_, p)| found(p, Snap::Axis));
        }
        let edges = creases(mesh, row);
        let mut corner: Option<(f32, DVec3)> = None;
        let mut edge: Option<(f32, DVec3)> = None;
        for [a, b] in edges {
            let (Some((pa, _)), Some((pb, _))) = (screen(a), screen(b)) else { continue };
            for (p, at) in [(pa, a), (pb, b)] {
                let off = pointer.distance(Vec2::from(p));
                if off <= snap_px && near(world(at)) && corner.is_none_or(|(o, _)| off < o) {
                    corner = Some((off, world(at)));
                }
            }
            let off = to_segment_px(pointer, Vec2::from(pa), Vec2::from(pb));
            if off <= snap_px * 0.7 && edge.is_none_or(|(o, _)| off < o) {
                let p = world(a).lerp(world(b), nearest_on(world(a), world(b), eye, way));
                if near(p) {
                    edge = Some((off, p));
                }
            }
        }
        match (corner, edge) {
            (Some((_, p)), _) => found(p, Snap::Vertex),
            (None, Some((_, p))) => found(p, Snap::Edge),
            (None, None) => Some(Probe { feature: Some((handle, id)), place: face, snap: Snap::Face }),
        }
    }

    /// The body of this id as these tiles have it; of several tiles, the whole.
    pub fn extent(&self, id: &str, tiles: &[TileHandle]) -> Option<Extent> {
        let mut points = Vec::new();
        for handle in tiles {
            let Some((ecef_from_tile, mesh)) = self.mesh_of(*handle) else { continue };
            let Some(row) = mesh.ids.iter().position(|i| i == id) else { continue };
            mesh.triangles_of(row as u32, &mut |t| points.extend(t.map(|p| ecef_from_tile.transform_point3(p.as_dvec3()))));
        }
        let heights = points.iter().map(|p| geographic_from_ecef(p.to_array())[2]);
        let (low_m, high_m) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), h| (a.min(h), b.max(h)));
        let (low, high) = points.iter().fold((DVec3::INFINITY, DVec3::NEG_INFINITY), |(a, b), p| (a.min(*p), b.max(*p)));
        (!points.is_empty()).then(|| Extent {
            low_m,
            high_m,
            middle: geographic_from_ecef(((low + high) / 2.0).to_array()),
            radius_m: low.distance(high) / 2.0,
        })
    }

    /// Features of which anything lies within a closed line on the screen, px, seen or hidden, but not taken by a section; ids by
    /// tile. A line of fewer than three points holds nothing.
    pub fn within(&self, view: &View, lasso_px: &[[f32; 2]], look: &Look, tiles: &[TileHandle]) -> Vec<(TileHandle, String)> {
        let lasso: Vec<Vec2> = lasso_px.iter().map(|p| Vec2::from(*p)).collect();
        let mut out = BTreeSet::new();
        if lasso.len() < 3 {
            return Vec::new();
        }
        let (low, high) = lasso.iter().fold((Vec2::INFINITY, Vec2::NEG_INFINITY), |(a, b), p| (a.min(*p), b.max(*p)));
        for handle in tiles {
            let Some((ecef_from_tile, mesh)) = self.mesh_of(*handle) else { continue };
            let clip = clip_from_tile(view, ecef_from_tile);
            // What a section leaves of a triangle, in the tile's frame again.
            let cut = look.section.as_ref().map(Cut::new).map(|c| (c.cube * *ecef_from_tile, c));
            let left = |t: [Vec3; 3]| match &cut {
                None => vec![t],
                Some((cube, cut)) => {
                    let back = cube.inverse();
                    let of = cut.left_of(t.map(|p| cube.transform_point3(p.as_dvec3())));
                    of.into_iter().map(|t| t.map(|p| back.transform_point3(p).as_vec3())).collect()
                }
            };
            let mut held: BTreeMap<u32, bool> = BTreeMap::new();
            mesh.for_each(look.day, &mut |row, t| {
                let done = held.entry(row).or_default();
                if *done {
                    return;
                }
                for piece in left(t).into_iter().flat_map(|t| before_the_eye(view, &clip, t)) {
                    let (a, b) = (piece[0].min(piece[1]).min(piece[2]), piece[0].max(piece[1]).max(piece[2]));
                    *done |= a.cmple(high).all() && b.cmpge(low).all() && meets(piece, &lasso);
                }
            });
            out.extend(held.into_iter().filter(|h| h.1).filter_map(|(row, _)| Some((*handle, mesh.ids.get(row as usize)?.clone()))));
        }
        out.into_iter().collect()
    }
}

/// From a tile's frame to clip space, in f64.
fn clip_from_tile(view: &View, ecef_from_tile: &DMat4) -> DMat4 {
    let rows = view.enu.axes_in_ecef.map(DVec3::from);
    let turn = |v: DVec3| DVec3::new(rows[0].dot(v), rows[1].dot(v), rows[2].dot(v));
    let origin = DVec3::from(view.enu.local_from_ecef(ecef_from_tile.w_axis.truncate().to_array())) - view.eye_in_enu;
    let m = ecef_from_tile;
    let local = DMat4::from_cols(
        turn(m.x_axis.truncate()).extend(0.0),
        turn(m.y_axis.truncate()).extend(0.0),
        turn(m.z_axis.truncate()).extend(0.0),
        origin.extend(1.0),
    );
    view.clip_from_enu_rel_eye.as_dmat4() * local
}

/// A triangle on the screen, px, less what lies before the near plane: none, one or two triangles.
fn before_the_eye(view: &View, clip: &DMat4, t: [Vec3; 3]) -> Vec<[Vec2; 3]> {
    let near = f64::from(view.near_m);
    let [w, h] = view.viewport_px.map(f64::from);
    let corners = t.map(|p| *clip * p.as_dvec3().extend(1.0));
    let mut kept = Vec::with_capacity(4);
    for i in 0..3 {
        let (a, b) = (corners[i], corners[(i + 1) % 3]);
        if a.w >= near {
            kept.push(a);
        }
        if (a.w >= near) != (b.w >= near) {
            kept.push(a.lerp(b, (near - a.w) / (b.w - a.w)));
        }
    }
    let px: Vec<Vec2> =
        kept.iter().map(|c| Vec2::new(((c.x / c.w * 0.5 + 0.5) * w) as f32, ((0.5 - c.y / c.w * 0.5) * h) as f32)).collect();
    (1..px.len().saturating_sub(1)).map(|i| [px[0], px[i], px[i + 1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strata_tiles::content::{FeatureTable, Primitive, Role, TileContent};

    fn bodies(positions: Vec<[f32; 3]>, indices: Vec<u32>) -> PickMesh {
        let rows = vec![0; positions.len()];
        let p = Primitive { role: Some(Role::Wall), positions, feature_rows: rows, indices, ..Default::default() };
        let features =
            FeatureTable { ids: vec!["a".into()], valid_from_day: vec![i32::MIN], valid_to_day: vec![i32::MAX], ..Default::default() };
        PickMesh::new(&TileContent { ecef_from_tile: DMat4::IDENTITY.to_cols_array(), primitives: vec![p], features })
    }

    #[test]
    fn a_box_has_twelve_edges_whatever_its_triangles() {
        let at = |i: u32| [(i & 1) as f32 * 20.0, (i >> 1 & 1) as f32 * 10.0, (i >> 2) as f32 * 30.0];
        let quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]];
        let indices = quads.iter().flat_map(|q| [q[0], q[1], q[2], q[0], q[2], q[3]]).collect();
        let edges = creases(&bodies((0..8).map(at).collect(), indices), 0);
        assert_eq!(edges.len(), 12);
        let sum: f32 = edges.iter().map(|[a, b]| a.distance(*b)).sum();
        assert!((sum - 4.0 * 60.0).abs() < 1e-3, "{sum}");
    }

    proptest! {
        /// Against a fine raster of both: what shares a point of it meets; what meets in more than a sliver is found there.
        #[test]
        fn a_lasso_holds_what_lies_in_it(
            t in prop::array::uniform3((0.0..100.0f32, 0.0..100.0f32)),
            l in prop::collection::vec((0.0..100.0f32, 0.0..100.0f32), 3..7),
        ) {
            let t = t.map(|(x, y)| Vec2::new(x, y));
            // A star about the middle crosses itself nowhere.
            let mut lasso: Vec<Vec2> = l.into_iter().map(|(x, y)| Vec2::new(x, y)).collect();
            let middle = lasso.iter().sum::<Vec2>() / lasso.len() as f32;
            lasso.sort_by(|a, b| (*a - middle).to_angle().total_cmp(&(*b - middle).to_angle()));
            let winding = |p: Vec2, ring: &[Vec2]| {
                let turn: f32 = (0..ring.len()).map(|i| (ring[i] - p).angle_to(ring[(i + 1) % ring.len()] - p)).sum();
                turn.abs() > 3.0
            };
            let shared = (0..60).flat_map(|i| (0..60).map(move |j| Vec2::new(i as f32 / 0.6, j as f32 / 0.6))).filter(|p| winding(*p, &t) && winding(*p, &lasso)).count();
            if shared > 0 {
                prop_assert!(meets(t, &lasso));
            }
            // Far apart: nothing.
            prop_assert!(!meets(t.map(|p| p + Vec2::new(300.0, 0.0)), &lasso));
        }
    }
}
