//! Tiles on the GPU, and pictures of them.

use crate::{
    Look, Quality, RenderError,
    clock::Clock,
    cull::Sphere,
    features::{WIDTH, picture},
    gpu::Gpu,
    occlusion::{METRES, Occlusion},
    pick::PickMesh,
    pipelines::{COLOUR, DEPTH, INSTANCE_BYTES, Pipelines, VERTEX_BYTES},
    pit::{ceiling, pit},
    shadow::cascades,
    uniforms::{Draw, Frame, frame},
    words::TileWords,
};
use glam::{DMat4, DVec3, DVec4, Mat4, Vec3};
use std::collections::{BTreeMap, BTreeSet};
use strata_model::geographic_from_ecef;
use strata_scene::{Mode, View};
use strata_tiles::content::{FeatureTable, Primitive, Role, TileContent};
use wgpu::util::DeviceExt as _;

/// Name of an uploaded tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileHandle(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameStats {
    pub draws: u32,
    pub triangles: u64,
    /// Of tiles; the pictures that are drawn into are counted by [`Renderer::target_bytes`].
    pub gpu_bytes: u64,
    /// Uniform buffers that differed from the last picture's: one (the frame's) when only time or light moved.
    pub uniforms_written: u32,
}

/// The numbers of a picture on the device; written only where they changed.
struct Uniforms {
    frames: wgpu::Buffer,
    draws: wgpu::Buffer,
    frame_group: wgpu::BindGroup,
    draw_group: wgpu::BindGroup,
    last_frames: Vec<u8>,
    last_draws: Vec<u8>,
}

impl Uniforms {
    fn new(device: &wgpu::Device, pipelines: &Pipelines) -> Self {
        let buffer = |label, size| {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let (frames, draws) = (buffer("frames", FRAME_STRIDE * 5), buffer("draws", STRIDE * 256));
        Self {
            frame_group: group_of(device, &pipelines.frame_layout, &frames, size_of::<Frame>()),
            draw_group: group_of(device, &pipelines.draw_layout, &draws, size_of::<Draw>()),
            frames,
            draws,
            last_frames: Vec::new(),
            last_draws: Vec::new(),
        }
    }
    /// How many of the two buffers had to be written.
    fn write(&mut self, gpu: &Gpu, pipelines: &Pipelines, frames: &[u8], draws: &[u8]) -> u32 {
        let mut written = 0;
        if draws.len() as u64 > self.draws.size() {
            let size = (draws.len() as u64).next_power_of_two();
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            self.draws = gpu.device.create_buffer(&wgpu::BufferDescriptor { label: Some("draws"), size, usage, mapped_at_creation: false });
            self.draw_group = group_of(&gpu.device, &pipelines.draw_layout, &self.draws, size_of::<Draw>());
            self.last_draws.clear();
        }
        for (buffer, last, now) in [(&self.frames, &mut self.last_frames, frames), (&self.draws, &mut self.last_draws, draws)] {
            if last != now {
                gpu.queue.write_buffer(buffer, 0, now);
                now.clone_into(last);
                written += 1;
            }
        }
        written
    }
}

fn group_of(device: &wgpu::Device, layout: &wgpu::BindGroupLayout, buffer: &wgpu::Buffer, bytes: usize) -> wgpu::BindGroup {
    let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: 0, size: std::num::NonZeroU64::new(bytes as u64) });
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &[wgpu::BindGroupEntry { binding: 0, resource }] })
}

/// A buffer with these bytes. Written through the queue: a lost device then leaves an error to the watch and no panic.
fn filled(gpu: &Gpu, label: &str, contents: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let size = (contents.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
    let usage = usage | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false });
    gpu.queue.write_buffer(&buffer, 0, contents);
    buffer
}

struct Mesh {
    role: Role,
    sphere: Sphere,
    vertices: wgpu::Buffer,
    indices: wgpu::Buffer,
    first_index: u32,
    index_count: u32,
    instances: wgpu::Buffer,
    instance_count: u32,
}

struct Tile {
    meshes: Vec<Mesh>,
    features: wgpu::BindGroup,
    texels: wgpu::Texture,
    /// Both texels of each feature: bits of the last say what is chosen, the first has its colour.
    heads: Vec<[u32; 4]>,
    bits: Vec<[u32; 4]>,
    pick: PickMesh,
    words: TileWords,
    ecef_from_tile: DMat4,
    /// Plan metres that keep noise in its place wherever the camera stands, and the origin's ellipsoidal height.
    world: [f32; 3],
    bytes: u64,
}

/// Draws into a picture of its own; [`Renderer::read_rgba`] gives it back.
pub struct Renderer {
    gpu: Gpu,
    size: [u32; 2],
    quality: Quality,
    pipelines: Pipelines,
    colour: wgpu::Texture,
    colour_ms: Option<wgpu::TextureView>,
    depth: wgpu::TextureView,
    shadow_map: wgpu::TextureView,
    shadow_sampler: wgpu::Sampler,
    shadow_group: wgpu::BindGroup,
    /// Made when a picture first wants it; what x-ray reads is in the shadow's group.
    occlusion: Option<Occlusion>,
    shading: bool,
    clock: Clock,
    identity: wgpu::Buffer,
    /// The excavation or the grid overhead that was last drawn.
    stage: Option<(TileContent, TileHandle)>,
    tiles: BTreeMap<TileHandle, Tile>,
    next: u64,
    marked: Marked,
    uniforms: Uniforms,
    /// How the picture goes onto a surface of this format.
    blit: Option<(wgpu::TextureFormat, wgpu::RenderPipeline)>,
    pub(crate) overlays: crate::overlay::Overlays,
}

