use super::*;
use crate::content::{Column, FeatureTable, Placement, Primitive, TileContent};
use crate::mesh::tests::{content, feature, layer, rect};
use std::collections::BTreeMap;
use strata_model::{Enu, FieldKind, Geometry, Theme, Value};

fn sample() -> TileContent {
    let quad = |role: Role, z: f32| Primitive {
        role: Some(role),
        positions: vec![[0.0, 0.0, z], [1.5, 0.0, z], [1.5, 2.25, z], [0.0, 2.25, z]],
        normals: vec![[0.0, 0.0, 1.0]; 4],
        uv: vec![[0.0, 0.0], [1.5, 0.0], [1.5, 2.25], [0.0, 2.25]],
        uv2: vec![[3.0, 0.5]; 4],
        feature_rows: vec![0, 0, 1, 2],
        indices: vec![0, 1, 2, 0, 2, 3],
        instances: vec![],
        two_sided: role == Role::Roof,
    };
    let place =
        |x: f32, row| Placement { translation: [x, 2.0, 3.0], rotation: [0.0, 0.6, 0.0, 0.8], scale: [1.0, 2.0, 3.0], feature_row: row };
    let placed = |role| Primitive { feature_rows: vec![], instances: vec![place(1.0, 1), place(-4.0, 2)], ..quad(role, 0.0) };
    TileContent {
        ecef_from_tile: Enu::at_geographic([125.3245, 43.8868, 212.4]).matrix_ecef_from_local(),
        primitives: vec![
            quad(Role::Pipe, 1.0),
            quad(Role::Roof, 7.0),
            placed(Role::TreeTrunk),
            placed(Role::TreeCrown),
            quad(Role::Line, 2.0),
        ],
        features: FeatureTable {
            ids: vec!["a".into(), "管-2".into(), String::new()],
            valid_from_day: vec![i32::MIN, 11_000, -3],
            valid_to_day: vec![i32::MAX, 20_000, 5],
            columns: BTreeMap::from([
                ("class".to_owned(), Column::Text(vec!["JS".into(), "DL".into(), String::new()])),
                ("dn_mm".to_owned(), Column::Float(vec![300.0, 0.1, -7.5])),
                ("year_built".to_owned(), Column::Int(vec![1999, i32::MIN, 2020])),
            ]),
        },
    }
}

#[test]
fn what_is_written_comes_back_as_it_was() {
    let mut cases = vec![sample()];
    // More rows than 16 bits, more vertices than 16-bit indices.
    let mut large = sample();
    large.features.ids = (0..70_000).map(|i| format!("f{i}")).collect();
    large.features.valid_from_day = (0..70_000).collect();
    large.features.valid_to_day = vec![i32::MAX; 70_000];
    large.features.columns.clear();
    let n = 70_000u32;
    large.primitives.push(Primitive {
        role: Some(Role::Terrain),
        positions: (0..n).map(|i| [i as f32, (i % 7) as f32, 0.0]).collect(),
        normals: vec![[0.0, 0.6, 0.8]; n as usize],
        uv: vec![[0.0; 2]; n as usize],
        uv2: vec![[0.0; 2]; n as usize],
        feature_rows: (0..n).collect(),
        indices: (0..n / 3 * 3).collect(),
        ..Default::default()
    });
    cases.push(large);
    cases.push(TileContent { primitives: vec![], ..sample() });
    cases.push(TileContent { primitives: vec![], features: FeatureTable::default(), ..sample() });
    let houses = layer(Theme::Building, &[("height_m", FieldKind::Float), ("use", FieldKind::Text), ("roof", FieldKind::Text)]);
    let house = |id: &str, e: f64, roof: &str| {
        feature(id, Geometry::Polygon(rect(e, 0.0, 30.0, 12.0, 200.0)), vec![Value::Float(21.0), "school".into(), roof.into()])
    };
    cases.push(content(&houses, vec![house("a", 0.0, "flat"), house("b", 60.0, "hip"), house("c", 120.0, "saw")], 0, None));
    for (i, case) in cases.iter().enumerate() {
        let bytes = encode_glb(case).expect("writes");
        assert_eq!(bytes.len() % 4, 0);
        let back = decode_glb(&bytes).expect("reads");
        assert_eq!(back.ecef_from_tile, case.ecef_from_tile, "{i}");
        assert_eq!(back.features, case.features, "{i}");
        assert!(back.primitives == case.primitives, "{i}: primitives differ");
    }
}

