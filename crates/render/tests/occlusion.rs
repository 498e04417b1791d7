//! Ambient occlusion against rays: a house with a yard on open ground, drawn with and without it.

mod common;

use common::{bodies, flat};
use glam::Vec3;
use strata_model::Instant;
use strata_render::{Look, Quality, Renderer, Sun};
use strata_scene::{Camera, View};
use strata_tiles::content::{Column, FeatureTable, Role, TileContent};

/// Corners of boxes, east, north, up at the camera's target, m: a ring of 30 × 30 m around a yard of 14 × 14 m, 10 m tall.
const BOXES: [[Vec3; 2]; 4] = [
    [Vec3::new(-15.0, -15.0, 0.0), Vec3::new(15.0, -7.0, 10.0)],
    [Vec3::new(-15.0, 7.0, 0.0), Vec3::new(15.0, 15.0, 10.0)],
    [Vec3::new(-15.0, -7.0, 0.0), Vec3::new(-7.0, 7.0, 10.0)],
    [Vec3::new(7.0, -7.0, 0.0), Vec3::new(15.0, 7.0, 10.0)],
];
/// A parcel at the foot of the southern wall, drawn as data.
const PARCEL: [Vec3; 2] = [Vec3::new(4.0, -22.0, 0.0), Vec3::new(14.0, -15.0, 0.0)];
const SIZE: [u32; 2] = [640, 480];

fn content(view: &View) -> TileContent {
    let field = [Vec3::new(-300.0, -300.0, 0.0), Vec3::new(300.0, 300.0, 0.0)];
    let mut features = FeatureTable { ids: vec!["a".into()], ..Default::default() };
    features.columns.insert("land_use".into(), Column::Text(vec!["0701".into()]));
    TileContent {
        ecef_from_tile: view.enu.matrix_ecef_from_local(),
        primitives: vec![flat(Role::Terrain, field, 0.0), bodies(Role::Other, &BOXES), flat(Role::Parcel, PARCEL, 0.02)],
        features,
    }
}

fn met(from: Vec3, way: Vec3) -> Option<f32> {
    common::met(&BOXES, from, way)
}

/// Share of the sky that is open over a point of the ground when what is farther than `radius` does not count: by rays, of
/// which as many go to each part of the sky as it gives light.
fn open_by_rays(at: Vec3, radius: f32) -> f32 {
    const N: u32 = 4096;
    let hidden: f32 = (0..N)
        .map(|k| {
            let u = (k as f32 + 0.5) / N as f32;
            let (sin, cos) = (k as f32 * 2.399_963).sin_cos();
            let way = Vec3::new(cos * u.sqrt(), sin * u.sqrt(), (1.0 - u).sqrt());
            met(at + Vec3::Z * 1e-3, way).map_or(0.0, |t| ((radius - t) / (0.6 * radius)).clamp(0.0, 1.0))
        })
        .sum();
    1.0 - hidden / N as f32
}

fn linear(v: u8) -> f32 {
    let v = f32::from(v) / 255.0;
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

struct Pair {
    view: View,
    with: Vec<u8>,
    without: Vec<u8>,
}

impl Pair {
    fn draw(camera: Camera) -> Self {
        let view = camera.view(SIZE);
        let mut look = Look::at(Instant::from_ymd(2026, 6, 21), camera.target[0], camera.target[1], 8.0);
        // Light from the sky alone: the sun just under the horizon.
        look.sun = Sun { azimuth_deg: 200.0, elevation_deg: -1.5 };
        look.drape = true;
        let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::High)).expect("an adapter");
        let tile = renderer.upload(&content(&view));
        renderer.draw(&view, &look, &[tile]);
        let with = renderer.read_rgba().expect("a picture");
        renderer.set_occlusion(false);
        renderer.draw(&view, &look, &[tile]);
        let without = renderer.read_rgba().expect("a picture");
        renderer.set_occlusion(true);
        renderer.draw(&view, &look, &[tile]);
        assert!(renderer.read_rgba().expect("a picture") == with, "the same picture twice is not the same");
        Self { view, with, without }
    }
    fn pixel(&self, at: Vec3) -> [usize; 2] {
        let ([x, y], _) = self.view.project(self.view.enu.ecef_from_local(at.as_dvec3().to_array())).expect("before the eye");
        [x as usize, y as usize]
    }
    /// Light that is left of what there was, over 3 × 3 pixels.
    fn left(&self, at: Vec3) -> f32 {
        let [x, y] = self.pixel(at);
        let sum = |p: &[u8]| -> f32 {
            let near = (0..9).map(|k| ((y + k / 3 - 1) * SIZE[0] as usize + x + k % 3 - 1) * 4);
            near.map(|i| (0..3).map(|c| linear(p[i + c])).sum::<f32>()).sum()
        };
        sum(&self.with) / sum(&self.without)
    }
}