struct Targets {
    colour: wgpu::Texture,
    colour_ms: Option<wgpu::TextureView>,
    depth: wgpu::TextureView,
}

impl Targets {
    fn new(device: &wgpu::Device, size: [u32; 2], samples: u32) -> Self {
        let attached = wgpu::TextureUsages::RENDER_ATTACHMENT;
        let used = attached | wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::TEXTURE_BINDING;
        let view = |label, format| texture(device, label, size, format, samples, attached).create_view(&Default::default());
        Self {
            colour: texture(device, "picture", size, COLOUR, 1, used),
            colour_ms: (samples > 1).then(|| view("samples", COLOUR)),
            depth: view("depth", DEPTH),
        }
    }
}

pub(crate) fn texture(
    device: &wgpu::Device,
    label: &str,
    [width, height]: [u32; 2],
    format: wgpu::TextureFormat,
    sample_count: u32,
    usage: wgpu::TextureUsages,
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    })
}

/// What a hand has marked.
#[derive(Default)]
struct Marked {
    chosen: BTreeSet<String>,
    hovered: Option<String>,
}

/// Rewrites the bits of the features that are marked or no longer are.
fn mark(queue: &wgpu::Queue, tile: &mut Tile, marked: &Marked) {
    const CHOSEN: u32 = 8;
    const HOVERED: u32 = 16;
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
fn paint(queue: &wgpu::Queue, tile: &mut Tile, row: usize, colour: Option<[u8; 3]>) {
    const PAINTED: u32 = 256;
    let (Some(head), Some(bits)) = (tile.heads.get(row), tile.bits.get_mut(row)) else { return };
    let own = head[3];
    let rgb = colour.map_or(own, |[r, g, b]| u32::from_le_bytes([r, g, b, 255]));
    bits[3] = (bits[3] & !PAINTED) | if colour.is_some() { PAINTED } else { 0 };
    write_texel(queue, &tile.texels, row as u32 * 2, &[head[0], head[1], head[2], rgb]);
    write_texel(queue, &tile.texels, row as u32 * 2 + 1, bits);
}

const STRIDE: u64 = 256;
/// Slots of the frame's buffer: the eye, then four cascades.
const FRAME_STRIDE: u64 = (size_of::<Frame>() as u64).div_ceil(STRIDE) * STRIDE;

impl Renderer {
    /// With no window. Fails where there is no adapter at all.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn headless(width: u32, height: u32, quality: Quality) -> Result<Self, RenderError> {
        Self::on(Gpu::open().await?, [width, height], quality)
    }
    pub(crate) fn on(gpu: Gpu, size: [u32; 2], quality: Quality) -> Result<Self, RenderError> {
        let most = gpu.device.limits().max_texture_dimension_2d;
        let [width, height] = size;
        if width == 0 || height == 0 || width > most || height > most {
            return Err(RenderError::Size { width, height, most });
        }
        let pipelines = Pipelines::new(&gpu.device, quality, gpu.measures);
        let Targets { colour, colour_ms, depth } = Targets::new(&gpu.device, size, quality.samples());
        let side = quality.shadow_px().min(most);
        let used = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING;
        let shadow_map = texture(&gpu.device, "shadow", [side, side], DEPTH, 1, used).create_view(&Default::default());
        let shadow_sampler = gpu.device.create_sampler(&wgpu::SamplerDescriptor {
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            compare: Some(wgpu::CompareFunction::LessEqual),
            ..Default::default()
        });
        let used = wgpu::TextureUsages::TEXTURE_BINDING;
        let no_metres = texture(&gpu.device, "no metres", [1, 1], METRES, 1, used).create_view(&Default::default());
        let shadow_group = light_group(&gpu.device, &pipelines, &shadow_map, &shadow_sampler, &no_metres);
        let mut one = Vec::with_capacity(INSTANCE_BYTES as usize);
        instance(&mut one, [0.0; 3], [0.0, 0.0, 0.0, 1.0], [1.0; 3], 0);
        let identity = filled(&gpu, "one instance", &one, wgpu::BufferUsages::VERTEX);
        let uniforms = Uniforms::new(&gpu.device, &pipelines);
        Ok(Self {
            gpu,
            size,
            quality,
            pipelines,
            colour,
            colour_ms,
            depth,
            shadow_map,
            shadow_sampler,
            shadow_group,
            occlusion: None,
            shading: quality.occlusion(),
            clock: Clock::default(),
            identity,
            tiles: BTreeMap::new(),
            next: 0,
            marked: Marked::default(),
            stage: None,
            uniforms,
            blit: None,
            overlays: Default::default(),
        })
    }

    /// What draws: the adapter's name, its interface and its driver.
    pub fn adapter(&self) -> &str {
        &self.gpu.adapter_name
    }
    pub(crate) fn watch(&self) -> &crate::gpu::Watch {
        &self.gpu.watch
    }
    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.gpu.device
    }
    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.gpu.queue
    }
    /// Ambient occlusion on or off, whatever the preset has.
    pub fn set_occlusion(&mut self, on: bool) {
        self.shading = on;
    }
    /// From now on the device tells how long each pass takes, where it can.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn time_passes(&mut self) {
        self.clock = Clock::new(&self.gpu);
    }
    /// Name and milliseconds of each pass of the last picture; waits for it. Empty unless [`Renderer::time_passes`] was called.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn pass_times(&self) -> Vec<(&'static str, f64)> {
        self.clock.read(&self.gpu.device)
    }
    /// Waits until the last picture is whole.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn finish(&self) -> Result<(), RenderError> {
        let done = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
        done.map(|_| ()).map_err(|e| RenderError::Device(e.to_string()))
    }
    /// Graphics memory of all that is drawn into: picture, samples, depths, shadows, occlusion, uniforms.
    pub fn target_bytes(&self) -> u64 {
        let pixels = u64::from(self.size[0]) * u64::from(self.size[1]);
        let samples = u64::from(self.quality.samples());
        let side = u64::from(self.quality.shadow_px().min(self.gpu.device.limits().max_texture_dimension_2d));
        let picture = pixels * 4 * if samples > 1 { 1 + samples } else { 1 } + pixels * 4 * samples;
        let occlusion = self.occlusion.as_ref().map_or(0, Occlusion::bytes);
        picture + side * side * 4 + occlusion + self.uniforms.frames.size() + self.uniforms.draws.size()
    }
    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }
    pub(crate) fn pipelines(&self) -> &Pipelines {
        &self.pipelines
    }
    pub(crate) fn samples(&self) -> u32 {
        self.quality.samples()
    }
    pub(crate) fn has_ground(&self, handle: TileHandle) -> bool {
        self.tiles.get(&handle).is_some_and(|t| t.pick.ground_parts().next().is_some())
    }
    /// The triangles of the ground of these tiles in another east-north-up frame, m.
    pub(crate) fn for_each_ground(&self, tiles: &[TileHandle], enu: &strata_model::Enu, f: &mut dyn FnMut([Vec3; 3])) {
        for tile in tiles.iter().filter_map(|h| self.tiles.get(h)) {
            for (positions, indices) in tile.pick.ground_parts() {
                let local =
                    |p: &Vec3| DVec3::from(enu.local_from_ecef(tile.ecef_from_tile.transform_point3(p.as_dvec3()).to_array())).as_vec3();
                let positions: Vec<Vec3> = positions.iter().map(local).collect();
                let corner = |i: u32| positions.get(i as usize).copied().unwrap_or(Vec3::ZERO);
                indices.chunks_exact(3).for_each(|t| f([corner(t[0]), corner(t[1]), corner(t[2])]));
            }
        }
    }
    /// Colours a body of the city as data, or gives it its own face back.
    pub(crate) fn paint(&mut self, id: &str, colour: Option<[u8; 3]>) {
        for tile in self.tiles.values_mut() {
            if let Some(row) = tile.pick.ids.iter().position(|i| i == id) {
                paint(&self.gpu.queue, tile, row, colour);
            }
        }
    }
    /// New targets for another size; tiles stay.
    pub fn resize(&mut self, size: [u32; 2]) -> Result<(), RenderError> {
        let most = self.gpu.device.limits().max_texture_dimension_2d;
        if size.contains(&0) || size.iter().any(|s| *s > most) {
            return Err(RenderError::Size { width: size[0], height: size[1], most });
        }
        let Targets { colour, colour_ms, depth } = Targets::new(&self.gpu.device, size, self.quality.samples());
        (self.colour, self.colour_ms, self.depth, self.size) = (colour, colour_ms, depth, size);
        Ok(())
    }
    /// The last picture onto a window's or canvas's own texture.
    pub fn blit(&mut self, target: &wgpu::TextureView, format: wgpu::TextureFormat) {
        self.blit_strip(target, format, [0, self.size[0]]);
    }
    /// The same of the columns `from..to` alone, px; what is beside them stays unless the strip begins at the left.
    pub fn blit_strip(&mut self, target: &wgpu::TextureView, format: wgpu::TextureFormat, [from, to]: [u32; 2]) {
        let to = to.min(self.size[0]);
        let load = if from == 0 { wgpu::LoadOp::Clear(wgpu::Color::BLACK) } else { wgpu::LoadOp::Load };
        let device = &self.gpu.device;
        if self.blit.as_ref().is_none_or(|(f, _)| *f != format) {
            self.blit = Some((format, self.pipelines.blit(device, format)));
        }
        let Some((_, pipeline)) = &self.blit else { return };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("blit"),
            layout: &self.pipelines.blit_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 2,
                resource: wgpu::BindingResource::TextureView(&self.colour.create_view(&Default::default())),
            }],
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("blit"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations { load, store: wgpu::StoreOp::Store },
                })],
                ..Default::default()
            });
            if from < to {
                pass.set_scissor_rect(from, 0, to - from, self.size[1]);
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, &group, &[]);
                pass.draw(0..3, 0..1);
            }
        }
        self.gpu.queue.submit([encoder.finish()]);
    }
    /// Marks the feature of this id in every tile that has it or will have it; `None` marks none.
    pub fn select(&mut self, id: Option<&str>) {
        self.select_all(id.map(str::to_owned).into_iter().collect());
    }
    /// Marks these and no others.
    pub fn select_all(&mut self, ids: BTreeSet<String>) {
        self.marked.chosen = ids;
        for tile in self.tiles.values_mut() {
            mark(&self.gpu.queue, tile, &self.marked);
        }
    }
    /// What the pointer is over, a little lighter; true when that is another than before.
    pub fn hover(&mut self, id: Option<&str>) -> bool {
        if self.marked.hovered.as_deref() == id {
            return false;
        }
        self.marked.hovered = id.map(str::to_owned);
        for tile in self.tiles.values_mut() {
            mark(&self.gpu.queue, tile, &self.marked);
        }
        true
    }
    pub(crate) fn mesh_of(&self, handle: TileHandle) -> Option<(&DMat4, &PickMesh)> {
        self.tiles.get(&handle).map(|t| (&t.ecef_from_tile, &t.pick))
    }
    pub(crate) fn axes_of(&self, handle: TileHandle, row: u32) -> Vec<&[Vec3]> {
        self.tiles.get(&handle).map(|t| t.words.axes(row)).unwrap_or_default()
    }
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    pub fn upload(&mut self, content: &TileContent) -> TileHandle {
        let device = &self.gpu.device;
        let mut bytes = 0;
        let mut buffer = |label, contents: &[u8], usage| {
            bytes += contents.len() as u64;
            filled(&self.gpu, label, contents, usage)
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
        let meshes = content
            .primitives
            .iter()
            .filter(drawn)
            .map(|p| {
                if let Some((vertices, indices)) = bodies.as_ref().filter(|_| body(p)) {
                    let index_count = p.indices.len() as u32;
                    first_index += index_count;
                    return Mesh {
                        role: p.role.unwrap_or(Role::Other),
                        sphere: Sphere::around(p),
                        vertices: vertices.clone(),
                        indices: indices.clone(),
                        first_index: first_index - index_count,
                        index_count,
                        instances: self.identity.clone(),
                        instance_count: 1,
                    };
                }
                let (instances, instance_count) = if p.instances.is_empty() {
                    (self.identity.clone(), 1)
                } else {
                    let mut all = Vec::with_capacity(p.instances.len() * INSTANCE_BYTES as usize);
                    p.instances.iter().for_each(|i| instance(&mut all, i.translation, i.rotation, i.scale, i.feature_row));
                    (buffer("instances", &all, wgpu::BufferUsages::VERTEX), p.instances.len() as u32)
                };
                Mesh {
                    role: p.role.unwrap_or(Role::Other),
                    sphere: Sphere::around(p),
                    vertices: buffer("vertices", &vertices(p, &content.features), wgpu::BufferUsages::VERTEX),
                    indices: buffer("indices", bytemuck::cast_slice(&p.indices), wgpu::BufferUsages::INDEX),
                    first_index: 0,
                    index_count: p.indices.len() as u32,
                    instances,
                    instance_count,
                }
            })
            .collect();
        let (texels, height) = picture(&content.features);
        bytes += texels.len() as u64 * 4;
        let heads = texels.chunks_exact(8).take(content.features.ids.len()).map(|t| [t[0], t[1], t[2], t[3]]).collect();
        let bits = texels.chunks_exact(8).take(content.features.ids.len()).map(|t| [t[4], t[5], t[6], t[7]]).collect();
        let picture_of = device.create_texture_with_data(
            &self.gpu.queue,
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
            layout: &self.pipelines.features_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::TextureView(&picture_of.create_view(&Default::default())),
            }],
        });
        let ecef_from_tile = DMat4::from_cols_array(&content.ecef_from_tile);
        let [lon, lat, h] = geographic_from_ecef(ecef_from_tile.w_axis.truncate().to_array());
        let plan = [lon.to_radians() * 6_378_137.0 * lat.to_radians().cos(), lat.to_radians() * 6_378_137.0];
        let world = [plan[0].rem_euclid(16_384.0) as f32, plan[1].rem_euclid(16_384.0) as f32, h as f32];
        let handle = TileHandle(self.next);
        self.next += 1;
        let (pick, words) = (PickMesh::new(content), TileWords::new(content));
        let mut tile = Tile { meshes, features, texels: picture_of, heads, bits, pick, words, ecef_from_tile, world, bytes };
        mark(&self.gpu.queue, &mut tile, &self.marked);
        for row in 0..tile.pick.ids.len() {
            if let Some(colour) = self.overlays.state(&tile.pick.ids[row]).and_then(|s| s.colour) {
                paint(&self.gpu.queue, &mut tile, row, Some(colour));
            }
        }
        self.tiles.insert(handle, tile);
        handle
    }
    pub(crate) fn words_of<'a>(&'a self, tiles: &'a [TileHandle]) -> impl Iterator<Item = (&'a DMat4, &'a TileWords)> {
        tiles.iter().filter_map(|h| self.tiles.get(h)).map(|t| (&t.ecef_from_tile, &t.words))
    }
    pub fn release(&mut self, handle: TileHandle) {
        self.tiles.remove(&handle);
    }
    pub fn tile_bytes(&self, handle: TileHandle) -> u64 {
        self.tiles.get(&handle).map_or(0, |t| t.bytes)
    }
    pub fn gpu_bytes(&self) -> u64 {
        self.tiles.values().map(|t| t.bytes).sum()
    }

    /// Another quality on the same device; tiles stay.
    pub fn set_quality(&mut self, quality: Quality) -> Result<(), RenderError> {
        let fresh = Self::on(self.gpu.clone(), self.size, quality)?;
        let old = std::mem::replace(self, fresh);
        (self.tiles, self.next, self.marked, self.stage, self.clock) = (old.tiles, old.next, old.marked, old.stage, old.clock);
        self.overlays = old.overlays;
        self.overlays.forget_device();
        Ok(())
    }
    /// Draws these tiles. The same tiles, view and look give the same picture on the same adapter.
    pub fn draw(&mut self, view: &View, look: &Look, tiles: &[TileHandle]) -> FrameStats {
        let whole: Vec<(TileHandle, f32)> = tiles.iter().map(|h| (*h, 1.0)).collect();
        self.draw_faded(view, look, &whole)
    }
    /// The same with the fade of each tile, as [`strata_scene::Drawn`] has it.
    pub fn draw_faded(&mut self, view: &View, look: &Look, tiles: &[(TileHandle, f32)]) -> FrameStats {
        let pit = match look.mode {
            Mode::Cutaway => Some(self.stage_at(view, pit(look.cut_m))),
            Mode::Below => Some(self.stage_at(view, ceiling(look.grid.unwrap_or_default()))),
            Mode::Surface | Mode::Xray => None,
        };
        // Under the ground there is no sky that could be hidden.
        let shading = self.shading && self.gpu.measures && look.mode != Mode::Below;
        let measuring = shading || (self.gpu.measures && look.mode == Mode::Xray);
        self.ready_occlusion(measuring, shading);
        let written_over = self.ready_overlays(view, look, tiles);
        let device = &self.gpu.device;
        let side = self.quality.shadow_px().min(device.limits().max_texture_dimension_2d);
        let cascades = cascades(view, look.sun.direction_enu(), side);
        let mut main = frame(view, look, &cascades);
        main.eye[3] = f32::from(u8::from(shading));
        let mut frames = vec![0u8; (FRAME_STRIDE * 5) as usize];
        let mut put = |slot: u64, f: &Frame| {
            let at = (slot * FRAME_STRIDE) as usize;
            frames[at..at + size_of::<Frame>()].copy_from_slice(bytemuck::bytes_of(f));
        };
        put(0, &main);
        for (i, c) in cascades.iter().enumerate() {
            put(i as u64 + 1, &Frame { clip: c.clip_from_enu.to_cols_array_2d(), ..main });
        }
        // From under the ground its surface is a lid; what lies beneath is what one has come for.
        let lid = |m: &Mesh| look.mode == Mode::Below && !under(m.role) && m.role != Role::Other;
        let list: Vec<(&Tile, &Mesh, f32)> = tiles
            .iter()
            .copied()
            .chain(pit.map(|h| (h, 1.0)))
            .filter_map(|(h, fade)| Some((self.tiles.get(&h)?, fade)))
            .flat_map(|(t, fade)| t.meshes.iter().map(move |m| (t, m, fade)))
            .filter(|(_, m, _)| !lid(m))
            .collect();
        let mut draws = vec![0u8; (STRIDE as usize) * list.len().max(1)];
        // Around each mesh, eye as origin.
        let mut spheres = Vec::with_capacity(list.len());
        for (i, (tile, mesh, fade)) in list.iter().enumerate() {
            let d = draw_of(view, look, tile, mesh.role, i as u32, *fade);
            spheres.push(mesh.sphere.moved(&Mat4::from_cols_array_2d(&d.enu_from_tile)));
            draws[i * STRIDE as usize..i * STRIDE as usize + size_of::<Draw>()].copy_from_slice(bytemuck::bytes_of(&d));
        }
        let written = self.uniforms.write(&self.gpu, &self.pipelines, &frames, &draws);
        let (frame_group, draw_group) = (&self.uniforms.frame_group, &self.uniforms.draw_group);
        let mut stats = FrameStats { gpu_bytes: self.gpu_bytes(), uniforms_written: written + written_over, ..Default::default() };
        let mut encoder = device.create_command_encoder(&Default::default());
        self.clock.begin();
        let pit_number = pit.map(|_| list.len().saturating_sub(1));
        // What shows, in the order of roles: few changes of pipeline. The near before the far, which it hides, and upright
        // bodies before the ground, so that little is dressed that is then covered.
        // A trunk of a third of a pixel is no picture of a trunk.
        let seen = |k: usize| {
            let s = &spheres[k];
            let nearest = f64::from((s.centre.length() - s.radius).max(0.0));
            s.in_view(view) && (list[k].1.role != Role::TreeTrunk || view.metres_per_px(nearest) < 0.9)
        };
        let mut order: Vec<usize> = (0..list.len()).filter(|&k| Some(k) == pit_number || seen(k)).collect();
        let turn = |role: Role| match role {
            Role::Wall => 0,
            Role::Roof | Role::Massing => 1,
            Role::Terrain => 99,
            other => 2 + other as u8,
        };
        let near = |k: usize| (spheres[k].centre.length() - spheres[k].radius).max(0.0);
        order.sort_by(|&a, &b| turn(list[a].1.role).cmp(&turn(list[b].1.role)).then(near(a).total_cmp(&near(b))));
        let (beneath, above): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&k| look.mode == Mode::Xray && under(list[k].1.role));
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("shadow"),
                color_attachments: &[],
                depth_stencil_attachment: Some(attachment(&self.shadow_map, 1.0)),
                timestamp_writes: self.clock.pass("shadow"),
                ..Default::default()
            });
            pass.set_pipeline(&self.pipelines.shadow);
            let half = (side / 2) as f32;
            for (i, cascade) in cascades.iter().enumerate() {
                pass.set_viewport((i % 2) as f32 * half, (i / 2) as f32 * half, half, half, 0.0, 1.0);
                pass.set_bind_group(0, frame_group, &[((i as u64 + 1) * FRAME_STRIDE) as u32]);
                // What leaves casts no shadow any more: its successor does.
                let cast = |k: usize, m: &Mesh, fade: f32| casts(m.role) && fade >= 0.0 && !(pit.is_some() && k + 1 == list.len());
                // A trunk's shadow is thinner than a texel of the far cascades.
                let fine = |m: &Mesh| m.role != Role::TreeTrunk || cascade.texel_m < 0.5;
                let falls = |k: &usize| {
                    let (_, m, fade) = &list[*k];
                    cast(*k, m, *fade) && fine(m) && spheres[*k].in_cascade(cascade)
                };
                for run in runs(&list, (0..list.len()).filter(falls)) {
                    submit_run(&mut pass, &list, run, draw_group, &mut stats);
                }
            }
        }
        let occlusion = self.occlusion.as_ref().filter(|_| measuring);
        if let Some(o) = occlusion {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("metres"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &o.metres,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT), store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(attachment(&o.depth, 0.0)),
                timestamp_writes: self.clock.pass("metres"),
                ..Default::default()
            });
            pass.set_pipeline(&self.pipelines.metres);
            pass.set_bind_group(0, frame_group, &[0]);
            // Bare crowns hide little.
            let matter = |role: Role| !under(role) && (role != Role::TreeCrown || look.leaves > 0.5);
            let mut measured: Vec<usize> = above.iter().copied().filter(|&k| matter(list[k].1.role) && Some(k) != pit_number).collect();
            measured.sort_unstable();
            for run in runs(&list, measured.into_iter()) {
                submit_run(&mut pass, &list, run, draw_group, &mut stats);
            }
        }
        let shade = occlusion.and_then(|o| o.shade.as_ref()).filter(|_| shading);
        let finished = self.colour.create_view(&Default::default());
        let view_of = shade.map_or(&finished, |s| &s.unshaded);
        {
            let (target, resolve) = match &self.colour_ms {
                Some(samples) => (samples, Some(view_of)),
                None => (view_of, None),
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("matter"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: resolve,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(attachment(&self.depth, 0.0)),
                timestamp_writes: self.clock.pass("matter"),
                ..Default::default()
            });
            pass.set_bind_group(0, frame_group, &[0]);
            pass.set_bind_group(3, &self.shadow_group, &[]);
            for k in above {
                let (tile, mesh, _) = list[k];
                let stage = if look.mode == Mode::Below { &self.pipelines.ceiling } else { &self.pipelines.earth };
                pass.set_pipeline(if Some(k) == pit_number { stage } else { self.pipelines.matter(mesh.role) });
                submit(&mut pass, tile, mesh, draw_group, k, &mut stats);
            }
            if let Some((tile, ..)) = list.first() {
                pass.set_pipeline(&self.pipelines.sky);
                pass.set_bind_group(1, draw_group, &[0]);
                pass.set_bind_group(2, &tile.features, &[]);
                pass.draw(0..3, 0..1);
            }
        }
        if !beneath.is_empty() {
            // X-ray: what lies beneath over what lies above, with a depth of its own.
            let (target, resolve) = match &self.colour_ms {
                Some(samples) => (samples, Some(view_of)),
                None => (view_of, None),
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("beneath"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: resolve,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(attachment(&self.depth, 0.0)),
                timestamp_writes: self.clock.pass("beneath"),
                ..Default::default()
            });
            pass.set_bind_group(0, frame_group, &[0]);
            pass.set_bind_group(3, &self.shadow_group, &[]);
            for k in beneath {
                let (tile, mesh, _) = list[k];
                pass.set_pipeline(self.pipelines.matter(mesh.role));
                submit(&mut pass, tile, mesh, draw_group, k, &mut stats);
            }
        }
        // Before the shading: what they cover is data and refuses it by its alpha.
        if self.overlays.any() {
            let (target, resolve) = match &self.colour_ms {
                Some(samples) => (samples, Some(view_of)),
                None => (view_of, None),
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("overlays"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: target,
                    depth_slice: None,
                    resolve_target: resolve,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store },
                })],
                depth_stencil_attachment: Some(wgpu::RenderPassDepthStencilAttachment {
                    view: &self.depth,
                    depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store }),
                    stencil_ops: None,
                }),
                ..Default::default()
            });
            stats.draws += self.overlays.draw(&mut pass, frame_group, look.mode == Mode::Below);
        }
        if let Some(shade) = shade {
            shade.draw(&mut encoder, &self.pipelines, frame_group, &finished, &self.clock);
        }
        self.clock.end(&mut encoder);
        self.gpu.queue.submit([encoder.finish()]);
        stats
    }

    /// The pictures that depth and occlusion are drawn into, of the picture's size, and bound where x-ray reads them.
    fn ready_occlusion(&mut self, measuring: bool, shading: bool) {
        if !measuring || self.occlusion.as_ref().is_some_and(|o| o.fits(self.size, shading)) {
            return;
        }
        let o = Occlusion::new(&self.gpu.device, &self.pipelines, self.size, shading || self.shading);
        self.shadow_group = light_group(&self.gpu.device, &self.pipelines, &self.shadow_map, &self.shadow_sampler, &o.metres);
        self.occlusion = Some(o);
    }

    /// What stands only in this picture, the excavation or the grid overhead, as a tile of its own.
    fn stage_at(&mut self, view: &View, primitive: Primitive) -> TileHandle {
        let content = TileContent { ecef_from_tile: view.enu.matrix_ecef_from_local(), primitives: vec![primitive], ..Default::default() };
        if let Some((old, handle)) = self.stage.take() {
            if old == content {
                self.stage = Some((old, handle));
                return handle;
            }
            self.release(handle);
        }
        let handle = self.upload(&content);
        self.stage = Some((content, handle));
        handle
    }

    /// The last picture, rows from the top, 4 bytes a pixel, sRGB. The alpha is always 255.
    pub fn read_rgba(&self) -> Result<Vec<u8>, RenderError> {
        let [w, h] = self.size;
        let row = (w * 4).div_ceil(256) * 256;
        let device = &self.gpu.device;
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(row) * u64::from(h),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(
            self.colour.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None },
            },
            wgpu::Extent3d { width: w, height: h, depth_or_array_layers: 1 },
        );
        self.gpu.queue.submit([encoder.finish()]);
        let failed = |e: &dyn std::fmt::Display| RenderError::Device(e.to_string());
        let (tell, told) = std::sync::mpsc::channel();
        buffer.slice(..).map_async(wgpu::MapMode::Read, move |r| {
            let _ = tell.send(r);
        });
        device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| failed(&e))?;
        told.recv().map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let data = buffer.slice(..).get_mapped_range().map_err(|e| failed(&e))?;
        let mut out = Vec::with_capacity((w * h * 4) as usize);
        for r in data.chunks(row as usize).take(h as usize) {
            out.extend_from_slice(&r[..(w * 4) as usize]);
        }
        out.iter_mut().skip(3).step_by(4).for_each(|a| *a = 255);
        Ok(out)
    }
}

