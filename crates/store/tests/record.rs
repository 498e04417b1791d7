//! The record by its public face, and by the eyes of GDAL and SQLite.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::*;
use std::process::Command;
use strata_model::*;
use strata_store::{CityMeta, Store, StoreError};

fn square(x: f64, z: f64) -> Polygon {
    Polygon::new(vec![[x, 10.0, z], [x + 5.0, 10.0, z], [x + 5.0, 15.0, z], [x, 15.0, z], [x, 10.0, z]])
}

fn every_geometry() -> Vec<Geometry> {
    vec![
        Geometry::Point([1.5, -2.5, 3.25]),
        Geometry::LineString(vec![[0.1, 0.2, 0.3], [4.0, 5.0, 6.0]]),
        Geometry::Polygon(Polygon { rings: vec![square(0.0, 1.0).rings[0].clone(), square(1.0, 1.0).rings[0].clone()] }),
        Geometry::MultiPoint(vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        Geometry::MultiLineString(vec![vec![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]; 2]),
        Geometry::MultiPolygon(vec![square(0.0, 0.0), square(9.0, 2.0)]),
        Geometry::Surfaces(vec![
            Surface { polygon: square(0.0, 9.0), kind: SurfaceKind::Roof },
            Surface { polygon: square(0.0, 0.0), kind: SurfaceKind::Ground },
        ]),
        Geometry::Tin {
            points: vec![[0.0, 0.0, 1.0], [1.0, 0.0, 2.0], [0.0, 1.0, 3.0], [1.0, 1.0, 4.0]],
            triangles: vec![[0, 1, 2], [2, 1, 3]],
        },
    ]
}

fn read_all(store: &Store, layer: &LayerId) -> Vec<FeatureVersion> {
    let mut out = Vec::new();
    store
        .scan(layer, &mut |f| {
            out.push(f);
            Ok(())
        })
        .unwrap();
    out
}

#[test]
fn every_geometry_and_value_comes_back_after_reopening() {
    let (dir, mut store) = city();
    let l = layer("things", GeometryKind::Any);
    let values: Vec<[Value; 4]> = vec![
        [Value::Null, Value::Null, Value::Null, Value::Null],
        ["O'Brien \"; DROP TABLE things; -- 雨水\u{0}x".into(), i64::MAX.into(), (-0.1).into(), false.into()],
        ["".into(), i64::MIN.into(), f64::MAX.into(), true.into()],
        ["42".into(), 0.into(), 5e-324.into(), true.into()],
        ["007".into(), 7.into(), 3.0.into(), false.into()],
    ];
    let spans = [
        Interval::ALWAYS,
        Interval::since(Instant::from_ymd(1931, 9, 18)),
        Interval { from: Instant::MIN, to: Instant(123) },
        Interval { from: Instant(5), to: Instant(5) },
    ];
    let mut put = Vec::new();
    for (i, geometry) in every_geometry().into_iter().enumerate() {
        for (k, attributes) in values.iter().enumerate() {
            let id = format!("井-{i}-{k}'\"").as_str().into();
            put.push(Feature { id, geometry: geometry.clone(), valid: spans[(i + k) % 4], attributes: attributes.to_vec() });
        }
    }
    let mut w = store.begin("anna", "第一次", at(0)).unwrap();
    w.layer(&l).unwrap();
    put.iter().for_each(|f| w.put(&l.id, f).unwrap());
    let commit = w.commit().unwrap();
    assert_eq!(commit.layers, [(l.id.clone(), put.len() as u64, 0)]);
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.meta(), &meta());
    assert_eq!(store.head().unwrap(), Version(1));
    assert_eq!(store.log().unwrap(), [commit]);
    assert_eq!(*store.layers().unwrap()[0], l);
    let got = read_all(&store, &l.id);
    assert_eq!(got.len(), put.len());
    for (got, put) in got.iter().zip(&put) {
        assert_eq!((&got.feature, got.since, got.until), (put, Version(1), None));
        assert_eq!(store.get(&l.id, &put.id, None).unwrap().as_ref(), Some(put));
    }
}