const TARGET: [f64; 3] = [125.3, 43.9, 200.0];

#[test]
fn the_foot_of_a_wall_and_a_yard_are_as_dark_as_rays_say() {
    let pair = Pair::draw(Camera::new(TARGET, 85.0, 0.0, -62.0));
    // As `shaders/occlusion.wgsl` has it: 44 pixels, within 0.5 m and 8 m.
    let radius = |p: Vec3| {
        let far = (p - pair.view.eye_in_enu.as_vec3()).dot(pair.view.forward_in_enu);
        (44.0 * pair.view.metres_per_px(f64::from(far)) as f32).clamp(0.5, 8.0)
    };
    let mut seen = Vec::new();
    for (name, p) in [
        ("open ground", Vec3::new(-30.0, -20.0, 0.0)),
        ("6 m before a wall", Vec3::new(-5.0, -21.0, 0.0)),
        ("3 m before a wall", Vec3::new(-5.0, -18.0, 0.0)),
        ("foot of a wall", Vec3::new(-5.0, -16.0, 0.0)),
        ("side of the yard", Vec3::new(-6.0, 0.0, 0.0)),
        ("behind the house", Vec3::new(0.0, 24.0, 0.0)),
        ("middle of the yard", Vec3::new(0.0, 2.0, 0.0)),
        ("yard, by the wall", Vec3::new(0.0, 5.8, 0.0)),
        ("corner of the yard", Vec3::new(5.5, 5.5, 0.0)),
    ] {
        let (drawn, rays, all) = (pair.left(p), open_by_rays(p, radius(p)), open_by_rays(p, 1e4));
        println!("{name}: {drawn:.3} drawn, {rays:.3} by rays, {all:.3} by rays without end");
        seen.push((name, drawn, rays, all));
    }
    // What hides behind a roof counts a little farther than what one sees, never farther than it hides the sky in truth.
    for (name, drawn, rays, all) in &seen {
        assert!(*drawn < rays + 0.10 && *drawn > (rays - 0.10).min(*all), "{name}: {drawn:.3} of the light, by rays {rays:.3}, {all:.3}");
    }
    let of = |name: &str| seen.iter().find(|s| s.0 == name).expect("a place").1;
    assert!(of("open ground") > 0.98, "nothing hides the sky there");
    assert!(of("foot of a wall") < 0.8 && of("corner of the yard") < of("foot of a wall"));
}

