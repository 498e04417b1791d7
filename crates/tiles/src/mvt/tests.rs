use super::*;
use crate::Recipe;
use geo::{Area, BooleanOps, Coord, Euclidean, Length, LineString as GeoLine, Polygon as GeoPolygon};
use geozero::mvt::{Message, Tile};
use proptest::prelude::*;
use std::{path::PathBuf, sync::Arc};
use strata_model::{
    Classification, Crs, Field, FieldKind, GeometryKind, Instant, Interval, Layer, LayerId, Surface, SurfaceKind, Theme, Value,
    geographic_from_mercator,
};

fn frame() -> WorkingFrame {
    WorkingFrame::new(Crs::CHANGCHUN, 0.0).expect("known")
}
fn tile() -> TileId {
    TileId::new(14, 13895, 5980).expect("inside")
}
/// The middle of the tile in the working frame.
fn origin(frame: &WorkingFrame, tile: TileId) -> [f64; 2] {
    let b = tile.bounds_mercator_m();
    let m = [(b.min[0] + b.max[0]) / 2.0, (b.min[1] + b.max[1]) / 2.0];
    frame.working_from_geographic(geographic_from_mercator(m)).expect("inside")
}
fn layer(id: &str, fields: Vec<Field>) -> Arc<Layer> {
    Arc::new(Layer {
        id: LayerId::new(id).expect("valid"),
        title_zh: String::new(),
        title_en: String::new(),
        theme: Theme::Other,
        geometry: GeometryKind::Any,
        cim_level: 2,
        category: 'A',
        classification: Classification::Public,
        synthetic: true,
        source: String::new(),
        fields,
    })
}
fn batch(id: &str, geometries: Vec<Geometry>) -> FeatureBatch {
    let fields = vec![Field::new("height_m", FieldKind::Float, "", ""), Field::new("floors", FieldKind::Int, "", "")];
    let features = geometries.into_iter().enumerate().map(|(i, geometry)| Feature {
        id: format!("f{i:05}").as_str().into(),
        geometry,
        valid: Interval::since(Instant::from_ymd(2012, 6, 1)),
        attributes: vec![Value::Float(3.3 * i as f64), if i % 2 == 0 { Value::Int(i as i64) } else { Value::Null }],
    });
    FeatureBatch { layer: layer(id, fields), features: features.collect() }
}
/// No rule that leaves anything out.
fn faithful() -> LayerRecipe {
    LayerRecipe { min_zoom: 0, simplify_px: 0.0, min_area_px2: 0.0, min_length_px: 0.0, ..LayerRecipe::plain("x") }
}
fn square(centre: [f64; 2], half: f64) -> Geometry {
    let p = |dx: f64, dy: f64| [centre[0] + dx * half, centre[1] + dy * half, 200.0];
    Geometry::Polygon(Polygon::new(vec![p(-1.0, -1.0), p(1.0, -1.0), p(1.0, 1.0), p(-1.0, 1.0), p(-1.0, -1.0)]))
}
fn star(centre: [f64; 2], radii: &[f64]) -> Vec<Point3> {
    let at = |(i, r): (usize, &f64)| {
        let a = i as f64 / radii.len() as f64 * std::f64::consts::TAU;
        [centre[0] + r * a.cos(), centre[1] + r * a.sin(), 200.0]
    };
    let mut ring: Vec<Point3> = radii.iter().enumerate().map(at).collect();
    ring.push(ring[0]);
    ring
}
/// Projected exactly, in tile units: the oracle's side of the comparison.
fn exact(projection: &TileProjection, points: &[Point3]) -> GeoLine {
    GeoLine::new(points.iter().map(|p| projection.exact_units(p[0], p[1]).expect("inside")).map(|p| Coord { x: p[0], y: p[1] }).collect())
}
fn window() -> GeoPolygon {
    let (l, h) = (-64.0, 4160.0);
    GeoPolygon::new(GeoLine::from(vec![(l, l), (h, l), (h, h), (l, h), (l, l)]), vec![])
}
fn decoded_area(layer: &MvtLayer) -> f64 {
    layer.features.iter().filter(|f| f.kind == MvtKind::Polygon).flat_map(|f| &f.parts).map(|r| decode::ring_area2(r) as f64 / 2.0).sum()
}
fn data(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("STRATA_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = root.join(folder);
    if !path.is_dir() {
        eprintln!("skipped: no real data at {}", path.display());
        return None;
    }
    Some(path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn polygons_keep_the_area_of_their_part_in_the_tile(
        dx in -1800.0..1800.0f64, dy in -1800.0..1800.0f64, radii in proptest::collection::vec(30.0..1500.0f64, 3..20),
    ) {
        let (frame, tile) = (frame(), tile());
        let projection = TileProjection::new(tile, &frame).expect("projects");
        let o = origin(&frame, tile);
        let ring = star([o[0] + dx, o[1] + dy], &radii);
        let oracle = GeoPolygon::new(exact(&projection, &ring), vec![]).intersection(&window());
        let length: f64 = oracle.0.iter().map(|p| Euclidean.length(p.exterior())).sum();
        let encoded = encode_mvt(tile, &frame, &[(&faithful(), &batch("b", vec![Geometry::Polygon(Polygon::new(ring))]))]).expect("encodes");
        let layers = decode_mvt(&encoded.bytes).expect("own tiles are sound");
        let got: f64 = layers.iter().map(decoded_area).sum();
        // Rounding moves an edge by at most 0.71 units, the fitted projection by 0.14.
        prop_assert!((got - oracle.unsigned_area()).abs() <= 0.85 * length + 1.0, "{got} is not {}", oracle.unsigned_area());
        for p in layers.iter().flat_map(|l| &l.features).flat_map(|f| &f.parts).flatten() {
            prop_assert!(p.iter().all(|v| (-64..=4160).contains(v)));
        }
    }

    #[test]
    fn lines_keep_the_length_of_their_part_in_the_tile(points in proptest::collection::vec((-2500.0..2500.0f64, -2500.0..2500.0f64), 2..20)) {
        let (frame, tile) = (frame(), tile());
        let projection = TileProjection::new(tile, &frame).expect("projects");
        let o = origin(&frame, tile);
        let points: Vec<Point3> = points.into_iter().map(|(x, y)| [o[0] + x, o[1] + y, 200.0]).collect();
        let oracle = window().clip(&geo::MultiLineString::new(vec![exact(&projection, &points)]), false);
        let expected: f64 = oracle.0.iter().map(|l| Euclidean.length(l)).sum();
        let encoded = encode_mvt(tile, &frame, &[(&faithful(), &batch("l", vec![Geometry::LineString(points)]))]).expect("encodes");
        let layers = decode_mvt(&encoded.bytes).expect("own tiles are sound");
        let parts: Vec<&Vec<Cell>> = layers.iter().flat_map(|l| &l.features).flat_map(|f| &f.parts).collect();
        let got: f64 = parts.iter().flat_map(|p| p.windows(2)).map(|w| f64::from(w[1][0] - w[0][0]).hypot(f64::from(w[1][1] - w[0][1]))).sum();
        let ends = oracle.0.iter().map(|l| l.0.len()).sum::<usize>() as f64;
        prop_assert!((got - expected).abs() <= 2.0 * ends + 2.0, "{got} is not {expected}");
        for p in parts.into_iter().flatten() {
            prop_assert!(p.iter().all(|v| (-64..=4160).contains(v)));
        }
    }
}

#[test]
fn another_reader_sees_the_same_tile() {
    let (frame, tile) = (frame(), tile());
    let o = origin(&frame, tile);
    let mut shell = star(o, &[400.0; 16]);
    shell.reverse();
    let courtyard = Geometry::Polygon(Polygon { rings: vec![shell, star(o, &[150.0; 16])] });
    let line = Geometry::LineString(vec![[o[0] - 100.0, o[1], 0.0], [o[0], o[1] + 50.0, 0.0], [o[0] + 3000.0, o[1] + 50.0, 0.0]]);
    let encoded = encode_mvt(tile, &frame, &[(&faithful(), &batch("mixed", vec![courtyard, line, Geometry::Point([o[0], o[1], 0.0])]))]);
    let encoded = encoded.expect("encodes");
    let theirs = Tile::decode(encoded.bytes.as_slice()).expect("geozero reads it");
    let ours = decode_mvt(&encoded.bytes).expect("we read it");
    assert_eq!((theirs.layers.len(), ours.len(), encoded.features), (1, 1, 3));
    let layer = &theirs.layers[0];
    assert_eq!((layer.version, layer.extent, layer.name.as_str()), (2, Some(4096), "mixed"));
    for (i, f) in layer.features.iter().enumerate() {
        let mut writer = geozero::geo_types::GeoWriter::new();
        geozero::mvt::process_geom(f, &mut writer).expect("sound geometry");
        let geometry = writer.take_geometry().expect("a geometry");
        match (i, geometry) {
            (0, geo::Geometry::Polygon(p)) => {
                assert_eq!(p.interiors().len(), 1);
                // Their reader turns y up or not; the area is the same.
                assert!((p.unsigned_area() - decoded_area(&ours[0])).abs() < 1e-6);
            }
            (1, geo::Geometry::LineString(l)) => assert!((l.0[2].x - 4160.0).abs() < 1e-9),
            (2, geo::Geometry::Point(p)) => assert!((p.x() - 2048.0).abs() <= 1.0),
            (i, g) => panic!("feature {i} became {g:?}"),
        }
        let tag = |name: &str| f.tags.chunks(2).find(|t| layer.keys[t[0] as usize] == name).map(|t| layer.values[t[1] as usize].clone());
        assert_eq!(tag("id").and_then(|v| v.string_value), Some(format!("f{i:05}")));
        assert_eq!(tag("valid_from_day").and_then(|v| v.uint_value), Some(15_492), "2012-06-01");
        assert_eq!(tag("valid_to_day").and_then(|v| v.uint_value), Some(2_147_483_647));
        assert_eq!(tag("height_m").and_then(|v| v.double_value.or(v.float_value.map(f64::from))), Some(3.3 * i as f64));
        assert_eq!(tag("floors").is_some(), i % 2 == 0, "null is left out");
    }
    assert!(decode::ring_area2(&ours[0].features[0].parts[0]) > 0 && decode::ring_area2(&ours[0].features[0].parts[1]) < 0);
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_the_batch() {
    let (frame, tile) = (frame(), tile());
    let o = origin(&frame, tile);
    let places: Vec<Geometry> = (0..40).map(|i| square([o[0] - 800.0 + 40.0 * f64::from(i), o[1]], 3.0 + f64::from(i % 7))).collect();
    let forward = batch("buildings", places);
    let mut backward = forward.clone();
    backward.features.reverse();
    let recipe = LayerRecipe { max_features: 17, ..faithful() };
    let a = encode_mvt(tile, &frame, &[(&recipe, &forward)]).expect("encodes");
    assert_eq!(a, encode_mvt(tile, &frame, &[(&recipe, &backward)]).expect("encodes"));
    assert_eq!((a.features, a.dropped), (17, 23));
    let kept = decode_mvt(&a.bytes).expect("sound");
    let smallest = kept[0].features.iter().map(|f| decode::ring_area2(&f.parts[0])).min();
    assert!(smallest > Some(500), "the large ones were kept: {smallest:?}");
}

#[test]
fn a_tile_keeps_to_its_size() {
    let (frame, tile) = (frame(), tile());
    let o = origin(&frame, tile);
    let many = batch("trees", (0..5000).map(|i| Geometry::Point([o[0] + f64::from(i % 100), o[1] + f64::from(i / 100), 0.0])).collect());
    let recipe = LayerRecipe { max_bytes: 20_000, ..faithful() };
    let e = encode_mvt(tile, &frame, &[(&recipe, &many)]).expect("encodes");
    assert!(e.bytes.len() <= 20_000 && e.bytes.len() > 10_000, "{} bytes", e.bytes.len());
    assert_eq!(e.features + e.dropped, 5000);
    assert_eq!(decode_mvt(&e.bytes).expect("sound")[0].features.len(), e.features);
}

#[test]
fn rules_hold_below_their_zoom() {
    let frame = frame();
    let o = origin(&frame, tile());
    let fields = vec![Field::new("dn_mm", FieldKind::Int, "", ""), Field::new("od_mm", FieldKind::Int, "", "")];
    let pipe = |id: &str, dn: i64| Feature {
        id: id.into(),
        geometry: Geometry::LineString(vec![[o[0], o[1], 0.0], [o[0] + 400.0, o[1], 0.0]]),
        valid: Interval::ALWAYS,
        attributes: vec![Value::Int(dn), Value::Null],
    };
    let pipes = FeatureBatch { layer: layer("pipes", fields), features: vec![pipe("thin", 100), pipe("thick", 600), pipe("main", 1200)] };
    let recipe = Recipe::built_in().expect("parses").layer("pipes");
    let seen = |z: u8| {
        let shift = 14i32 - i32::from(z);
        let (x, y) = if shift >= 0 { (13895 >> shift, 5980 >> shift) } else { (13895 << -shift, 5980 << -shift) };
        // At the deeper zooms the tile of the origin itself.
        let t = TileId::new(z, x + if shift < 0 { 1 << (-shift - 1) } else { 0 }, y + if shift < 0 { 1 << (-shift - 1) } else { 0 });
        encode_mvt(t.expect("inside"), &frame, &[(&recipe, &pipes)]).expect("encodes").features
    };
    assert_eq!([10, 12, 14, 15, 16].map(seen), [0, 1, 2, 3, 3]);
}

#[test]
fn small_houses_are_gathered_and_solids_have_a_footprint() {
    let frame = frame();
    let high = TileId::new(12, 13895 >> 2, 5980 >> 2).expect("inside");
    let o = origin(&frame, high);
    let houses: Vec<Geometry> = (0..400).map(|i| square([o[0] + f64::from(i % 20) * 20.0, o[1] + f64::from(i / 20) * 20.0], 5.0)).collect();
    let recipe = LayerRecipe { min_area_px2: 2.0, ..faithful() };
    let e = encode_mvt(high, &frame, &[(&recipe, &batch("buildings", houses))]).expect("encodes");
    let projection = TileProjection::new(high, &frame).expect("projects");
    let a = projection.units(o[0], o[1]).expect("inside");
    let b = projection.units(o[0] + 10.0, o[1]).expect("inside");
    let true_area = 400.0 * (b[0] - a[0]).hypot(b[1] - a[1]).powi(2);
    let drawn = decode_mvt(&e.bytes).expect("sound").iter().map(decoded_area).sum::<f64>();
    assert!((drawn / true_area - 1.0).abs() < 0.15 && e.features < 400, "{drawn} of {true_area} with {} squares", e.features);

    let Geometry::Polygon(ground) = square(o, 50.0) else { unreachable!() };
    let solid = Geometry::Surfaces(vec![Surface { polygon: ground, kind: SurfaceKind::Ground }]);
    let tin =
        Geometry::Tin { points: vec![[o[0], o[1], 0.0], [o[0] + 9.0, o[1], 0.0], [o[0], o[1] + 9.0, 0.0]], triangles: vec![[0, 1, 2]] };
    let e = encode_mvt(tile_of(&frame, o), &frame, &[(&faithful(), &batch("b", vec![solid, tin]))]).expect("encodes");
    assert_eq!((e.features, e.dropped), (1, 0));
}
fn tile_of(frame: &WorkingFrame, p: [f64; 2]) -> TileId {
    let m = frame.mercator_from_working(p).expect("inside");
    let half = std::f64::consts::PI * strata_model::EARTH_A_M;
    let n = f64::from(1u32 << 14) / (2.0 * half);
    TileId::new(14, ((m[0] + half) * n) as u32, ((half - m[1]) * n) as u32).expect("inside")
}

#[test]
fn far_away_and_empty_make_no_bytes() {
    let frame = frame();
    for t in [TileId::new(0, 0, 0), TileId::new(14, 0, 0), TileId::new(24, 1 << 23, 1 << 22)] {
        let o = origin(&frame, tile());
        let made = encode_mvt(t.expect("inside"), &frame, &[(&faithful(), &batch("b", vec![square(o, 50.0)]))]);
        // Where the CRS has no answer an error is as good as nothing; a panic or stray geometry is not.
        if let Ok(e) = made {
            assert!(decode_mvt(&e.bytes).expect("sound").iter().flat_map(|l| &l.features).count() <= 1);
        }
    }
    let e = encode_mvt(tile(), &frame, &[(&faithful(), &batch("b", vec![]))]).expect("encodes");
    assert_eq!(e, Encoded::default());
}

#[test]
fn fixtures_are_judged_as_their_authors_did() {
    let Some(folder) = data("mvt-fixtures/fixtures") else { return };
    let mut judged = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let number = entry.file_name().to_string_lossy().into_owned();
        let info: serde_json::Value = serde_json::from_slice(&std::fs::read(entry.path().join("info.json")).expect("info")).expect("JSON");
        let bytes = std::fs::read(entry.path().join("tile.mvt")).expect("tile");
        let mut valid = info["validity"]["v2"].as_bool().expect("a judgement");
        if number == "016" {
            // The same bytes as 003, which is listed as invalid: a feature without a type. Readers may choose.
            valid = false;
        }
        if number == "057" {
            // A MoveTo of 536 870 911 points with one point after it, listed as valid for a test of memory;
            // 051 and 052 have the same fault and are listed as fatal. We refuse all three.
            valid = false;
        }
        let read = decode_mvt(&bytes);
        assert_eq!(read.is_ok(), valid, "{number}: {} {read:?}", info["description"]);
        judged += 1;
    }
    assert_eq!(judged, 74);
}

#[test]
fn real_tiles_are_read_as_another_reader_reads_them() {
    let Some(folder) = data("mvt-real-world") else { return };
    let (mut tiles, mut features) = (0, 0);
    for city in ["chicago", "uruguay"] {
        for entry in std::fs::read_dir(folder.join(city)).expect("a folder").flatten() {
            let bytes = std::fs::read(entry.path()).expect("tile");
            let theirs = Tile::decode(bytes.as_slice()).expect("geozero reads it");
            let ours = decode_mvt(&bytes).expect("we read it");
            tiles += 1;
            assert_eq!(ours.len(), theirs.layers.len());
            for (a, b) in ours.iter().zip(&theirs.layers) {
                assert_eq!((&a.name, a.features.len()), (&b.name, b.features.len()));
                features += a.features.len();
            }
        }
    }
    eprintln!("{tiles} real tiles, {features} features");
    assert_eq!(tiles, 42);
}

#[test]
fn broken_bytes_are_errors() {
    let (frame, tile) = (frame(), tile());
    let o = origin(&frame, tile);
    let sound = encode_mvt(tile, &frame, &[(&faithful(), &batch("b", vec![square(o, 50.0), Geometry::Point([o[0], o[1], 0.0])]))])
        .expect("encodes");
    for cut in 1..sound.bytes.len() {
        assert!(decode_mvt(&sound.bytes[..cut]).is_err(), "cut at {cut}");
    }
    for i in 0..sound.bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut broken = sound.bytes.clone();
            broken[i] ^= flip;
            let _ = decode_mvt(&broken);
        }
    }
}

/// A full z14 tile of houses; the figure is printed, the bound is generous.
#[test]
fn a_full_tile_is_made_quickly() {
    let (frame, tile) = (frame(), tile());
    let o = origin(&frame, tile);
    let houses = batch(
        "buildings",
        (0..10_000).map(|i| square([o[0] + f64::from(i % 100) * 12.0 - 600.0, o[1] + f64::from(i / 100) * 12.0 - 600.0], 4.0)).collect(),
    );
    let start = std::time::Instant::now();
    let e = encode_mvt(tile, &frame, &[(&faithful(), &houses)]).expect("encodes");
    let took = start.elapsed();
    eprintln!("z14: {} features, {} bytes in {:.1} ms", e.features, e.bytes.len(), took.as_secs_f64() * 1e3);
    assert!(e.features == 10_000 && took.as_secs_f64() < 2.0);
}
