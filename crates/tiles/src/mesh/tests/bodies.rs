use super::*;

fn buildings() -> Arc<Layer> {
    use FieldKind::*;
    layer(Theme::Building, &[("height_m", Float), ("floors", Int), ("roof", Text), ("use", Text), ("seed", Int), ("owner", Text)])
}

fn house(id: &str, p: Polygon, height: f64, roof: &str) -> Feature {
    let floors = (height / 3.0) as i64;
    let values = vec![height.into(), Value::Int(floors), roof.into(), "office".into(), Value::Int(7), "somebody".into()];
    feature(id, Geometry::Polygon(p), values)
}

#[test]
fn a_block_has_the_volume_of_its_footprint_and_no_hole() {
    let l_shape = [[0.0, 0.0], [40.0, 0.0], [40.0, 12.0], [14.0, 12.0], [14.0, 30.0], [0.0, 30.0]];
    let mut p = Polygon::new(ring(&l_shape, 210.0));
    p.rings.push(ring(&[[3.0, 3.0], [9.0, 3.0], [9.0, 9.0], [3.0, 9.0]], 210.0));
    let area = p.plan_area_m2();
    let c = content(&buildings(), vec![house("a", p, 24.0, "flat")], 1, None);
    sound(&c);
    assert_eq!(open_sides(&c.primitives), 0);
    let v = volume(&c.primitives);
    // Ground distance and grid distance differ by 4·10⁻⁵ here.
    assert!((v / (area * 24.0) - 1.0).abs() < 2e-4, "{v} is not {}", area * 24.0);
    // A ring the wrong way round gives the same body.
    let mut turned = rect(0.0, 0.0, 20.0, 10.0, 5.0);
    turned.rings[0].reverse();
    let c = content(&buildings(), vec![house("b", turned, 9.0, "flat")], 1, None);
    assert!((volume(&c.primitives) / 1800.0 - 1.0).abs() < 2e-4);
}

#[test]
fn every_roof_closes_and_has_the_volume_of_its_kind() {
    let (w, d, h) = (36.0, 12.0, 9.0);
    let rise = 12.0 * 0.3f64;
    let (eaves, area) = (h - rise, w * d);
    let tooth = 2.4f64;
    for (roof, want) in [
        // The deck is the top; the parapet stands on its rim.
        ("flat", area * h + 0.6 * (area - (w - 0.5) * (d - 0.5))),
        ("gable", area * (eaves + rise / 2.0)),
        // Over a hip roof stands a prism of ridge length and two half pyramids.
        ("hip", area * eaves + (w - d) * d * rise / 2.0 + d * d * rise / 3.0),
        ("saw", area * (h - tooth / 2.0)),
    ] {
        let c = content(&buildings(), vec![house("a", rect(3.0, 7.0, w, d, 200.0), h, roof)], 0, None);
        sound(&c);
        assert_eq!(open_sides(&c.primitives), 0, "{roof}");
        let v = volume(&c.primitives);
        assert!((v / want - 1.0).abs() < 3e-4, "{roof}: {v} is not {want}");
    }
    // A tall slab has a lift house, a crooked plan falls back to a flat roof; all closed.
    let crooked = Polygon::new(ring(&[[0.0, 0.0], [30.0, 4.0], [22.0, 25.0], [10.0, 12.0], [2.0, 28.0]], 190.0));
    for (p, roof, h) in
        [(rect(0.0, 0.0, 60.0, 14.0, 200.0), "flat", 54.0), (crooked, "hip", 12.0), (rect(0.0, 0.0, 3.0, 3.0, 0.0), "flat", 2.5)]
    {
        let c = content(&buildings(), vec![house("a", p.clone(), h, roof)], 0, None);
        sound(&c);
        assert_eq!(open_sides(&c.primitives), 0, "{roof} {h}");
        assert!(volume(&c.primitives) >= p.plan_area_m2() * h * 0.999);
    }
    let slab = content(&buildings(), vec![house("a", rect(0.0, 0.0, 60.0, 14.0, 200.0), 54.0, "flat")], 0, None);
    let top = slab.primitives.iter().flat_map(|p| &p.positions).map(|p| working(&slab, *p)[2]).fold(0.0, f64::max);
    assert!((top - 257.0).abs() < 0.01, "the lift house stands 3 m over the deck: {top}");
}

#[test]
fn walls_know_their_length_and_height() {
    let c = content(&buildings(), vec![house("a", rect(0.0, 0.0, 30.0, 20.0, 200.0), 15.0, "flat")], 1, None);
    let walls = role(&c, Role::Wall);
    assert_eq!(walls.positions.len(), 16);
    for (uv, size) in walls.uv.iter().zip(&walls.uv2) {
        assert!(size[1] == 15.0 && (size[0] == 30.0 || size[0] == 20.0));
        assert!((uv[0] == 0.0 || uv[0] == size[0]) && (uv[1] == 0.0 || uv[1] == 15.0));
    }
}

