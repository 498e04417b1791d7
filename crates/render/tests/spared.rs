//! What shaders are spared changes no pixel: the same picture where the tile, the light, the season and the layers give
//! them nothing to leave out.

mod common;

use common::{bodies, flat};
use glam::Vec3;
use strata_model::Instant;
use strata_render::{Look, Quality, Renderer, Sun};
use strata_scene::{Camera, View};
use strata_tiles::content::{FeatureTable, Primitive, Role, TileContent};

const SIZE: [u32; 2] = [480, 270];

/// Something of every role above the ground; `two_sided` says that its bodies may be seen from behind.
fn content(view: &View, two_sided: bool) -> TileContent {
    let area = |x: f32| [Vec3::new(x, -90.0, 0.0), Vec3::new(x + 30.0, 90.0, 0.0)];
    let house = |x: f32, y: f32| [Vec3::new(x, y, 0.0), Vec3::new(x + 14.0, y + 11.0, 9.0 + x.abs() * 0.2)];
    let row = |x: f32| (0..5).map(|k| house(x, -60.0 + 28.0 * k as f32)).collect::<Vec<_>>();
    let mut primitives = vec![
        flat(Role::Terrain, [Vec3::new(-200.0, -200.0, 0.0), Vec3::new(200.0, 200.0, 0.0)], 0.0),
        flat(Role::Parcel, area(-80.0), 0.1),
        flat(Role::Road, area(-40.0), 0.1),
        flat(Role::Water, area(60.0), 0.1),
    ];
    let bodies = [Role::Wall, Role::Massing, Role::Other, Role::TreeCrown].into_iter().zip([-75.0, -45.0, 5.0, 30.0]);
    primitives.extend(bodies.map(|(role, x)| Primitive { two_sided, ..bodies_of(role, &row(x)) }));
    primitives.push(flat(Role::Roof, [Vec3::new(0.0, -90.0, 0.0), Vec3::new(25.0, -70.0, 0.0)], 6.0));
    TileContent {
        ecef_from_tile: view.enu.matrix_ecef_from_local(),
        primitives,
        features: FeatureTable { ids: vec!["a".into(), "b".into()], ..Default::default() },
    }
}

/// With the measures that a wall's shader asks for.
fn bodies_of(role: Role, blocks: &[common::Block]) -> Primitive {
    let mut p = bodies(role, blocks);
    p.uv = p.positions.iter().map(|v| [v[0] + v[1], v[2]]).collect();
    p.uv2 = vec![[14.0, 12.0]; p.positions.len()];
    p
}

fn farthest(a: &[u8], b: &[u8]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn what_shaders_are_spared_changes_no_pixel() {
    let mut renderer = pollster::block_on(Renderer::headless(SIZE[0], SIZE[1], Quality::Medium)).expect("an adapter");
    let view = Camera::new([125.3, 43.9, 200.0], 190.0, 30.0, -35.0).view(SIZE);
    let [closed, open] = [false, true].map(|two_sided| renderer.upload(&content(&view, two_sided)));
    let mut draw = |look: &Look, tile, chosen: Option<&str>| {
        renderer.select(chosen);
        renderer.draw(&view, look, &[tile]);
        renderer.read_rgba().expect("a picture")
    };
    let mut summer = Look::at(Instant::from_ymd(2026, 6, 21), 125.3, 43.9, 8.0);
    summer.sun = Sun { azimuth_deg: 135.0, elevation_deg: 38.0 };
    summer.snow = 0.0;
    let plain = draw(&summer, closed, None);
    assert!(plain.chunks_exact(4).map(|p| (p[0], p[1], p[2])).collect::<std::collections::HashSet<_>>().len() > 1500, "a picture of much");
    // A feature that has no triangle is chosen: the tile's shaders ask again for what is chosen, painted or compared.
    assert!(farthest(&plain, &draw(&summer, closed, Some("b"))) <= 1);
    assert!(farthest(&plain, &draw(&summer, closed, Some("a"))) > 60, "what has triangles is seen to be chosen");
    let seen = draw(&summer, open, None);
    // In the shadows a texel at an edge may be biased as another face's.
    assert!(farthest(&plain, &seen) <= 4, "the far sides of closed bodies never show");
    // Snow of which nobody sees a flake; a compared day on which the same stands.
    assert!(farthest(&plain, &draw(&Look { snow: 1e-6, ..summer.clone() }, closed, None)) <= 1);
    let snowy = draw(&Look { snow: 0.75, ..summer.clone() }, closed, None);
    assert!(farthest(&plain, &snowy) > 20, "and snow is seen");
    // The first lamps are as dim as the dusk is late.
    let dusk = |elevation_deg| Look { sun: Sun { elevation_deg, ..summer.sun }, ..summer.clone() };
    let [before, after, night] = [-0.995, -1.005, -12.0].map(|e| draw(&dusk(e), closed, None));
    assert!(farthest(&before, &after) <= 2, "{}", farthest(&before, &after));
    assert!(farthest(&before, &night) > 40, "and night falls");
}
