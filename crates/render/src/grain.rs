//! The lattice of chances that the shaders' noise is mixed from: looked up, for hashing four corners costs each pixel more than
//! the light on it.

use crate::{gpu::Gpu, targets::texture};

pub(crate) struct Grain {
    pub picture: wgpu::TextureView,
    pub sampler: wgpu::Sampler,
}

/// `GRAIN` of `shaders/frame.wgsl`: the noise repeats after so many cells.
const SIDE: u32 = 256;

/// One of the permuted congruential family, as `hash_u` of `shaders/frame.wgsl`.
fn hash(v: u32) -> u32 {
    let s = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let w = ((s >> ((s >> 28) + 4)) ^ s).wrapping_mul(277_803_737);
    (w >> 22) ^ w
}

impl Grain {
    pub const BYTES: u64 = (SIDE * SIDE) as u64;

    pub fn new(gpu: &Gpu) -> Self {
        let format = wgpu::TextureFormat::R8Unorm;
        let used = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
        let picture = texture(&gpu.device, "grain", [SIDE, SIDE], format, 1, used);
        let cells: Vec<u8> = (0..SIDE * SIDE).map(|i| (hash((i % SIDE) ^ hash((i / SIDE) ^ hash(7))) >> 24) as u8).collect();
        gpu.queue.write_texture(
            picture.as_image_copy(),
            &cells,
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(SIDE), rows_per_image: None },
            picture.size(),
        );
        let sampler = gpu.device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("grain"),
            address_mode_u: wgpu::AddressMode::Repeat,
            address_mode_v: wgpu::AddressMode::Repeat,
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        Self { picture: picture.create_view(&Default::default()), sampler }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_shaders_know_its_side() {
        assert!(crate::pipelines::SHADERS.contains(&format!("const GRAIN: f32 = {}.0;", super::SIDE)));
    }
}
