use super::{FEATURE_ID, colour, dress, gltf_from_tile_matrix, table, y_up};
use crate::TilesError;
use crate::content::{Placement, Primitive, Role, TileContent};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const FLOAT: u32 = 5126;
const ARRAY: u32 = 34_962;
const ELEMENTS: u32 = 34_963;

/// The binary chunk as it grows, with its views and accessors.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    views: Vec<Value>,
    accessors: Vec<Value>,
}

impl Buffer {
    /// Views start at multiples of 8, as property tables want.
    pub fn view(&mut self, bytes: &[u8], target: Option<u32>, stride: Option<u32>) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let mut form = Map::new();
        form.insert("buffer".into(), 0.into());
        form.insert("byteOffset".into(), self.bytes.len().into());
        form.insert("byteLength".into(), bytes.len().into());
        if let Some(s) = stride {
            form.insert("byteStride".into(), s.into());
        }
        if let Some(t) = target {
            form.insert("target".into(), t.into());
        }
        self.bytes.extend(bytes);
        self.views.push(Value::Object(form));
        self.views.len() - 1
    }

    fn accessor(&mut self, view: usize, component: u32, count: usize, kind: &str) -> usize {
        self.accessors.push(json!({ "bufferView": view, "componentType": component, "count": count, "type": kind }));
        self.accessors.len() - 1
    }

    fn vectors<const N: usize>(&mut self, values: &[[f32; N]], target: Option<u32>) -> usize
    where
        [f32; N]: bytemuck::Pod,
    {
        let view = self.view(bytemuck::cast_slice(values), target, None);
        let kind = ["", "SCALAR", "VEC2", "VEC3", "VEC4"][N];
        self.accessor(view, FLOAT, values.len(), kind)
    }

    fn indices(&mut self, indices: &[u32], vertices: usize) -> usize {
        if vertices <= 65_535 {
            let short: Vec<u16> = indices.iter().map(|&i| i as u16).collect();
            let view = self.view(bytemuck::cast_slice(&short), Some(ELEMENTS), None);
            self.accessor(view, 5123, indices.len(), "SCALAR")
        } else {
            let view = self.view(bytemuck::cast_slice(indices), Some(ELEMENTS), None);
            self.accessor(view, 5125, indices.len(), "SCALAR")
        }
    }

    /// Rows as 16-bit numbers, each padded to the four bytes that vertex attributes keep; as floats beyond.
    fn feature_rows(&mut self, rows: &[u32]) -> usize {
        if rows.iter().all(|&r| r <= 65_535) {
            let view = self.view(bytemuck::cast_slice(rows), Some(ARRAY), Some(4));
            self.accessor(view, 5123, rows.len(), "SCALAR")
        } else {
            let wide: Vec<[f32; 1]> = rows.iter().map(|&r| [r as f32]).collect();
            self.vectors(&wide, Some(ARRAY))
        }
    }
}

