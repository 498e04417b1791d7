use super::*;
use crate::Relief;

fn at(p: [f64; 3]) -> Point3 {
    [ORIGIN[0] + p[0], ORIGIN[1] + p[1], p[2]]
}

fn pipes() -> Arc<Layer> {
    use FieldKind::*;
    layer(
        Theme::Pipe,
        &[
            ("class", Text),
            ("shape", Text),
            ("od_mm", Float),
            ("width_mm", Float),
            ("height_mm", Float),
            ("start_depth_m", Float),
            ("end_depth_m", Float),
        ],
    )
}

fn pipe(points: &[[f64; 3]], od_mm: f64) -> Feature {
    let values = vec!["JS".into(), "round".into(), od_mm.into(), Value::Null, Value::Null, 1.5.into(), 2.5.into()];
    feature("p", Geometry::LineString(points.iter().map(|p| at(*p)).collect()), values)
}

/// A plane that rises to the east.
fn hillside() -> Relief {
    ground(1, |e, _| 200.0 + 0.05 * e)
}

/// Folds: decimetres up and down over a hundred metres.
fn folds() -> Relief {
    ground(200, |e, n| 200.0 + 0.35 * (e / 40.0).sin() * (n / 55.0).cos() + 0.02 * e)
}

/// A kilometre of ground around the origin, its height by east and north from there, m, on so many cells a side.
fn ground(cells: usize, height: impl Fn(f64, f64) -> f64) -> Relief {
    let b = Bounds2 { min: ORIGIN.map(|v| v - 500.0), max: ORIGIN.map(|v| v + 500.0) };
    let side = cells + 1;
    let place = |i: usize| -500.0 + 1000.0 * i as f64 / cells as f64;
    let points: Vec<Point3> = (0..side * side)
        .map(|k| {
            let (e, n) = (place(k % side), place(k / side));
            [ORIGIN[0] + e, ORIGIN[1] + n, height(e, n)]
        })
        .collect();
    let cell = |i: usize| {
        let [a, b] = [i, i + 1].map(|v| v as u32);
        let (c, d) = (a + side as u32, b + side as u32);
        [[a, b, d], [a, d, c]]
    };
    let triangles = (0..cells).flat_map(|j| (0..cells).flat_map(move |i| cell(j * (cells + 1) + i))).collect();
    let tin = Feature { ..feature("t", Geometry::Tin { points, triangles }, vec![]) };
    Relief::from_batch(&FeatureBatch { layer: layer(Theme::Terrain, &[]), features: vec![tin] }, b, 5.0)
}

/// Farthest that a mesh parts from the ground raised by `lift_m`, seen at places all over its triangles, m.
fn parts_from(c: &TileContent, mesh: &Primitive, relief: &Relief, lift_m: f64) -> f64 {
    let mut worst = 0.0f64;
    for t in mesh.indices.chunks_exact(3) {
        let [a, b, d] = [0, 1, 2].map(|k| glam::DVec3::from(working(c, mesh.positions[t[k] as usize])));
        for i in 0..=12 {
            for j in 0..=12 - i {
                let p = a + (b - a) * (f64::from(i) / 12.0) + (d - a) * (f64::from(j) / 12.0);
                worst = worst.max((p.z - lift_m - relief.height_at(p.x, p.y).expect("ground")).abs());
            }
        }
    }
    worst
}