/// Sky, far land and data keep every value; a pixel beside a roof's edge is no darker for it.
#[test]
fn sky_and_data_are_untouched() {
    let pair = Pair::draw(Camera::new(TARGET, 70.0, 20.0, -9.0));
    let (mut sky, mut darker, mut data) = (0, 0, 0);
    let eye = pair.view.eye_in_enu.as_vec3();
    for y in 0..SIZE[1] as usize {
        for x in 0..SIZE[0] as usize {
            let i = (y * SIZE[0] as usize + x) * 4;
            let (a, b) = (&pair.with[i..i + 3], &pair.without[i..i + 3]);
            let rays = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(u, v)| pair.view.ray(x as f32 + u, y as f32 + v));
            if rays.iter().all(|r| r.z > 0.0 && met(eye, *r).is_none()) {
                sky += 1;
                assert_eq!(a, b, "the sky at {x},{y}");
            }
            let on_parcel = |r: &Vec3| {
                let p = eye - *r * (eye.z / r.z);
                let within = p.x > PARCEL[0].x + 0.2 && p.x < PARCEL[1].x - 0.2 && p.y > PARCEL[0].y + 0.2 && p.y < PARCEL[1].y - 0.2;
                r.z < 0.0 && within && met(eye, *r).is_none_or(|t| t > eye.distance(p))
            };
            if rays.iter().all(on_parcel) {
                data += 1;
                assert_eq!(a, b, "land use at {x},{y}");
            }
            assert!(a.iter().zip(b).all(|(a, b)| a <= b), "occlusion gave light at {x},{y}");
            darker += usize::from(a != b);
        }
    }
    assert!(sky > 20_000 && data > 400 && darker > 10_000, "{sky} {data} {darker}");
}

/// Shadows on the ground, near and far from the eye, against rays to the sun: no cascade leaves out what casts into it.
#[test]
fn shadows_fall_where_rays_say() {
    for (distance_m, pitch_deg) in [(85.0, -62.0), (240.0, -50.0), (600.0, -55.0)] {
        let camera = Camera::new(TARGET, distance_m, 120.0, pitch_deg);
        let view = camera.view(SIZE);
        let mut look = Look::at(Instant::from_ymd(2026, 6, 21), TARGET[0], TARGET[1], 8.0);
        look.sun = Sun { azimuth_deg: 210.0, elevation_deg: 32.0 };
        let sun = look.sun.direction_enu();
        let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
        let whole = content(&view);
        let ground = TileContent { primitives: vec![whole.primitives[0].clone()], ..whole.clone() };
        let [house, bare] = [&whole, &ground].map(|c| {
            let tile = renderer.upload(c);
            renderer.draw(&view, &look, &[tile]);
            renderer.read_rgba().expect("a picture")
        });
        let eye = view.eye_in_enu.as_vec3();
        let clear = (view.metres_per_px(distance_m) as f32 * 4.0).max(1.5);
        let (mut dark, mut lit) = (0, 0);
        for i in 0..4800 {
            let p = Vec3::new((i % 80) as f32 - 40.0, (i / 80) as f32 - 15.0, 0.01);
            // Away from the edges of the shadow and of the house, and not hidden by it.
            let around: Vec<Vec3> =
                (0..8).map(|k| p + Vec3::new((k as f32 * 0.785).cos(), (k as f32 * 0.785).sin(), 0.0) * clear).collect();
            let shaded = met(p, sun).is_some();
            let sure = around.iter().chain([&p]).all(|q| {
                let to_eye = (eye - *q).normalize();
                met(*q, sun).is_some() == shaded && met(*q, to_eye).is_none() && met(*q, Vec3::Z).is_none()
            });
            let on_parcel =
                p.x > PARCEL[0].x - clear && p.x < PARCEL[1].x + clear && p.y > PARCEL[0].y - clear && p.y < PARCEL[1].y + clear;
            let Some(([x, y], _)) = view.project(view.enu.ecef_from_local(p.as_dvec3().to_array())) else { continue };
            if !sure || on_parcel || x < 1.0 || y < 1.0 || x >= SIZE[0] as f32 - 1.0 || y >= SIZE[1] as f32 - 1.0 {
                continue;
            }
            let at = (y as usize * SIZE[0] as usize + x as usize) * 4;
            let left = (0..3).map(|c| linear(house[at + c])).sum::<f32>() / (0..3).map(|c| linear(bare[at + c])).sum::<f32>();
            assert!((left < 0.75) == shaded, "{distance_m} m: {p:?} has {left:.2} of the light, shaded: {shaded}");
            if shaded { dark += 1 } else { lit += 1 }
        }
        assert!(dark > 40 && lit > 300, "{distance_m} m: {dark} {lit}");
    }
}
