//! Pipelines and buffers of the overlays.

use super::body::{Body, Vertex};
use crate::{
    gpu::Gpu,
    pipelines::{COLOUR, DEPTH, Pipelines},
    uniforms::Draw,
};

const SHADERS: &str = concat!(include_str!("../../../../shaders/frame.wgsl"), include_str!("../../../../shaders/overlay.wgsl"));

/// Of the uniforms of one overlay.
pub(super) const STRIDE: u64 = 256;

pub(super) struct OnGpu {
    pub(super) vertices: wgpu::Buffer,
    pub(super) indices: wgpu::Buffer,
    pub(super) solid: u32,
    pub(super) lines: u32,
    pub(super) above: u32,
}

impl OnGpu {
    /// `None` where there is nothing to draw.
    pub(super) fn of(b: &Body, gpu: &Gpu) -> Option<Self> {
        if b.vertices.is_empty() {
            return None;
        }
        let indices: Vec<u32> = b.solid.iter().chain(&b.lines).chain(&b.above).copied().collect();
        let buffer = |label, bytes: &[u8], usage| {
            let usage = usage | wgpu::BufferUsages::COPY_DST;
            let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes.len() as u64,
                usage,
                mapped_at_creation: false,
            });
            gpu.queue.write_buffer(&buffer, 0, bytes);
            buffer
        };
        Some(Self {
            vertices: buffer("overlay", bytemuck::cast_slice(&b.vertices), wgpu::BufferUsages::VERTEX),
            indices: buffer("overlay", bytemuck::cast_slice(&indices), wgpu::BufferUsages::INDEX),
            solid: b.solid.len() as u32,
            lines: b.lines.len() as u32,
            above: b.above.len() as u32,
        })
    }
}

pub(super) struct Device {
    pub(super) tested: wgpu::RenderPipeline,
    pub(super) hidden: wgpu::RenderPipeline,
    pub(super) above: wgpu::RenderPipeline,
    pub(super) uniforms: wgpu::Buffer,
    pub(super) group: wgpu::BindGroup,
    pub(super) last: Vec<u8>,
    pub(super) slots: u64,
}

impl Device {
    pub(super) fn new(gpu: &Gpu, pipelines: &Pipelines, samples: u32, slots: u64) -> Self {
        let device = &gpu.device;
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("overlay"),
            source: wgpu::ShaderSource::Wgsl(SHADERS.into()),
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("overlay"),
            bind_group_layouts: &[Some(&pipelines.frame_layout), Some(&pipelines.draw_layout)],
            immediate_size: 0,
        });
        let attributes = wgpu::vertex_attr_array![0 => Float32x3, 1 => Float32x3, 2 => Float32x4, 3 => Unorm8x4, 4 => Snorm8x4];
        let over = wgpu::BlendState {
            color: wgpu::BlendComponent {
                src_factor: wgpu::BlendFactor::SrcAlpha,
                dst_factor: wgpu::BlendFactor::OneMinusSrcAlpha,
                operation: wgpu::BlendOperation::Add,
            },
            alpha: wgpu::BlendComponent {
                src_factor: wgpu::BlendFactor::Zero,
                dst_factor: wgpu::BlendFactor::OneMinusSrcAlpha,
                operation: wgpu::BlendOperation::Add,
            },
        };
        let build = |label, fragment, compare, write| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(label),
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some("vs_overlay"),
                    buffers: &[Some(wgpu::VertexBufferLayout {
                        array_stride: size_of::<Vertex>() as u64,
                        step_mode: wgpu::VertexStepMode::Vertex,
                        attributes: &attributes,
                    })],
                    compilation_options: Default::default(),
                },
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(fragment),
                    targets: &[Some(wgpu::ColorTargetState { format: COLOUR, blend: Some(over), write_mask: wgpu::ColorWrites::ALL })],
                    compilation_options: Default::default(),
                }),
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: Some(wgpu::DepthStencilState {
                    format: DEPTH,
                    depth_write_enabled: Some(write),
                    depth_compare: Some(compare),
                    stencil: Default::default(),
                    bias: Default::default(),
                }),
                multisample: wgpu::MultisampleState { count: samples, ..Default::default() },
                multiview_mask: None,
                cache: None,
            })
        };
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("overlays"),
            size: STRIDE * slots,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &uniforms,
            offset: 0,
            size: std::num::NonZeroU64::new(size_of::<Draw>() as u64),
        });
        let entries = &[wgpu::BindGroupEntry { binding: 0, resource }];
        Self {
            tested: build("overlay", "fs_overlay", wgpu::CompareFunction::GreaterEqual, true),
            hidden: build("overlay behind", "fs_overlay_hidden", wgpu::CompareFunction::Less, false),
            above: build("overlay above", "fs_overlay", wgpu::CompareFunction::Always, false),
            group: device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("overlays"),
                layout: &pipelines.draw_layout,
                entries,
            }),
            uniforms,
            last: Vec::new(),
            slots,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shaders_are_sound_without_a_gpu() {
        crate::pipelines::tests::sound(SHADERS);
    }
}
