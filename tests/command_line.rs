use std::path::Path;
use strata_tests::{scratch, strata};

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
