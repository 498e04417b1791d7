use super::plan::{self, P2};
use super::sink::Sink;
use super::{Scene, roof, surface};
use crate::content::Role;
use strata_model::{Feature, Geometry, Layer, Polygon, Surface, SurfaceKind};

/// Height over the footprint, m: `height_m`, else 3 m to a floor, else 6 m.
pub(crate) fn height_m(layer: &Layer, f: &Feature) -> f64 {
    let sound = |v: &f64| v.is_finite() && *v > 0.1 && *v < 2000.0;
    let own = feature_number(layer, f, "height_m").filter(sound);
    own.or_else(|| feature_number(layer, f, "floors").map(|n| n * 3.0).filter(sound)).unwrap_or(6.0)
}

fn feature_number(layer: &Layer, f: &Feature, name: &str) -> Option<f64> {
    f.number(layer, name)
}

/// An upright body: rings as [`plan::rings`] has them, foot and top, m.
pub(super) struct Block {
    pub rings: Vec<Vec<P2>>,
    pub base: f64,
    pub top: f64,
}

/// Bodies of a building as LOD1 sees them, whatever its geometry. A building of faces stands on its ground faces
/// (its roofs where it has none) up to its highest point; both are bodies of the whole box when it has neither.
pub(super) fn bodies(layer: &Layer, f: &Feature) -> Vec<Block> {
    let footprint = |p: &Polygon| {
        let rings = plan::rings(p)?;
        let base = rings.iter().flatten().map(|p| p[2]).fold(f64::INFINITY, f64::min);
        Some(Block { rings: plan::flat(&rings), base, top: base + height_m(layer, f) })
    };
    match &f.geometry {
        Geometry::Polygon(p) => footprint(p).into_iter().collect(),
        Geometry::MultiPolygon(ps) => ps.iter().filter_map(footprint).collect(),
        Geometry::Surfaces(faces) => from_faces(faces),
        _ => Vec::new(),
    }
}

fn from_faces(faces: &[Surface]) -> Vec<Block> {
    let heights = faces.iter().flat_map(|s| s.polygon.rings.iter().flatten()).map(|p| p[2]);
    let (base, top) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), z| (lo.min(z), hi.max(z)));
    let of = |kind: SurfaceKind| -> Vec<Block> {
        let kept = faces.iter().filter(|s| s.kind == kind).filter_map(|s| plan::rings(&s.polygon));
        kept.map(|rings| Block { rings: plan::flat(&rings), base, top }).collect()
    };
    let ground = of(SurfaceKind::Ground);
    if !ground.is_empty() {
        return ground;
    }
    let roofs = of(SurfaceKind::Roof);
    if !roofs.is_empty() {
        return roofs;
    }
    let points: Vec<P2> = faces.iter().flat_map(|s| s.polygon.rings.iter().flatten()).map(|p| [p[0], p[1]]).collect();
    let whole = plan::rectangle(&points).filter(|r| r.area() > 0.01);
    whole.map(|r| Block { rings: vec![r.corners().to_vec()], base, top }).into_iter().collect()
}

/// Steps 0: LOD2; above: LOD1.
pub(super) fn building(sink: &mut Sink, scene: &Scene, f: &Feature) {
    if let (Geometry::Surfaces(faces), 0) = (&f.geometry, scene.steps) {
        sink.begin(f);
        surface::faces(sink, faces, None);
        return;
    }
    let bodies = bodies(scene.layer, f);
    if bodies.is_empty() {
        return;
    }
    sink.begin(f);
    for b in &bodies {
        if scene.steps == 0 {
            roof::body(sink, scene, f, b);
        } else {
            extrude(sink, b);
        }
    }
}

/// LOD1: walls, flat roof and floor; a closed body.
pub(super) fn extrude(sink: &mut Sink, b: &Block) {
    let triangles = plan::triangles(&mut sink.earcut, &b.rings);
    walls(sink, &b.rings, b.base, b.top, Role::Wall);
    cap(sink, b, &triangles, b.top, Role::Roof);
    floor(sink, b, &triangles);
}

pub(super) fn floor(sink: &mut Sink, b: &Block, triangles: &[[u32; 3]]) {
    let mut mesh = sink.mesh(Role::Other);
    let at: Vec<u32> = b.rings.iter().flatten().map(|p| mesh.plan_vertex([p[0], p[1], b.base], [0.0, 0.0, -1.0], [0.0; 2])).collect();
    for t in triangles {
        mesh.triangle(at[t[0] as usize], at[t[2] as usize], at[t[1] as usize]);
    }
}

/// A level face at height `z` over the block's rings.
pub(super) fn cap(sink: &mut Sink, b: &Block, triangles: &[[u32; 3]], z: f64, role: Role) {
    let mut mesh = sink.mesh(role);
    let at: Vec<u32> = b.rings.iter().flatten().map(|p| mesh.plan_vertex([p[0], p[1], z], [0.0, 0.0, 1.0], [0.0; 2])).collect();
    for t in triangles {
        mesh.triangle(at[t[0] as usize], at[t[1] as usize], at[t[2] as usize]);
    }
}

/// Upright faces along the rings, the body to their left; each wall has corners of its own.
pub(super) fn walls(sink: &mut Sink, rings: &[Vec<P2>], base: f64, top: f64, role: Role) {
    let mut mesh = sink.mesh(role);
    for ring in rings {
        for i in 0..ring.len() {
            let (a, b) = (ring[i], ring[(i + 1) % ring.len()]);
            let length = (b[0] - a[0]).hypot(b[1] - a[1]);
            let n = [b[1] - a[1], a[0] - b[0], 0.0];
            let size = [length, top - base];
            let mut corner = |p: P2, z: f64, u: f64| mesh.vertex([p[0], p[1], z], n, [u, z - base], size);
            let at = [corner(a, base, 0.0), corner(b, base, length), corner(b, top, length), corner(a, top, 0.0)];
            mesh.quad(at[0], at[1], at[2], at[3]);
        }
    }
}
