//! The plan outline of a solid.

use geo::{Coord, LineString, MultiPolygon, unary_union};
use strata_model::{Point3, Polygon, Surface, SurfaceKind};

/// Ground faces as they are; else the union of the roofs in plan, else of all faces that are not upright.
/// Heights of a union are those of the lowest point. Empty when nothing has an area in plan.
pub fn of_surfaces(faces: &[Surface]) -> Vec<Polygon> {
    let kind = |k: SurfaceKind| faces.iter().filter(move |f| f.kind == k).map(|f| &f.polygon).filter(|p| p.plan_area_m2() > 1e-6);
    let ground: Vec<Polygon> = kind(SurfaceKind::Ground).cloned().collect();
    if !ground.is_empty() {
        return ground;
    }
    let mut sources: Vec<&Polygon> = kind(SurfaceKind::Roof).collect();
    if sources.is_empty() {
        sources = faces.iter().map(|f| &f.polygon).filter(|p| p.plan_area_m2() > 1e-6).collect();
    }
    let Some(origin) = sources.first().and_then(|p| p.shell().first()).copied() else { return Vec::new() };
    let lowest = faces.iter().flat_map(|f| f.polygon.rings.iter().flatten()).map(|p| p[2]).fold(f64::INFINITY, f64::min);
    let flat = |r: &Vec<Point3>| LineString::new(r.iter().map(|p| Coord { x: p[0] - origin[0], y: p[1] - origin[1] }).collect());
    let plans: Vec<geo::Polygon> =
        sources.iter().map(|p| geo::Polygon::new(flat(&p.rings[0]), p.rings[1..].iter().map(flat).collect())).collect();
    let union: MultiPolygon = unary_union(&plans);
    let back = |r: &LineString| r.0.iter().map(|c| [c.x + origin[0], c.y + origin[1], lowest]).collect();
    union.0.iter().map(|p| Polygon { rings: std::iter::once(p.exterior()).chain(p.interiors()).map(back).collect() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(kind: SurfaceKind, corners: &[Point3]) -> Surface {
        let mut ring = corners.to_vec();
        ring.push(corners[0]);
        Surface { polygon: Polygon::new(ring), kind }
    }

    #[test]
    fn ground_counts_and_else_the_roofs_are_joined() {
        let wall = face(SurfaceKind::Wall, &[[0.0, 0.0, 0.0], [8.0, 0.0, 0.0], [8.0, 0.0, 5.0], [0.0, 0.0, 5.0]]);
        let left = face(SurfaceKind::Roof, &[[0.0, 0.0, 5.0], [4.0, 0.0, 8.0], [4.0, 6.0, 8.0], [0.0, 6.0, 5.0]]);
        let right = face(SurfaceKind::Roof, &[[4.0, 0.0, 8.0], [8.0, 0.0, 5.0], [8.0, 6.0, 5.0], [4.0, 6.0, 8.0]]);
        let roofs = of_surfaces(&[wall.clone(), left.clone(), right]);
        assert_eq!(roofs.len(), 1);
        assert!((roofs[0].plan_area_m2() - 48.0).abs() < 1e-3 && roofs[0].shell()[0][2] == 0.0);
        let ground = face(SurfaceKind::Ground, &[[0.0, 0.0, 0.0], [0.0, 6.0, 0.0], [8.0, 6.0, 0.0], [8.0, 0.0, 0.0]]);
        assert_eq!(of_surfaces(&[left, ground.clone()]), vec![ground.polygon]);
        assert!(of_surfaces(&[wall]).is_empty(), "a wall has no plan");
    }
}
