//! A synthetic survey delivery out and in again, against the truth of the city that it was made from.

use gdal::{
    Dataset,
    vector::{LayerAccess, geometry_type_to_name},
};
use std::{collections::BTreeMap, path::Path};
use strata_citygen::District;
use strata_model::{Geometry, Point3, codes::codes};
use strata_tests::{scratch, strata, strata_ok};

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
    let code = |t: Option<&str>, of: fn(&str) -> Option<&'static str>| t.and_then(of).unwrap_or_default().to_owned();
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
            material: code(f.text(layer, "material"), |t| codes().material(t)),
            embed: code(f.text(layer, "embed"), |t| codes().laying(t).map(|l| l.0)),
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
    for f in faults {
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