/// Shadows, and the depth that x-ray looks through.
fn light_group(
    device: &wgpu::Device,
    pipelines: &Pipelines,
    shadow_map: &wgpu::TextureView,
    sampler: &wgpu::Sampler,
    metres: &wgpu::TextureView,
) -> wgpu::BindGroup {
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("light"),
        layout: &pipelines.shadow_layout,
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(shadow_map) },
            wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::Sampler(sampler) },
            wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(metres) },
        ],
    })
}

fn attachment(view: &wgpu::TextureView, clear: f32) -> wgpu::RenderPassDepthStencilAttachment<'_> {
    wgpu::RenderPassDepthStencilAttachment {
        view,
        depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Clear(clear), store: wgpu::StoreOp::Store }),
        stencil_ops: None,
    }
}

/// What lies in the ground.
pub(crate) fn under(role: Role) -> bool {
    matches!(role, Role::Pipe | Role::Well | Role::Fitting)
}

fn casts(role: Role) -> bool {
    matches!(role, Role::Wall | Role::Roof | Role::Massing | Role::TreeCrown | Role::TreeTrunk | Role::Other)
}

/// Closed bodies of a house or a block, dressed apart but cast and measured alike.
fn body(p: &Primitive) -> bool {
    p.instances.is_empty() && matches!(p.role, Some(Role::Wall | Role::Roof | Role::Massing))
}

