//! Four cascades of sun shadow in one picture, a quarter each.

use glam::{Mat4, Vec2, Vec3};
use strata_scene::View;

/// Frame: east, north, up with the eye as origin.
#[derive(Debug, Clone, Copy)]
pub struct Cascade {
    /// To the light's clip space, depth 0..1 from the sun.
    pub clip_from_enu: Mat4,
    /// To its quarter of the picture (0..1, y down) and depth.
    pub atlas_from_enu: Mat4,
    /// It serves up to here along the view axis.
    pub far_m: f32,
    /// Ground size of one texel.
    pub texel_m: f32,
    /// Where in its clip space the part of the view lies that it serves, with a margin for soft edges: what casts a shadow there
    /// stands over it and no farther from the sun.
    pub served: [Vec3; 2],
}

/// What casts may stand so far outside a cascade, towards the sun.
const CASTERS_M: f32 = 1500.0;

/// None when the sun is under the horizon.
pub fn cascades(view: &View, sun: Vec3, atlas_px: u32) -> Vec<Cascade> {
    if sun.z <= 0.01 {
        return Vec::new();
    }
    // An orbiting eye has nothing near it but air: the first cascade begins a good way before the target.
    let distance = view.distance_m as f32;
    let far = (distance * 2.2).clamp(200.0, 4500.0);
    let near = (distance * 0.25).clamp(view.near_m, far * 0.3);
    let tan = (view.fov_y_rad * 0.5).tan();
    let aspect = view.viewport_px[0].max(1) as f32 / view.viewport_px[1].max(1) as f32;
    let quarter_px = atlas_px as f32 / 2.0;
    let up = if sun.z > 0.99 { Vec3::Y } else { Vec3::Z };
    let light_from_enu = Mat4::look_to_rh(Vec3::ZERO, -sun, up);
    let mut begin = view.near_m;
    (0..4)
        .map(|i| {
            let t = (i + 1) as f32 / 4.0;
            // Half logarithmic, half even.
            let far_m = 0.5 * near * (far / near).powf(t) + 0.5 * (near + (far - near) * t);
            let corner = |d: f32| {
                let (x, y) = (d * tan * aspect, d * tan);
                [(-x, -y), (x, -y), (-x, y), (x, y)].map(|(x, y)| view.forward_in_enu * d + view.right_in_enu * x + view.up_in_enu * y)
            };
            let points: Vec<Vec3> = corner(begin).into_iter().chain(corner(far_m)).collect();
            let centre = points.iter().sum::<Vec3>() / points.len() as f32;
            let radius = points.iter().map(|p| p.distance(centre)).fold(0.0, f32::max).ceil();
            begin = far_m;
            let texel_m = 2.0 * radius / quarter_px;
            // Snapped to whole texels of the world, not of the eye, so that edges do not swim as it moves.
            let world = |p: Vec3| light_from_enu.transform_point3(p);
            let eye = world(view.eye_in_enu.as_vec3());
            let c = world(centre);
            let snapped = ((c.truncate() + eye.truncate()) / texel_m).round() * texel_m - eye.truncate();
            let c = Vec3::new(snapped.x, snapped.y, c.z);
            let clip_from_light = Mat4::orthographic_rh(
                c.x - radius,
                c.x + radius,
                c.y - radius,
                c.y + radius,
                -c.z - radius - CASTERS_M,
                -c.z + radius + 200.0,
            );
            let clip_from_enu = clip_from_light * light_from_enu;
            let corner = Vec2::new((i % 2) as f32, (i / 2) as f32) * 0.5;
            let to_atlas =
                Mat4::from_translation(Vec3::new(corner.x + 0.25, corner.y + 0.25, 0.0)) * Mat4::from_scale(Vec3::new(0.25, -0.25, 1.0));
            let on_map = points.iter().map(|p| clip_from_enu.transform_point3(*p));
            let (lo, hi) = on_map.fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(lo, hi), p| (lo.min(p), hi.max(p)));
            let margin = Vec2::splat(8.0 / quarter_px).extend(0.0);
            Cascade { clip_from_enu, atlas_from_enu: to_atlas * clip_from_enu, far_m, texel_m, served: [lo - margin, hi + margin] }
        })
        .collect()
}
