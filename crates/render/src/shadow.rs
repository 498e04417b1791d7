//! Four cascades of sun shadow in one picture, a quarter each, and how long they hold while the picture moves.

use crate::{Look, pipelines::DEPTH, targets::texture};
use glam::{DMat4, DVec3, Mat4, Vec2, Vec3};
use strata_scene::{Mode, View};

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
    /// Corners of the part of the view that it serves.
    corners: [Vec3; 8],
}

/// What casts may stand so far outside a cascade, towards the sun.
const CASTERS_M: f32 = 1500.0;

/// Each as tight as can be. None when the sun is under the horizon.
pub fn cascades(view: &View, sun: Vec3, atlas_px: u32) -> Vec<Cascade> {
    cascades_within(view, sun, atlas_px, 1.0)
}

/// `room`: how many times wider than need be.
fn cascades_within(view: &View, sun: Vec3, atlas_px: u32, room: f32) -> Vec<Cascade> {
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
            let [near_side, far_side] = [corner(begin), corner(far_m)];
            let points: [Vec3; 8] = std::array::from_fn(|k| if k < 4 { near_side[k] } else { far_side[k - 4] });
            let centre = points.iter().sum::<Vec3>() / points.len() as f32;
            let radius = points.iter().map(|p| p.distance(centre)).fold(0.0, f32::max).ceil() * room;
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
            let on_map = points.iter().map(|p| clip_from_enu.transform_point3(*p));
            let (lo, hi) = on_map.fold((Vec3::INFINITY, Vec3::NEG_INFINITY), |(lo, hi), p| (lo.min(p), hi.max(p)));
            let margin = Vec2::splat(8.0 / quarter_px).extend(0.0);
            // What is to serve other views too serves all its clip space.
            let served = if room > 1.0 { [Vec3::new(-1.0, -1.0, lo.z), Vec3::ONE] } else { [lo - margin, hi + margin] };
            Cascade { clip_from_enu, atlas_from_enu: to_atlas(i) * clip_from_enu, far_m, texel_m, served, corners: points }
        })
        .collect()
}

/// From a cascade's clip space to its quarter of the picture.
fn to_atlas(cascade: usize) -> Mat4 {
    let corner = Vec2::new((cascade % 2) as f32, (cascade / 2) as f32) * 0.5;
    Mat4::from_translation(Vec3::new(corner.x + 0.25, corner.y + 0.25, 0.0)) * Mat4::from_scale(Vec3::new(0.25, -0.25, 1.0))
}

/// What lies in a quarter of the picture.
#[derive(Debug, Clone, Copy)]
struct Held {
    clip_from_ecef: DMat4,
    texel_m: f32,
    /// Of the tiles that were drawn.
    tiles: u64,
    pictures: u32,
}

/// The picture of the shadows, and what it holds.
pub struct Shadows {
    pub map: wgpu::TextureView,
    pub sampler: wgpu::Sampler,
    pub side: u32,
    held: [Option<Held>; 4],
    /// Sun in ECEF and day of what is held.
    cause: Option<(DVec3, i32)>,
}

/// While the picture moves a cascade is drawn so much wider, that it serves the next pictures too …
const ROOM: f32 = 1.3;
/// … as long as it is at most so much coarser than it could be.
const COARSER: f32 = 1.9;

impl Shadows {
    pub fn new(device: &wgpu::Device, side: u32) -> Self {
        let used = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING;
        Self {
            map: texture(device, "shadow", [side, side], DEPTH, 1, used).create_view(&Default::default()),
            sampler: device.create_sampler(&wgpu::SamplerDescriptor {
                mag_filter: wgpu::FilterMode::Linear,
                min_filter: wgpu::FilterMode::Linear,
                compare: Some(wgpu::CompareFunction::LessEqual),
                ..Default::default()
            }),
            side,
            held: [None; 4],
            cause: None,
        }
    }
    /// The cascades of a picture, and which of them have to be drawn. At rest that is all of them, each as tight as can be; while
    /// the picture moves what is held serves on where it reaches, and at most one cascade a picture is drawn anew for a better
    /// fit or for tiles that came. `tiles` is another number for other tiles.
    pub fn fall(&mut self, view: &View, look: &Look, tiles: u64, moving: bool) -> Vec<(Cascade, bool)> {
        let sun = look.sun.direction_enu();
        // What the cut-away takes stays where the target is.
        let moving = moving && matches!(look.mode, Mode::Surface | Mode::Xray) && look.compare.is_none();
        if !moving {
            self.held = [None; 4];
            return cascades(view, sun, self.side).into_iter().map(|c| (c, true)).collect();
        }
        let ecef_from_enu = DMat4::from_cols_array(&view.enu.matrix_ecef_from_local()) * DMat4::from_translation(view.eye_in_enu);
        let sun_in_ecef = ecef_from_enu.transform_vector3(sun.as_dvec3());
        if self.cause.is_none_or(|(s, day)| day != look.day || s.dot(sun_in_ecef) < 0.999_999) {
            self.held = [None; 4];
            self.cause = Some((sun_in_ecef, look.day));
        }
        let tight = cascades(view, sun, self.side);
        let wide = cascades_within(view, sun, self.side, ROOM);
        let mut out: Vec<(Cascade, bool)> = Vec::with_capacity(tight.len());
        // The one that fits worst, where none has to be drawn.
        let mut worst = (0.0, None);
        for (i, (tight, wide)) in tight.iter().zip(&wide).enumerate() {
            let kept = self.held[i].filter(|h| h.texel_m <= tight.texel_m * COARSER).and_then(|h| {
                let m = h.clip_from_ecef * ecef_from_enu;
                let inside = |p: &Vec3| {
                    let c = m.transform_point3(p.as_dvec3());
                    c.truncate().abs().max_element() < 1.0 - 12.0 / f64::from(self.side) && (0.0..=1.0).contains(&c.z)
                };
                tight.corners.iter().all(inside).then_some((h, m))
            });
            let Some((h, m)) = kept else {
                out.push((*wide, true));
                continue;
            };
            let misfit = h.texel_m / (tight.texel_m * ROOM);
            let weight =
                f64::from(misfit.max(1.0 / misfit)) - 1.0 + if h.tiles == tiles { 0.0 } else { 10.0 } + f64::from(h.pictures) * 0.001;
            if (!(0.9..=1.25).contains(&misfit) || h.tiles != tiles) && weight > worst.0 {
                worst = (weight, Some(i));
            }
            let clip_from_enu = m.as_mat4();
            let served = [Vec3::splat(-1.0), Vec3::ONE];
            let atlas_from_enu = to_atlas(i) * clip_from_enu;
            out.push((Cascade { clip_from_enu, atlas_from_enu, texel_m: h.texel_m, served, ..*tight }, false));
        }
        if let Some(i) = worst.1.filter(|_| out.iter().all(|(_, drawn)| !drawn)) {
            out[i] = (wide[i], true);
        }
        let enu_from_ecef = ecef_from_enu.inverse();
        for (i, (c, drawn)) in out.iter().enumerate() {
            match &mut self.held[i] {
                Some(h) if !drawn => h.pictures += 1,
                held => {
                    let clip_from_ecef = c.clip_from_enu.as_dmat4() * enu_from_ecef;
                    *held = Some(Held { clip_from_ecef, texel_m: c.texel_m, tiles, pictures: 0 });
                }
            }
        }
        out
    }
}
