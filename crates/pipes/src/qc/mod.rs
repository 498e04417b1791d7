//! 采集: is a survey delivery fit to become part of the city?
//!
//! [`check`] asks every rule of [`RULES`] of a delivery as it lies in its tables, also of what an import would refuse:
//! form first, then logic, then place. What breaks a rule of form is left out of the rules that would need it, so that
//! one wrong cell is one finding. The same rules of network and place run over the pipes that the city has already.
//! [`Stock::compare`] says what a delivery changes: new, changed, gone.
//!
//! - [`rules`]: the rules with level, source and confidence, and the limits that they measure with
//! - [`rows`]: tables to points and lines, and the rules of form
//! - [`logic`], [`drains`], [`space`]: the rules that compare rows
//! - [`stock`]: what the city knows already
//! - [`findings`]: what was found, by rule and by row

pub mod drains;
pub mod findings;
pub mod logic;
pub mod rows;
pub mod rules;
pub mod space;
pub mod stock;
mod terrain;

pub use findings::{Finding, Findings};
pub use rules::{Confidence, Level, Limits, RULES, Rule, Stage};
pub use space::City;
pub use stock::{Old, Stock};

use crate::{pipe, reasons::why};
use findings::RowRef;
use rows::{Line, Net, Point};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::{
    Bounds2, Geometry, Instant, Query, Theme,
    codes::{Size, codes, date},
    survey::{Delivery, Role},
};

/// The way of a delivery, for those who draw it.
pub const STAGES: &str = include_str!("../../../../data/systems/pipes/survey.toml");

/// Every rule over one delivery. `today` is the last day that a row may speak of.
pub fn check(delivery: &Delivery, city: &City<'_>, limits: &Limits, today: Instant) -> (Net, Findings) {
    let mut found = Findings::default();
    let mut net = rows::read(delivery, today, &mut found);
    let missing = |role| !delivery.tables.iter().any(|t| t.role == role);
    if missing(Role::Points) && missing(Role::Lines) {
        found.file("heading", &delivery.name, 0, why("no-tables", &[]));
    } else if missing(Role::Points) || missing(Role::Lines) {
        let reason = if missing(Role::Points) { why("no-points", &[]) } else { why("no-lines", &[]) };
        found.file("heading", &delivery.name, 0, reason);
    }
    space::places(&mut net, delivery.crs.as_ref(), city, limits, &mut found);
    relations(&net, city, limits, &mut found);
    (net, found)
}

fn relations(net: &Net, city: &City<'_>, limits: &Limits, found: &mut Findings) {
    logic::check(net, limits, found);
    drains::check(net, limits, found);
    space::check(net, city, limits, found);
    place(net, found);
    found.sort();
}

/// Gives each finding the place of its row.
fn place(net: &Net, found: &mut Findings) {
    use std::collections::HashMap;
    let points: HashMap<RowRef, &Point> = net.points.iter().map(|p| (p.row, p)).collect();
    let lines: HashMap<RowRef, &Line> = net.lines.iter().map(|l| (l.row, l)).collect();
    let spot = |p: &Point, z: Option<f64>| Some([p.at?[0], p.at?[1], z.or(p.ground_m)?]);
    for f in &mut found.list {
        let Some(at) = f.at else { continue };
        f.place = match (points.get(&at), lines.get(&at)) {
            (Some(p), _) => spot(p, None).map(Geometry::Point),
            (None, Some(l)) => {
                let ends = net.ends(l);
                let end = |i: usize| spot(&net.points[ends[i]?], l.axis_m(i));
                match (end(0), end(1)) {
                    (Some(a), Some(b)) if a != b => Some(Geometry::LineString(vec![a, b])),
                    (a, b) => a.or(b).map(Geometry::Point),
                }
            }
            (None, None) => None,
        };
    }
}