/// Numbers of the list, ascending, with neighbours that lie side by side in the same buffers taken together: the first number
/// and how many indices.
fn runs(list: &[(&Tile, &Mesh, f32)], numbers: impl Iterator<Item = usize>) -> Vec<(usize, u32)> {
    let mut out: Vec<(usize, u32)> = Vec::new();
    for k in numbers {
        let mesh = list[k].1;
        match out.last_mut() {
            Some((first, count)) if list[*first].1.indices == mesh.indices && list[*first].1.first_index + *count == mesh.first_index => {
                *count += mesh.index_count;
            }
            _ => out.push((k, mesh.index_count)),
        }
    }
    out
}

fn submit_run(
    pass: &mut wgpu::RenderPass<'_>,
    list: &[(&Tile, &Mesh, f32)],
    (k, index_count): (usize, u32),
    draws: &wgpu::BindGroup,
    stats: &mut FrameStats,
) {
    submit_indices(pass, list[k].0, list[k].1, index_count, draws, k, stats);
}

fn submit(pass: &mut wgpu::RenderPass<'_>, tile: &Tile, mesh: &Mesh, draws: &wgpu::BindGroup, k: usize, stats: &mut FrameStats) {
    submit_indices(pass, tile, mesh, mesh.index_count, draws, k, stats);
}

