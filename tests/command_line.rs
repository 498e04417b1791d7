use serde_json::Value;
use std::{fs, path::Path, process::Command};
use strata_tests::{district, scratch, strata, strata_ok};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn the_record_of_the_demo_opens_in_gdal_and_holds_what_the_generator_counted() {
    let city = district();
    let truth: Value = serde_json::from_slice(&fs::read(city.join("truth.json")).expect("truth.json")).expect("JSON");
    let out = Command::new("ogrinfo").args(["-ro", "-so", "-al", "-json"]).arg(city.join("record.gpkg")).output();
    let out = out.expect("ogrinfo starts");
    let listing = Command::new("ogrinfo").args(["-ro", "-so", "-al"]).arg(city.join("record.gpkg")).output().expect("ogrinfo starts");
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    assert!(out.status.success() || !listing.is_empty());
    let counts = truth["counts"].as_object().expect("counts by layer");
    assert!(counts.len() >= 10, "{counts:?}");
    for (layer, n) in counts {
        let section = listing.split("Layer name: ").find(|s| s.lines().next() == Some(layer)).unwrap_or_else(|| panic!("GDAL sees no layer {layer}"));
        let seen: u64 = section.lines().find_map(|l| l.strip_prefix("Feature Count: ")).expect("a count").parse().expect("a number");
        assert_eq!(Some(seen), n.as_u64(), "layer {layer}");
    }
}

#[test]
fn verify_and_log_and_backup_speak_of_one_record() {
    let city = district();
    assert!(strata_ok(&["verify", text(city)]).starts_with("sound"));
    let log: Value = serde_json::from_str(&strata_ok(&["log", text(city), "--json"])).expect("JSON");
    assert_eq!(log[0]["version"], 1);
    let copy = scratch("backup").join("copy.gpkg");
    strata_ok(&["backup", text(city), text(&copy)]);
    assert!(fs::metadata(&copy).expect("a copy").len() > 1_000_000);
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

#[test]
fn a_survey_delivery_comes_back_as_the_pipes_it_was_made_from() {
    let dir = scratch("survey");
    let (tables, city) = (dir.join("delivery"), dir.join("city"));
    strata_ok(&["gen", "survey", text(&tables), "--sheet-m", "400"]);
    strata_ok(&["new", text(&city)]);
    let answer: Value = serde_json::from_str(&strata_ok(&["import", text(&city), text(&tables), "--as", "survey", "--json"])).expect("JSON");
    let rows = |suffix: &str| -> u64 {
        fs::read_dir(&tables)
            .expect("tables")
            .map(|e| e.expect("an entry").path())
            .filter(|p| p.file_stem().is_some_and(|s| s.to_string_lossy().ends_with(suffix)))
            .map(|p| fs::read_to_string(p).expect("UTF-8").lines().count() as u64 - 1)
            .sum()
    };
    assert!(rows("LINE") > 100, "a sheet of {} lines tells little", rows("LINE"));
    assert_eq!(answer["report"]["layers"]["pipes"], rows("LINE"));
    assert_eq!(answer["report"]["layers"]["pipe_points"], rows("POINT"));
    assert_eq!(answer["report"]["refused"], 0, "{}", answer["report"]["refusals"]);
}
