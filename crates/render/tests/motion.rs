//! A moving picture: its shadows against rays, its size, and that the picture at rest is exact again.

mod common;

use common::{Block, bodies, flat, met};
use glam::Vec3;
use strata_model::Instant;
use strata_render::{Look, Quality, Renderer, Sun};
use strata_scene::{Camera, View};
use strata_tiles::content::{FeatureTable, Role, TileContent};

/// Low and high corners, east, north, up at the first camera's target, m.
fn boxes() -> Vec<Block> {
    (0..64)
        .map(|k| {
            let at = Vec3::new(f32::from(k as u8 % 8) * 60.0 - 240.0, f32::from(k as u8 / 8) * 60.0 - 240.0, 0.0);
            [at, at + Vec3::new(18.0, 12.0 + f32::from(k as u8 % 5) * 3.0, 12.0 + f32::from(k as u8 % 7) * 5.0)]
        })
        .collect()
}
const SIZE: [u32; 2] = [640, 360];

fn content(view: &View) -> TileContent {
    let field = [Vec3::new(-900.0, -900.0, 0.0), Vec3::new(900.0, 900.0, 0.0)];
    TileContent {
        ecef_from_tile: view.enu.matrix_ecef_from_local(),
        primitives: vec![flat(Role::Terrain, field, 0.0), bodies(Role::Other, &boxes())],
        features: FeatureTable { ids: vec!["a".into()], ..Default::default() },
    }
}

fn meets(from: Vec3, way: Vec3) -> bool {
    met(&boxes(), from, way).is_some()
}

/// Places of the open ground, first camera's frame, whose surroundings of a few texels are all in the sun or all in shadow.
fn sure(sun: Vec3) -> Vec<(Vec3, bool)> {
    const APART: f32 = 3.0;
    let mut out = Vec::new();
    for k in 0..10_000 {
        let at = Vec3::new((k % 100) as f32 * 4.7 - 235.0, (k / 100) as f32 * 4.7 - 235.0, 0.05);
        let around = [Vec3::ZERO, Vec3::X, Vec3::Y, Vec3::NEG_X, Vec3::NEG_Y].map(|o| meets(at + o * APART, sun));
        let free = boxes().iter().all(|[lo, hi]| at.x < lo.x - 1.0 || at.x > hi.x + 1.0 || at.y < lo.y - 1.0 || at.y > hi.y + 1.0);
        if free && around.iter().all(|s| *s == around[0]) {
            out.push((at, around[0]));
        }
    }
    out
}

fn luma(p: &[u8]) -> f32 {
    0.2126 * f32::from(p[0]) + 0.7152 * f32::from(p[1]) + 0.0722 * f32::from(p[2])
}

#[test]
fn shadows_hold_while_the_picture_moves() {
    let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
    let first = Camera::new([125.3, 43.9, 200.0], 110.0, 30.0, -38.0);
    let origin = first.view(SIZE);
    let tile = renderer.upload(&content(&origin));
    let mut look = Look::at(Instant::from_ymd(2026, 6, 21), 125.3, 43.9, 8.0);
    look.sun = Sun { azimuth_deg: 135.0, elevation_deg: 38.0 };
    let places = sure(look.sun.direction_enu());
    assert!(places.iter().filter(|p| p.1).count() > 300 && places.iter().filter(|p| !p.1).count() > 1000, "the ground has both");

    let (mut moving, mut exact, mut asked) = (0, 0, 0);
    let (mut wrong_moving, mut wrong_exact) = (0, 0);
    let look_at = |renderer: &mut Renderer, step: u32, motion: Option<f32>| {
        let s = f64::from(step);
        // A flight that turns, sinks and wanders.
        let target = [125.3 + (s - 15.0) * 1.9e-4, 43.9 + (15.0 - s) * 4e-5, 200.0];
        let view = Camera::new(target, 110.0 * 0.99f64.powf(s), 30.0 + 2.0 * s, -38.0 + 0.3 * s).view(SIZE);
        renderer.set_motion(motion);
        let stats = renderer.draw(&view, &look, &[tile]);
        (view, stats, renderer.read_rgba().expect("a picture"))
    };
    for (motion, triangles, wrong) in [(Some(1.0), &mut moving, &mut wrong_moving), (None, &mut exact, &mut wrong_exact)] {
        for step in 0..30 {
            let (view, stats, picture) = look_at(&mut renderer, step, motion);
            *triangles += stats.triangles;
            let seen: Vec<(f32, bool)> = places
                .iter()
                .filter_map(|(at, dark)| {
                    // Not behind a box, seen from the eye.
                    let eye = Vec3::from(origin.enu.local_from_ecef(view.eye_in_ecef).map(|v| v as f32));
                    if meets(*at + Vec3::Z * 0.05, eye - *at) {
                        return None;
                    }
                    let (p, _) = view.project(origin.enu.ecef_from_local(at.as_dvec3().to_array()))?;
                    let [x, y] = p.map(|v| v as i32);
                    let inside = x >= 0 && y >= 0 && x < SIZE[0] as i32 && y < SIZE[1] as i32;
                    inside.then(|| (luma(&picture[(y as usize * SIZE[0] as usize + x as usize) * 4..][..4]), *dark))
                })
                .collect();
            let mean = |dark: bool| {
                let of: Vec<f32> = seen.iter().filter(|s| s.1 == dark).map(|s| s.0).collect();
                of.iter().sum::<f32>() / of.len().max(1) as f32
            };
            let between = (mean(true) * mean(false)).sqrt();
            assert!(mean(false) > 1.4 * mean(true), "step {step}: no shadows: {} and {}", mean(false), mean(true));
            *wrong += seen.iter().filter(|(l, dark)| (*l < between) != *dark).count();
            asked += seen.len();
        }
    }
    asked /= 2;
    assert!(wrong_exact * 50 < asked, "{wrong_exact} of {asked} places are not as rays have them");
    assert!(wrong_moving <= wrong_exact + asked / 500, "{wrong_moving} of {asked} places are not as rays have them, at rest {wrong_exact}");
    assert!(moving * 10 < exact * 8, "a moving picture draws hardly less: {moving} triangles to {exact}");

    // At rest the picture is what it would be had nothing ever moved.
    let (.., rested) = look_at(&mut renderer, 29, None);
    let mut fresh = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
    let again = fresh.upload(&content(&origin));
    assert_eq!(again, tile);
    let (.., never_moved) = look_at(&mut fresh, 29, None);
    assert!(rested == never_moved, "a movement leaves its marks");

    // Fewer pixels while it moves, all of them at rest.
    let (.., half) = look_at(&mut renderer, 10, Some(0.5));
    assert_eq!(half.len(), (SIZE[0] / 2 * SIZE[1] / 2 * 4) as usize);
    let (.., whole) = look_at(&mut renderer, 10, None);
    assert_eq!(whole.len(), (SIZE[0] * SIZE[1] * 4) as usize);
    let mean = |p: &[u8]| p.chunks_exact(4).map(luma).sum::<f32>() / (p.len() / 4) as f32;
    assert!((mean(&half) / mean(&whole) - 1.0).abs() < 0.03, "another picture: {} and {}", mean(&half), mean(&whole));
}
