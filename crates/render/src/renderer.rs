//! Tiles on the GPU, and pictures of them.

use crate::{
    Quality, RenderError,
    clock::Clock,
    gpu::Gpu,
    grain::Grain,
    occlusion::{METRES, Occlusion},
    passes::light_group,
    pick::PickMesh,
    pipelines::Pipelines,
    section::Soil,
    shadow::Shadows,
    targets::{Targets, texture},
    tile::{Marked, Tile, mark, one_instance, paint},
    uniforms::Uniforms,
    words::TileWords,
};
use glam::{DMat4, DVec3, Vec3};
use std::collections::{BTreeMap, BTreeSet};
use strata_tiles::content::TileContent;

/// Name of an uploaded tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileHandle(pub(crate) u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameStats {
    pub draws: u32,
    pub triangles: u64,
    /// Of tiles; the pictures that are drawn into are counted by [`Renderer::target_bytes`].
    pub gpu_bytes: u64,
    /// Uniform buffers that differed from the last picture's: one (the frame's) when only time or light moved.
    pub uniforms_written: u32,
}

/// Draws into a picture of its own; [`Renderer::read_rgba`] gives it back.
pub struct Renderer {
    pub(crate) gpu: Gpu,
    pub(crate) size: [u32; 2],
    pub(crate) quality: Quality,
    pub(crate) pipelines: Pipelines,
    pub(crate) targets: Targets,
    /// Of fewer pixels, for a moving picture; `motion` says whether the last one was drawn here.
    pub(crate) fewer: Option<Targets>,
    /// Share of the width and height that is drawn while the picture moves; none at rest.
    pub(crate) motion: Option<f32>,
    pub(crate) shadows: Shadows,
    pub(crate) grain: Grain,
    pub(crate) shadow_group: wgpu::BindGroup,
    /// Made when a picture first wants it; what x-ray reads is in the shadow's group.
    pub(crate) occlusion: Option<Occlusion>,
    pub(crate) shading: bool,
    pub(crate) clock: Clock,
    identity: wgpu::Buffer,
    /// The excavation, the grid overhead or the earth of a section that was last drawn.
    pub(crate) stage: Option<(TileContent, TileHandle)>,
    pub(crate) soil: Option<Soil>,
    pub(crate) tiles: BTreeMap<TileHandle, Tile>,
    next: u64,
    marked: Marked,
    pub(crate) uniforms: Uniforms,
    /// The last picture but one, and the last.
    pub(crate) submitted: [Option<wgpu::SubmissionIndex>; 2],
    /// How the picture goes onto a surface of this format.
    blit: Option<(wgpu::TextureFormat, wgpu::RenderPipeline)>,
    pub(crate) overlays: crate::overlay::Overlays,
}

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
        let targets = Targets::new(&gpu.device, size, quality.samples());
        let shadows = Shadows::new(&gpu.device, quality.shadow_px().min(most));
        let grain = Grain::new(&gpu);
        let used = wgpu::TextureUsages::TEXTURE_BINDING;
        let no_metres = texture(&gpu.device, "no metres", [1, 1], METRES, 1, used).create_view(&Default::default());
        let shadow_group = light_group(&gpu.device, &pipelines, &shadows, &grain, &no_metres);
        let identity = one_instance(&gpu);
        let uniforms = Uniforms::new(&gpu.device, &pipelines);
        Ok(Self {
            gpu,
            size,
            quality,
            pipelines,
            targets,
            fewer: None,
            motion: None,
            shadows,
            grain,
            shadow_group,
            occlusion: None,
            shading: quality.occlusion(),
            clock: Clock::default(),
            identity,
            tiles: BTreeMap::new(),
            next: 0,
            marked: Marked::default(),
            stage: None,
            soil: None,
            uniforms,
            submitted: Default::default(),
            blit: None,
            overlays: Default::default(),
        })
    }

    /// What draws: the adapter's name, its interface and its driver.
    pub fn adapter(&self) -> &str {
        &self.gpu.adapter_name
    }
    /// The processor itself draws: no graphics card was found.
    pub fn is_software(&self) -> bool {
        self.gpu.software
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
    /// Waits until the picture before the last is whole: as in a window, one is drawn while the next is made ready.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn keep_up(&self) -> Result<(), RenderError> {
        let Some(submission_index) = self.submitted[0].clone() else { return Ok(()) };
        let done = self.gpu.device.poll(wgpu::PollType::Wait { submission_index: Some(submission_index), timeout: None });
        done.map(|_| ()).map_err(|e| RenderError::Device(e.to_string()))
    }
    /// Graphics memory of all that is drawn into: picture, samples, depths, shadows, occlusion, uniforms.
    pub fn target_bytes(&self) -> u64 {
        let side = u64::from(self.shadows.side);
        let occlusion = self.occlusion.as_ref().map_or(0, Occlusion::bytes);
        let pictures = self.targets.bytes() + self.fewer.as_ref().map_or(0, Targets::bytes);
        pictures + side * side * 4 + Grain::BYTES + occlusion + self.uniforms.frames.size() + self.uniforms.draws.size()
    }
    /// While the picture moves: the share of its width and height that is drawn, as [`crate::Pace`] has it; shadows may then be a
    /// few pictures old. None: at rest, every pixel is drawn and everything is exact.
    pub fn set_motion(&mut self, share: Option<f32>) {
        self.motion = share.map(|s| if s.is_finite() { s.clamp(0.25, 1.0) } else { 1.0 });
    }
    /// What the next picture is drawn into.
    pub(crate) fn ready_targets(&mut self) {
        let wanted = self.motion.filter(|s| *s < 1.0).map(|s| self.size.map(|v| ((v as f32 * s).round() as u32).max(1)));
        match wanted {
            Some(size) if self.fewer.as_ref().is_none_or(|t| t.size != size) => {
                self.fewer = Some(Targets::new(&self.gpu.device, size, self.quality.samples()));
            }
            _ => {}
        }
    }
    /// What the last picture was drawn into.
    pub(crate) fn drawn(&self) -> &Targets {
        self.fewer.as_ref().filter(|_| self.motion.is_some_and(|s| s < 1.0)).unwrap_or(&self.targets)
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
        (self.targets, self.fewer, self.size) = (Targets::new(&self.gpu.device, size, self.quality.samples()), None, size);
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
                resource: wgpu::BindingResource::TextureView(&self.drawn().colour.create_view(&Default::default())),
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
        let handle = TileHandle(self.next);
        self.next += 1;
        let mut tile = Tile::new(&self.gpu, &self.pipelines, &self.identity, content);
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
    /// The last picture, rows from the top, 4 bytes a pixel, sRGB. The alpha is always 255. Of the renderer's size, but fewer
    /// pixels where it was drawn in motion.
    pub fn read_rgba(&self) -> Result<Vec<u8>, RenderError> {
        let [w, h] = self.drawn().size;
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
            self.drawn().colour.as_image_copy(),
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
