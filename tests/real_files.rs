//! Real files in, by the command that a person types.

use serde_json::Value;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use strata_tests::{data, scratch, strata, strata_ok};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn import(city: &Path, args: &[&str]) -> (i32, Value) {
    let mut all = vec!["import", text(city), "--json"];
    all.extend(args);
    let out = strata(&all);
    let json = String::from_utf8_lossy(&out.stdout).lines().last().and_then(|l| serde_json::from_str(l).ok()).unwrap_or(Value::Null);
    (out.status.code().expect("not killed by a signal"), json)
}

#[test]
fn plateau_pipes_come_in_whole() {
    let Some(data) = data() else { return };
    let city = scratch("unf").join("city");
    strata_ok(&["new", text(&city), "--crs", "EPSG:6676+6695"]);
    let mut files: Vec<_> =
        std::fs::read_dir(data.join("plateau-unf/nagaoka")).expect("files").map(|e| e.expect("an entry").path()).collect();
    files.retain(|f| f.to_string_lossy().contains(".gml"));
    files.sort();
    let mut args: Vec<&str> = files.iter().map(|f| text(f)).collect();
    args.push("--partial");
    let (code, answer) = import(&city, &args);
    let report = &answer["report"];
    assert!(code == 0 || code == 1, "{answer}");
    assert_eq!(report["read"].as_u64(), Some(report["taken"].as_u64().expect("taken") + report["refused"].as_u64().expect("refused")));
    // SOURCE.txt counts 1 733 pipes over Nagaoka and Chiba; 6 of them are Chiba's. An object of several lines that do
    // not meet is several features, `id/2` and so on, and counts once.
    let csv = city.with_extension("csv");
    strata_ok(&["export", text(&city), "--layer", "pipes", "--format", "csv", "-o", text(&csv)]);
    let table = std::fs::read_to_string(&csv).expect("UTF-8");
    let pipes = table.lines().skip(1).filter(|l| l.split(',').next().is_some_and(|id| !id.contains('/'))).count();
    let refusals = report["refusals"].as_array().expect("refusals");
    let without_axis = refusals.iter().filter(|r| r["code"] == "no-axis").count();
    assert_eq!(pipes + without_axis, 1_727, "{report}");
    assert_eq!(refusals.len(), without_axis, "only bodies without an axis are refused: {report}");
}

#[test]
fn a_plateau_building_is_taken_in_its_zone_and_refused_elsewhere() {
    let Some(data) = data() else { return };
    let dir = scratch("buildings");
    let mut files = vec![];
    let mut stack = vec![data.join("plateau-citymodel")];
    while let Some(d) = stack.pop() {
        for p in std::fs::read_dir(&d).expect("a folder").map(|e| e.expect("an entry").path()) {
            match (p.is_dir(), text(&p).contains("/bldg/") && text(&p).contains("/yokosuka-shi/") && text(&p).ends_with(".gml")) {
                (true, _) => stack.push(p),
                (false, true) => files.push(p),
                _ => {}
            }
        }
    }
    let Some(file) = files.first() else {
        println!("skipped: no building of yokosuka-shi");
        return;
    };
    let (here, far) = (dir.join("yokosuka"), dir.join("changchun"));
    strata_ok(&["new", text(&here), "--crs", "EPSG:6677+6695"]);
    let (code, answer) = import(&here, &[text(file), "--partial"]);
    assert!(code <= 1 && answer["report"]["layers"]["buildings"].as_u64() > Some(0), "{answer}");
    strata_ok(&["new", text(&far)]);
    let (code, answer) = import(&far, &[text(file)]);
    assert_eq!((code, &answer["error"]["code"]), (3, &Value::from("invalid-crs")), "{answer}");
    assert!(strata_ok(&["log", text(&far), "--json"]).trim() == "[]", "half an import was left");
}

#[test]
fn an_epanet_network_comes_in_with_its_counts() {
    let Some(data) = data() else { return };
    let city = scratch("epanet").join("city");
    strata_ok(&["new", text(&city)]);
    let (code, answer) = import(&city, &[text(&data.join("leakdb/Hanoi_CMH.inp")), "--crs", "EPSG:4551", "--partial"]);
    assert!(code == 0 || code == 1, "{answer}");
    assert_eq!(answer["report"]["layers"]["pipes"], 34, "the Hanoi network has 34 pipes: {answer}");
}

/// Nothing hostile hangs, panics or leaves half an import; the program always says something.
#[test]
fn broken_files_leave_the_city_as_it_was() {
    let Some(data) = data() else { return };
    let city = scratch("broken").join("city");
    strata_ok(&["new", text(&city)]);
    let mut tried = 0;
    for kind in ["crafted", "epanet", "gpkg", "dxf", "swmm"] {
        for entry in std::fs::read_dir(data.join("broken").join(kind)).into_iter().flatten().flatten() {
            let began = Instant::now();
            let (code, answer) = import(&city, &[text(&entry.path())]);
            let name = entry.path();
            assert!(matches!(code, 0 | 1 | 3), "{}: exit {code}: {answer}", name.display());
            assert!(began.elapsed() < Duration::from_secs(30), "{} took {:?}", name.display(), began.elapsed());
            assert!(!answer.is_null(), "{}: no answer", name.display());
            if code == 0 {
                assert!(answer["report"]["taken"].as_u64() > Some(0) && answer["report"]["refused"] == 0, "{}: {answer}", name.display());
            }
            tried += 1;
        }
    }
    assert!(tried > 20, "only {tried} broken files were found");
    assert!(strata_ok(&["verify", text(&city)]).starts_with("sound"));
}