#[test]
fn what_lies_on_the_ground_follows_it_and_takes_no_triangle_more_than_that() {
    let parcels = layer(Theme::Parcel, &[("land_use", FieldKind::Text)]);
    let parcel = feature("p", Geometry::Polygon(rect(0.0, 0.0, 300.0, 200.0, 0.0)), vec!["0701".into()]);
    let roads = layer(Theme::Road, &[("class", FieldKind::Text), ("width_m", FieldKind::Float), ("lanes", FieldKind::Int)]);
    let line: Vec<Point3> = [[0.0, 0.0, 0.0], [200.0, 30.0, 0.0], [260.0, 180.0, 0.0]].map(at).into();
    let road = feature("r", Geometry::LineString(line), vec!["arterial".into(), 40.0.into(), Value::Int(6)]);
    for (relief, bent) in [(hillside(), false), (folds(), true)] {
        let of = |steps| {
            let land = content(&parcels, vec![parcel.clone()], steps, Some(&relief));
            let street = content(&roads, vec![road.clone()], steps, Some(&relief));
            [&land, &street].into_iter().for_each(sound);
            let lift = 0.3 * f64::from(steps);
            let off = [
                parts_from(&land, role(&land, Role::Parcel), &relief, 0.03 + lift),
                parts_from(&street, role(&street, Role::Road), &relief, 0.12 + lift),
            ];
            (off, [role(&land, Role::Parcel), role(&street, Role::Road)].map(|p| p.indices.len() / 3))
        };
        let [(near, fine), (far, coarse)] = [0, 2].map(of);
        // Looked at every few metres, the ground may part a little more between.
        assert!(near.iter().all(|v| *v < if bent { 0.025 } else { 0.002 }), "{near:?} m off");
        assert!(far.iter().all(|v| *v < if bent { 0.4 } else { 0.002 }), "{far:?} m off");
        if bent {
            assert!(fine[0] > 4 * coarse[0] && fine[1] > 2 * coarse[1], "{fine:?}, {coarse:?}");
        } else {
            assert!(fine[0] < 80 && fine[1] < 60, "a plane has few triangles: {fine:?}");
        }
    }
}

#[test]
fn a_straight_pipe_has_its_radius_its_length_and_its_depth() {
    let (a, b) = (glam::DVec3::from(at([10.0, 20.0, 195.0])), glam::DVec3::from(at([70.0, 100.0, 193.0])));
    let c = content(&pipes(), vec![pipe(&[[10.0, 20.0, 195.0], [70.0, 100.0, 193.0]], 600.0)], 0, None);
    sound(&c);
    let tube = role(&c, Role::Pipe);
    assert_eq!(tube.positions.len(), 28, "two rings of 13 and two hubs");
    let axis = (b - a).normalize();
    let mut reach = [f64::INFINITY, f64::NEG_INFINITY];
    for (v, uv) in tube.positions.iter().zip(&tube.uv) {
        let p = glam::DVec3::from(working(&c, *v)) - a;
        let along = p.dot(axis);
        let off = (p - axis * along).length();
        assert!((off - 0.3).abs() < 1e-3 || off < 1e-3, "{off}");
        assert!((along - f64::from(uv[1])).abs() < 1e-3);
        reach = [reach[0].min(along), reach[1].max(along)];
    }
    assert!(reach[0].abs() < 1e-3 && (reach[1] - a.distance(b)).abs() < 1e-3);
    let gon = 12.0 / 2.0 * 0.09 * (std::f64::consts::TAU / 12.0).sin();
    let v = volume([tube]);
    assert!((v / (gon * a.distance(b)) - 1.0).abs() < 3e-4, "{v}");
    assert_eq!(open_sides([tube]), 0);
    assert!(tube.uv2.iter().all(|u| (u[0] - 0.3).abs() < 1e-6 && ((u[1] - 1.5).abs() < 1e-4 || (u[1] - 2.5).abs() < 1e-4)));
}

#[test]
fn bends_keep_the_tube_whole_and_share_one_ring() {
    let path = [[0.0, 0.0, 200.0], [10.0, 0.0, 200.0], [10.0, 10.0, 200.0], [10.0, 10.0, 190.0], [18.0, 16.0, 190.0], [18.0, 16.0, 190.0]];
    let c = content(&pipes(), vec![pipe(&path, 400.0)], 0, None);
    sound(&c);
    let tube = role(&c, Role::Pipe);
    assert_eq!(tube.positions.len(), 5 * 13 + 2);
    assert_eq!(open_sides([tube]), 0);
    // A mitred tube has the volume of its profile times the length of its axis.
    let gon = 12.0 / 2.0 * 0.04 * (std::f64::consts::TAU / 12.0).sin();
    let v = volume([tube]);
    assert!((v / (gon * 40.0) - 1.0).abs() < 3e-4, "{v} is not {}", gon * 40.0);
    // A pipe that turns back on itself, and one that goes straight down.
    for path in [&[[0.0, 0.0, 200.0], [10.0, 0.0, 200.0], [1.0, 0.1, 200.0]][..], &[[0.0, 0.0, 200.0], [0.0, 0.0, 180.0]]] {
        let c = content(&pipes(), vec![pipe(path, 400.0)], 0, None);
        assert_eq!(open_sides([role(&c, Role::Pipe)]), 0);
        assert!(crate::encode_glb(&c).is_ok());
    }
}

