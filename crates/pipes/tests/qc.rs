//! The quality rules against a synthetic survey: nothing sound is accused, every seeded fault is found.

use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use strata_citygen::{
    District, spoil,
    survey::{self, Underground},
};
use strata_model::{
    Bounds2, Feature, Geometry, Instant, Layer,
    survey::{Delivery, Role},
};
use strata_pipes::Pipe;
use strata_pipes::qc::{self, City, Limits, Old, RULES, Stock, check};

const TODAY: (i32, u32, u32) = (2026, 6, 30);

fn today() -> Instant {
    Instant::from_ymd(TODAY.0, TODAY.1, TODAY.2)
}

struct Made {
    layers: BTreeMap<String, (Arc<Layer>, Vec<Feature>)>,
    anchors: Vec<[f64; 3]>,
}

/// Pipes and points of a synthetic district.
fn made(seed: u64) -> Made {
    let district = District::new(seed).expect("a district");
    let mut layers: BTreeMap<String, (Arc<Layer>, Vec<Feature>)> = BTreeMap::new();
    district
        .generate(&mut |layer, f| {
            if ["pipes", "pipe_points"].contains(&layer.id.as_str()) {
                layers.entry(layer.id.to_string()).or_insert_with(|| (Arc::clone(layer), Vec::new())).1.push(f);
            }
            Ok(())
        })
        .expect("made");
    Made { layers, anchors: district.anchors().into_iter().map(|a| a.position).collect() }
}

impl Made {
    fn delivery(&self, bounds: Option<Bounds2>) -> Delivery {
        let of = |id: &str| (&*self.layers[id].0, &self.layers[id].1[..]);
        survey::delivery(&Underground { pipes: of("pipes"), points: of("pipe_points") }, bounds, today())
    }
    /// A sheet around the `n`th anchor.
    fn sheet(&self, n: usize, half_m: f64) -> Delivery {
        let c = self.anchors[n];
        self.delivery(Some(Bounds2 { min: [c[0] - half_m, c[1] - half_m], max: [c[0] + half_m, c[1] + half_m] }))
    }
}

/// What no rule may say of a whole district, whose streets cross at any angle.
#[test]
fn a_whole_district_is_sound_in_form_and_logic() {
    let delivery = made(1).delivery(None);
    let (net, found) = check(&delivery, &City::default(), &Limits::default(), today());
    let mut by: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for f in found.list.iter().filter(|f| !["clash-own", "slope", "length", "loose-end"].contains(&f.rule.id)) {
        by.entry(f.rule.id).or_default().push(format!("{} {} {}: {} {:?}", f.table, f.row, f.id, f.reason, f.value));
    }
    assert!(by.is_empty(), "{} lines: {by:?}", net.lines.len());
    // Mains of one kind where streets meet at a narrow angle.
    let clashes = found.list.iter().filter(|f| f.rule.id == "clash-own").count();
    assert!(clashes <= 4, "{clashes} lines run through others");
}

