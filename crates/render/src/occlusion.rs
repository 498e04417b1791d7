//! Depth of the matter as a picture of numbers, and the light that bodies keep from each other: the passes around
//! `shaders/occlusion.wgsl`. The depth also tells x-ray which pipes lie behind a building.

use crate::pipelines::{COLOUR, DEPTH, Pipelines};

/// Metres along the view axis. Half a float would blur edges, and a depth picture cannot be read in WebGL 2.
pub(crate) const METRES: wgpu::TextureFormat = wgpu::TextureFormat::R32Float;
pub(crate) const OPENNESS: wgpu::TextureFormat = wgpu::TextureFormat::Rg16Float;

/// Both can be drawn into here; without, pictures have no occlusion.
pub(crate) fn possible(adapter: &wgpu::Adapter) -> bool {
    [METRES, OPENNESS]
        .iter()
        .all(|f| adapter.get_texture_format_features(*f).allowed_usages.contains(wgpu::TextureUsages::RENDER_ATTACHMENT))
}

pub(crate) struct Occlusion {
    size: [u32; 2],
    pub metres: wgpu::TextureView,
    pub depth: wgpu::TextureView,
    /// What is drawn before it is shaded, and where the openness of its points stands; `None` where only depth is wanted.
    pub shade: Option<Shade>,
}

pub(crate) struct Shade {
    pub unshaded: wgpu::TextureView,
    openness: wgpu::TextureView,
    from_depth: wgpu::BindGroup,
    from_all: wgpu::BindGroup,
}

impl Occlusion {
    pub fn new(device: &wgpu::Device, pipelines: &Pipelines, size: [u32; 2], shading: bool) -> Self {
        let used = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING;
        let view = |label, size, format| crate::targets::texture(device, label, size, format, 1, used).create_view(&Default::default());
        let metres = view("metres", size, METRES);
        let depth = view("depth of metres", size, DEPTH);
        let shade = shading.then(|| {
            let unshaded = view("unshaded", size, COLOUR);
            let openness = view("openness", size.map(|v| v.div_ceil(2)), OPENNESS);
            let group = |layout: &wgpu::BindGroupLayout, views: &[(u32, &wgpu::TextureView)]| {
                let entries: Vec<wgpu::BindGroupEntry<'_>> = views
                    .iter()
                    .map(|(binding, v)| wgpu::BindGroupEntry { binding: *binding, resource: wgpu::BindingResource::TextureView(v) })
                    .collect();
                device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some("occlusion"), layout, entries: &entries })
            };
            let from_depth = group(&pipelines.depths_layout, &[(1, &metres)]);
            let from_all = group(&pipelines.shaded_layout, &[(1, &metres), (2, &openness), (3, &unshaded)]);
            Shade { unshaded, openness, from_depth, from_all }
        });
        Self { size, metres, depth, shade }
    }
    /// Whether it serves a picture of this size.
    pub fn fits(&self, size: [u32; 2], shading: bool) -> bool {
        self.size == size && (self.shade.is_some() || !shading)
    }
    pub fn bytes(&self) -> u64 {
        let [w, h] = self.size.map(u64::from);
        w * h * if self.shade.is_some() { 4 + 4 + 4 + 1 } else { 4 + 4 }
    }
}

impl Shade {
    /// Openness at half the size, then the picture with its shade into `target`.
    pub fn draw(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        pipelines: &Pipelines,
        frame: &wgpu::BindGroup,
        target: &wgpu::TextureView,
        clock: &crate::clock::Clock,
    ) {
        let steps =
            [("occlusion", &self.openness, &pipelines.occlusion, &self.from_depth), ("shade", target, &pipelines.shaded, &self.from_all)];
        for (label, view, pipeline, group) in steps {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some(label),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
                })],
                timestamp_writes: clock.pass(label),
                ..Default::default()
            });
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, frame, &[0]);
            pass.set_bind_group(1, group, &[]);
            pass.draw(0..3, 0..1);
        }
    }
}
