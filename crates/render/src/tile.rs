//! What a tile is on the device: its meshes, its table of features, and what of both is kept for hands and words.

use crate::{
    cull::Sphere,
    features::{WIDTH, picture},
    gpu::Gpu,
    pick::PickMesh,
    pipelines::{INSTANCE_BYTES, Pipelines, VERTEX_BYTES},
    words::TileWords,
};
use glam::{DMat4, Quat, Vec3};
use std::collections::BTreeSet;
use strata_model::geographic_from_ecef;
use strata_tiles::content::{FeatureTable, Primitive, Role, TileContent};
use wgpu::util::DeviceExt as _;

pub(crate) struct Mesh {
    pub role: Role,
    pub sphere: Sphere,
    pub vertices: wgpu::Buffer,
    pub indices: wgpu::Buffer,
    pub first_index: u32,
    pub index_count: u32,
    pub instances: wgpu::Buffer,
    pub instance_count: u32,
    /// Closed bodies: their far sides never show.
    pub one_sided: bool,
}

pub(crate) struct Tile {
    pub meshes: Vec<Mesh>,
    pub features: wgpu::BindGroup,
    pub texels: wgpu::Texture,
    /// Both texels of each feature: bits of the last say what is chosen, the first has its colour.
    pub heads: Vec<[u32; 4]>,
    pub bits: Vec<[u32; 4]>,
    /// One of its features is chosen, hovered or coloured by a live state.
    pub marked: bool,
    pub pick: PickMesh,
    pub words: TileWords,
    pub ecef_from_tile: DMat4,
    /// Plan metres that keep noise in its place wherever the camera stands, and the origin's ellipsoidal height.
    pub world: [f32; 3],
    pub bytes: u64,
}