/// A seeded share of the points for the field check: the same seed draws the same ones.
pub fn sample(net: &Net, percent: f64, seed: u64) -> Vec<&Point> {
    let hash = |id: &str| {
        let mut h = seed ^ 0x9e37_79b9_7f4a_7c15;
        for b in id.bytes() {
            h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        h ^ (h >> 31)
    };
    let mut drawn: Vec<(u64, &Point)> = net.points.iter().filter(|p| !p.id.is_empty()).map(|p| (hash(&p.id), p)).collect();
    drawn.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
    drawn.truncate((net.points.len() as f64 * percent / 100.0).ceil() as usize);
    drawn.into_iter().map(|(_, p)| p).collect()
}

pub const QC: Analysis = Analysis {
    id: "qc",
    title_en: "Quality of a survey",
    title_zh: "普查成果质量检查",
    about: "Asks every quality rule (form, logic, place) of a survey delivery, or those of network and place of the pipes in the city when no delivery is given. Rules carry level, source and confidence; findings carry row and place.",
    inputs: r#"{"type":"object","properties":{
        "delivery":{"description":"Tables as rows of text: {tables: [{name, role: points|lines, headings, rows: [{number, cells}]}]}; X north, Y east in the city's system","type":"object"},
        "limits":{"description":"What the rules measure with, m and degrees; absent members keep their value","type":"object"},
        "shown":{"description":"At most so many findings of each rule","type":"integer","default":100},
        "sample_percent":{"description":"Share of the points for the field check","type":"number","default":5},
        "sample_seed":{"type":"integer","default":1}}}"#,
    outputs: r#"{"type":"object","properties":{
        "faults":{"description":"Findings of level error","type":"integer"},"warnings":{"type":"integer"},
        "rules":{"description":"Every rule with its findings counted","type":"array"},
        "findings":{"description":"rule, level, table, row, id, field, value, reason, reason_zh, place","type":"array"},
        "stages":{"description":"submit to archive: rows that pass","type":"array"},
        "sample":{"description":"Points for the field check","type":"array"},
        "difference":{"description":"Against the stock: new, changed, gone","type":"object"}}}"#,
    run,
};

pub const COMPARE: Analysis = Analysis {
    id: "compare-survey",
    title_en: "A survey against the stock",
    title_zh: "普查成果与现状比对",
    about: "What a delivery would change: new, changed and gone pipes, matched by their two point numbers, else by class and place within 0.1 m.",
    inputs: r#"{"type":"object","required":["delivery"],"properties":{
        "delivery":{"description":"As for qc","type":"object"},
        "shown":{"description":"At most so many of each kind","type":"integer","default":1000}}}"#,
    outputs: r#"{"type":"object","properties":{"counts":{"type":"object"},"new":{"type":"array"},"changed":{"type":"array"},"gone":{"type":"array"}}}"#,
    run: |view, inputs| {
        let delivery = delivery_of(inputs)?.ok_or_else(|| AnalysisError::input("/delivery", "a delivery is wanted"))?;
        let (mut found, shown) = (Findings::default(), whole(inputs, "shown", 1000)?);
        let mut net = rows::read(&delivery, view.at, &mut found);
        space::places(&mut net, delivery.crs.as_ref(), &City::default(), &Limits::default(), &mut found);
        Ok(stock_around(view, &net)?.compare(&net, shown))
    },
};

fn whole(inputs: &Value, name: &str, otherwise: usize) -> Result<usize, AnalysisError> {
    match inputs.get(name).filter(|v| !v.is_null()) {
        None => Ok(otherwise),
        Some(v) => {
            let n = v.as_u64().filter(|n| *n <= 100_000);
            n.map(|n| n as usize).ok_or_else(|| AnalysisError::input(format!("/{name}"), "a whole number up to 100 000 is wanted"))
        }
    }
}

fn delivery_of(inputs: &Value) -> Result<Option<Delivery>, AnalysisError> {
    let Some(v) = inputs.get("delivery").filter(|v| !v.is_null()) else { return Ok(None) };
    let bad = |e: String| AnalysisError::input("/delivery", e);
    serde_json::from_value(v.clone()).map(Some).map_err(|e| bad(e.to_string()))
}

/// Box of the points that have a place.
fn bounds(net: &Net) -> Bounds2 {
    let mut b = Bounds2::EMPTY;
    net.points.iter().filter_map(|p| p.at).for_each(|p| b.extend(p));
    b
}

fn grown(mut b: Bounds2, by: f64) -> Bounds2 {
    b.min = b.min.map(|v| v - by);
    b.max = b.max.map(|v| v + by);
    b
}

fn stock_around(view: &View, net: &Net) -> Result<Stock, AnalysisError> {
    let b = bounds(net);
    if b.min[0] > b.max[0] {
        return Ok(Stock::default());
    }
    let pipes = pipe::pipes(view, Some(grown(b, 20.0).with_all_heights()))?;
    // 1 abandoned pipes lie in the way as well.
    Ok(Stock { pipes: pipes.iter().filter_map(Old::of).collect() })
}