#[test]
fn what_cannot_be_kept_is_refused_and_the_rest_commits() {
    let (_dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    let code = |r: Result<(), StoreError>| r.unwrap_err().code();
    let good = pipe("a", 0.0, 100);
    for bad in [
        Feature { id: "".into(), ..good.clone() },
        Feature { geometry: Geometry::Point([f64::NAN, 0.0, 0.0]), ..good.clone() },
        Feature { attributes: vec![], ..good.clone() },
        Feature { attributes: vec![1.into(), 1.into(), 1.into(), true.into()], ..good.clone() },
        Feature { attributes: vec!["x".into(), 1.5.into(), 1.into(), true.into()], ..good.clone() },
        Feature { attributes: vec!["x".into(), 1.into(), f64::NAN.into(), true.into()], ..good.clone() },
        Feature { valid: Interval { from: Instant(5), to: Instant(4) }, ..good.clone() },
        Feature { valid: Interval::since(Instant::from_ymd(12_000, 1, 1)), ..good.clone() },
    ] {
        assert_eq!(code(w.put(&l.id, &bad)), "invalid", "{bad:?}");
    }
    assert_eq!(code(w.put(&id("nowhere"), &good)), "not-found");
    assert_eq!(code(w.remove(&l.id, &"nobody".into())), "not-found");
    for name in ["gpkg_contents", "strata_meta", "sqlite_master", "rtree_x", "pipes_history"] {
        assert_eq!(code(w.layer(&layer(name, GeometryKind::Line))), "invalid", "{name}");
    }
    let mut twice = layer("twice", GeometryKind::Line);
    twice.fields.push(Field::new("Material", FieldKind::Text, "", ""));
    assert_eq!(code(w.layer(&twice)), "invalid");
    w.put(&l.id, &good).unwrap();
    w.commit().unwrap();
    assert_eq!(read_all(&store, &l.id).len(), 1);
}

#[test]
fn fields_may_be_added_but_not_changed_and_may_have_any_name() {
    let (_dir, mut store) = city();
    let mut l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &pipe("a", 0.0, 100)).unwrap();
    w.put(&l.id, &pipe("b", 5.0, 100)).unwrap();
    w.commit().unwrap();

    for name in ["FID", "id", "geom", "since", "管\"径, mm", "select", "a b"] {
        l.fields.insert(1, Field::new(name, FieldKind::Text, "", ""));
    }
    let wide = |p: Feature| {
        let mut p = p;
        for i in 0..7 {
            p.attributes.insert(1, format!("v{i}").into());
        }
        p
    };
    let mut w = store.begin("anna", "", at(1)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &wide(pipe("a", 0.0, 100))).unwrap();
    w.commit().unwrap();
    assert_eq!(*store.layers().unwrap()[0], l);
    assert_eq!(store.get(&l.id, &"a".into(), None).unwrap(), Some(wide(pipe("a", 0.0, 100))));
    let b = store.get(&l.id, &"b".into(), None).unwrap().unwrap();
    assert_eq!((b.text(&l, "select"), b.number(&l, "dn_mm")), (None, Some(100.0)));

    let mut w = store.begin("anna", "", at(2)).unwrap();
    let mut changed = l.clone();
    changed.fields[0].kind = FieldKind::Int;
    assert_eq!(w.layer(&changed).unwrap_err().code(), "layer-changed");
    let mut fewer = l.clone();
    fewer.fields.pop();
    assert_eq!(w.layer(&fewer).unwrap_err().code(), "layer-changed");
    assert_eq!(w.layer(&Layer { geometry: GeometryKind::Point, ..l.clone() }).unwrap_err().code(), "layer-changed");
    w.layer(&Layer { title_zh: "新名".into(), geometry: GeometryKind::Any, ..l.clone() }).unwrap();
    w.commit().unwrap();
    assert_eq!(store.layers().unwrap()[0].title_zh, "新名");
}

#[test]
fn dropped_writings_leave_nothing() {
    let (_dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &pipe("a", 0.0, 1)).unwrap();
    drop(w);
    assert_eq!(store.head().unwrap(), Version(0));
    assert!(store.layers().unwrap().is_empty() && store.log().unwrap().is_empty());
    assert_eq!(store.verify_audit().unwrap(), 0);
}

