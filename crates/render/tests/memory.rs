//! Memory of a long flight: what one picture costs must not stay behind.

mod common;

use common::{bodies, flat};
use glam::{DMat4, DVec3, Vec3};
use strata_model::Instant;
use strata_render::{Look, Quality, Renderer};
use strata_scene::{Camera, Mode, View};
use strata_tiles::content::{FeatureTable, Role, TileContent};

const SIZE: [u32; 2] = [320, 180];
const TARGET: [f64; 3] = [125.3, 43.9, 200.0];

/// One tile of many: every role is in it, and its place is its own, as are the numbers that its draws are given.
fn tile(view: &View, k: u32) -> TileContent {
    let field = [Vec3::new(0.0, 0.0, 0.0), Vec3::new(40.0, 40.0, 0.0)];
    let house = [[Vec3::new(8.0, 8.0, 0.0), Vec3::new(20.0, 22.0, 12.0)]];
    let primitives = Role::ALL.iter().map(|role| match role {
        Role::Wall | Role::Massing | Role::Well | Role::Fitting | Role::Pipe | Role::TreeCrown | Role::TreeTrunk => bodies(*role, &house),
        Role::Roof => flat(*role, house[0], 12.0),
        _ => flat(*role, field, 0.02 * *role as u8 as f32),
    });
    let at = DVec3::new(f64::from(k % 6) * 41.0 - 120.0, f64::from(k / 6) * 41.0 - 120.0, 0.0);
    let ecef_from_target = DMat4::from_cols_array(&view.enu.matrix_ecef_from_local());
    TileContent {
        ecef_from_tile: (ecef_from_target * DMat4::from_translation(at)).to_cols_array(),
        primitives: primitives.collect(),
        features: FeatureTable { ids: vec!["a".into()], ..Default::default() },
    }
}

#[cfg(target_os = "linux")]
fn resident_mib() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("this process");
    let resident: f64 = pages.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of pages");
    resident * 4096.0 / (1 << 20) as f64
}

/// Mesa's software adapter makes a shader anew for each value of a number that alone decides a branch, and keeps them all:
/// such a branch cost some hundred MiB a picture. The shaders hold those numbers back from it (`zero` in frame.wgsl).
#[test]
#[cfg(target_os = "linux")]
fn a_long_flight_leaves_nothing_behind() {
    let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::High)).expect("an adapter");
    let view = Camera::new(TARGET, 300.0, 0.0, -40.0).view(SIZE);
    let tiles: Vec<_> = (0..36).map(|k| renderer.upload(&tile(&view, k))).collect();
    let mut fly = |step: u32| {
        let s = f64::from(step);
        let view = Camera::new(TARGET, 260.0 - s, s * 5.0, -35.0 - s * 0.2).view(SIZE);
        // Hours, dates to compare and modes change in the same flight.
        let hour = Instant(Instant::from_ymd(2026, 6, 21).0 + i64::from(step % 40) * 2_160_000);
        let mut look = Look::at(hour, TARGET[0], TARGET[1], 8.0);
        look.drape = step.is_multiple_of(2);
        look.mode = [Mode::Surface, Mode::Xray, Mode::Below, Mode::Surface][step as usize % 4];
        renderer.draw(&view, &look, &tiles);
        renderer.read_rgba().expect("a picture");
    };
    // A whole day, until every shader that it wants is made.
    (0..40).for_each(&mut fly);
    let before = resident_mib();
    (40..80).for_each(&mut fly);
    let grown = resident_mib() - before;
    println!("{before:.0} MiB, {grown:.1} more after forty pictures");
    assert!(grown < 40.0, "forty pictures left {grown:.0} MiB behind");
}