/// A delivery against a city that has the same pipes, but for what was changed.
#[test]
fn new_changed_gone_and_in_the_way() {
    let mut sheet = made(2).sheet(5, 200.0);
    sheet.tables.retain(|t| !t.name.starts_with("RL"));
    fn city(stock: &Stock) -> City<'_> {
        City { stock: Some(stock), ..City::default() }
    }
    let (net, before) = check(&sheet, &City::default(), &Limits::default(), today());
    let mut stock = Stock::default();
    for l in &net.lines {
        let size = sheet.tables[l.row.table].rows[l.row.row - 2].text(sheet.tables[l.row.table].column("size")).map(str::to_owned);
        stock.pipes.push(Old {
            id: format!("old {}-{}", l.start, l.end),
            class: l.class.expect("a class").major,
            start: l.start.clone(),
            end: l.end.clone(),
            axis: net.axis(l).expect("sound"),
            radius_m: l.radius_m(),
            size,
            material: l.material,
        });
    }
    let total = net.lines.len();
    // The same again: nothing is new and nothing is in the way of itself.
    assert_eq!(stock.compare(&net, 10)["counts"], json!({ "new": 0, "changed": 0, "gone": 0, "unchanged": total }));
    let (_, found) = check(&sheet, &city(&stock), &Limits::default(), today());
    assert_eq!(found.list.len(), before.list.len());
    // Without numbers the place alone tells the same.
    let mut unnamed = stock.clone();
    unnamed.pipes.iter_mut().for_each(|p| (p.start, p.end) = (String::new(), String::new()));
    assert_eq!(unnamed.compare(&net, 10)["counts"]["unchanged"], total);
    // One moved, one of another material, one that the delivery does not have, one that the stock does not have.
    let middle = |p: &Old| [0, 1, 2].map(|k| (p.axis[0][k] + p.axis[1][k]) / 2.0);
    let water: Vec<usize> = (0..total).filter(|i| stock.pipes[*i].class == "JS").collect();
    stock.pipes[water[3]].axis.iter_mut().for_each(|p| p[0] += 0.5);
    stock.pipes[water[8]].material = Some("TZ");
    let (gone, hit) = (middle(&stock.pipes[water[12]]), middle(&stock.pipes[water[16]]));
    let extra = |id: &str, at: [f64; 3]| Old {
        id: id.into(),
        class: "JS",
        start: String::new(),
        end: String::new(),
        axis: [[at[0] - 2.0, at[1] - 2.0, at[2]], [at[0] + 2.0, at[1] + 2.0, at[2]]],
        radius_m: 0.1,
        size: None,
        material: None,
    };
    stock.pipes.push(extra("far below", [gone[0], gone[1], gone[2] - 60.0]));
    stock.pipes.push(extra("in the way", hit));
    stock.pipes.remove(water[20]);
    let said = stock.compare(&net, 10);
    assert_eq!(said["counts"], json!({ "new": 1, "changed": 2, "gone": 2, "unchanged": total - 3 }), "{said}");
    assert_eq!(said["changed"][0]["changes"][0]["moved_m"], 0.5);
    assert_eq!((&said["changed"][1]["changes"][0]["was"], &said["gone"][1]["id"]), (&json!("TZ"), &json!("in the way")));
    let (_, found) = check(&sheet, &city(&stock), &Limits::default(), today());
    let clashes: Vec<&str> = found.list.iter().filter(|f| f.rule.id == "clash-stock").map(|f| f.id.as_str()).collect();
    let line = &net.lines[water[16]];
    assert_eq!(clashes, [format!("{}-{}", line.start, line.end)]);
}

#[test]
fn ten_thousand_points_at_one_place_and_nothing_at_all() {
    let mut sheet = made(2).sheet(5, 150.0);
    let table = sheet.tables.iter_mut().find(|t| t.name == "JSPOINT").expect("water");
    let (id, map) = (table.column("id").expect("ids"), table.column("map_id").expect("map numbers"));
    let first = table.rows[0].clone();
    for i in 0..10_000 {
        let mut row = first.clone();
        row.number = table.rows.len() + 2;
        row.cells[id] = format!("JS7{i:05}");
        row.cells[map] = row.cells[id].clone();
        table.rows.push(row);
    }
    let began = std::time::Instant::now();
    let (net, found) = check(&sheet, &City::default(), &Limits::default(), today());
    let heap = found.list.iter().filter(|f| f.rule.id == "same-place").count();
    assert_eq!(heap, 10_000);
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    let sample = |seed| qc::sample(&net, 5.0, seed).iter().map(|p| p.id.clone()).collect::<Vec<_>>();
    assert_eq!(sample(1).len(), (net.points.len() as f64 * 0.05).ceil() as usize);
    assert!(sample(1) == sample(1) && sample(1) != sample(2));
    // Nothing was delivered.
    let (_, found) = check(&Delivery::default(), &City::default(), &Limits::default(), today());
    assert!(found.list.iter().any(|f| f.rule.id == "heading"));
}