#[test]
fn one_key_is_one_commit() {
    let (_dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut go = |actor: &str, key: &str, x: f64| {
        let mut w = store.begin(actor, "import", at(0)).unwrap();
        w.layer(&l).unwrap();
        w.put(&l.id, &pipe("a", x, 1)).unwrap();
        w.idempotency_key(key);
        let c = w.commit().unwrap();
        (c, store.head().unwrap())
    };
    let (first, _) = go("anna", "k1", 0.0);
    let (again, head) = go("anna", "k1", 7.0);
    assert_eq!((&again, head), (&first, Version(1)));
    assert_eq!(go("anna", "k2", 8.0).1, Version(2));
    assert_eq!(go("boris", "k1", 9.0).1, Version(3), "a key is its actor's own");
    assert_eq!(store.get(&l.id, &"a".into(), Some(Version(1))).unwrap(), Some(pipe("a", 0.0, 1)));
    assert_eq!(store.commit_by_key("anna", "k1").unwrap(), Some(first));
    assert_eq!(store.verify_audit().unwrap(), 3);
}

#[test]
fn only_one_writes_and_others_read() {
    let (dir, mut store) = city();
    let code = |r: Result<Store, StoreError>| r.err().map(|e| e.code());
    assert_eq!(code(Store::open(dir.path())), Some("locked"));
    assert_eq!(code(Store::create(dir.path(), &meta())), Some("exists"));
    let mut reader = Store::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.begin("x", "", at(0)).err().map(|e| e.code()), Some("read-only"));
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &pipe("a", 0.0, 1)).unwrap();
    assert_eq!(reader.head().unwrap(), Version(0), "nothing is seen before the commit");
    w.commit().unwrap();
    assert_eq!(reader.head().unwrap(), Version(1));
    assert_eq!(reader.layers().unwrap().len(), 1);
    drop(store);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn foreign_and_newer_files_are_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    let code = || Store::open(dir.path()).err().map(|e| e.code());
    assert_eq!(code(), Some("no-city"));
    let file = dir.path().join("record.gpkg");
    std::fs::write(
        &file,
        b"this is no database, but a text that is longer than a page header of one hundred bytes, is it not? Yes, it is.",
    )
    .unwrap();
    assert_eq!(code(), Some("not-a-record"));
    std::fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE strata_meta (key, value)").unwrap();
    assert_eq!(code(), Some("not-a-record"));
    std::fs::remove_file(&file).unwrap();
    drop(Store::create(dir.path(), &meta()).unwrap());
    rusqlite::Connection::open(&file).unwrap().execute("UPDATE strata_meta SET value = '2' WHERE key = 'schema'", []).unwrap();
    let before = std::fs::read(&file).unwrap();
    assert_eq!(code(), Some("schema-newer"));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let wrong = CityMeta { geoid_offset_m: f64::NAN, ..meta() };
    assert_eq!(Store::create(&dir.path().join("x"), &wrong).err().map(|e| e.code()), Some("invalid"));
}

/// The word after a label in `ogrinfo -so`.
fn ogrinfo(dir: &std::path::Path, layer: &str) -> Option<String> {
    let file = dir.join("record.gpkg");
    match Command::new("ogrinfo").args(["-ro", "-so", "-al"]).arg(&file).arg(layer).output() {
        Ok(out) => {
            let err = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success() && err.trim().is_empty(), "ogrinfo complains: {err}");
            Some(String::from_utf8_lossy(&out.stdout).into_owned())
        }
        Err(_) => {
            eprintln!("skipped: ogrinfo is not installed");
            None
        }
    }
}

