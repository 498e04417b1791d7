//! The two uniform blocks, as `shaders/frame.wgsl` declares them.

use crate::{
    gpu::Gpu,
    look::Look,
    pipelines::Pipelines,
    section::{cube_from_ecef, outline_in_cube},
    shadow::Cascade,
};
use bytemuck::{Pod, Zeroable};
use glam::{DMat4, Mat4, Vec3};
use strata_scene::{Mode, SectionBox, View};

/// `struct Frame`; one write a frame holds all that time, light and camera change.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Frame {
    pub clip: [[f32; 4]; 4],
    pub shadow: [[[f32; 4]; 4]; 4],
    pub splits: [f32; 4],
    pub texel_m: [f32; 4],
    pub sun: [f32; 4],
    pub sun_colour: [f32; 4],
    pub zenith: [f32; 4],
    pub horizon: [f32; 4],
    pub ambient: [f32; 4],
    pub bounce: [f32; 4],
    pub eye: [f32; 4],
    pub time: [i32; 4],
    pub misc: [f32; 4],
    pub cut_lo: [f32; 4],
    pub cut_hi: [f32; 4],
    pub right: [f32; 4],
    pub up: [f32; 4],
    pub forward: [f32; 4],
    pub view_px: [f32; 4],
    pub terrain: [f32; 4],
    pub windows: [f32; 4],
    pub section: [[f32; 4]; 4],
    pub section_on: [f32; 4],
    pub section_outline: [[f32; 4]; SectionBox::MOST_CORNERS / 2],
}
const _: () = assert!(size_of::<Frame>() == 64 * 6 + 16 * (20 + SectionBox::MOST_CORNERS / 2));

/// `struct Draw`; one for each primitive of each tile.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Draw {
    pub enu_from_tile: [[f32; 4]; 4],
    pub params: [f32; 4],
    pub world: [f32; 4],
    pub colour: [f32; 4],
    pub ids: [u32; 4],
}
const _: () = assert!(size_of::<Draw>() == 128);

fn vec4(v: Vec3, w: f32) -> [f32; 4] {
    v.extend(w).to_array()
}

/// From the frame of all positions, the eye as origin, to the cube of a section box.
fn cube_from_eye(view: &View, section: &SectionBox) -> Mat4 {
    let ecef_from_enu = DMat4::from_cols_array(&view.enu.matrix_ecef_from_local()) * DMat4::from_translation(view.eye_in_enu);
    (cube_from_ecef(section) * ecef_from_enu).as_mat4()
}

pub fn frame(view: &View, look: &Look, cascades: &[Cascade]) -> Frame {
    let light = look.light();
    let sun = look.sun.direction_enu();
    let mut shadow = [Mat4::IDENTITY.to_cols_array_2d(); 4];
    let (mut splits, mut texel_m) = ([0.0; 4], [1.0; 4]);
    for (i, c) in cascades.iter().enumerate().take(4) {
        shadow[i] = c.atlas_from_enu.to_cols_array_2d();
        splits[i] = c.far_m;
        texel_m[i] = c.texel_m;
    }
    let [w, h] = view.viewport_px.map(|v| v.max(1) as f32);
    let tan_y = (view.fov_y_rad * 0.5).tan();
    let mode = match look.mode {
        Mode::Surface => 0,
        Mode::Xray => 1,
        Mode::Cutaway => 2,
        Mode::Below => 3,
    };
    // What a section takes throws no shadow, and what it leaves is read better without one.
    if look.section.is_some() {
        splits = [0.0; 4];
    }
    // The eye in the city's plan, less whole tens of kilometres, and how its grid is turned; a turn of 9 says that there is none.
    let plan = look.grid.map_or(Vec3::new(0.0, 0.0, 9.0), |g| {
        let eye = g.working_from_enu(view.eye_in_enu.truncate()).map(|v| v.rem_euclid(10_000.0)).as_vec2();
        eye.extend(g.convergence_deg.to_radians() as f32)
    });
    let outline = look.section.as_ref().map(outline_in_cube).unwrap_or_default();
    let mut section_outline = [[0.0; 4]; SectionBox::MOST_CORNERS / 2];
    for (slot, two) in section_outline.iter_mut().zip(outline.chunks(2)) {
        let [a, b] = [two[0], two[two.len() - 1]].map(|c| c.as_vec2());
        *slot = [a.x, a.y, b.x, b.y];
    }
    Frame {
        clip: view.clip_from_enu_rel_eye.to_cols_array_2d(),
        shadow,
        splits,
        texel_m,
        sun: vec4(sun, cascades.len().min(4) as f32),
        sun_colour: vec4(light.sun_colour, light.night),
        zenith: vec4(light.zenith, 0.5),
        horizon: vec4(light.horizon, 1.0),
        ambient: vec4(light.ambient, light.lamps),
        bounce: vec4(light.bounce, light.exposure),
        eye: vec4(view.eye_in_enu.as_vec3(), 0.0),
        time: [look.day, look.compare.unwrap_or(0), i32::from(look.compare.is_some()), mode],
        misc: [look.time_s, look.leaves, 2.0 * tan_y / h, view.near_m],
        cut_lo: vec4(
            -view.eye_in_enu.as_vec3() - Vec3::new(look.cut_m[0], look.cut_m[1], 2.0 * look.cut_m[2]) / 2.0,
            look.geoid_offset_m as f32,
        ),
        cut_hi: vec4(-view.eye_in_enu.as_vec3() + Vec3::new(look.cut_m[0], look.cut_m[1], 0.0) / 2.0, f32::from(u8::from(look.dim))),
        right: vec4(view.right_in_enu * (tan_y * w / h), plan.x),
        up: vec4(view.up_in_enu * tan_y, plan.y),
        forward: vec4(view.forward_in_enu, plan.z),
        view_px: [w, h, 1.0 / w, 1.0 / h],
        terrain: [look.terrain_m[0], look.terrain_m[1], f32::from(u8::from(look.contours)), look.snow],
        windows: look.windows(),
        section: look.section.as_ref().map_or(Mat4::IDENTITY, |s| cube_from_eye(view, s)).to_cols_array_2d(),
        section_on: [look.section.as_ref().map_or(0.0, |s| if s.outside { 2.0 } else { 1.0 }), outline.len() as f32, 0.0, 0.0],
        section_outline,
    }
}

pub(crate) const STRIDE: u64 = 256;
/// Slots of the frame's buffer: the eye, then four cascades.
pub(crate) const FRAME_STRIDE: u64 = (size_of::<Frame>() as u64).div_ceil(STRIDE) * STRIDE;

/// The numbers of a picture on the device; written only where they changed.
pub(crate) struct Uniforms {
    pub frames: wgpu::Buffer,
    pub draws: wgpu::Buffer,
    pub frame_group: wgpu::BindGroup,
    pub draw_group: wgpu::BindGroup,
    last_frames: Vec<u8>,
    last_draws: Vec<u8>,
}

impl Uniforms {
    pub fn new(device: &wgpu::Device, pipelines: &Pipelines) -> Self {
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
    pub fn write(&mut self, gpu: &Gpu, pipelines: &Pipelines, frames: &[u8], draws: &[u8]) -> u32 {
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