/// Where the city is: its ground, houses and streets, with half a kilometre around.
fn extent(view: &View) -> Option<Bounds2> {
    let mut all: Option<Bounds2> = None;
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| matches!(l.theme, Theme::Terrain | Theme::Building | Theme::Road))
    {
        if let Some(b) = view.snapshot.bounds(&layer.id, view.scope) {
            let all = all.get_or_insert(Bounds2::EMPTY);
            all.extend(b.plan().min);
            all.extend(b.plan().max);
        }
    }
    all.map(|b| grown(b, 500.0))
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limits: Limits = match inputs.get("limits").filter(|v| !v.is_null()) {
        None => Limits::default(),
        Some(v) => serde_json::from_value(v.clone()).map_err(|e| AnalysisError::input("/limits", e.to_string()))?,
    };
    let shown = whole(inputs, "shown", 100)?;
    let percent = match inputs.get("sample_percent").filter(|v| !v.is_null()) {
        None => 5.0,
        Some(v) => {
            v.as_f64().filter(|p| (0.0..=100.0).contains(p)).ok_or_else(|| AnalysisError::input("/sample_percent", "0 to 100 is wanted"))?
        }
    };
    let seed = whole(inputs, "sample_seed", 1)? as u64;
    let Some(delivery) = delivery_of(inputs)? else {
        let (net, found) = in_place(view, &limits)?;
        return Ok(answer(&net, &found, shown, Vec::new(), None));
    };
    let (net, found, stock) = in_city(view, &delivery, &limits)?;
    let drawn = sample(&net, percent, seed);
    let drawn = drawn.iter().map(
        |p| json!({ "id": p.id, "place": p.at.zip(p.ground_m).and_then(|(at, z)| findings::geojson(&Geometry::Point([at[0], at[1], z]))) }),
    );
    Ok(answer(&net, &found, shown, drawn.collect(), Some(stock.compare(&net, shown))))
}

/// Every rule over a delivery, with what the asker sees of the city around it: extent, terrain, stock.
fn in_city(view: &View, delivery: &Delivery, limits: &Limits) -> Result<(Net, Findings, Stock), AnalysisError> {
    let mut scratch = Findings::default();
    let mut placed = rows::read(delivery, view.at, &mut scratch);
    space::places(&mut placed, delivery.crs.as_ref(), &City::default(), limits, &mut scratch);
    let stock = stock_around(view, &placed)?;
    let b = bounds(&placed);
    let terrain = if b.min[0] <= b.max[0] { terrain::Terrain::of(view, grown(b, 1.0))? } else { terrain::Terrain::default() };
    let ground = |p: [f64; 2]| terrain.height_m(p);
    let city = City { extent: extent(view), ground_m: (!terrain.is_empty()).then_some(&ground), stock: Some(&stock) };
    let (net, found) = check(delivery, &city, limits, view.at);
    Ok((net, found, stock))
}

/// [`check`] with the city around, as process `qc` does it.
pub fn findings(view: &View, delivery: &Delivery) -> Result<Findings, AnalysisError> {
    Ok(in_city(view, delivery, &Limits::default())?.1)
}

fn answer(net: &Net, found: &Findings, shown: usize, sample: Vec<Value>, difference: Option<Value>) -> Value {
    let rows = net.points.len() + net.lines.len();
    let mut passed = rows;
    let stages: Vec<Value> = STAGES
        .lines()
        .filter_map(|l| l.strip_prefix("id = \"")?.strip_suffix('"'))
        .filter(|id| *id != "survey")
        .map(|id| {
            let stage = match id {
                "format" => Stage::Format,
                "logic" => Stage::Logic,
                "space" => Stage::Space,
                "submit" => return json!({ "id": id, "state": "done", "rows": rows }),
                _ => return json!({ "id": id, "state": "waiting" }),
            };
            passed = found.passed(stage, rows);
            let of = |level: Level| found.list.iter().filter(|f| f.rule.stage == stage && f.rule.level == level).count();
            let state = if of(Level::Error) == 0 { "passed" } else { "returned" };
            json!({ "id": id, "state": state, "rows": rows, "passed": passed, "errors": of(Level::Error), "warnings": of(Level::Warn) })
        })
        .collect();
    let mut v = json!({
        "faults": found.errors(), "warnings": found.warnings(), "points": net.points.len(), "lines": net.lines.len(),
        "rules": found.by_rule(), "findings": found.shown(shown), "stages": stages, "sample": sample,
    });
    if let Some(d) = difference {
        v["difference"] = d;
    }
    v
}