/// Ground of the nearest point of the delivery within three metres: the terrain of the test.
fn ground_of(delivery: &Delivery) -> impl Fn([f64; 2]) -> Option<f64> {
    let spots: Vec<[f64; 3]> = delivery
        .tables
        .iter()
        .filter(|t| t.role == Role::Points)
        .flat_map(|t| t.rows.iter().filter_map(|r| Some([r.at?[0], r.at?[1], r.number(t.column("ground"))?])))
        .collect();
    move |p| {
        let d = |s: &[f64; 3]| (s[0] - p[0]).hypot(s[1] - p[1]);
        spots.iter().min_by(|a, b| d(a).total_cmp(&d(b))).filter(|s| d(s) < 3.0).map(|s| s[2])
    }
}

/// Sheets without a finding before any fault, with the city around them: whatever a sheet measures the stock has, too.
fn sound_sheets() -> Vec<(Delivery, Stock)> {
    let mut sheets = Vec::new();
    for seed in [2, 3] {
        let made = made(seed);
        let (layer, pipes) = &made.layers["pipes"];
        let old: Vec<Old> = pipes
            .iter()
            .filter(|f| f.valid.contains(today()))
            .flat_map(|f| Pipe::from_feature(layer, f))
            .filter_map(|p| Old::of(&p))
            .collect();
        for n in 0..made.anchors.len() {
            let (sheet, c) = (made.sheet(n, 220.0), made.anchors[n]);
            let near = |o: &&Old| (0..2).all(|k| (o.axis[0][k] - c[k]).abs() < 320.0);
            let stock = Stock { pipes: old.iter().filter(near).cloned().collect() };
            let lines: usize = sheet.tables.iter().filter(|t| t.role == Role::Lines).map(|t| t.rows.len()).sum();
            let (_, found) = check(&sheet, &City { stock: Some(&stock), ..City::default() }, &Limits::default(), today());
            if lines > 250 && found.list.is_empty() && sheets.len() < 4 {
                sheets.push((sheet, stock));
            }
        }
    }
    assert!(sheets.len() >= 3, "only {} sheets are sound", sheets.len());
    sheets
}

