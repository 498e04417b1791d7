//! Noise that the shaders look up, for mixing it from hashes costs each pixel more than the light on it: the lattice of chances
//! that `noise` is mixed from, and the four octaves of `fbm` ready mixed.

use crate::{gpu::Gpu, targets::texture};

pub(crate) struct Grain {
    pub picture: wgpu::TextureView,
    pub sampler: wgpu::Sampler,
}

/// `GRAIN` of `shaders/frame.wgsl`: the noise repeats after so many cells.
const CELLS: u32 = 256;
/// `MOTTLE` of `shaders/frame.wgsl`: the octaves repeat after so many cells of the coarsest.
const MOTTLE: u32 = 64;
/// Of the picture: eight texels to a cell of the coarsest octave, one to a cell of the finest.
const SIDE: u32 = 8 * MOTTLE;

/// One of the permuted congruential family, as `hash_u` of `shaders/frame.wgsl`.
fn hash(v: u32) -> u32 {
    let s = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let w = ((s >> ((s >> 28) + 4)) ^ s).wrapping_mul(277_803_737);
    (w >> 22) ^ w
}

fn chance(x: u32, y: u32, salt: u32) -> u8 {
    (hash(x ^ hash(y ^ hash(salt))) >> 24) as u8
}

/// Rows from the top: a cell's chance, and the octaves.
fn texels() -> Vec<u8> {
    let lattice: Vec<u8> = (0..CELLS * CELLS).map(|i| chance(i % CELLS, i / CELLS, 7)).collect();
    let at = |x: u32, y: u32| lattice[((y % CELLS) * CELLS + x % CELLS) as usize];
    // Of value noise with so many cells a side, each octave in a part of the lattice of its own.
    let octave = |x: u32, y: u32, cells: u32, part: u32| {
        let split = |v: u32| {
            let p = (v as f32 + 0.5) * cells as f32 / SIDE as f32;
            let f = p.fract();
            (p as u32, f * f * (3.0 - 2.0 * f))
        };
        let ((i, u), (j, v)) = (split(x), split(y));
        let corner = |i: u32, j: u32| f32::from(at(i % cells + part, j % cells + 3 * part));
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        mix(mix(corner(i, j), corner(i + 1, j), u), mix(corner(i, j + 1), corner(i + 1, j + 1), u), v)
    };
    let mixed = |x: u32, y: u32| {
        octave(x, y, MOTTLE, 0) * 0.5
            + octave(x, y, 2 * MOTTLE, 67) * 0.28
            + octave(x, y, 4 * MOTTLE, 131) * 0.15
            // A texel is a whole cell.
            + f32::from(chance(x, y, 11)) * 0.07
    };
    (0..SIDE * SIDE).map(|i| (i % SIDE, i / SIDE)).flat_map(|(x, y)| [at(x, y), mixed(x, y).round() as u8]).collect()
}

impl Grain {
    pub const BYTES: u64 = 2 * (SIDE * SIDE) as u64;

    pub fn new(gpu: &Gpu) -> Self {
        let format = wgpu::TextureFormat::Rg8Unorm;
        let used = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST;
        let picture = texture(&gpu.device, "grain", [SIDE, SIDE], format, 1, used);
        gpu.queue.write_texture(
            picture.as_image_copy(),
            &texels(),
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(2 * SIDE), rows_per_image: None },
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
    use super::*;

    #[test]
    fn the_shaders_know_its_sides() {
        for (name, side) in [("GRAIN", CELLS), ("MOTTLE", MOTTLE)] {
            assert!(crate::pipelines::SHADERS.contains(&format!("const {name}: f32 = {side}.0;")), "{name}");
        }
    }

    /// Against the four octaves mixed at each place from a lattice of their own, at steps that are no whole cells: as light on the
    /// whole, as strong, and as smooth.
    #[test]
    fn the_octaves_are_those_of_the_formula() {
        let noise = |x: f64, y: f64| {
            let corner = |i: f64, j: f64| f64::from(chance(i as i32 as u32, j as i32 as u32, 7)) / 255.0;
            let ease = |f: f64| f * f * (3.0 - 2.0 * f);
            let ((i, u), (j, v)) = ((x.floor(), ease(x - x.floor())), (y.floor(), ease(y - y.floor())));
            let mix = |a: f64, b: f64, t: f64| a + (b - a) * t;
            mix(mix(corner(i, j), corner(i + 1.0, j), u), mix(corner(i, j + 1.0), corner(i + 1.0, j + 1.0), u), v)
        };
        let formula = |x: f64, y: f64| {
            noise(x, y) * 0.5
                + noise(x * 2.03 + 17.1, y * 2.03 + 17.1) * 0.28
                + noise(x * 4.1 + 5.3, y * 4.1 + 5.3) * 0.15
                + noise(x * 8.3 + 31.7, y * 8.3 + 31.7) * 0.07
        };
        let texels = texels();
        let read = |x: u32, y: u32| f64::from(texels[((y % SIDE) * SIDE + x % SIDE) as usize * 2 + 1]) / 255.0;
        let about = |f: &dyn Fn(u32, u32) -> f64| {
            let all: Vec<f64> = (0..SIDE * SIDE).map(|i| f(i % SIDE, i / SIDE)).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let spread = (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64).sqrt();
            let step = (0..SIDE * SIDE).map(|i| (f(i % SIDE + 1, i / SIDE) - f(i % SIDE, i / SIDE)).abs()).sum::<f64>() / all.len() as f64;
            [mean, spread, step]
        };
        let ours = about(&read);
        let theirs = about(&|x, y| formula((f64::from(x) + 0.5) / 8.0, (f64::from(y) + 0.5) / 8.0));
        assert!((ours[0] - theirs[0]).abs() < 0.01, "{ours:?} {theirs:?}");
        assert!((ours[1] / theirs[1] - 1.0).abs() < 0.1, "{ours:?} {theirs:?}");
        assert!((ours[2] / theirs[2] - 1.0).abs() < 0.35, "{ours:?} {theirs:?}");
        // Where it begins again no edge shows: the step over the seam is a step like others.
        let seam = (0..SIDE).map(|y| (read(SIDE, y) - read(SIDE - 1, y)).abs()).sum::<f64>() / f64::from(SIDE);
        assert!(seam < 1.3 * ours[2], "{seam} {ours:?}");
    }
}