/// The rules of network and place over what the city has. Rules of form were the delivery's.
pub fn in_place(view: &View, limits: &Limits) -> Result<(Net, Findings), AnalysisError> {
    let mut found = Findings { tables: vec!["pipe_points".into(), "pipes".into()], ..Findings::default() };
    for rule in RULES.iter().filter(|r| r.stage == Stage::Format) {
        found.not_checked.insert(rule.id, "the layer has no tables");
    }
    let mut points = Vec::new();
    for layer in view.snapshot.layers(view.scope).into_iter().filter(|l| l.theme == Theme::PipePoint) {
        let q = Query::all(layer.id.clone(), view.scope.clone()).at(view.at);
        view.snapshot.for_each(&q, &mut |f| {
            let text = |n: &str| f.text(&layer, n).filter(|t| !t.is_empty()).map(str::to_owned);
            let Geometry::Point(p) = f.geometry else { return ControlFlow::Continue(()) };
            let class = text("class").and_then(|c| codes().class(&c));
            let sub = text("subclass").and_then(|s| codes().class(&s)).filter(|s| class.is_some_and(|c| c.major == s.major));
            points.push(Point {
                row: RowRef { table: 0, row: points.len() + 1 },
                id: f.id.to_string(),
                class: sub.or(class),
                at: Some([p[0], p[1]]),
                ground_m: f.number(&layer, "ground_m").or(Some(p[2])),
                feature: text("feature").filter(|_| text("appurtenance").is_none()),
                appurtenance: text("appurtenance"),
                well_depth_m: f.number(&layer, "well_depth_m"),
                ..Point::default()
            });
            ControlFlow::Continue(())
        })?;
    }
    let mut lines = Vec::new();
    pipe::for_each_pipe(view, None, &mut |p| {
        lines.push(line_of(&p, lines.len() + 1));
        ControlFlow::Continue(())
    })?;
    let net = Net::new(points, lines);
    found.not_checked.insert("point-unused", "points of the city may stand alone");
    let stock = Stock::default();
    relations(&net, &City { stock: Some(&stock), ..City::default() }, limits, &mut found);
    // A word that nobody gave is no fault of the layer.
    found.list.retain(|f| !found.not_checked.contains_key(f.rule.id) && f.rule.id != "feature-exclusive");
    Ok((net, found))
}

fn line_of(p: &pipe::Pipe, row: usize) -> Line {
    let class = codes().class(p.class.letters());
    let sub = codes().class(&p.subclass).filter(|s| class.is_some_and(|c| c.major == s.major));
    let embed = p.embed.as_deref().and_then(|e| codes().laying(e));
    let to_invert = embed.is_some_and(|(_, invert)| invert) || p.is_gravity();
    let (size, outer_mm) = match p.section {
        pipe::Section::Rect { width_m, height_m } => (Some(Size::Rect(width_m * 1000.0, height_m * 1000.0)), None),
        pipe::Section::Round { outer_diameter_m } => {
            let outer = (!p.size_assumed).then_some(outer_diameter_m * 1000.0);
            (p.dn_mm.or(outer).map(Size::Round), outer)
        }
    };
    let mut line = Line {
        row: RowRef { table: 1, row },
        feature: Some(p.id.to_string()),
        start: p.start_point.clone().unwrap_or_default(),
        end: p.end_point.clone().unwrap_or_default(),
        class: sub.or(class),
        size,
        outer_mm,
        material: p.material.as_deref().and_then(|m| codes().material(m)),
        embed: embed.map(|e| e.0),
        to_invert,
        flow: p.flow_dir,
        built: p.year_built.and_then(|y| date(&y.to_string())),
        level_m: [Some(0.0); 2],
        ..Line::default()
    };
    // The axis is what the city keeps; the surveyed level follows from it.
    let to_axis = line.axis_m(0).unwrap_or(0.0);
    if let [first, .., last] = &p.axis[..] {
        line.level_m = [Some(first[2] - to_axis), Some(last[2] - to_axis)];
    }
    line
}
