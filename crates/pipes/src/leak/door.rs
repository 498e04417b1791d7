//! The door of the detector: readings in, ranked places out, on the water network of the city.

use super::{Baseline, Finding, Innovations, Kind, Known, LeakError, Readings, Settings, Twin, watch};
use crate::{
    ask,
    joining::Joining,
    network::Network,
    pipe::Class,
    supply::{Assumptions, Model, islands},
};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::Instant;

/// Signatures are solved for every node: larger networks are asked by district.
const MOST_PIPES: usize = 5_000;
/// Two years and a leap day.
const MOST_HOURS: usize = 2 * 366 * 24;

pub const LEAKS: Analysis = Analysis {
    id: "leaks",
    title_en: "Leak detection",
    title_zh: "漏损监测",
    about: "Leaks in the water network from hourly pressures, flows, tank levels and meters beside the EPANET model: when each began, how much it loses and a ranked list of pipes with the share of likelihood. The first hours, sound or with known leaks, teach the baseline. Causal: an hour's answer rests on readings up to it. Confidence holds as far as model and baseline do; a list of places is never one place.",
    inputs: r#"{"type":"object","required":["calibrate_hours"],"properties":{
        "observed":{"description":"Instead of start and series, in a running server: what the city's own sensors said from one moment to another","type":"object","required":["from","to"],"properties":{"from":{"type":"string"},"to":{"type":"string"}}},
        "start":{"description":"First hour","type":"string"},
        "clock_ahead_h":{"description":"So many hours the clocks by which water is used are ahead of start; with observed 8","type":"number","default":0},
        "pressure":{"description":"By point id: m of water, one value an hour, null where none came","type":"object","additionalProperties":{"type":"array","items":{"type":["number","null"]}}},
        "flow":{"description":"By pipe or pump id, along its line: m³/h","type":"object","additionalProperties":{"type":"array","items":{"type":["number","null"]}}},
        "level":{"description":"By tank id: m over its floor","type":"object","additionalProperties":{"type":"array","items":{"type":["number","null"]}}},
        "demand":{"description":"By point id: what a meter drew, m³/h","type":"object","additionalProperties":{"type":"array","items":{"type":["number","null"]}}},
        "calibrate_hours":{"description":"So many hours from the first teach what is usual","type":"integer","minimum":120},
        "known":{"description":"Leaks that ran meanwhile, by pipe id: m³/h in each of those hours","type":"object","additionalProperties":{"type":"array","items":{"type":["number","null"]}}},
        "source_head_m":{"type":"number","default":45},"litres_per_person_day":{"type":"number","default":110},
        "limit":{"description":"Places listed for each leak","type":"integer","default":20}}}"#,
    outputs: r#"{"type":"object","properties":{
        "solver":{"type":"string"},"notes":{"type":"array"},
        "observed":{"description":"With the input of that name: streams read, and those left out with why","type":"object"},
        "hours":{"type":"integer"},"silent_hours":{"description":"Hours without the readings that drive the model, or with most sensors silent","type":"integer"},
        "hour_m3h":{"description":"How sharply one hour tells a leak's flow at a middling pipe, m³/h","type":"number"},
        "leaks":{"description":"alarm and onset (time), flow_m3h at the end, closed (time or null), deviations, confidence, pipe, places (id, weight, geometry) likeliest first, told (every report)","type":"array"}}}"#,
    run,
};

impl From<LeakError> for AnalysisError {
    fn from(e: LeakError) -> Self {
        match e {
            LeakError::Reading { place, reason } => Self::input(format!("/{place}"), reason),
            LeakError::Calibration(reason) => Self::input("/calibrate_hours", reason),
            e => Self::input("", e.to_string()),
        }
    }
}

fn series(v: &Value, place: &str) -> Result<Vec<f64>, AnalysisError> {
    let list = v.as_array().ok_or_else(|| AnalysisError::input(place, "a list of numbers is wanted"))?;
    list.iter()
        .enumerate()
        .map(|(i, x)| match x {
            Value::Null => Ok(f64::NAN),
            x => x.as_f64().ok_or_else(|| AnalysisError::input(format!("{place}/{i}"), "a number or null is wanted")),
        })
        .collect()
}

fn named<'a>(inputs: &'a Value, name: &str) -> Result<Option<&'a Map<String, Value>>, AnalysisError> {
    match inputs.get(name).filter(|v| !v.is_null()) {
        None => Ok(None),
        Some(v) => v.as_object().map(Some).ok_or_else(|| AnalysisError::input(format!("/{name}"), "an object of series by id is wanted")),
    }
}