fn submit_indices(
    pass: &mut wgpu::RenderPass<'_>,
    tile: &Tile,
    mesh: &Mesh,
    index_count: u32,
    draws: &wgpu::BindGroup,
    k: usize,
    stats: &mut FrameStats,
) {
    pass.set_bind_group(1, draws, &[(k as u64 * STRIDE) as u32]);
    pass.set_bind_group(2, &tile.features, &[]);
    pass.set_vertex_buffer(0, mesh.vertices.slice(..));
    pass.set_vertex_buffer(1, mesh.instances.slice(..));
    pass.set_index_buffer(mesh.indices.slice(..), wgpu::IndexFormat::Uint32);
    pass.draw_indexed(mesh.first_index..mesh.first_index + index_count, 0, 0..mesh.instance_count);
    stats.draws += 1;
    stats.triangles += u64::from(index_count / 3) * u64::from(mesh.instance_count);
}

fn draw_of(view: &View, look: &Look, tile: &Tile, role: Role, number: u32, fade: f32) -> Draw {
    // In f64 to the eye, then f32: millimetres near the eye wherever on earth it stands.
    let axes = view.enu.axes_in_ecef.map(DVec3::from);
    let turn = |v: DVec4| DVec3::new(axes[0].dot(v.truncate()), axes[1].dot(v.truncate()), axes[2].dot(v.truncate()));
    let m = &tile.ecef_from_tile;
    let origin = DVec3::from(view.enu.local_from_ecef(m.w_axis.truncate().to_array())) - view.eye_in_enu;
    let local = DMat4::from_cols(turn(m.x_axis).extend(0.0), turn(m.y_axis).extend(0.0), turn(m.z_axis).extend(0.0), origin.extend(1.0));
    let plain = |r: u8, g: u8, b: u8| {
        let linear = |c: u8| (f32::from(c) / 255.0).powf(2.2);
        [linear(r), linear(g), linear(b), 1.0]
    };
    let colour = match role {
        Role::TreeTrunk => plain(92, 76, 62),
        Role::Rail => plain(118, 110, 104),
        Role::Line => plain(190, 60, 60),
        Role::Well => plain(150, 146, 140),
        _ => plain(128, 124, 118),
    };
    // What lies on the ground is drawn a little nearer than it is, the lines above the areas: neighbouring levels of
    // detail of the ground differ by more than a drape's lift.
    let nearer = match role {
        Role::Parcel => 0.0010,
        Role::Water => 0.0013,
        Role::Road => 0.0018,
        Role::Rail | Role::Line => 0.0024,
        _ => 0.0,
    };
    Draw {
        enu_from_tile: local.as_mat4().to_cols_array_2d(),
        params: [Role::ALL.iter().position(|r| *r == role).unwrap_or(0) as f32, 1.0, fade, tile.world[2]],
        world: [tile.world[0], tile.world[1], nearer, f32::from(u8::from(look.drape))],
        colour,
        ids: [number, WIDTH, 0, 0],
    }
}

