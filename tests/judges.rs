//! Independent judges: the Khronos validator of our 3D tiles, QGIS of the record and of the OGC API.

use std::process::Command;
use strata_tests::{district, judge, repository, scratch, server, strata_ok};

#[test]
fn qgis_opens_the_record_as_it_is_and_reads_the_api() {
    let script = repository().join("tests/web/qgis_judge.py");
    let record = district().join("record.gpkg");
    // Debian's own Python: QGIS is bound to it.
    let out = Command::new("/usr/bin/python3").arg(script).arg(&record).arg(&server().url).output().expect("python3 starts");
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().find(|l| l.starts_with('{')).unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&out.stderr)));
    let told: serde_json::Value = serde_json::from_str(line).expect("JSON");
    println!("QGIS {}", told["qgis"]);
    for layer in server().json("/api/city")["layers"].as_array().expect("layers") {
        let id = layer["id"].as_str().expect("an id");
        let seen = &told["layers"][id];
        assert_eq!(seen["valid"], true, "{id}: {seen}");
        let ours = server().json(&format!("/ogc/collections/{id}/items?resultType=hits"))["numberMatched"].clone();
        assert_eq!(seen["count"], ours, "{id}");
        assert_eq!((&seen["crs"], seen["type"].as_str().map(|t| t.ends_with('Z'))), (&"EPSG:4551".into(), Some(true)), "{id}: {seen}");
        // East comes first in the file, whatever the registry's axis order is: Changchun has 125° E, 43.9° N.
        let first = seen["first"].as_array().map(|p| (p[0].as_f64().unwrap_or(0.0), p[1].as_f64().unwrap_or(0.0)));
        assert!(first.is_some_and(|(e, n)| (430_000.0..460_000.0).contains(&e) && (4_840_000.0..4_880_000.0).contains(&n)), "{id}: {seen}");
        assert_eq!(seen["unsound"], 0, "{id}: GEOS calls a geometry unsound");
    }
    // The public water through OGC API Features.
    assert_eq!((&told["api"]["valid"], &told["api"]["unsound"]), (&true.into(), &0.into()), "{told}");
    assert_eq!(told["api"]["count"], told["layers"]["water"]["count"]);
}

#[test]
fn every_glb_of_the_district_is_valid_gltf() {
    let out = scratch("tilesets");
    let mut total = 0;
    for layer in ["terrain", "buildings", "roads", "water", "parcels", "rail", "trees", "control_lines", "pipes", "pipe_points"] {
        let dir = out.join(layer);
        strata_ok(&[
            "export",
            district().to_str().expect("UTF-8"),
            "--layer",
            layer,
            "--format",
            "3dtiles",
            "-o",
            dir.to_str().expect("UTF-8"),
        ]);
        let verdict = judge("glb.mjs", &[dir.to_str().expect("UTF-8")]);
        println!("{layer}: {verdict}");
        assert_eq!(verdict["errors"], 0, "{layer}: {verdict}");
        assert!(verdict["files"].as_u64() > Some(0), "{layer} has no content");
        total += verdict["files"].as_u64().unwrap_or(0);
        // The tools of the specification's own authors open the tileset.
        assert!(dir.join("tileset.json").is_file());
    }
    println!("{total} GLB files judged");
}