/// Distance of two segments by looking at many places along one of them.
fn sampled(p: [[f64; 3]; 2], q: [[f64; 3]; 2]) -> f64 {
    let dist = |a: [f64; 3], b: [f64; 3]| (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt();
    let along = dist(q[0], q[1]).powi(2);
    let n = (dist(p[0], p[1]) / 0.01).ceil().max(1.0) as usize;
    (0..=n)
        .map(|i| {
            let a = [0, 1, 2].map(|k| p[0][k] + (p[1][k] - p[0][k]) * i as f64 / n as f64);
            let t = (0..3).map(|k| (a[k] - q[0][k]) * (q[1][k] - q[0][k])).sum::<f64>() / along;
            dist(a, [0, 1, 2].map(|k| q[0][k] + (q[1][k] - q[0][k]) * t.clamp(0.0, 1.0)))
        })
        .fold(f64::INFINITY, f64::min)
}

/// Every pair of lines of a sheet, all classes, against what the rule found: no index, no formula in common.
#[test]
fn clashes_are_those_that_brute_force_finds() {
    let mut made = made(2);
    // Nothing of the synthetic city runs through anything: telecom sinks to where the gas lies.
    let (layer, pipes) = made.layers.get_mut("pipes").expect("pipes");
    for f in pipes.iter_mut().filter(|f| f.text(layer, "class") == Some("TX")) {
        let Geometry::LineString(axis) = &mut f.geometry else { panic!("{} is no line", f.id) };
        axis.iter_mut().for_each(|p| p[2] -= 0.5);
    }
    let mut clashes = 0;
    for n in [5, 10] {
        let sheet = made.sheet(n, 200.0);
        let (net, found) = check(&sheet, &City::default(), &Limits::default(), today());
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        let mut unsure: BTreeSet<String> = BTreeSet::new();
        let bodies: Vec<_> = net.lines.iter().map(|l| (l, net.axis(l).expect("sound"), l.radius_m())).collect();
        for (i, (l, a, ra)) in bodies.iter().enumerate() {
            for (k, b, rb) in &bodies[..i] {
                let joined = [&k.start, &k.end].iter().any(|e| **e == l.start || **e == l.end);
                let far =
                    (0..2).any(|d| a[0][d].min(a[1][d]) > b[0][d].max(b[1][d]) + 3.0 || b[0][d].min(b[1][d]) > a[0][d].max(a[1][d]) + 3.0);
                let beside = a.iter().any(|p| b.iter().any(|q| (p[0] - q[0]).hypot(p[1] - q[1]) < Limits::default().loose_m));
                if joined || far || (beside && l.class == k.class) {
                    continue;
                }
                let deep = ra + rb - sampled(*a, *b);
                let id = format!("{}-{}", l.start, l.end);
                if (deep - Limits::default().clash_m).abs() < 0.002 {
                    unsure.insert(id);
                } else if deep > Limits::default().clash_m {
                    wanted.insert(id);
                }
            }
        }
        let got: BTreeSet<String> = found.list.iter().filter(|f| f.rule.id == "clash-own").map(|f| f.id.clone()).collect();
        let differ: Vec<&String> = wanted.symmetric_difference(&got).filter(|id| !unsure.contains(*id)).collect();
        assert!(differ.is_empty(), "sheet {n}: {differ:?}");
        clashes += wanted.len();
    }
    assert!(clashes > 5, "only {clashes} clashes to compare");
}

type Rows = BTreeSet<(String, String, usize)>;

/// Clashes with the stock that stays, and ends beside its ends, every pair looked at; and what is too near to a limit to say.
fn against_stock(net: &qc::rows::Net, delivery: &Delivery, stock: &Stock, seeded: &Rows) -> (Rows, Rows) {
    let limits = Limits::default();
    let replaced: BTreeSet<usize> = stock.matches(net).into_iter().flatten().collect();
    let stays: Vec<&Old> = stock.pipes.iter().enumerate().filter(|(i, _)| !replaced.contains(i)).map(|(_, o)| o).collect();
    let row = |rule: &str, r: qc::findings::RowRef| (rule.to_owned(), delivery.tables[r.table].name.clone(), r.row);
    let (mut out, mut unsure) = (Rows::new(), Rows::new());
    let plan = |a: [f64; 3], b: [f64; 3]| (a[0] - b[0]).hypot(a[1] - b[1]);
    for l in &net.lines {
        let Some(axis) = net.axis(l).filter(|a| l.start != l.end && plan(a[0], a[1]) < 1_000.0) else { continue };
        for old in &stays {
            let far = (0..2).any(|d| {
                axis[0][d].min(axis[1][d]) > old.axis[0][d].max(old.axis[1][d]) + 3.0
                    || old.axis[0][d].min(old.axis[1][d]) > axis[0][d].max(axis[1][d]) + 3.0
            });
            let beside = axis.iter().any(|p| old.axis.iter().any(|q| plan(*p, *q) < limits.edge_m));
            let joined = [&old.start, &old.end].iter().any(|e| !e.is_empty() && (**e == l.start || **e == l.end));
            if far || joined || (beside && l.class.is_some_and(|c| c.major == old.class)) {
                continue;
            }
            let deep = l.radius_m() + old.radius_m - sampled(axis, old.axis);
            if (deep - limits.clash_m).abs() < 0.002 {
                unsure.insert(row("clash-stock", l.row));
            } else if deep > limits.clash_m {
                out.insert(row("clash-stock", l.row));
            }
        }
    }
    for (i, star) in &net.star {
        let (p, [(line, end)]) = (&net.points[*i], &star[..]) else { continue };
        let l = &net.lines[*line];
        let (Some(at), Some(z), Some(class)) = (p.at, l.axis_m(*end), l.class) else { continue };
        let gap = |o: &&&Old| {
            o.axis.iter().filter(|q| (q[2] - z).abs() <= limits.edge_m).map(|q| plan(*q, [at[0], at[1], z])).fold(9.0, f64::min)
        };
        let nearest = stays.iter().filter(|o| o.class == class.major).map(|o| gap(&o)).fold(9.0, f64::min);
        if nearest > 0.1 && nearest <= limits.edge_m && !seeded.contains(&row("loose-end", p.row)) {
            out.insert(row("edge-match", p.row));
        }
    }
    (out.difference(&unsure).cloned().collect(), unsure)
}

#[test]
fn every_seeded_fault_is_found_and_nothing_else() {
    let sheets = sound_sheets();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let (mut wanted, mut got, mut both, mut wrong) = (0, 0, 0, Vec::new());
    for seed in 0..200u64 {
        let (delivery, stock) = &sheets[seed as usize % sheets.len()];
        let spoiled = spoil::spoil(delivery, seed, 14);
        let ground = ground_of(delivery);
        let mut extent = Bounds2::EMPTY;
        delivery.tables.iter().flat_map(|t| &t.rows).filter_map(|r| r.at).for_each(|p| extent.extend(p));
        extent = Bounds2 { min: extent.min.map(|v| v - 500.0), max: extent.max.map(|v| v + 500.0) };
        let city = City { extent: Some(extent), ground_m: Some(&ground), stock: Some(stock) };
        let (net, found) = check(&spoiled.delivery, &city, &Limits::default(), today());
        let mut truth: BTreeSet<(String, String, usize)> =
            spoiled.faults.iter().map(|f| (f.rule.clone(), f.table.clone(), f.row)).collect();
        let mut answer: BTreeSet<(String, String, usize)> =
            found.list.iter().map(|f| (f.rule.id.to_owned(), f.table.clone(), f.row)).collect();
        // The seeds know nothing of the stock: what a fault has driven into it is found by looking at every pair.
        let (driven, unsure) = against_stock(&net, &spoiled.delivery, stock, &truth);
        truth.extend(driven);
        answer.retain(|a| !unsure.contains(a));
        truth.retain(|t| !unsure.contains(t));
        spoiled.faults.iter().for_each(|f| *kinds.entry(f.kind.clone()).or_default() += 1);
        wanted += truth.len();
        got += answer.len();
        both += truth.intersection(&answer).count();
        for missed in truth.difference(&answer) {
            let kind = spoiled.faults.iter().find(|f| (&f.rule, &f.table, f.row) == (&missed.0, &missed.1, missed.2)).map(|f| &f.kind);
            wrong.push(format!("seed {seed}: missed {missed:?} {kind:?}"));
        }
        for accused in answer.difference(&truth) {
            let f = found.list.iter().find(|f| (f.rule.id, f.table.as_str(), f.row) == (accused.0.as_str(), accused.1.as_str(), accused.2));
            wrong.push(format!("seed {seed}: accused {accused:?} {:?}", f.map(|f| (&f.id, &f.reason, &f.value))));
        }
    }
    println!("200 seeds: {wanted} faults, {got} findings, {both} right; by kind: {kinds:?}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n"));
    let unused: Vec<&str> = spoil::kinds().into_iter().filter(|k| kinds.get(*k).copied().unwrap_or(0) < 3).collect();
    assert!(unused.is_empty(), "kinds that were hardly ever tried: {unused:?} of {kinds:?}");
}

/// The table of the documentation is that of the program.
#[test]
fn the_documentation_has_every_rule() {
    let rows: String = RULES
        .iter()
        .map(|r| {
            let (stage, level) = (json!(r.stage), json!(r.level));
            let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
            format!(
                "| `{}` | {} | {} | {} | {} | {} | {:?} |\n",
                r.id,
                text(&stage),
                text(&level),
                r.title_zh,
                r.title_en,
                r.source,
                r.confidence
            )
        })
        .collect();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey.md");
    let docs = std::fs::read_to_string(&file).expect("docs/survey.md");
    assert!(docs.contains(&rows), "docs/survey.md needs this table:\n{rows}");
}