#[test]
fn gdal_reads_layers_counts_extents_and_crs() {
    let (dir, mut store) = city();
    let pipes = layer("pipes", GeometryKind::Line);
    let mixed = layer("buildings-2", GeometryKind::Surfaces);
    let tin = layer("terrain", GeometryKind::Tin);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    for l in [&pipes, &mixed, &tin] {
        w.layer(l).unwrap();
    }
    for i in 0..1000 {
        w.put(&pipes.id, &pipe(&format!("p{i}"), 443_000.0 + f64::from(i), 100)).unwrap();
    }
    let like = |name: &str, g: &Geometry| Feature { geometry: g.clone(), ..pipe(name, 0.0, 1) };
    let all = every_geometry();
    w.put(&mixed.id, &like("a", &all[2])).unwrap();
    w.put(&mixed.id, &like("b", &all[6])).unwrap();
    w.put(&tin.id, &like("t", &all[7])).unwrap();
    w.commit().unwrap();

    let Some(text) = ogrinfo(dir.path(), "pipes") else { return };
    for part in [
        "Geometry: 3D Line String",
        "Feature Count: 1000",
        "Extent: (443000.000000, 4862000.000000) - (444009.000000, 4862010.000000)",
        "CGCS2000 / 3-degree Gauss-Kruger CM 126E",
        "ID[\"EPSG\",4551]",
        "dn_mm: Integer64",
        "live: Integer(Boolean)",
        "depth_m: Real",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let text = ogrinfo(dir.path(), "buildings-2").unwrap();
    assert!(text.contains("Geometry: 3D Unknown (any)") && text.contains("Feature Count: 2"), "{text}");
    let text = ogrinfo(dir.path(), "terrain").unwrap();
    assert!(text.contains("Geometry: 3D TIN") && text.contains("Feature Count: 1"), "{text}");

    // The layers, our log as a table, and none of our own tables besides.
    let out = Command::new("ogrinfo").args(["-ro", "-q"]).arg(dir.path().join("record.gpkg")).output().unwrap();
    let names: Vec<String> =
        String::from_utf8_lossy(&out.stdout).lines().filter_map(|l| Some(l.split_whitespace().nth(1)?.to_owned())).collect();
    assert_eq!(names, ["pipes", "buildings-2", "terrain", "strata_commits"]);

    // The extent follows what goes away, with and without the writer's connection open.
    let mut w = store.begin("anna", "", at(1)).unwrap();
    w.remove(&pipes.id, &"p999".into()).unwrap();
    w.put(&pipes.id, &pipe("p0", 443_500.0, 100)).unwrap();
    w.commit().unwrap();
    drop(store);
    let text = ogrinfo(dir.path(), "pipes").unwrap();
    assert!(text.contains("Extent: (443001.000000, 4862000.000000) - (444008.000000, 4862010.000000)"), "{text}");
    // A spatial filter goes through our R-tree.
    let out = Command::new("ogrinfo")
        .args(["-ro", "-so", "-al", "-spat", "443100", "4861000", "443200", "4863000"])
        .arg(dir.path().join("record.gpkg"))
        .arg("pipes")
        .output()
        .unwrap();
    // Lines from x to x + 10 that meet 443100–443200: x = 443090 to 443200.
    assert!(String::from_utf8_lossy(&out.stdout).contains("Feature Count: 111"), "{}", String::from_utf8_lossy(&out.stdout));
}

/// What QGIS does on save: plain SQL from a process that brings its own ST_ functions.
#[test]
fn edits_by_gdal_keep_the_index_right() {
    let (dir, mut store) = city();
    let l = layer("pipes", GeometryKind::Line);
    let mut w = store.begin("anna", "", at(0)).unwrap();
    w.layer(&l).unwrap();
    w.put(&l.id, &pipe("a", 443_000.0, 100)).unwrap();
    w.put(&l.id, &pipe("b", 443_100.0, 100)).unwrap();
    w.commit().unwrap();
    drop(store);
    let file = dir.path().join("record.gpkg");
    let sql = "UPDATE pipes SET geom = (SELECT geom FROM pipes WHERE id = 'b') WHERE id = 'a'";
    let Ok(out) = Command::new("ogrinfo").args(["-q", "-sql", sql]).arg(&file).output() else {
        eprintln!("skipped: ogrinfo is not installed");
        return;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let conn = rusqlite::Connection::open(&file).unwrap();
    let (n, lo): (i64, f64) =
        conn.query_row("SELECT count(*), min(minx) FROM rtree_pipes_geom", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    assert_eq!((n, lo.round()), (2, 443_100.0));
    let check: String = conn.query_row("SELECT rtreecheck('rtree_pipes_geom')", [], |r| r.get(0)).unwrap();
    assert_eq!(check, "ok");
}
