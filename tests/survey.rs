//! A synthetic survey delivery out and in again, against the truth of the city that it was made from.

use gdal::{
    Dataset,
    vector::{LayerAccess, geometry_type_to_name},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use strata_citygen::District;
use strata_model::{Geometry, Point3, codes::codes};
use strata_tests::{Server, district_copied, scratch, strata, strata_ok};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// What must come through, by the two point numbers.
#[derive(Debug, PartialEq)]
struct Pipe {
    class: String,
    sub: String,
    shape: String,
    size_mm: Vec<i64>,
    od_mm: i64,
    material: String,
    embed: String,
    owner: String,
    road: String,
    year: i64,
    pressure: String,
    kilovolt: String,
    flow: Option<i64>,
}

type Pipes = BTreeMap<(String, String), (Pipe, [Point3; 2])>;

fn truth(seed: u64) -> Pipes {
    let mut pipes = Pipes::new();
    let sink = &mut |layer: &std::sync::Arc<strata_model::Layer>, f: strata_model::Feature| {
        if layer.id.as_str() != "pipes" {
            return Ok(());
        }
        let Geometry::LineString(line) = &f.geometry else { panic!("{} is no line", f.id) };
        let text = |n: &str| f.text(layer, n).unwrap_or_default().to_owned();
        let n = |n: &str| f.number(layer, n).map(|v| v.round() as i64);
        let class = text("class");
        let sub = codes().class(&text("subclass")).filter(|c| c.major == class).and_then(|c| c.sub);
        let pipe = Pipe {
            sub: sub.unwrap_or(if class == "JS" { "JP" } else { "" }).to_owned(),
            shape: text("shape"),
            size_mm: ["width_mm", "height_mm", "dn_mm"].iter().filter_map(|k| n(k)).collect(),
            od_mm: n("od_mm").unwrap_or(0),
            material: text("material"),
            embed: text("embed"),
            owner: text("owner"),
            road: text("road"),
            year: n("year_built").expect("a year"),
            pressure: text("pressure"),
            kilovolt: f.number(layer, "voltage_kv").map(|v| v.to_string()).unwrap_or_default(),
            flow: n("flow_dir"),
            class,
        };
        let ends = [line[0], line[line.len() - 1]];
        assert!(pipes.insert((text("start_point"), text("end_point")), (pipe, ends)).is_none(), "{} twice", f.id);
        Ok(())
    };
    District::new(seed).expect("a district").generate(sink).expect("made");
    pipes
}

fn imported(city: &Path) -> Pipes {
    let record = Dataset::open(city.join("record.gpkg")).expect("GDAL opens the record");
    let mut layer = record.layer_by_name("pipes").expect("pipes");
    let mut pipes = Pipes::new();
    for f in layer.features() {
        let index = |n: &str| f.field_index(n).unwrap_or_else(|_| panic!("no field {n}"));
        let text = |n: &str| f.field_as_string(index(n)).expect("a field").unwrap_or_default();
        let n = |n: &str| f.field_as_double(index(n)).expect("a field").map(|v| v.round() as i64);
        let line = f.geometry().expect("a line");
        let all: Vec<Point3> = (0..line.point_count()).map(|i| line.get_point(i as i32)).map(|(x, y, z)| [x, y, z]).collect();
        assert!(all.len() == 2, "{} of {} points", geometry_type_to_name(line.geometry_type()), all.len());
        let pipe = Pipe {
            class: text("class"),
            sub: text("subclass"),
            shape: text("shape"),
            size_mm: ["width_mm", "height_mm", "dn_mm"].iter().filter_map(|k| n(k)).collect(),
            od_mm: n("od_mm").unwrap_or(0),
            material: text("material"),
            embed: text("embed"),
            owner: text("owner"),
            road: text("road"),
            year: n("year_built").expect("a year"),
            pressure: text("pressure"),
            kilovolt: f.field_as_double(index("voltage_kv")).expect("a field").map(|v| v.to_string()).unwrap_or_default(),
            flow: n("flow_dir"),
        };
        assert!(pipes.insert((text("start_point"), text("end_point")), (pipe, [all[0], all[1]])).is_none());
    }
    pipes
}

/// Every pipe of the delivery is one of the city's, the same in all that it says, its axis within a millimetre and the
/// rounding of three decimals.
fn same(truth: &Pipes, got: &Pipes) {
    let mut worst = 0.0f64;
    for (ends, (pipe, axis)) in got {
        let (wanted, wanted_axis) = truth.get(ends).unwrap_or_else(|| panic!("{ends:?} is not in the city"));
        assert_eq!(pipe, wanted, "{ends:?}");
        for (a, b) in axis.iter().zip(wanted_axis) {
            worst = (0..3).map(|k| (a[k] - b[k]).abs()).fold(worst, f64::max);
        }
    }
    assert!(worst > 0.0 && worst <= 0.001, "the axes differ by up to {worst} m");
}

#[test]
fn the_whole_district_comes_back_from_its_survey() {
    let dir = scratch("survey-district");
    let (delivery, city) = (dir.join("delivery"), dir.join("city"));
    strata_ok(&["gen", "survey", text(&delivery), "--seed", "1"]);
    strata_ok(&["new", text(&city)]);
    strata_ok(&["import", text(&city), text(&delivery), "--as", "survey"]);
    let (truth, got) = (truth(1), imported(&city));
    assert_eq!(got.len(), truth.len());
    same(&truth, &got);
    let readme = std::fs::read_to_string(delivery.join("README.md")).expect("a README");
    assert!(readme.contains("合成数据") && readme.contains("X is north"));
}

#[test]
fn a_sheet_comes_back_from_every_form_that_surveys_have() {
    let dir = scratch("survey-forms");
    let truth = truth(7);
    let mut counts = Vec::new();
    for (name, args) in
        [("utf8", &["--format", "csv"][..]), ("gbk", &["--format", "csv", "--encoding", "gbk"]), ("xlsx", &["--format", "xlsx"])]
    {
        let (delivery, city) = (dir.join(name), dir.join(format!("{name}-city")));
        let mut all = vec!["gen", "survey", text(&delivery), "--seed", "7", "--size", "sheet"];
        all.extend(args);
        strata_ok(&all);
        strata_ok(&["new", text(&city)]);
        // By itself it is known for what it is, too.
        strata_ok(&["import", text(&city), text(&delivery)]);
        let got = imported(&city);
        same(&truth, &got);
        counts.push(got.len());
    }
    assert!(counts[0] > 100 && counts.iter().all(|c| *c == counts[0]), "{counts:?}");
    let gbk = std::fs::read(dir.join("gbk/JSPOINT.csv")).expect("written");
    assert!(String::from_utf8(gbk).is_err(), "GBK is no UTF-8");
}

#[test]
fn rules_refuse_a_survey_and_partial_takes_the_rest() {
    let dir = scratch("survey-rules");
    let (delivery, bad, city) = (dir.join("delivery"), dir.join("bad"), dir.join("city"));
    strata_ok(&["gen", "survey", text(&bad), "--size", "sheet", "--seed", "7", "--spoil", "7:20", "--format", "xlsx"]);
    strata_ok(&["gen", "survey", text(&delivery), "--size", "sheet", "--seed", "7", "--encoding", "gbk"]);
    strata_ok(&["new", text(&city)]);
    // Through a real workbook: every fault that was put in is found in its row.
    let out = strata(&["pipes", "qc", text(&city), "--delivery", text(&bad)]);
    assert_eq!(out.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(bad.join("faults.json")).expect("truth")).expect("JSON");
    let faults = truth.as_array().expect("faults");
    // The new city has no stock that an end could lie beside.
    for f in faults.iter().filter(|f| f["rule"] != "edge-match") {
        let found = report["findings"].as_array().expect("findings");
        assert!(found.iter().any(|g| ["rule", "table", "row"].iter().all(|k| g[*k] == f[*k])), "{f} is not found");
    }
    assert!(faults.len() >= 20);
    // A heading without its column: nobody knows which rows are sound.
    let whole = strata(&["import", text(&city), text(&bad), "--as", "survey", "--partial"]);
    assert_eq!(whole.status.code(), Some(3), "{}", String::from_utf8_lossy(&whole.stdout));
    // One depth is wrong: refused as a whole, or that line alone.
    let file = delivery.join("JSLINE.csv");
    let bytes = std::fs::read(&file).expect("a table");
    let sound = encoding_rs::GBK.decode(&bytes).0.into_owned();
    let depth = sound.lines().nth(1).and_then(|row| row.split(',').nth(2)).expect("起点埋深");
    let table = sound.replacen(&format!(",{depth},"), ",0.555,", 1);
    std::fs::write(&file, encoding_rs::GBK.encode(&table).0).expect("written");
    let refused = strata(&["import", text(&city), text(&delivery), "--as", "survey"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("height-balance"), "{}", String::from_utf8_lossy(&refused.stdout));
    assert!(strata_ok(&["log", text(&city)]).is_empty(), "nothing was taken");
    let partial = strata(&["import", text(&city), text(&delivery), "--as", "survey", "--partial", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&partial.stdout).expect("JSON");
    let report = &answer["report"];
    assert_eq!((&report["refused"], &report["refusals"][0]["code"]), (&1.into(), &"height-balance".into()), "{report}");
    assert_eq!(report["read"].as_u64(), report["taken"].as_u64().map(|t| t + 1));
    let total = report["layers"]["pipes"].as_u64().expect("pipes");
    // Delivered again, the one line is new and the rest is as it was.
    let compared = strata_ok(&["pipes", "compare-survey", text(&city), "--delivery", text(&delivery)]);
    let counts = serde_json::from_str::<serde_json::Value>(&compared).expect("JSON")["counts"].clone();
    assert_eq!((&counts["new"], &counts["unchanged"], &counts["gone"]), (&1.into(), &total.into(), &0.into()), "{counts}");
}

/// The tables as a browser sends them.
fn tables(folder: &Path) -> Value {
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "csv"));
    files.sort();
    let table = |p: &std::path::PathBuf| {
        let all = std::fs::read_to_string(p).expect("UTF-8");
        let mut rows = all.trim_start_matches('\u{feff}').lines().map(|l| l.split(',').map(str::to_owned).collect::<Vec<_>>());
        let name = p.file_stem().and_then(|s| s.to_str()).expect("a name");
        let headings = rows.next().expect("a heading");
        let rows: Vec<Value> = rows.enumerate().map(|(i, cells)| json!({ "number": i + 2, "cells": cells })).collect();
        json!({ "name": name, "role": if name.ends_with("POINT") { "points" } else { "lines" }, "heading_row": 1, "headings": headings, "rows": rows })
    };
    json!({ "name": "合成数据", "tables": files.iter().map(table).collect::<Vec<_>>() })
}

/// Handed in over HTTP, sampled, taken in, published, archived: the record has what the delivery changes, and no more.
#[test]
fn a_delivery_goes_from_the_sample_to_the_archive() {
    let dir = scratch("survey-case");
    let folder = dir.join("delivery");
    strata_ok(&["gen", "survey", text(&folder), "--size", "sheet", "--seed", "42"]);
    let s = Server::start(&district_copied("survey-case-city"));
    let mut delivery = tables(&folder);
    let lines = delivery["tables"].as_array().expect("tables").iter().position(|t| t["name"] == "JSLINE").expect("water");
    let heading = |name: &str| delivery["tables"][lines]["headings"].as_array().and_then(|h| h.iter().position(|c| c == name)).expect(name);
    let (start, end, material, depth) = (heading("起点点号"), heading("终点点号"), heading("材质"), heading("起点埋深"));
    let untouched = delivery.clone();
    // Unchanged, faulty, empty: each is refused with its reason, and there is no case of it.
    let ask = |d: &Value| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let body = json!({ "definition": "survey-delivery", "title": "人民大街普查", "delivery": d });
        let mut a = agent
            .post(format!("{}/api/cases", s.url))
            .header("authorization", format!("Bearer {}", s.token))
            .send_json(&body)
            .expect("sent");
        (a.status().as_u16(), a.body_mut().read_json::<Value>().expect("JSON"))
    };
    let mut faulty = untouched.clone();
    faulty["tables"][lines]["rows"][0]["cells"][depth] = "0.555".into();
    for (d, said) in [(&untouched, "changes nothing"), (&faulty, "level error"), (&json!({ "tables": [] }), "")] {
        let (status, problem) = ask(d);
        assert!(status == 422 && problem["detail"].as_str().is_some_and(|t| t.contains(said)), "{said}: {status} {problem}");
    }
    assert_eq!(s.json("/api/cases?definition=survey-delivery")["cases"], json!([]));
    // One pipe of another material, one that is gone.
    let rows = delivery["tables"][lines]["rows"].as_array_mut().expect("rows");
    let all = rows.len();
    rows[3]["cells"][material] = if rows[3]["cells"][material] == "铸铁" { "钢" } else { "铸铁" }.into();
    let ends = |r: &Value| [r["cells"][start].as_str().expect("an end").to_owned(), r["cells"][end].as_str().expect("an end").to_owned()];
    let (altered, gone) = (ends(&rows[3]), ends(&rows[all / 2]));
    rows.remove(all / 2);
    let total: usize = delivery["tables"]
        .as_array()
        .expect("tables")
        .iter()
        .filter(|t| t["role"] == "lines")
        .map(|t| t["rows"].as_array().map_or(0, Vec::len))
        .sum();
    let (status, case) = ask(&delivery);
    assert_eq!(status, 201, "{case}");
    assert_eq!(case["report"]["difference"], json!({ "new": 0, "changed": 1, "gone": 1, "unchanged": total - 1 }), "{case}");
    assert_eq!((&case["state"], &case["view"]["steps"]), (&json!("checked"), &json!([["sample", "inspector"], ["return", "inspector"]])));
    let id = case["id"].as_str().expect("an id");
    for (after, (step, role, state)) in (1..).zip([
        ("sample", "inspector", "sampled"),
        ("store", "keeper", "stored"),
        ("publish", "keeper", "published"),
        ("archive", "archivist", "archived"),
    ]) {
        let done = s.post(&format!("/api/cases/{id}/steps"), &json!({ "step": step, "role": role, "after": after, "reason": "抽检合格" }));
        assert_eq!(done["state"], state, "{done}");
    }
    // What the record says, asked another way than the case was made.
    let diff = s.json("/api/versions/1/diff/2");
    let pipes = diff["layers"].as_array().expect("layers").iter().find(|l| l["layer"] == "pipes").expect("pipes");
    assert_eq!(pipes["counts"], json!({ "added": 0, "removed": 1, "changed": 1 }), "{diff}");
    let found = |pair: &[String; 2], version: u32| {
        let filter = format!("start_point='{}'%20AND%20end_point='{}'", pair[0], pair[1]);
        let all = s.json(&format!("/ogc/collections/pipes/items?filter={filter}&v={version}"));
        all["features"].as_array().expect("features").iter().map(|f| f["properties"]["material"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((found(&gone, 1).len(), found(&gone, 2).len()), (1, 0));
    assert_ne!(found(&altered, 1), found(&altered, 2));
    // The same tables again change nothing more.
    assert!(ask(&delivery).1["detail"].as_str().is_some_and(|t| t.contains("changes nothing")));
}