fn readings(inputs: &Value) -> Result<(Readings, i64), AnalysisError> {
    if inputs.get("observed").is_some_and(|v| !v.is_null()) {
        return Err(AnalysisError::input("/observed", "observations are read by the server that keeps them"));
    }
    let start = ask::text(inputs, "start")?.ok_or_else(|| AnalysisError::input("/start", "the first hour is wanted"))?;
    let start = Instant::parse(start).map_err(|e| AnalysisError::input("/start", e.to_string()))?;
    let start_s = start.0.div_euclid(1_000);
    let ahead_s = ask::number(inputs, "clock_ahead_h", -14.0..=14.0)?.unwrap_or(0.0) * 3600.0;
    let mut out: Option<Readings> = None;
    for (name, kind) in [("pressure", Kind::Pressure), ("flow", Kind::Flow), ("level", Kind::Level), ("demand", Kind::Demand)] {
        for (id, v) in named(inputs, name)?.into_iter().flatten() {
            let values = series(v, &format!("/{name}/{id}"))?;
            let to = out.get_or_insert_with(|| Readings::new(start_s + ahead_s as i64, values.len()));
            if to.hours > MOST_HOURS {
                return Err(AnalysisError::TooLarge { reason: format!("{} hours; {MOST_HOURS} at most", to.hours) });
            }
            to.put(kind, id, values).map_err(|e| AnalysisError::input(format!("/{name}/{id}"), e.to_string()))?;
        }
    }
    Ok((out.ok_or_else(|| AnalysisError::input("/pressure", "no series is given"))?, start_s))
}

fn run(view: &View, inputs: &Value) -> Result<Value, AnalysisError> {
    let limit = ask::number(inputs, "limit", 1.0..=1e4)?.map_or(20, |n| n as usize);
    let (readings, start_s) = readings(inputs)?;
    let settings = Settings::usual()?;
    let calibrate = ask::number(inputs, "calibrate_hours", 1.0..=MOST_HOURS as f64)?
        .ok_or_else(|| AnalysisError::input("/calibrate_hours", "the number of hours that teach the baseline is wanted"))?
        as usize;
    if calibrate > readings.hours {
        return Err(AnalysisError::input("/calibrate_hours", format!("the readings have {} hours", readings.hours)));
    }
    let mut known = Vec::new();
    for (pipe, v) in named(inputs, "known")?.into_iter().flatten() {
        known.push(Known { pipe: pipe.clone(), flow_m3h: series(v, &format!("/known/{pipe}"))? });
    }
    let net = Network::read(view, Joining::of(Class::Js))?;
    if net.edges.is_empty() {
        return Err(AnalysisError::missing("a water network"));
    }
    if net.edges.len() > MOST_PIPES {
        return Err(AnalysisError::TooLarge { reason: format!("{} pipes; {MOST_PIPES} at most", net.edges.len()) });
    }
    let usual = Assumptions::default();
    let assume = Assumptions {
        source_head_m: ask::number(inputs, "source_head_m", 0.0..=500.0)?.unwrap_or(usual.source_head_m),
        litres_per_person_day: ask::number(inputs, "litres_per_person_day", 0.0..=5_000.0)?.unwrap_or(usual.litres_per_person_day),
        ..usual
    };
    let model = Model::read(view, &net, &assume)?;
    if !(0..net.nodes.len() as u32).any(|n| model.feeds(n)) {
        return Err(AnalysisError::missing("a source of the water network"));
    }
    let unfed: HashSet<u32> = islands(&model, &net, &|e| model.stands_closed(e)).into_iter().collect();
    let text = model.to_inp(&net, &|n| !unfed.contains(&n) && net.degree(n) > 0, &|e| {
        let [a, b] = net.edges[e as usize].ends;
        a != b && ![a, b].iter().any(|n| unfed.contains(n))
    });
    let twin = Twin::open(&text, &readings)?;
    let all = twin.innovations(&readings)?;
    let base = Baseline::learn(&twin, &all.until(calibrate), &known, &settings)?;
    let found = watch(&base, &all, &settings)?;
    Ok(answer(&net, &model, &base, &all, &found, start_s, limit))
}

fn answer(net: &Network, model: &Model, base: &Baseline, all: &Innovations, found: &[Finding], start_s: i64, limit: usize) -> Value {
    let time = |hour: usize| Instant((start_s + hour as i64 * 3600) * 1_000).to_string();
    let round = |v: f64| if v.is_finite() { Value::from((v * 1e3).round() / 1e3) } else { Value::Null };
    let shape = |id: &str| net.edges_of(id).filter(|r| !r.is_empty()).map_or(Value::Null, |r| ask::line(net.axis(r.start)));
    let leaks: Vec<Value> = found
        .iter()
        .filter_map(|f| {
            let (first, last) = (f.reports.first()?, f.reports.last()?);
            let places: Vec<Value> =
                last.places.iter().take(limit).map(|p| json!({ "id": p.pipe, "weight": round(p.weight), "geometry": shape(&p.pipe) })).collect();
            let told: Vec<Value> = f
                .reports
                .iter()
                .map(|r| json!({ "time": time(r.hour), "pipe": r.pipe, "confidence": round(r.confidence), "flow_m3h": round(r.flow_m3h) }))
                .collect();
            Some(json!({
                "alarm": time(first.hour), "onset": time(first.onset), "closed": f.closed.map(time), "flow_m3h": round(f.flow_m3h),
                "deviations": round(last.deviations), "confidence": round(last.confidence), "pipe": last.pipe, "places": places, "told": told,
            }))
        })
        .collect();
    json!({
        "solver": "EPANET 2.3, demand-driven", "notes": model.notes, "hours": all.rows.len(),
        "silent_hours": all.rows.iter().filter(|r| r.is_none()).count(), "hour_m3h": round(base.hour_m3h), "leaks": leaks,
    })
}
