use super::read::{Reader, fault};
use super::{FEATURE_ID, table, tile_from_gltf_matrix, z_up};
use crate::TilesError;
use crate::content::{Placement, Primitive, Role, TileContent};
use glam::{DMat4, DQuat, DVec3};
use serde_json::Value;

const MAX_VERTICES: usize = 32_000_000;
const MAX_NODES: usize = 100_000;
const MAX_DEPTH: usize = 32;

/// Reads a binary glTF: what [`crate::encode_glb`] writes comes back as it was; files by others give their
/// triangles, all brought into the frame of the first mesh's node. Points and lines are passed over.
///
/// Errors, never a panic: bytes that are not GLB, are cut short, point outside themselves, keep their buffers
/// elsewhere or compressed, or would unfold beyond 32 million vertices.
pub fn decode_glb(bytes: &[u8]) -> Result<TileContent, TilesError> {
    let reader = Reader::new(bytes)?;
    if let Some(needed) = reader.json["extensionsRequired"].as_array() {
        const KNOWN: [&str; 5] =
            ["EXT_mesh_features", "EXT_structural_metadata", "EXT_instance_features", "EXT_mesh_gpu_instancing", "KHR_materials_unlit"];
        if let Some(other) = needed.iter().find(|n| !n.as_str().is_some_and(|n| KNOWN.contains(&n))) {
            return Err(TilesError::Glb {
                reason: format!("it needs the extension {}", other.to_string().chars().take(60).collect::<String>()),
            });
        }
    }
    let mut walk = Walk {
        content: TileContent { features: table::read(&reader)?, ..TileContent::default() },
        reader: &reader,
        base: None,
        budget: MAX_VERTICES,
        nodes: MAX_NODES,
        first: None,
    };
    let scene = usize::try_from(reader.json["scene"].as_u64().unwrap_or(0)).unwrap_or(0);
    let roots = reader.json["scenes"][scene]["nodes"].as_array();
    for root in roots.into_iter().flatten() {
        walk.node(root, &DMat4::IDENTITY, 0)?;
    }
    let base = walk.base.or(walk.first).unwrap_or(DMat4::IDENTITY);
    let mut content = walk.content;
    content.ecef_from_tile = tile_from_gltf_matrix(&base.to_cols_array()).map(|v| v + 0.0);
    Ok(content)
}

struct Walk<'a> {
    reader: &'a Reader<'a>,
    content: TileContent,
    /// World matrix of the first mesh: the frame of the content.
    base: Option<DMat4>,
    /// World matrix of the first node, for a file without meshes.
    first: Option<DMat4>,
    budget: usize,
    nodes: usize,
}

