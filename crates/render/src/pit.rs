//! The excavation of the cut-away view: four earth walls and a floor, in axes east, north, up at the camera's target.

use strata_tiles::content::{Primitive, Role};

/// `size_m` is east, north, depth. uv: metres along the wall, metres below its top; uv2: wall length, depth. The walls
/// look inward, counter-clockwise seen from inside the pit.
pub fn pit(size_m: [f32; 3]) -> Primitive {
    let [x, y, d] = [size_m[0] / 2.0, size_m[1] / 2.0, size_m[2]];
    let mut p = Primitive { role: Some(Role::Other), ..Default::default() };
    let mut quad = |corners: [[f32; 3]; 4], normal: [f32; 3], uv: [[f32; 2]; 4], uv2: [f32; 2]| {
        let first = p.positions.len() as u32;
        p.positions.extend(corners);
        p.normals.extend([normal; 4]);
        p.uv.extend(uv);
        p.uv2.extend([uv2; 4]);
        p.feature_rows.extend([0; 4]);
        p.indices.extend([0, 1, 2, 0, 2, 3].map(|i| first + i));
    };
    let mut wall = |a: [f32; 2], b: [f32; 2], normal: [f32; 3]| {
        let length = (b[0] - a[0]).hypot(b[1] - a[1]);
        let corners = [[a[0], a[1], -d], [b[0], b[1], -d], [b[0], b[1], 0.0], [a[0], a[1], 0.0]];
        quad(corners, normal, [[0.0, d], [length, d], [length, 0.0], [0.0, 0.0]], [length, d]);
    };
    wall([-x, y], [x, y], [0.0, -1.0, 0.0]);
    wall([x, -y], [-x, -y], [0.0, 1.0, 0.0]);
    wall([x, y], [x, -y], [-1.0, 0.0, 0.0]);
    wall([-x, -y], [-x, y], [1.0, 0.0, 0.0]);
    let floor = [[-x, -y, -d], [x, -y, -d], [x, y, -d], [-x, y, -d]];
    quad(floor, [0.0, 0.0, 1.0], [[0.0, d + 1.0]; 4], [0.0, d]);
    p
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Vec3;

    #[test]
    fn the_pit_is_open_above_and_as_large_as_asked() {
        let p = pit([20.0, 10.0, 6.0]);
        // The volume under the divergence theorem, faces looking inward: minus the box's, the lid adding nothing at height 0.
        let volume: f32 = p
            .indices
            .chunks(3)
            .map(|t| {
                let [a, b, c] = [t[0], t[1], t[2]].map(|i| Vec3::from(p.positions[i as usize]));
                a.dot(b.cross(c)) / 6.0
            })
            .sum();
        assert!((volume + 1200.0).abs() < 0.1, "{volume}");
        assert!(p.positions.iter().all(|v| v[2] <= 0.0));
    }
}
