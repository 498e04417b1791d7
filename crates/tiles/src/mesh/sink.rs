use super::place::TilePlace;
use super::table::Rows;
use crate::content::{Placement, Primitive, Role, TileContent};
use earcut::Earcut;
use std::collections::BTreeMap;
use strata_model::{Feature, Interval, Layer, Point3};

/// Where meshers put their triangles: one primitive for each role, one row for each feature.
pub(super) struct Sink<'a> {
    place: &'a TilePlace<'a>,
    meshes: BTreeMap<Role, Primitive>,
    instanced: Vec<Primitive>,
    rows: Rows,
    row: u32,
    pub earcut: Earcut<f64>,
}

/// One role's primitive while a feature is put into it.
pub(super) struct Mesh<'m> {
    place: &'m TilePlace<'m>,
    out: &'m mut Primitive,
    row: u32,
}

impl<'a> Sink<'a> {
    pub fn new(place: &'a TilePlace<'a>, layer: &Layer) -> Self {
        Self { place, meshes: BTreeMap::new(), instanced: Vec::new(), rows: Rows::new(layer), row: 0, earcut: Earcut::new() }
    }
    /// What follows belongs to this feature.
    pub fn begin(&mut self, f: &Feature) -> u32 {
        self.begin_as(f, f.valid)
    }
    pub fn begin_as(&mut self, f: &Feature, valid: Interval) -> u32 {
        self.row = self.rows.push(f, valid);
        self.row
    }
    pub fn mesh(&mut self, role: Role) -> Mesh<'_> {
        let out = self.meshes.entry(role).or_insert_with(|| Primitive { role: Some(role), ..Primitive::default() });
        Mesh { place: self.place, out, row: self.row }
    }
    pub fn row(&self) -> u32 {
        self.row
    }
    pub fn local(&self, p: Point3) -> [f32; 3] {
        self.place.local(p).map(|v| v as f32)
    }
    /// A small mesh of its own coordinates, put at many places.
    pub fn instance(&mut self, mut mesh: Primitive, places: &[Placement]) {
        mesh.instances = places.to_vec();
        self.instanced.push(mesh);
    }
    pub fn finish(self, ecef_from_tile: [f64; 16]) -> TileContent {
        let drawn = self.meshes.into_values().filter(|p| !p.indices.is_empty());
        TileContent { ecef_from_tile, primitives: drawn.chain(self.instanced).collect(), features: self.rows.finish() }
    }
}

impl Mesh<'_> {
    /// `p` and the normal in the working frame.
    pub fn vertex(&mut self, p: Point3, normal: [f64; 3], uv: [f64; 2], uv2: [f64; 2]) -> u32 {
        let l = self.place.local(p);
        self.push(l, normal, uv, uv2)
    }
    /// With the plan metres of the tile as `uv`.
    pub fn plan_vertex(&mut self, p: Point3, normal: [f64; 3], uv2: [f64; 2]) -> u32 {
        let l = self.place.local(p);
        self.push(l, normal, [l[0], l[1]], uv2)
    }
    fn push(&mut self, l: Point3, normal: [f64; 3], uv: [f64; 2], uv2: [f64; 2]) -> u32 {
        let o = &mut *self.out;
        o.positions.push(l.map(|v| v as f32));
        o.normals.push(self.place.direction(normal));
        o.uv.push(uv.map(|v| v as f32));
        o.uv2.push(uv2.map(|v| v as f32));
        o.feature_rows.push(self.row);
        o.positions.len() as u32 - 1
    }
    pub fn seen_from_behind(&mut self) {
        self.out.two_sided = true;
    }
    pub fn triangle(&mut self, a: u32, b: u32, c: u32) {
        self.out.indices.extend([a, b, c]);
    }
    /// Corners counter-clockwise seen from outside.
    pub fn quad(&mut self, a: u32, b: u32, c: u32, d: u32) {
        self.out.indices.extend([a, b, c, a, c, d]);
    }
}