#[test]
fn the_file_stands_y_up_as_gltf_wants() {
    let case = sample();
    let bytes = encode_glb(&case).expect("writes");
    let reader = read::Reader::new(&bytes).expect("reads");
    let m: Vec<f64> =
        reader.json["nodes"][0]["matrix"].as_array().expect("a matrix").iter().map(|v| v.as_f64().expect("a number")).collect();
    let m = glam::DMat4::from_cols_slice(&m);
    // 3D Tiles turns what comes out of the scene graph: x, y, z → x, −z, y.
    let turn = |p: glam::DVec3| glam::DVec3::new(p.x, -p.z, p.y);
    let at = reader.json["meshes"][0]["primitives"][0]["attributes"]["POSITION"].clone();
    let mut budget = 1000;
    for (raw, own) in reader.vectors::<3>(&at, &mut budget).expect("reads").iter().zip(&case.primitives[0].positions) {
        let seen = turn(m.transform_point3(glam::Vec3::from(*raw).as_dvec3()));
        let want = glam::DMat4::from_cols_array(&case.ecef_from_tile).transform_point3(glam::Vec3::from(*own).as_dvec3());
        assert!(seen.distance(want) < 1e-6);
    }
    // An instance turned and stretched in the file's frame lands where the content's own rule puts it.
    let attributes = &reader.json["nodes"][2]["extensions"]["EXT_mesh_gpu_instancing"]["attributes"];
    let get = |key: &str| attributes[key].clone();
    let mut b = 100;
    let t = reader.vectors::<3>(&get("TRANSLATION"), &mut b).expect("reads")[0];
    let r = reader.vectors::<4>(&get("ROTATION"), &mut b).expect("reads")[0];
    let s = reader.vectors::<3>(&get("SCALE"), &mut b).expect("reads")[0];
    let place = case.primitives[2].instances[0];
    for v in &case.primitives[2].positions {
        let own = glam::Vec3::from(place.translation)
            + glam::Quat::from_array(place.rotation) * (glam::Vec3::from(place.scale) * glam::Vec3::from(*v));
        let file = glam::Vec3::from(t) + glam::Quat::from_array(r) * (glam::Vec3::from(s) * glam::Vec3::from(y_up(*v)));
        assert!(file.distance(glam::Vec3::from(y_up(own.to_array()))) < 1e-5);
    }
}

#[test]
fn content_that_contradicts_itself_is_refused() {
    let change: [fn(&mut TileContent); 8] = [
        |c| c.primitives[0].normals.truncate(2),
        |c| c.primitives[0].indices[0] = 99,
        |c| c.primitives[0].indices.truncate(4),
        |c| c.primitives[0].feature_rows[0] = 3,
        |c| c.primitives[2].instances[0].feature_row = 3,
        |c| c.primitives[0].positions[0][0] = f32::NAN,
        |c| c.ecef_from_tile[0] = f64::INFINITY,
        |c| c.features.valid_to_day.truncate(1),
    ];
    for (i, change) in change.iter().enumerate() {
        let mut c = sample();
        change(&mut c);
        assert!(matches!(encode_glb(&c), Err(crate::TilesError::Content { .. })), "{i}");
    }
}

/// A small generator of its own, so that a failure can be repeated.
struct Dice(u64);
impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