#[test]
fn corners_stand_where_the_projection_puts_them() {
    let f = house("a", rect(120.0, -80.0, 30.0, 20.0, 203.5), 15.0, "gable");
    let Geometry::Polygon(p) = f.geometry.clone() else { unreachable!() };
    let c = content(&buildings(), vec![f, house("far", rect(900.0, 700.0, 30.0, 20.0, 200.0), 15.0, "flat")], 0, None);
    for want in p.shell() {
        let near = role(&c, Role::Wall).positions.iter().map(|v| {
            let got = working(&c, *v);
            (0..3).map(|k| (got[k] - want[k]).powi(2)).sum::<f64>().sqrt()
        });
        let off = near.fold(f64::INFINITY, f64::min);
        assert!(off < 1e-3, "{off} m off");
    }
}

#[test]
fn the_table_has_ids_times_and_style_attributes_but_no_owner() {
    let c = content(&buildings(), vec![house("楼-1", rect(0.0, 0.0, 30.0, 20.0, 200.0), 15.5, "flat")], 0, None);
    assert_eq!(c.features.ids, ["楼-1"]);
    assert_eq!((c.features.valid_from_day[0], c.features.valid_to_day[0]), (Instant::from_ymd(2001, 5, 1).day(), i32::MAX));
    assert_eq!(c.features.columns["height_m"].number(0), Some(15.5));
    assert_eq!(c.features.columns["roof"].text(0), Some("flat"));
    assert!(!c.features.columns.contains_key("owner") && !c.features.columns.contains_key("year_built"));
}

#[test]
fn faces_of_a_solid_keep_their_roles_and_close() {
    let (e, n) = (ORIGIN[0], ORIGIN[1]);
    let at = |p: [f64; 3]| [e + p[0], n + p[1], 200.0 + p[2]];
    // A house of 10 × 8 m, eaves 5 m, ridge 7 m along x.
    let face = |kind: SurfaceKind, points: &[[f64; 3]]| Surface {
        polygon: Polygon::new(points.iter().chain(points.first()).map(|p| at(*p)).collect()),
        kind,
    };
    use SurfaceKind::{Ground, Roof, Wall};
    let solid = vec![
        face(Ground, &[[0.0, 0.0, 0.0], [0.0, 8.0, 0.0], [10.0, 8.0, 0.0], [10.0, 0.0, 0.0]]),
        face(Wall, &[[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 0.0, 5.0], [0.0, 0.0, 5.0]]),
        face(Wall, &[[10.0, 0.0, 0.0], [10.0, 8.0, 0.0], [10.0, 8.0, 5.0], [10.0, 4.0, 7.0], [10.0, 0.0, 5.0]]),
        face(Wall, &[[10.0, 8.0, 0.0], [0.0, 8.0, 0.0], [0.0, 8.0, 5.0], [10.0, 8.0, 5.0]]),
        face(Wall, &[[0.0, 8.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 5.0], [0.0, 4.0, 7.0], [0.0, 8.0, 5.0]]),
        face(Roof, &[[0.0, 0.0, 5.0], [10.0, 0.0, 5.0], [10.0, 4.0, 7.0], [0.0, 4.0, 7.0]]),
        face(Roof, &[[10.0, 8.0, 5.0], [0.0, 8.0, 5.0], [0.0, 4.0, 7.0], [10.0, 4.0, 7.0]]),
    ];
    let f = feature("s", Geometry::Surfaces(solid), vec![Value::Null; 6]);
    let c = content(&buildings(), vec![f.clone()], 0, None);
    sound(&c);
    assert_eq!(open_sides(&c.primitives), 0);
    assert!((volume(&c.primitives) / (80.0 * 6.0) - 1.0).abs() < 2e-4);
    assert_eq!(role(&c, Role::Roof).indices.len(), 12);
    let gable = role(&c, Role::Wall);
    assert!(gable.uv.iter().all(|u| u[0] > -1e-3 && u[0] < 10.001 && u[1] > -1e-3 && u[1] < 7.001));
    // One level up it is the extruded ground face.
    let c = content(&buildings(), vec![f], 1, None);
    assert!((volume(&c.primitives) / (80.0 * 7.0) - 1.0).abs() < 2e-4);
}

#[test]
fn broken_shapes_are_passed_over() {
    let line = Polygon::new(ring(&[[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]], 0.0));
    let bow = Polygon::new(ring(&[[0.0, 0.0], [10.0, 10.0], [10.0, 0.0], [0.0, 10.0]], 0.0));
    let needle = Polygon::new(ring(&[[0.0, 0.0], [50.0, 0.001], [100.0, 0.0], [50.0, 8.0]], 0.0));
    let tall = house("t", rect(0.0, 0.0, 9.0, 9.0, 0.0), f64::NAN, "saw");
    for steps in [0, 1, 2, 5] {
        let features = vec![
            house("a", line.clone(), 9.0, "hip"),
            house("b", bow.clone(), 9.0, "gable"),
            house("c", needle.clone(), 9.0, "saw"),
            tall.clone(),
            feature("d", Geometry::Point([ORIGIN[0], ORIGIN[1], 0.0]), vec![Value::Null; 6]),
        ];
        let c = content(&buildings(), features, steps, None);
        assert!(crate::encode_glb(&c).is_ok(), "{steps}");
    }
}