/// Binary glTF 2.0 of a tile. A tile without primitives gives a file with an empty scene.
///
/// Errors: arrays of unlike length, an index or row outside, a number that is not finite, a matrix that is not,
/// more than 4 GiB.
pub fn encode_glb(content: &TileContent) -> Result<Vec<u8>, TilesError> {
    check(content)?;
    let table = &content.features;
    let mut buffer = Buffer::default();
    let mut used: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut meshes, mut nodes, mut materials) = (Vec::new(), vec![json!({})], Vec::new());
    let mut material_of: BTreeMap<(Role, bool, bool), usize> = BTreeMap::new();

    // Runs of primitives that stand at the same places share one node, so their order is kept.
    let drawn: Vec<&Primitive> = content.primitives.iter().filter(|p| !p.positions.is_empty() && !p.indices.is_empty()).collect();
    for run in drawn.chunk_by(|a, b| a.instances == b.instances) {
        let mut primitives = Vec::new();
        for p in run {
            let role = p.role.unwrap_or(Role::Other);
            let colours = if p.feature_rows.is_empty() { None } else { colour::rows(role, table) };
            let mut form = primitive(&mut buffer, p, colours.as_deref());
            if !p.feature_rows.is_empty() && !table.ids.is_empty() {
                used.insert("EXT_mesh_features", true);
                form["extensions"] = json!({ "EXT_mesh_features": { "featureIds": [
                    { "featureCount": table.ids.len(), "attribute": 0, "propertyTable": 0 }
                ]}});
            }
            let material = *material_of.entry((role, colours.is_some(), p.two_sided)).or_insert_with(|| {
                materials.push(material(role, colours.is_some(), p.two_sided));
                materials.len() - 1
            });
            form["material"] = material.into();
            primitives.push(form);
        }
        meshes.push(json!({ "primitives": primitives }));
        let mut node = json!({ "mesh": meshes.len() - 1 });
        let places = &run[0].instances;
        if !places.is_empty() {
            used.insert("EXT_mesh_gpu_instancing", true);
            node["extensions"] = instancing(&mut buffer, places, !table.ids.is_empty());
            if !table.ids.is_empty() {
                used.insert("EXT_instance_features", true);
            }
        }
        nodes.push(node);
    }

    let mut form = json!({ "asset": { "version": "2.0", "generator": "Strata" }, "scene": 0 });
    let matrix = gltf_from_tile_matrix(&content.ecef_from_tile).map(|v| v + 0.0);
    nodes[0]["matrix"] = json!(matrix);
    if nodes.len() > 1 {
        nodes[0]["children"] = (1..nodes.len()).collect();
    }
    form["scenes"] = json!([{ "nodes": [0] }]);
    form["nodes"] = Value::Array(nodes);
    if !meshes.is_empty() {
        form["meshes"] = Value::Array(meshes);
        form["materials"] = Value::Array(materials);
    }
    if !table.ids.is_empty() {
        form["extensions"] = json!({ "EXT_structural_metadata": table::write(&mut buffer, table)? });
        used.insert("EXT_structural_metadata", true);
    }
    if !used.is_empty() {
        form["extensionsUsed"] = used.into_keys().collect();
    }
    buffer.bytes.resize(buffer.bytes.len().next_multiple_of(8), 0);
    if !buffer.bytes.is_empty() {
        form["buffers"] = json!([{ "byteLength": buffer.bytes.len() }]);
        form["bufferViews"] = Value::Array(buffer.views);
    }
    if !buffer.accessors.is_empty() {
        form["accessors"] = Value::Array(buffer.accessors);
    }
    container(&form, &buffer.bytes)
}

fn container(form: &Value, binary: &[u8]) -> Result<Vec<u8>, TilesError> {
    let mut text = form.to_string().into_bytes();
    // The header and the two chunk headers take 28 bytes: the binary chunk stands at a multiple of 8.
    while !(text.len() + 28).is_multiple_of(8) {
        text.push(b' ');
    }
    let chunk = if binary.is_empty() { 0 } else { binary.len() + 8 };
    let total = u32::try_from(20 + text.len() + chunk).map_err(|_| TilesError::Content { reason: "more than 4 GiB".into() })?;
    let mut out = Vec::with_capacity(total as usize);
    out.extend(b"glTF");
    out.extend(2u32.to_le_bytes());
    out.extend(total.to_le_bytes());
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(b"JSON");
    out.extend(text);
    if !binary.is_empty() {
        out.extend((binary.len() as u32).to_le_bytes());
        out.extend(b"BIN\0");
        out.extend(binary);
    }
    Ok(out)
}

fn check(content: &TileContent) -> Result<(), TilesError> {
    let fault = |reason: String| Err(TilesError::Content { reason });
    let rows = content.features.ids.len();
    let t = &content.features;
    if t.valid_from_day.len() != rows || t.valid_to_day.len() != rows || t.columns.values().any(|c| c.len() != rows) {
        return fault("columns of unlike length".into());
    }
    if !content.ecef_from_tile.iter().all(|v| v.is_finite()) {
        return fault("the tile's matrix is not finite".into());
    }
    for (i, p) in content.primitives.iter().enumerate() {
        let n = p.positions.len();
        let fits = |len: usize| len == n || len == 0;
        if !fits(p.normals.len()) || !fits(p.uv.len()) || !fits(p.uv2.len()) || !fits(p.feature_rows.len()) {
            return fault(format!("primitive {i}: vertex arrays of unlike length"));
        }
        if p.indices.len() % 3 != 0 || p.indices.iter().any(|&v| v as usize >= n) {
            return fault(format!("primitive {i}: indices that make no triangles"));
        }
        let rows_ok = |r: u32| (r as usize) < rows.max(1);
        if !p.feature_rows.iter().all(|&r| rows_ok(r)) || !p.instances.iter().all(|s| rows_ok(s.feature_row)) {
            return fault(format!("primitive {i}: a row outside the table"));
        }
        let finite = p.positions.iter().chain(&p.normals).flatten().chain(p.uv.iter().chain(&p.uv2).flatten()).all(|v| v.is_finite());
        let placed = p.instances.iter().all(|s| s.translation.iter().chain(&s.rotation).chain(&s.scale).all(|v| v.is_finite()));
        if !finite || !placed {
            return fault(format!("primitive {i}: a number that is not finite"));
        }
    }
    Ok(())
}