#[test]
fn a_duct_is_a_box_and_lies_level() {
    let mut f = pipe(&[[0.0, 0.0, 200.0], [30.0, 0.0, 199.0], [30.0, 40.0, 199.0]], 100.0);
    (f.attributes[1], f.attributes[3], f.attributes[4]) = ("rect".into(), 2000.0.into(), 1000.0.into());
    let c = content(&pipes(), vec![f], 0, Some(&hillside()));
    sound(&c);
    let tube = role(&c, Role::Pipe);
    assert_eq!(open_sides([tube]), 0);
    let length = 30.0f64.hypot(1.0) + 40.0;
    let v = volume([tube]);
    assert!((v / (2.0 * length) - 1.0).abs() < 1e-3, "{v}");
    let top = tube.positions.iter().map(|p| working(&c, *p)[2]).fold(f64::NEG_INFINITY, f64::max);
    assert!((top - 200.5).abs() < 1e-2, "its roof is level: {top}");
    // Depth below the hillside: at the start the ground is at 200 m, at the end at 201.5 m.
    assert!(tube.uv2.iter().any(|u| u[1].abs() < 0.01) && tube.uv2.iter().any(|u| (u[1] - 2.5).abs() < 0.01));
}

#[test]
fn far_away_only_large_pipes_are_left_in_fewer_sides() {
    let small = pipe(&[[0.0, 0.0, 200.0], [10.0, 0.0, 200.0]], 100.0);
    let large = Feature { id: "large".into(), ..pipe(&[[0.0, 5.0, 200.0], [10.0, 5.0, 200.0]], 1200.0) };
    let count = |steps| {
        let c = content(&pipes(), vec![small.clone(), large.clone()], steps, None);
        (c.features.ids.len(), triangles(&c))
    };
    assert_eq!([count(0), count(1), count(2), count(4)], [(2, 96), (2, 48), (1, 16), (1, 16)]);
}

