use serde_json::Value;
use std::{fs, path::Path, process::Command};
use strata_tests::{scratch, strata, strata_ok};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn misuse_is_told_and_has_its_own_exit_code() {
    let dir = scratch("misuse");
    let city = dir.join("city");
    for (args, code, word) in [
        (vec!["new", text(&city), "--crs", "EPSG:4326"], 2, "projected"),
        (vec!["new", text(&city), "--crs", "EPSG:99999"], 2, "not known"),
        (vec!["log", text(&city)], 4, ""),
        (vec!["import", text(&city), "/nowhere.gml"], 4, ""),
        (vec!["frobnicate"], 2, "unrecognized"),
    ] {
        let out = strata(&args);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(String::from_utf8_lossy(&out.stderr).contains(word), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        assert!(!city.join("record.gpkg").exists(), "{args:?} left something");
    }
}

/// A file in, the record, a segment, tiles and a file out: GDAL judges both ends.
#[test]
fn what_goes_in_comes_out_of_record_segment_and_tiles() {
    let dir = scratch("way");
    let (city, file, out, tiles) = (dir.join("city"), dir.join("houses.geojson"), dir.join("out.geojson"), dir.join("mvt"));
    let house = |i: usize| {
        let (x, y) = (125.3180 + 0.0004 * (i % 20) as f64, 43.8870 + 0.0003 * (i / 20) as f64);
        let ring = [[x, y], [x + 0.0002, y], [x + 0.0002, y + 0.00015], [x, y + 0.00015], [x, y]];
        serde_json::json!({"type": "Feature", "id": i, "properties": {"floors": i % 30 + 1, "name": format!("楼{i}")},
            "geometry": {"type": "Polygon", "coordinates": [ring]}})
    };
    let all: Vec<_> = (0..200).map(house).collect();
    fs::write(&file, serde_json::json!({"type": "FeatureCollection", "features": all}).to_string()).expect("written");
    strata_ok(&["new", text(&city)]);
    let answer: Value = serde_json::from_str(&strata_ok(&["import", text(&city), text(&file), "--json"])).expect("JSON");
    assert_eq!((&answer["report"]["taken"], &answer["version"]), (&Value::from(200), &Value::from(1)), "{answer}");
    let layer = answer["report"]["layers"].as_object().expect("layers").keys().next().expect("one layer").clone();

    // The record, as GDAL reads it.
    assert_eq!(gdal_count(&city.join("record.gpkg"), &layer), 200);
    // Out again: the same places to a millimetre, the same names.
    strata_ok(&["export", text(&city), "--layer", &layer, "--format", "geojson", "-o", text(&out)]);
    let written: Value = serde_json::from_slice(&fs::read(&out).expect("an export")).expect("JSON");
    let mut seen = 0;
    for f in written["features"].as_array().expect("features") {
        let name = f["properties"]["name"].as_str().expect("a name");
        let i: usize = name.trim_start_matches('楼').parse().expect("a number");
        let want = house(i)["geometry"]["coordinates"][0][0].clone();
        let got = f["geometry"]["coordinates"][0].as_array().expect("a ring");
        let near = |p: &Value| (0..2).all(|k| (p[k].as_f64().expect("a number") - want[k].as_f64().expect("a number")).abs() < 2e-8);
        assert!(got.iter().any(near), "{name}: {got:?} has no {want}");
        seen += 1;
    }
    assert_eq!(seen, 200);
    // Vector tiles: GDAL finds every house in the tiles of one zoom, those on a border more than once.
    strata_ok(&["tiles", text(&city), &layer, "--format", "mvt", "-o", text(&tiles)]);
    let mut instances = 0;
    let zoom = tiles.join(&layer).join("15");
    for column in fs::read_dir(&zoom).expect("tiles of zoom 15") {
        for tile in fs::read_dir(column.expect("a column").path()).expect("a column") {
            instances += gdal_count(&tile.expect("a tile").path(), &layer);
        }
    }
    assert!((200..300).contains(&instances), "{instances} houses in the tiles");
    assert!(strata_ok(&["verify", text(&city)]).starts_with("sound"));
}

fn gdal_count(file: &Path, layer: &str) -> u64 {
    let out = Command::new("ogrinfo").args(["-ro", "-so", text(file), layer]).output().expect("ogrinfo starts");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    said.lines()
        .find_map(|l| l.strip_prefix("Feature Count: "))
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("GDAL reads no {layer}: {said}"))
}

/// The demo's record holds what its generator counted, as GDAL reads it, and its houses come and go with the years.
#[test]
fn the_synthetic_district_is_what_its_truth_says() {
    let dir = scratch("demo");
    let city = dir.join("changchun");
    strata_ok(&["demo", "--no-serve", "--dir", text(&city)]);
    let truth: Value = serde_json::from_slice(&fs::read(city.join("truth.json")).expect("truth.json")).expect("JSON");
    for (layer, n) in truth["counts"].as_object().expect("counts") {
        assert_eq!(Some(gdal_count(&city.join("record.gpkg"), layer)), n.as_u64(), "{layer}");
    }
    let standing = |year: &str| -> usize {
        let out = dir.join(format!("{year}.csv"));
        strata_ok(&["export", text(&city), "--layer", "buildings", "--format", "csv", "-o", text(&out), "--at", year]);
        fs::read_to_string(&out).expect("UTF-8").lines().count() - 1
    };
    let (old, now) = (standing("1955-01-01"), standing("2026-01-20"));
    assert!(old > 0 && old * 2 < now, "{old} houses in 1955, {now} now");
    // The same command again makes nothing new.
    strata_ok(&["demo", "--no-serve", "--dir", text(&city)]);
    let log: Value = serde_json::from_str(&strata_ok(&["log", text(&city), "--json"])).expect("JSON");
    assert_eq!(log.as_array().map(Vec::len), Some(1));
}