impl Tile {
    /// `one`: a buffer with a single placement that leaves a mesh where it is.
    pub fn new(gpu: &Gpu, pipelines: &Pipelines, one: &wgpu::Buffer, content: &TileContent) -> Self {
        let device = &gpu.device;
        let mut bytes = 0;
        let mut buffer = |label, contents: &[u8], usage| {
            bytes += contents.len() as u64;
            filled(gpu, label, contents, usage)
        };
        let drawn = |p: &&Primitive| !p.indices.is_empty() && !p.positions.is_empty();
        // Walls and roofs stand in one pair of buffers, so that shadows and depths take them at once.
        let (mut all_vertices, mut all_indices) = (Vec::new(), Vec::<u32>::new());
        for p in content.primitives.iter().filter(drawn).filter(|p| body(p)) {
            let first = (all_vertices.len() / VERTEX_BYTES as usize) as u32;
            all_vertices.extend(vertices(p, &content.features));
            all_indices.extend(p.indices.iter().map(|i| first + i));
        }
        let bodies = (!all_indices.is_empty()).then(|| {
            let of = buffer("bodies", &all_vertices, wgpu::BufferUsages::VERTEX);
            (of, buffer("indices of bodies", bytemuck::cast_slice(&all_indices), wgpu::BufferUsages::INDEX))
        });
        let mut first_index = 0;
        let mut meshes: Vec<Mesh> = Vec::with_capacity(content.primitives.len());
        for p in content.primitives.iter().filter(drawn).filter(|p| !small_tree(p)) {
            let one_sided = !p.two_sided && closed(p.role.unwrap_or(Role::Other));
            let (role, sphere) = (p.role.unwrap_or(Role::Other), Sphere::around(p));
            let index_count = p.indices.len() as u32;
            if let Some((vertices, indices)) = bodies.as_ref().filter(|_| body(p)) {
                let (vertices, indices, instances) = (vertices.clone(), indices.clone(), one.clone());
                meshes.push(Mesh { role, sphere, vertices, indices, first_index, index_count, instances, instance_count: 1, one_sided });
                first_index += index_count;
                continue;
            }
            let (instances, instance_count) = if p.instances.is_empty() {
                (one.clone(), 1)
            } else {
                let mut all = Vec::with_capacity(p.instances.len() * INSTANCE_BYTES as usize);
                p.instances.iter().for_each(|i| instance(&mut all, i.translation, i.rotation, i.scale, i.feature_row));
                (buffer("instances", &all, wgpu::BufferUsages::VERTEX), p.instances.len() as u32)
            };
            let vertices = buffer("vertices", &vertices(p, &content.features), wgpu::BufferUsages::VERTEX);
            let indices = buffer("indices", bytemuck::cast_slice(&p.indices), wgpu::BufferUsages::INDEX);
            meshes.push(Mesh { role, sphere, vertices, indices, first_index: 0, index_count, instances, instance_count, one_sided });
        }
        // Small trees of all kinds are one mesh.
        for role in [Role::TreeCrown, Role::TreeTrunk] {
            let of_role = content.primitives.iter().filter(drawn).filter(|p| p.role == Some(role) && small_tree(p));
            let (mut all, mut numbers, mut spheres) = (Vec::new(), Vec::new(), Vec::new());
            for p in of_role {
                laid_out(p, &mut all, &mut numbers);
                spheres.push(Sphere::around(p));
            }
            let Some(sphere) = Sphere::over(&spheres) else { continue };
            let vertices = buffer("small trees", &all, wgpu::BufferUsages::VERTEX);
            let indices = buffer("indices of small trees", bytemuck::cast_slice(&numbers), wgpu::BufferUsages::INDEX);
            let index_count = numbers.len() as u32;
            meshes.push(Mesh {
                role,
                sphere,
                vertices,
                indices,
                first_index: 0,
                index_count,
                instances: one.clone(),
                instance_count: 1,
                one_sided: true,
            });
        }
        let (texels, height) = picture(&content.features);
        bytes += texels.len() as u64 * 4;
        let heads = texels.chunks_exact(8).take(content.features.ids.len()).map(|t| [t[0], t[1], t[2], t[3]]).collect();
        let bits = texels.chunks_exact(8).take(content.features.ids.len()).map(|t| [t[4], t[5], t[6], t[7]]).collect();
        let picture_of = device.create_texture_with_data(
            &gpu.queue,
            &wgpu::TextureDescriptor {
                label: Some("features"),
                size: wgpu::Extent3d { width: WIDTH, height, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba32Uint,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            },
            wgpu::util::TextureDataOrder::LayerMajor,
            bytemuck::cast_slice(&texels),
        );
        let features = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("features"),
            layout: &pipelines.features_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::TextureView(&picture_of.create_view(&Default::default())),
            }],
        });
        let ecef_from_tile = DMat4::from_cols_array(&content.ecef_from_tile);
        let [lon, lat, h] = geographic_from_ecef(ecef_from_tile.w_axis.truncate().to_array());
        // Of one parallel for all of a city, so that noise goes on from tile to tile.
        let plan = [lon.to_radians() * 6_378_137.0 * lat.round().to_radians().cos(), lat.to_radians() * 6_378_137.0];
        let world = [plan[0].rem_euclid(16_384.0) as f32, plan[1].rem_euclid(16_384.0) as f32, h as f32];
        let (pick, words) = (PickMesh::new(content), TileWords::new(content));
        Self { meshes, features, texels: picture_of, heads, bits, marked: false, pick, words, ecef_from_tile, world, bytes }
    }
}

/// A buffer with these bytes. Written through the queue: a lost device then leaves an error to the watch and no panic.
pub(crate) fn filled(gpu: &Gpu, label: &str, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let size = (contents.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
    let usage = usage | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false });
    gpu.queue.write_buffer(&buffer, 0, contents);
    buffer
}

/// A placement that changes nothing.
pub(crate) fn one_instance(gpu: &Gpu) -> wgpu::Buffer {
    let mut one = Vec::with_capacity(INSTANCE_BYTES as usize);
    instance(&mut one, [0.0; 3], [0.0, 0.0, 0.0, 1.0], [1.0; 3], 0);
    filled(gpu, "one instance", &one, wgpu::BufferUsages::VERTEX)
}

/// What lies in the ground.
pub(crate) fn under(role: Role) -> bool {
    matches!(role, Role::Pipe | Role::Well | Role::Fitting)
}

/// Meshes of bodies; ribbons and drapes have no far side that something hides.
fn closed(role: Role) -> bool {
    matches!(role, Role::Wall | Role::Roof | Role::Massing | Role::Other | Role::TreeCrown | Role::TreeTrunk)
}