impl Walk<'_> {
    fn node(&mut self, index: &Value, parent: &DMat4, depth: usize) -> Result<(), TilesError> {
        let node = index
            .as_u64()
            .and_then(|i| usize::try_from(i).ok())
            .and_then(|i| self.reader.json["nodes"].get(i))
            .ok_or_else(|| fault("no such node"))?;
        self.nodes = self.nodes.checked_sub(1).ok_or_else(|| fault("too many nodes"))?;
        if depth > MAX_DEPTH {
            return Err(fault("nodes too deep in one another"));
        }
        let world = *parent * matrix(node)?;
        if !world.is_finite() {
            return Err(fault("a node's matrix is not finite"));
        }
        self.first.get_or_insert(world);
        if let Some(mesh) = node["mesh"].as_u64().and_then(|i| usize::try_from(i).ok()) {
            let base = *self.base.get_or_insert(world);
            let into = (base != world).then(|| base.inverse() * world);
            if into.is_some_and(|m| !m.is_finite()) {
                return Err(fault("a node's matrix cannot be undone"));
            }
            let places = self.places(node)?;
            for p in self.reader.json["meshes"][mesh]["primitives"].as_array().into_iter().flatten() {
                self.primitive(p, &places, into.as_ref())?;
            }
        }
        for child in node["children"].as_array().into_iter().flatten() {
            self.node(child, &world, depth + 1)?;
        }
        Ok(())
    }

    fn row_fits(&self, row: u32) -> bool {
        let rows = self.content.features.ids.len();
        rows == 0 || (row as usize) < rows
    }

    fn places(&mut self, node: &Value) -> Result<Vec<Placement>, TilesError> {
        let attributes = &node["extensions"]["EXT_mesh_gpu_instancing"]["attributes"];
        if !attributes.is_object() {
            return Ok(Vec::new());
        }
        let translations = self.reader.vectors::<3>(&attributes["TRANSLATION"], &mut self.budget)?;
        let rotations = self.reader.vectors::<4>(&attributes["ROTATION"], &mut self.budget)?;
        let scales = self.reader.vectors::<3>(&attributes["SCALE"], &mut self.budget)?;
        let rows = self.reader.whole(&attributes[FEATURE_ID], &mut self.budget)?;
        let count = translations.len().max(rotations.len()).max(scales.len());
        (0..count)
            .map(|i| {
                let t = translations.get(i).copied().unwrap_or_default();
                let r = rotations.get(i).copied().unwrap_or([0.0, 0.0, 0.0, 1.0]);
                let s = scales.get(i).copied().unwrap_or([1.0; 3]);
                let v = z_up([r[0], r[1], r[2]]);
                let feature_row = rows.get(i).copied().unwrap_or(0);
                if !self.row_fits(feature_row) {
                    return Err(fault("an instance names a row outside the table"));
                }
                Ok(Placement { translation: z_up(t), rotation: [v[0], v[1], v[2], r[3]], scale: [s[0], s[2], s[1]], feature_row })
            })
            .collect()
    }

    fn primitive(&mut self, form: &Value, places: &[Placement], into: Option<&DMat4>) -> Result<(), TilesError> {
        if form["mode"].as_u64().unwrap_or(4) != 4 || form["extensions"].get("KHR_draco_mesh_compression").is_some() {
            return Ok(());
        }
        let attributes = &form["attributes"];
        let mut positions = self.reader.vectors::<3>(&attributes["POSITION"], &mut self.budget)?;
        let mut normals = self.reader.vectors::<3>(&attributes["NORMAL"], &mut self.budget)?;
        if let Some(m) = into {
            let turn = m.inverse().transpose();
            for p in &mut positions {
                *p = m.transform_point3(DVec3::from(p.map(f64::from))).as_vec3().to_array();
            }
            for n in &mut normals {
                *n = turn.transform_vector3(DVec3::from(n.map(f64::from))).normalize_or_zero().as_vec3().to_array();
            }
        }
        let uv = self.reader.vectors::<2>(&attributes["TEXCOORD_0"], &mut self.budget)?;
        let uv2 = self.reader.vectors::<2>(&attributes["TEXCOORD_1"], &mut self.budget)?;
        let feature_rows = self.reader.whole(&attributes[FEATURE_ID], &mut self.budget)?;
        let indices = if form["indices"].is_u64() {
            self.reader.whole(&form["indices"], &mut self.budget)?
        } else {
            (0..positions.len() as u32).collect()
        };
        let n = positions.len();
        let fits = |len: usize| len == n || len == 0;
        if !fits(normals.len()) || !fits(uv.len()) || !fits(uv2.len()) || !fits(feature_rows.len()) {
            return Err(fault("vertex arrays of unlike length"));
        }
        if indices.len() % 3 != 0 || indices.iter().any(|&i| i as usize >= n) {
            return Err(fault("indices that make no triangles"));
        }
        if !feature_rows.iter().all(|&r| self.row_fits(r)) {
            return Err(fault("a vertex names a row outside the table"));
        }
        self.budget = self.budget.checked_sub(places.len()).ok_or_else(|| fault("too many instances"))?;
        let material = form["material"].as_u64().and_then(|i| self.reader.json["materials"].get(usize::try_from(i).ok()?));
        let role = material.and_then(|m| m["name"].as_str()).map_or(Role::Other, Role::from_name);
        let two_sided = material.is_some_and(|m| m["doubleSided"] == true);
        self.content.primitives.push(Primitive {
            role: Some(role),
            positions: positions.into_iter().map(z_up).collect(),
            normals: normals.into_iter().map(z_up).collect(),
            uv,
            uv2,
            feature_rows,
            indices,
            instances: places.to_vec(),
            two_sided,
        });
        Ok(())
    }
}

fn matrix(node: &Value) -> Result<DMat4, TilesError> {
    let list = |key: &str, n: usize| -> Result<Option<Vec<f64>>, TilesError> {
        let Some(form) = node.get(key) else { return Ok(None) };
        let v: Vec<f64> = form.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        if v.len() == n { Ok(Some(v)) } else { Err(fault("a node's place is not readable")) }
    };
    if let Some(m) = list("matrix", 16)? {
        return Ok(DMat4::from_cols_slice(&m));
    }
    let t = list("translation", 3)?.map_or(DVec3::ZERO, |v| DVec3::from_slice(&v));
    let r = list("rotation", 4)?.map_or(DQuat::IDENTITY, |v| DQuat::from_slice(&v).normalize());
    let s = list("scale", 3)?.map_or(DVec3::ONE, |v| DVec3::from_slice(&v));
    Ok(DMat4::from_scale_rotation_translation(s, r, t))
}