fn primitive(buffer: &mut Buffer, p: &Primitive, colours: Option<&[[u8; 4]]>) -> Value {
    let mut attributes = Map::new();
    let turned: Vec<[f32; 3]> = p.positions.iter().map(|&v| y_up(v)).collect();
    let position = buffer.vectors(&turned, Some(ARRAY));
    let (mut lo, mut hi) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for v in &turned {
        for k in 0..3 {
            // Adding zero turns −0 into 0.
            lo[k] = lo[k].min(v[k] + 0.0);
            hi[k] = hi[k].max(v[k] + 0.0);
        }
    }
    buffer.accessors[position]["min"] = json!(lo);
    buffer.accessors[position]["max"] = json!(hi);
    attributes.insert("POSITION".into(), position.into());
    if !p.normals.is_empty() {
        let turned: Vec<[f32; 3]> = p.normals.iter().map(|&v| y_up(v)).collect();
        attributes.insert("NORMAL".into(), buffer.vectors(&turned, Some(ARRAY)).into());
    }
    if !p.uv.is_empty() {
        attributes.insert("TEXCOORD_0".into(), buffer.vectors(&p.uv, Some(ARRAY)).into());
    }
    if !p.uv2.is_empty() {
        attributes.insert("TEXCOORD_1".into(), buffer.vectors(&p.uv2, Some(ARRAY)).into());
    }
    if !p.feature_rows.is_empty() {
        attributes.insert(FEATURE_ID.into(), buffer.feature_rows(&p.feature_rows).into());
        if let Some(colours) = colours {
            let each: Vec<[u8; 4]> = p.feature_rows.iter().map(|&r| colours.get(r as usize).copied().unwrap_or([255; 4])).collect();
            let view = buffer.view(bytemuck::cast_slice(&each), Some(ARRAY), None);
            let at = buffer.accessor(view, 5121, each.len(), "VEC4");
            buffer.accessors[at]["normalized"] = true.into();
            attributes.insert("COLOR_0".into(), at.into());
        }
    }
    json!({ "attributes": attributes, "indices": buffer.indices(&p.indices, p.positions.len()), "mode": 4 })
}

fn material(role: Role, coloured: bool, two_sided: bool) -> Value {
    let (rgba, metal, rough) = dress(role);
    let rgb = [0, 1, 2].map(|k| if coloured { 1.0 } else { (colour::linear(rgba[k]) * 1e4).round() / 1e4 });
    json!({
        "name": role.name(),
        "doubleSided": two_sided,
        "pbrMetallicRoughness": {
            "baseColorFactor": [rgb[0], rgb[1], rgb[2], 1.0], "metallicFactor": metal, "roughnessFactor": rough,
        },
    })
}

fn instancing(buffer: &mut Buffer, places: &[Placement], with_table: bool) -> Value {
    let translations: Vec<[f32; 3]> = places.iter().map(|p| y_up(p.translation)).collect();
    let rotations: Vec<[f32; 4]> = places
        .iter()
        .map(|p| {
            let v = y_up([p.rotation[0], p.rotation[1], p.rotation[2]]);
            [v[0], v[1], v[2], p.rotation[3]]
        })
        .collect();
    let scales: Vec<[f32; 3]> = places.iter().map(|p| [p.scale[0], p.scale[2], p.scale[1]]).collect();
    let rows: Vec<[f32; 1]> = places.iter().map(|p| [p.feature_row as f32]).collect();
    let mut attributes = json!({
        "TRANSLATION": buffer.vectors(&translations, None),
        "ROTATION": buffer.vectors(&rotations, None),
        "SCALE": buffer.vectors(&scales, None),
    });
    attributes[FEATURE_ID] = buffer.vectors(&rows, None).into();
    let mut out = json!({ "EXT_mesh_gpu_instancing": { "attributes": attributes } });
    if with_table {
        out["EXT_instance_features"] = json!({ "featureIds": [{ "featureCount": places.len(), "attribute": 0, "propertyTable": 0 }] });
    }
    out
}