/// Closed bodies of a house or a block, dressed apart but cast and measured alike.
fn body(p: &Primitive) -> bool {
    p.instances.is_empty() && matches!(p.role, Some(Role::Wall | Role::Roof | Role::Massing | Role::Other))
}

/// Triangles of a tree whose placements are drawn as one mesh: for each of them alone an adapter would begin anew.
const SMALL: usize = 40;

fn small_tree(p: &Primitive) -> bool {
    !p.instances.is_empty() && p.indices.len() <= SMALL * 3 && matches!(p.role, Some(Role::TreeCrown | Role::TreeTrunk))
}

/// Adds vertices and indices of all placements of a mesh, each in its place in the tile.
fn laid_out(p: &Primitive, out: &mut Vec<u8>, indices: &mut Vec<u32>) {
    out.reserve(p.instances.len() * p.positions.len() * VERTEX_BYTES as usize);
    indices.reserve(p.instances.len() * p.indices.len());
    for i in &p.instances {
        let first = (out.len() as u64 / VERTEX_BYTES) as u32;
        let (turn, scale, at) = (Quat::from_array(i.rotation), Vec3::from(i.scale), Vec3::from(i.translation));
        indices.extend(p.indices.iter().map(|v| first + v));
        for (j, position) in p.positions.iter().enumerate() {
            let normal = Vec3::from(p.normals.get(j).copied().unwrap_or([0.0, 0.0, 1.0]));
            let normal = (turn * (normal / scale.abs().max(Vec3::splat(1e-3)))).normalize_or(Vec3::Z);
            let row = p.feature_rows.get(j).copied().unwrap_or(0) + i.feature_row;
            vertex(out, (at + turn * (Vec3::from(*position) * scale)).to_array(), normal.to_array(), [0.0; 4], row);
        }
    }
}

fn instance(out: &mut Vec<u8>, at: [f32; 3], turn: [f32; 4], scale: [f32; 3], row: u32) {
    out.extend_from_slice(bytemuck::bytes_of(&at));
    out.extend_from_slice(bytemuck::bytes_of(&turn));
    out.extend_from_slice(bytemuck::bytes_of(&scale));
    out.extend_from_slice(&row.to_le_bytes());
}

fn vertex(out: &mut Vec<u8>, at: [f32; 3], normal: [f32; 3], uvs: [f32; 4], row: u32) {
    out.extend_from_slice(bytemuck::bytes_of(&at));
    out.extend_from_slice(bytemuck::bytes_of(&folded(normal.into())));
    out.extend_from_slice(bytemuck::bytes_of(&uvs));
    out.extend_from_slice(&row.to_le_bytes());
}

/// A direction on an octahedron that is folded flat: 16 bits a side are a hundredth of a degree, where 8 would step on ground that
/// is nearly level. `shaders/vertex.wgsl` unfolds it.
fn folded(normal: Vec3) -> [i16; 2] {
    let n = normal / normal.abs().element_sum();
    let n = if n.is_finite() { n } else { Vec3::Z };
    let wing = |v: f32, other: f32| (1.0 - other.abs()) * 1f32.copysign(v);
    let flat = if n.z >= 0.0 { [n.x, n.y] } else { [wing(n.x, n.y), wing(n.y, n.x)] };
    flat.map(|v| (v.clamp(-1.0, 1.0) * 32_767.0).round() as i16)
}

fn vertices(p: &Primitive, features: &FeatureTable) -> Vec<u8> {
    let packed = (p.role == Some(Role::Road)).then(|| crate::crossings::packed(p, features));
    let uv2s = packed.as_ref().unwrap_or(&p.uv2);
    let mut out = Vec::with_capacity(p.positions.len() * VERTEX_BYTES as usize);
    for (i, position) in p.positions.iter().enumerate() {
        let (uv, uv2) = (p.uv.get(i).copied().unwrap_or_default(), uv2s.get(i).copied().unwrap_or_default());
        let row = p.feature_rows.get(i).copied().unwrap_or(0);
        vertex(&mut out, *position, p.normals.get(i).copied().unwrap_or([0.0, 0.0, 1.0]), [uv[0], uv[1], uv2[0], uv2[1]], row);
    }
    out
}

