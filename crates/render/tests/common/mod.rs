//! Parts of test scenes: flat pieces and boxes, east, north, up in metres at the camera's target, and rays against them.

#![allow(dead_code, reason = "each test takes what it needs")]

use glam::Vec3;
use strata_tiles::content::{Primitive, Role};

/// Low and high corner.
pub type Block = [Vec3; 2];

/// Counter-clockwise corners seen against the normal.
pub fn quad(p: &mut Primitive, corners: [Vec3; 4], normal: Vec3) {
    let first = p.positions.len() as u32;
    p.positions.extend(corners.map(|c| c.to_array()));
    p.normals.extend([normal.to_array(); 4]);
    p.uv.extend(corners.map(|c| [c.x, c.y]));
    p.uv2.extend([[0.0; 2]; 4]);
    p.feature_rows.extend([0; 4]);
    p.indices.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
}

pub fn flat(role: Role, [lo, hi]: Block, z: f32) -> Primitive {
    let mut p = Primitive { role: Some(role), ..Default::default() };
    let at = |x: f32, y: f32| Vec3::new(x, y, z);
    quad(&mut p, [at(lo.x, lo.y), at(hi.x, lo.y), at(hi.x, hi.y), at(lo.x, hi.y)], Vec3::Z);
    p
}

/// Walls and tops, without floors.
pub fn bodies(role: Role, blocks: &[Block]) -> Primitive {
    let mut p = Primitive { role: Some(role), ..Default::default() };
    for [lo, hi] in blocks {
        let at = |x: u8, y: u8, z: u8| {
            let pick = |k: u8, a: f32, b: f32| if k == 0 { a } else { b };
            Vec3::new(pick(x, lo.x, hi.x), pick(y, lo.y, hi.y), pick(z, lo.z, hi.z))
        };
        quad(&mut p, [at(0, 0, 0), at(1, 0, 0), at(1, 0, 1), at(0, 0, 1)], Vec3::NEG_Y);
        quad(&mut p, [at(1, 1, 0), at(0, 1, 0), at(0, 1, 1), at(1, 1, 1)], Vec3::Y);
        quad(&mut p, [at(1, 0, 0), at(1, 1, 0), at(1, 1, 1), at(1, 0, 1)], Vec3::X);
        quad(&mut p, [at(0, 1, 0), at(0, 0, 0), at(0, 0, 1), at(0, 1, 1)], Vec3::NEG_X);
        quad(&mut p, [at(0, 0, 1), at(1, 0, 1), at(1, 1, 1), at(0, 1, 1)], Vec3::Z);
    }
    p
}

/// Where a ray meets a block, in lengths of `way`; `None` where it misses all.
pub fn met(blocks: &[Block], from: Vec3, way: Vec3) -> Option<f32> {
    let one = |[lo, hi]: &Block| {
        let (a, b) = ((*lo - from) / way, (*hi - from) / way);
        let (near, far) = (a.min(b).max_element(), a.max(b).min_element());
        (near <= far && far > 1e-4).then_some(near.max(1e-4))
    };
    blocks.iter().filter_map(one).min_by(f32::total_cmp)
}
