//! Pictures that are drawn into.

use crate::pipelines::{COLOUR, DEPTH};

pub(crate) struct Targets {
    pub size: [u32; 2],
    pub colour: wgpu::Texture,
    pub colour_ms: Option<wgpu::TextureView>,
    pub depth: wgpu::TextureView,
}

impl Targets {
    pub fn new(device: &wgpu::Device, size: [u32; 2], samples: u32) -> Self {
        let attached = wgpu::TextureUsages::RENDER_ATTACHMENT;
        let used = attached | wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::TEXTURE_BINDING;
        let view = |label, format| texture(device, label, size, format, samples, attached).create_view(&Default::default());
        Self {
            size,
            colour: texture(device, "picture", size, COLOUR, 1, used),
            colour_ms: (samples > 1).then(|| view("samples", COLOUR)),
            depth: view("depth", DEPTH),
        }
    }
    /// Where matter is drawn, and where its samples become pixels.
    pub fn with_samples<'a>(&'a self, pixels: &'a wgpu::TextureView) -> (&'a wgpu::TextureView, Option<&'a wgpu::TextureView>) {
        match &self.colour_ms {
            Some(samples) => (samples, Some(pixels)),
            None => (pixels, None),
        }
    }
    pub fn bytes(&self) -> u64 {
        let pixels = u64::from(self.size[0]) * u64::from(self.size[1]);
        let samples = u64::from(self.colour_ms.as_ref().map_or(1, |v| v.texture().sample_count()));
        pixels * 4 * if samples > 1 { 1 + samples } else { 1 } + pixels * 4 * samples
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