/// What a hand has marked.
#[derive(Default)]
pub(crate) struct Marked {
    pub chosen: BTreeSet<String>,
    pub hovered: Option<String>,
}

const CHOSEN: u32 = 8;
const HOVERED: u32 = 16;
const PAINTED: u32 = 256;

/// Rewrites the bits of the features that are marked or no longer are.
pub(crate) fn mark(queue: &wgpu::Queue, tile: &mut Tile, marked: &Marked) {
    for (row, bits) in tile.bits.iter_mut().enumerate() {
        let id = tile.pick.ids.get(row);
        let chosen = id.is_some_and(|id| marked.chosen.contains(id));
        let hovered = id.is_some() && id == marked.hovered.as_ref();
        let now = (bits[3] & !(CHOSEN | HOVERED)) | if chosen { CHOSEN } else { 0 } | if hovered { HOVERED } else { 0 };
        if bits[3] == now {
            continue;
        }
        bits[3] = now;
        write_texel(queue, &tile.texels, row as u32 * 2 + 1, bits);
    }
    tile.marked = any_marked(tile);
}

fn any_marked(tile: &Tile) -> bool {
    tile.bits.iter().any(|b| b[3] & (CHOSEN | HOVERED | PAINTED) != 0)
}

fn write_texel(queue: &wgpu::Queue, texture: &wgpu::Texture, texel: u32, numbers: &[u32; 4]) {
    queue.write_texture(
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level: 0,
            origin: wgpu::Origin3d { x: texel % WIDTH, y: texel / WIDTH, z: 0 },
            aspect: wgpu::TextureAspect::All,
        },
        bytemuck::bytes_of(numbers),
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(16), rows_per_image: None },
        wgpu::Extent3d { width: 1, height: 1, depth_or_array_layers: 1 },
    );
}

/// The colour of a live state onto a row, or its own again: two texels, and nothing is loaded.
pub(crate) fn paint(queue: &wgpu::Queue, tile: &mut Tile, row: usize, colour: Option<[u8; 3]>) {
    let (Some(head), Some(bits)) = (tile.heads.get(row), tile.bits.get_mut(row)) else { return };
    let own = head[3];
    let rgb = colour.map_or(own, |[r, g, b]| u32::from_le_bytes([r, g, b, 255]));
    bits[3] = (bits[3] & !PAINTED) | if colour.is_some() { PAINTED } else { 0 };
    write_texel(queue, &tile.texels, row as u32 * 2, &[head[0], head[1], head[2], rgb]);
    write_texel(queue, &tile.texels, row as u32 * 2 + 1, bits);
    tile.marked = colour.is_some() || any_marked(tile);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_folded_direction_is_itself(v in prop::array::uniform3(-1.0..1.0f32)) {
            let n = Vec3::from(v);
            prop_assume!(n.length() > 0.01);
            let [x, y] = folded(n).map(|v| f32::from(v) / 32_767.0);
            // As the shader unfolds it.
            let up = 1.0 - x.abs() - y.abs();
            let over = (-up).max(0.0);
            let back = Vec3::new(x - over.copysign(x), y - over.copysign(y), up);
            prop_assert!(back.angle_between(n).to_degrees() < 0.04, "{n} {back}");
        }
    }

    #[test]
    fn axes_and_level_ground_lose_nothing() {
        for n in [Vec3::X, Vec3::NEG_X, Vec3::Y, Vec3::NEG_Y, Vec3::Z, Vec3::NEG_Z] {
            let [x, y] = folded(n).map(|v| f32::from(v) / 32_767.0);
            let up = 1.0 - x.abs() - y.abs();
            let over = (-up).max(0.0);
            assert!(Vec3::new(x - over.copysign(x), y - over.copysign(y), up).normalize().distance(n) < 1e-6, "{n}");
        }
        assert_eq!(folded(Vec3::ZERO), [0, 0], "a mesh without normals looks up");
        // A slope of a thousandth is told from none: 8 bits held only 8 of them apart.
        assert_ne!(folded(Vec3::new(0.001, 0.0, 1.0)), folded(Vec3::Z));
    }
}