fn instance(out: &mut Vec<u8>, at: [f32; 3], turn: [f32; 4], scale: [f32; 3], row: u32) {
    out.extend_from_slice(bytemuck::bytes_of(&at));
    out.extend_from_slice(bytemuck::bytes_of(&turn));
    out.extend_from_slice(bytemuck::bytes_of(&scale));
    out.extend_from_slice(&row.to_le_bytes());
}

fn vertices(p: &Primitive, features: &FeatureTable) -> Vec<u8> {
    let packed = (p.role == Some(Role::Road)).then(|| crate::crossings::packed(p, features));
    let uv2s = packed.as_ref().unwrap_or(&p.uv2);
    let mut out = Vec::with_capacity(p.positions.len() * VERTEX_BYTES as usize);
    for (i, position) in p.positions.iter().enumerate() {
        out.extend_from_slice(bytemuck::bytes_of(position));
        let n = p.normals.get(i).copied().unwrap_or([0.0, 0.0, 1.0]);
        let snorm = n.map(|v| (v.clamp(-1.0, 1.0) * 127.0).round() as i8);
        out.extend_from_slice(bytemuck::bytes_of(&[snorm[0], snorm[1], snorm[2], 0]));
        let (uv, uv2) = (p.uv.get(i).copied().unwrap_or_default(), uv2s.get(i).copied().unwrap_or_default());
        out.extend_from_slice(bytemuck::bytes_of(&[uv[0], uv[1], uv2[0], uv2[1]]));
        out.extend_from_slice(&p.feature_rows.get(i).copied().unwrap_or(0).to_le_bytes());
    }
    out
}