#[test]
fn a_road_is_as_wide_as_it_says_and_follows_the_ground() {
    let roads = layer(Theme::Road, &[("class", FieldKind::Text), ("width_m", FieldKind::Float), ("lanes", FieldKind::Int)]);
    let line: Vec<Point3> = [[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [160.0, 80.0, 0.0]].map(at).into();
    let f = feature("r", Geometry::LineString(line), vec!["arterial".into(), 24.0.into(), Value::Int(6)]);
    let relief = hillside();
    let c = content(&roads, vec![f], 0, Some(&relief));
    sound(&c);
    let road = role(&c, Role::Road);
    let area: f64 = corners(road).map(|[a, b, c]| ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2.0).sum();
    let disc = 16.0 / 2.0 * 144.0 * (std::f64::consts::TAU / 16.0).sin();
    assert!((area / (24.0 * 200.0 + disc) - 1.0).abs() < 1e-3, "{area}");
    assert!(road.uv.iter().all(|u| u[0].abs() <= 12.001 && u[1] > -12.001 && u[1] < 212.001));
    assert!(road.uv2.iter().all(|u| *u == [24.0, 6.0]));
    for p in &road.positions {
        let w = working(&c, *p);
        let want = 200.0 + 0.05 * (w[0] - ORIGIN[0]) + 0.12;
        assert!((w[2] - want).abs() < 0.01, "{} is not {want}", w[2]);
    }
    // Left of the way is negative: at the start the way goes east, so north is left.
    let left = road.positions.iter().zip(&road.uv).find(|(_, u)| u[0] == -12.0 && u[1] == 0.0).expect("a left corner");
    assert!(working(&c, *left.0)[1] > ORIGIN[1] + 11.9);
}

#[test]
fn a_bridge_keeps_its_deck() {
    let roads = layer(Theme::Road, &[("class", FieldKind::Text)]);
    let line: Vec<Point3> = [[0.0, 0.0, 200.0], [0.0, 40.0, 209.0], [0.0, 80.0, 209.0], [0.0, 120.0, 200.0]].map(at).into();
    let c = content(&roads, vec![feature("r", Geometry::LineString(line), vec!["local".into()])], 0, Some(&hillside()));
    let heights: Vec<f64> = role(&c, Role::Road).positions.iter().map(|p| working(&c, *p)[2]).collect();
    let top = heights.iter().copied().fold(f64::MIN, f64::max);
    let low = heights.iter().copied().fold(f64::MAX, f64::min);
    assert!((top - 209.06).abs() < 0.01 && (low - 199.885).abs() < 0.02, "{low} to {top}");
}

#[test]
fn a_parcel_lies_on_the_ground() {
    let parcels = layer(Theme::Parcel, &[("land_use", FieldKind::Text)]);
    let mut p = rect(0.0, 0.0, 150.0, 90.0, 0.0);
    p.rings.push(ring(&[[50.0, 30.0], [80.0, 30.0], [80.0, 60.0], [50.0, 60.0]], 0.0));
    let area = p.plan_area_m2();
    let c = content(&parcels, vec![feature("p", Geometry::Polygon(p), vec!["0701".into()])], 0, Some(&hillside()));
    sound(&c);
    let mesh = role(&c, Role::Parcel);
    let sum: f64 = corners(mesh).map(|[a, b, c]| ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2.0).sum();
    assert!((sum / area - 1.0).abs() < 3e-4, "{sum}");
    for v in &mesh.positions {
        let w = working(&c, *v);
        assert!((w[2] - 200.03 - 0.05 * (w[0] - ORIGIN[0])).abs() < 0.01);
    }
    // Its outlines, the hole's too, can be widened along their normals: they lie flat and point away from the line.
    let border = role(&c, Role::Border);
    let area: f64 = corners(border).map(|[a, b, c]| ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2.0).sum();
    assert!((area / (600.0 * 0.2) - 1.0).abs() < 1e-2, "{area}");
    let shells = [[0.0, 0.0, 150.0, 90.0], [50.0, 30.0, 80.0, 60.0]];
    let off = |x: [f64; 2]| {
        let to = |[w, s, e, n]: [f64; 4]| {
            let clear = (w - x[0]).max(x[0] - e).max(s - x[1]).max(x[1] - n);
            clear.abs()
        };
        shells.into_iter().map(to).fold(f64::INFINITY, f64::min)
    };
    for (v, n) in border.positions.iter().zip(&border.normals) {
        let w = working(&c, *v);
        let x = [w[0] - ORIGIN[0], w[1] - ORIGIN[1]];
        let wider = [x[0] + f64::from(n[0]), x[1] + f64::from(n[1])];
        assert!(n[2].abs() < 1e-3 && off(x) < 0.11 && off(wider) > 0.7, "{n:?} at {x:?}");
    }
}

#[test]
fn water_is_flat_lines_are_thin_and_rails_have_their_role() {
    let water = layer(Theme::Water, &[("kind", FieldKind::Text), ("depth_m", FieldKind::Float)]);
    let c =
        content(&water, vec![feature("w", Geometry::Polygon(rect(0.0, 0.0, 90.0, 40.0, 188.0)), vec!["lake".into(), 3.5.into()])], 0, None);
    sound(&c);
    assert!(role(&c, Role::Water).uv2.iter().all(|u| u[0] == 3.5) && role(&c, Role::Water).indices.len() == 6);
    let lines = layer(Theme::ControlLine, &[("kind", FieldKind::Text)]);
    let c = content(&lines, vec![feature("l", Geometry::Polygon(rect(0.0, 0.0, 90.0, 40.0, 188.0)), vec!["red".into()])], 0, None);
    sound(&c);
    let line = role(&c, Role::Line);
    let area: f64 = corners(line).map(|[a, b, c]| ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2.0).sum();
    assert!((area / 260.0 - 1.0).abs() < 1e-3, "a closed outline, mitred at its corners: {area}");
    let rail = layer(Theme::Rail, &[("kind", FieldKind::Text)]);
    let track = Geometry::LineString(vec![at([0.0, 0.0, 200.0]), at([80.0, 0.0, 200.0])]);
    sound(&content(&rail, vec![feature("t", track, vec!["metro".into()])], 1, None));
}

#[test]
fn wells_go_down_hydrants_stand_and_trees_are_counted() {
    use FieldKind::*;
    let points = layer(Theme::PipePoint, &[("kind", Text), ("ground_m", Float), ("well_depth_m", Float), ("diameter_m", Float)]);
    let kinds = ["well", "valve", "hydrant", "tee", "gully", "tank", "outfall", "source", "other"];
    let features: Vec<Feature> = kinds
        .iter()
        .enumerate()
        .map(|(i, k)| {
            feature(k, Geometry::Point(at([i as f64 * 5.0, 0.0, 200.0])), vec![(*k).into(), 200.0.into(), 3.0.into(), 1.0.into()])
        })
        .collect();
    let c = content(&points, features, 0, None);
    sound(&c);
    assert_eq!(open_sides(&c.primitives), 0);
    let well = role(&c, Role::Well);
    let low = well.positions.iter().map(|p| working(&c, *p)[2]).fold(f64::INFINITY, f64::min);
    assert!((low - 197.0).abs() < 1e-2, "{low}");
    // Covers lie on the ground, the hydrant reaches 0.78 m over it.
    let fittings: Vec<_> = c.primitives.iter().filter(|p| p.role == Some(Role::Fitting)).flat_map(|p| &p.instances).collect();
    let top = |id: &str| {
        let of = fittings.iter().filter(|i| c.features.ids[i.feature_row as usize] == id);
        of.map(|i| working(&c, i.translation)[2] + f64::from(i.scale[2])).fold(f64::MIN, f64::max)
    };
    assert!((top("well") - 200.03).abs() < 2e-3 && (top("hydrant") - 200.78).abs() < 2e-3 && (top("tank") - 201.6).abs() < 2e-3);
    assert_eq!(fittings.iter().map(|i| i.feature_row).collect::<std::collections::BTreeSet<_>>().len(), kinds.len());

    let trees = layer(Theme::Tree, &[("species", Text), ("height_m", Float), ("crown_m", Float)]);
    let grove: Vec<Feature> = (0..400)
        .map(|i| {
            let species = ["poplar", "pine", "willow"][i % 3];
            let p = at([(i % 20) as f64 * 6.0, (i / 20) as f64 * 6.0, 200.0]);
            feature(&format!("t{i}"), Geometry::Point(p), vec![species.into(), 12.0.into(), 4.0.into()])
        })
        .collect();
    let c = content(&trees, grove.clone(), 0, None);
    sound(&c);
    let crowns: Vec<_> = c.primitives.iter().filter(|p| p.role == Some(Role::TreeCrown)).collect();
    assert_eq!(crowns.iter().map(|p| p.instances.len()).sum::<usize>(), 400);
    assert!(crowns.iter().all(|p| open_sides([*p]) == 0));
    let place = crowns[0].instances[0];
    let row = place.feature_row as usize;
    let Geometry::Point(want) = grove.iter().find(|f| f.id.as_str() == c.features.ids[row]).expect("its row").geometry else {
        unreachable!()
    };
    let got = working(&c, place.translation);
    assert!((0..3).all(|k| (got[k] - want[k]).abs() < 2e-3));
    let triangles = |c: &TileContent| c.primitives.iter().map(|p| p.indices.len() / 3 * p.instances.len()).sum::<usize>();
    let levels = [0, 1, 2, 3].map(|steps| content(&trees, grove.clone(), steps, None));
    assert!(levels.iter().all(|c| c.features.ids.len() == 400), "every tree stands on the four finest levels");
    let [full, half, few, least] = levels.each_ref().map(triangles);
    assert!(half * 3 < full * 2 && few * 2 < half && least < few, "{full}, {half}, {few}, {least} triangles");
    let far = content(&trees, grove, 5, None).features.ids.len();
    assert!((5..60).contains(&far), "one in sixteen: {far}");
}
