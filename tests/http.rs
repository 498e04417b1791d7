use std::{path::Path, process::Command};
use strata_tests::{scratch, server};

#[test]
fn every_door_answers() {
    let s = server();
    for (path, kind) in [
        ("/healthz", ""),
        ("/readyz", ""),
        ("/limits", "json"),
        ("/openapi.json", "json"),
        ("/api/city", "json"),
        ("/api/versions", "json"),
        ("/ogc", "json"),
        ("/ogc/conformance", "json"),
        ("/ogc/collections", "json"),
        ("/ogc/collections/buildings", "json"),
        ("/ogc/collections/buildings/items?limit=3", "json"),
        ("/tiles/buildings.json", "json"),
        ("/3dtiles/buildings/tileset.json", "json"),
        ("/styles/planner.json", "json"),
        ("/", "html"),
    ] {
        let a = s.get(path, true);
        assert_eq!(a.status, 200, "{path}: {}", String::from_utf8_lossy(&a.body[..a.body.len().min(300)]));
        assert!(a.media_type.contains(kind), "{path} is {}", a.media_type);
    }
}

#[test]
fn a_stranger_sees_no_pipe_and_cannot_tell_that_there_is_one() {
    let s = server();
    for path in [
        "/3dtiles/NAME/tileset.json",
        "/tiles/NAME.json",
        "/ogc/collections/NAME",
        "/ogc/collections/NAME/items",
        "/tiles/NAME/14/13895/5962.mvt",
    ] {
        let hidden = s.get(&path.replace("NAME", "pipes"), false);
        let missing = s.get(&path.replace("NAME", "nosuch"), false);
        assert_eq!(hidden.status, 404, "{path}");
        let blank = |a: &[u8], name: &str| {
            let mut v: serde_json::Value = serde_json::from_slice(a).expect("problem+json");
            // The request's own name and trace number are all that may differ.
            for key in ["trace_id", "instance"] {
                v.as_object_mut().expect("an object").remove(key);
            }
            v.to_string().replace(name, "NAME")
        };
        assert_eq!(blank(&hidden.body, "pipes"), blank(&missing.body, "nosuch"), "{path}");
        assert_eq!(s.get(&path.replace("NAME", "pipes"), true).status, 200, "{path} with the token");
    }
    let listed = String::from_utf8(s.get("/ogc/collections", false).body).expect("UTF-8");
    assert!(listed.contains("buildings") && !listed.contains("pipe_points"), "{listed}");
}

/// GDAL's own client of OGC API Features reads a layer and counts what the server says.
#[test]
fn gdal_reads_the_features_over_http() {
    let s = server();
    let matched = s.json("/ogc/collections/water/items?resultType=hits")["numberMatched"].as_u64();
    let out = Command::new("ogrinfo").args(["-ro", "-so", &format!("OAPIF:{}/ogc", s.url), "water"]).output().expect("ogrinfo starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("Layer name: water"), "{text} {}", String::from_utf8_lossy(&out.stderr));
    let count: Option<u64> = text.lines().find_map(|l| l.strip_prefix("Feature Count: ")).and_then(|n| n.parse().ok());
    assert_eq!(count, matched);
}

/// The tile of the district's middle at z14, decoded by Mapbox's reader and by GDAL's driver.
#[test]
fn vector_tiles_are_read_by_two_strangers() {
    let s = server();
    let (x, y) = middle_tile(14);
    let dir = scratch("mvt");
    for layer in ["buildings", "roads", "pipes", "parcels"] {
        let tile = s.get(&format!("/tiles/{layer}/14/{x}/{y}.mvt"), true);
        assert_eq!(tile.status, 200, "{layer}");
        let file = dir.join(format!("{layer}.mvt"));
        std::fs::write(&file, &tile.body).expect("written");
        let seen = strata_tests::judge("mvt.mjs", &[file.to_str().expect("UTF-8")]);
        let features = seen["layers"][layer]["features"].as_u64().expect("the layer is in its tile");
        assert!(features > 0 && seen["layers"][layer]["extent"] == 4096, "{seen}");
        assert!(seen["layers"][layer]["keys"].to_string().contains("valid_from_day"), "{seen}");
        assert_eq!(gdal_count(&file, layer), features, "GDAL and Mapbox disagree on {layer}");
    }
}

fn gdal_count(file: &Path, layer: &str) -> u64 {
    let out = Command::new("ogrinfo").args(["-ro", "-so", file.to_str().expect("UTF-8"), layer]).output().expect("ogrinfo starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.lines()
        .find_map(|l| l.strip_prefix("Feature Count: "))
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("GDAL reads no {layer}: {text}"))
}

/// Column and row of the tile under 人民广场.
pub fn middle_tile(z: u32) -> (u32, u32) {
    let n = f64::from(1u32 << z);
    let lat = 43.887_f64.to_radians();
    ((n * (125.318 + 180.0) / 360.0) as u32, (n * (1.0 - lat.tan().asinh() / std::f64::consts::PI) / 2.0) as u32)
}