#[test]
fn hostile_bytes_give_errors() {
    let good = encode_glb(&sample()).expect("writes");
    for cut in 0..good.len() {
        assert!(decode_glb(&good[..cut]).is_err(), "cut at {cut}");
    }
    let mut dice = Dice(0x5eed_cafe);
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + dice.next(4) {
            let at = dice.next(bytes.len());
            bytes[at] = dice.next(256) as u8;
        }
        let _ = decode_glb(&bytes);
    }
    // Digits of the JSON changed: offsets, counts and indices that still parse.
    let json = 20..20 + u32::from_le_bytes(good[12..16].try_into().expect("4 bytes")) as usize;
    let digits: Vec<usize> = json.filter(|i| good[*i].is_ascii_digit()).collect();
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + dice.next(3) {
            bytes[digits[dice.next(digits.len())]] = b'0' + dice.next(10) as u8;
        }
        let _ = decode_glb(&bytes);
    }
    for _ in 0..2_000 {
        let noise: Vec<u8> = (0..dice.next(200)).map(|_| dice.next(256) as u8).collect();
        let mut framed = b"glTF\x02\0\0\0".to_vec();
        framed.extend((noise.len() as u32 + 12).to_le_bytes());
        framed.extend(&noise);
        assert!(decode_glb(&noise).is_err());
        let _ = decode_glb(&framed);
    }
}

#[test]
fn files_that_would_unfold_without_end_are_refused() {
    let glb = |json: serde_json::Value, binary: &[u8]| {
        let mut text = json.to_string().into_bytes();
        text.resize(text.len().next_multiple_of(4), b' ');
        let mut out = b"glTF\x02\0\0\0".to_vec();
        out.extend((28 + text.len() as u32 + binary.len() as u32).to_le_bytes());
        out.extend((text.len() as u32).to_le_bytes());
        out.extend(b"JSON");
        out.extend(&text);
        out.extend((binary.len() as u32).to_le_bytes());
        out.extend(b"BIN\0");
        out.extend(binary);
        out
    };
    // A node that is its own child.
    let ring = serde_json::json!({"scenes": [{"nodes": [0]}], "nodes": [{"children": [0, 0, 0]}]});
    assert!(decode_glb(&glb(ring, &[])).is_err());
    // Nine thousand primitives over one view, and a count without bytes.
    let many: Vec<_> = (0..9000).map(|_| serde_json::json!({"attributes": {"POSITION": 0}})).collect();
    let file = |primitives: Vec<serde_json::Value>, count: u64, stride: u64| {
        serde_json::json!({
            "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}], "meshes": [{"primitives": primitives}],
            "buffers": [{"byteLength": 60_000}], "bufferViews": [{"buffer": 0, "byteLength": 60_000, "byteStride": stride}],
            "accessors": [{"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": count}],
        })
    };
    let zeros = vec![0u8; 60_000];
    assert!(decode_glb(&glb(file(many, 4998, 12), &zeros)).is_err(), "45 million vertices");
    let one = || vec![serde_json::json!({"attributes": {"POSITION": 0}})];
    assert!(decode_glb(&glb(file(one(), 3, 12), &zeros)).is_ok());
    assert!(decode_glb(&glb(file(one(), u64::MAX, 12), &zeros)).is_err());
    assert!(decode_glb(&glb(file(one(), 30_000_000, 0), &zeros)).is_err(), "a stride of nothing");
    assert!(decode_glb(&glb(file(one(), 5001, 12), &zeros)).is_err(), "one element beyond the view");
}

#[test]
fn files_of_others_are_read_or_refused() {
    let root = std::env::var_os("STRATA_DATA")
        .map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), std::path::PathBuf::from);
    if !root.join("gltf-city-kit").is_dir() {
        eprintln!("skipped: no real data at {}", root.display());
        return;
    }
    let mut folders = vec![root.join("gltf-city-kit"), root.join("3d-tiles-samples")];
    let (mut read, mut refused) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "glb") {
                match decode_glb(&std::fs::read(&path).expect("readable")) {
                    Ok(c) => {
                        read += 1;
                        // What was read can be written again.
                        assert!(encode_glb(&c).is_ok(), "{}", path.display());
                        if path.to_string_lossy().contains("city-kit") {
                            assert!(c.primitives.iter().any(|p| !p.indices.is_empty()), "{}", path.display());
                        }
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(read >= 15 && refused < read, "{read} read, {refused} refused");
}
