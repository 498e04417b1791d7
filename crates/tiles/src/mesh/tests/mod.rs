mod bodies;
mod levels;
mod lines;

use crate::content::{Primitive, Role, TileContent};
use crate::{Cell, TilesetPlan, body_bounds, build_content};
use std::sync::Arc;
use strata_model::*;

pub(crate) const ORIGIN: [f64; 2] = [443_761.0, 4_862_949.0];

pub(crate) fn frame() -> WorkingFrame {
    WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known")
}

pub(crate) fn layer(theme: Theme, fields: &[(&str, FieldKind)]) -> Arc<Layer> {
    let form = serde_json::json!({
        "id": format!("layer-{}", serde_json::to_value(theme).expect("a word").as_str().expect("a word").replace('_', "-")),
        "title_zh": "层", "title_en": "Layer", "theme": theme, "geometry": "any", "cim_level": 3, "category": "C",
        "classification": "public", "synthetic": true,
        "fields": fields.iter().map(|(n, k)| serde_json::json!({"name": n, "kind": k, "classification": "public"})).collect::<Vec<_>>(),
    });
    Arc::new(serde_json::from_value(form).expect("a layer"))
}

pub(crate) fn feature(id: &str, geometry: Geometry, attributes: Vec<Value>) -> Feature {
    Feature { id: id.into(), geometry, valid: Interval::since(Instant::from_ymd(2001, 5, 1)), attributes }
}

/// Closed ring at `z` from offsets to the origin.
pub(crate) fn ring(points: &[[f64; 2]], z: f64) -> Vec<Point3> {
    points.iter().chain(points.first()).map(|p| [ORIGIN[0] + p[0], ORIGIN[1] + p[1], z]).collect()
}

pub(crate) fn rect(e: f64, n: f64, w: f64, h: f64, z: f64) -> Polygon {
    Polygon::new(ring(&[[e, n], [e + w, n], [e + w, n + h], [e, n + h]], z))
}

pub(crate) fn plan_of(layer: &Layer, features: &[Feature]) -> TilesetPlan {
    TilesetPlan::new(layer, &frame(), features.iter().filter_map(|f| body_bounds(layer, f))).expect("plans").expect("not empty")
}

/// What a query of the cell would give, then the content.
pub(crate) fn content_at(plan: &TilesetPlan, batch: &FeatureBatch, at: (u32, u32, u32)) -> Option<TileContent> {
    let cell = plan.cell(&frame(), at.0, at.1, at.2).expect("projects").expect("a cell");
    let met = |f: &&Feature| f.geometry.bounds().is_some_and(|b| b.plan().intersects(&cell.bounds));
    let asked = FeatureBatch { layer: batch.layer.clone(), features: batch.features.iter().filter(met).cloned().collect() };
    build_content(plan, &cell, &frame(), &asked, None).expect("meshes")
}

/// All features in the root cell, meshed as if so many levels above the leaves.
pub(crate) fn content(layer: &Arc<Layer>, features: Vec<Feature>, steps: u32, relief: Option<&crate::Relief>) -> TileContent {
    let plan = plan_of(layer, &features);
    let cell = Cell { steps, ..plan.cell(&frame(), 0, 0, 0).expect("projects").expect("a root") };
    let batch = FeatureBatch { layer: layer.clone(), features };
    build_content(&plan, &cell, &frame(), &batch, relief).expect("meshes").expect("not empty")
}

pub(crate) fn role(c: &TileContent, role: Role) -> &Primitive {
    c.primitives.iter().find(|p| p.role == Some(role)).unwrap_or_else(|| panic!("no {role:?}"))
}

pub(crate) fn triangles(c: &TileContent) -> usize {
    c.primitives.iter().map(|p| p.indices.len() / 3 * p.instances.len().max(1)).sum()
}

fn corners(p: &Primitive) -> impl Iterator<Item = [[f64; 3]; 3]> + '_ {
    p.indices.chunks_exact(3).map(|t| [0, 1, 2].map(|k| p.positions[t[k] as usize].map(f64::from)))
}

/// Divergence theorem over all primitives.
pub(crate) fn volume<'a>(primitives: impl IntoIterator<Item = &'a Primitive>) -> f64 {
    let det = |[a, b, c]: [[f64; 3]; 3]| {
        a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) + a[2] * (b[0] * c[1] - b[1] * c[0])
    };
    primitives.into_iter().flat_map(corners).map(|t| det(t) / 6.0).sum()
}

/// Every side of a triangle must be met by another one running the other way. Places are told apart at 2 mm.
pub(crate) fn open_sides<'a>(primitives: impl IntoIterator<Item = &'a Primitive>) -> usize {
    let mut sides = std::collections::HashMap::<_, i32>::new();
    let key = |p: [f64; 3]| p.map(|v| (v * 500.0).round() as i64);
    for t in primitives.into_iter().flat_map(corners) {
        for i in 0..3 {
            let (a, b) = (key(t[i]), key(t[(i + 1) % 3]));
            if a != b {
                *sides.entry((a.min(b), a.max(b))).or_default() += if a < b { 1 } else { -1 };
            }
        }
    }
    sides.values().filter(|v| **v != 0).count()
}

/// Working-frame place of a vertex, by the tile's matrix and the exact way back.
pub(crate) fn working(c: &TileContent, p: [f32; 3]) -> Point3 {
    let m = &c.ecef_from_tile;
    let ecef = [0, 1, 2].map(|k| m[12 + k] + (0..3).map(|j| m[4 * j + k] * f64::from(p[j])).sum::<f64>());
    frame().working_from_ecef(ecef).expect("inside")
}

/// Every array of a vertex as long as the others, normals of unit length, faces looking the way of their normals.
pub(crate) fn sound(c: &TileContent) {
    for p in &c.primitives {
        let n = p.positions.len();
        assert!(n > 0 && p.normals.len() == n && p.uv.len() == n && p.uv2.len() == n, "{:?}", p.role);
        assert_eq!(p.feature_rows.len(), if p.instances.is_empty() { n } else { 0 });
        assert!(p.normals.iter().all(|v| (v.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-3), "{:?}", p.role);
        // A line's normals point aside; its faces look up all the same.
        let line = matches!(p.role, Some(Role::Line | Role::Border));
        let (mut with, mut against) = (0.0, 0.0);
        for t in p.indices.chunks_exact(3) {
            let [a, b, c] = [0, 1, 2].map(|k| glam::Vec3::from(p.positions[t[k] as usize]).as_dvec3());
            let face = (b - a).cross(c - a) / 2.0;
            let mean = if line {
                glam::DVec3::Z
            } else {
                t.iter().map(|&i| glam::Vec3::from(p.normals[i as usize]).as_dvec3()).sum::<glam::DVec3>()
            };
            if face.dot(mean) >= 0.0 { with += face.length() } else { against += face.length() }
        }
        assert!(against <= 0.02 * with, "{:?}: {against} m² look inward, {with} outward", p.role);
    }
}
