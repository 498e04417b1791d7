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
    // SOURCE.txt counts 1 733 pipes over Nagaoka and Chiba; 6 of them are Chiba's.
    let refused_pipes = report["refusals"].as_array().expect("refusals").iter().filter(|r| r.to_string().contains("ipe")).count() as u64;
    let pipes = report["layers"]["pipes"].as_u64().expect("pipes");
    assert!(pipes + refused_pipes >= 1_727 && pipes <= 1_727, "{pipes} pipes taken, {refused_pipes} refused: {report}");
}

#[test]
fn buildings_of_three_kinds_of_file_stand_in_one_engine() {
    let Some(data) = data() else { return };
    let dir = scratch("buildings");
    for (set, crs, pick) in [("plateau-citymodel", "EPSG:6677+6695", "bldg"), ("cityjson-citygml", "EPSG:28992+5709", ".city.json")] {
        let mut stack = vec![data.join(set)];
        let mut file = None;
        while let Some(d) = stack.pop() {
            for e in std::fs::read_dir(&d).expect("a folder").flatten() {
                let p = e.path();
                if p.is_dir() {
                    stack.push(p);
                } else if text(&p).contains(pick) && file.is_none() && e.metadata().is_ok_and(|m| m.len() < 20_000_000) {
                    file = Some(p);
                }
            }
        }
        let Some(file) = file else { continue };
        let city = dir.join(set);
        strata_ok(&["new", text(&city), "--crs", crs]);
        let (code, answer) = import(&city, &[text(&file), "--partial"]);
        println!("{}: {code} {}", file.display(), answer["report"]["layers"]);
        // A file in another CRS than the city's region is refused whole and says so; anything else is taken.
        assert!(matches!(code, 0 | 1 | 3), "{}: {answer}", file.display());
        if code == 3 {
            assert_eq!(strata(&["verify", text(&city)]).status.code(), Some(0));
        }
    }
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
