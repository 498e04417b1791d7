//! OGC API Processes: every analysis of the house as a process, answered at once.
//!
//! Common inputs beside each process's own: `at` (moment of the world, default now), `proposal` (laid over
//! the city; keepers only) and `crs` (of all geometries that go in and come out, default CRS84 with ellipsoidal heights).

use crate::{Ask, CityState, Problem, Reply, api::body, crs::DoorCrs, problem::short, readings};
use serde_json::{Map, Value, json};
use strata_engine::{Analysis, AnalysisError, View};
use strata_model::{Instant, WorkingFrame};

pub fn all() -> impl Iterator<Item = &'static Analysis> {
    strata_pipes::ANALYSES.iter().copied()
}

/// What every process takes.
const COMMON: [(&str, &str); 3] = [
    ("at", "Moment of the world: a date or RFC 3339 time; now when absent"),
    ("proposal", "Id of a proposal to lay over the city"),
    ("crs", "System of the geometries that go in and come out; CRS84 when absent"),
];

fn find(id: &str) -> Result<&'static Analysis, Problem> {
    all().find(|a| a.id == id).ok_or_else(Problem::not_found)
}

fn summary(state: &CityState, a: &Analysis) -> Value {
    let href = format!("{}/ogc/processes/{}", state.base(), a.id);
    json!({
        "id": a.id, "title": a.title_en, "title_zh": a.title_zh, "description": a.about, "version": env!("CARGO_PKG_VERSION"),
        "jobControlOptions": ["sync-execute"], "outputTransmission": ["value"],
        "links": [
            { "href": href, "rel": "self", "type": "application/json" },
            { "href": format!("{href}/execution"), "rel": "http://www.opengis.net/def/rel/ogc/1.0/execute", "type": "application/json" },
        ],
    })
}

pub fn list(state: &CityState, _: &Ask) -> Result<Reply, Problem> {
    let processes: Vec<Value> = all().map(|a| summary(state, a)).collect();
    let here = json!([{ "href": format!("{}/ogc/processes", state.base()), "rel": "self", "type": "application/json" }]);
    Ok(Reply::json(&json!({ "processes": processes, "links": here })))
}

pub fn one(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let a = find(ask.part("id"))?;
    let mut out = summary(state, a);
    out["inputs"] = described(a.inputs, true);
    out["outputs"] = described(a.outputs, false);
    Ok(Reply::json(&out))
}

/// The members of an object's schema in the form of OGC API Processes.
fn described(schema: &str, inputs: bool) -> Value {
    let schema: Value = serde_json::from_str(schema).unwrap_or(Value::Null);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = Map::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let least = u8::from(required.contains(&name.as_str()));
        out.insert(name.clone(), json!({ "title": name, "description": member["description"], "schema": member, "minOccurs": least }));
    }
    if inputs {
        for (name, about) in COMMON {
            out.insert(name.into(), json!({ "title": name, "description": about, "schema": { "type": "string" }, "minOccurs": 0 }));
        }
    }
    out.into()
}

/// The schema of all that an execution takes: the process's own inputs and the common ones.
pub fn inputs(a: &Analysis) -> Value {
    let mut schema: Value = serde_json::from_str(a.inputs).unwrap_or(Value::Null);
    for (name, about) in COMMON {
        schema["properties"][name] = json!({ "description": about, "type": "string" });
    }
    schema
}

#[derive(serde::Deserialize)]
struct Execution {
    #[serde(default)]
    inputs: Map<String, Value>,
    /// Clients may send these; the answer is a document of values in any case.
    #[serde(default, rename = "outputs")]
    _outputs: Option<Value>,
    #[serde(default, rename = "response")]
    _response: Option<String>,
}

pub fn execute(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let a = find(ask.part("id"))?;
    let Execution { mut inputs, .. } = body(&ask.body)?;
    let mut text = |name: &str| match inputs.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(t)) => Ok(Some(t)),
        Some(_) => Err(Problem::pointer("invalid-parameter", format!("/inputs/{name}"), "a text is wanted")),
    };
    let at = match text("at")? {
        None => state.now(),
        Some(t) => Instant::parse(&t).map_err(|e| Problem::pointer("invalid-datetime", "/inputs/at", e.to_string()))?,
    };
    let (crs, proposal) = (text("crs")?, text("proposal")?);
    let base = state.snapshot();
    let snapshot = match &proposal {
        None => base.clone(),
        Some(id) => {
            ask.actor.must_be_keeper()?;
            let laid = state.store().proposal(id)?;
            base.with_proposal(&laid)?
        }
    };
    let view = View { snapshot: &snapshot, base: &base, scope: &ask.actor.scope, at };
    let seen = if a.id == "leaks" { readings::put_in(state, &snapshot, view.scope, &mut inputs)? } else { None };
    let mut answer = perform(a, &view, inputs, crs.as_deref(), &state.frame)?;
    if let Some(seen) = seen {
        answer["observed"] = seen;
    }
    Ok(Reply::json(&answer).never_kept())
}

/// One analysis, with its geometries turned from and into the asker's system (`None`: CRS84). For every door.
pub fn perform(a: &Analysis, view: &View, inputs: Map<String, Value>, crs: Option<&str>, frame: &WorkingFrame) -> Result<Value, Problem> {
    let crs = crs.map_or(Ok(DoorCrs::Crs84), |t| DoorCrs::parse("crs", t, frame))?;
    if let Some(unknown) = unknown_input(a, &inputs) {
        return Err(Problem::pointer("unknown-member", format!("/inputs/{}", short(&unknown)), "the process has no such input"));
    }
    let mut inputs = Value::Object(inputs);
    to_working(&mut inputs, crs, frame, "/inputs")?;
    let mut answer = (a.run)(view, &inputs)?;
    from_working(&mut answer, crs, frame)?;
    Ok(answer)
}

fn unknown_input(a: &Analysis, inputs: &Map<String, Value>) -> Option<String> {
    let schema: Value = serde_json::from_str(a.inputs).unwrap_or(Value::Null);
    inputs.keys().find(|k| schema["properties"].get(k.as_str()).is_none()).cloned()
}

/// Is it a GeoJSON geometry? Features and collections are not: their parts are.
fn coordinates(v: &mut Value) -> Option<&mut Value> {
    let kind = v.get("type")?.as_str()?;
    let known = matches!(kind, "Point" | "MultiPoint" | "LineString" | "MultiLineString" | "Polygon" | "MultiPolygon");
    if known { v.get_mut("coordinates") } else { None }
}

fn to_working(v: &mut Value, crs: DoorCrs, frame: &WorkingFrame, at: &str) -> Result<(), Problem> {
    if let Some(c) = coordinates(v) {
        return positions(c, at, &mut |p| {
            crs.to_working(frame, p).ok_or_else(|| Problem::pointer("invalid-geometry", at, "a position lies outside the city's frame"))
        });
    }
    match v {
        Value::Object(o) => o.iter_mut().try_for_each(|(k, v)| to_working(v, crs, frame, &format!("{at}/{}", short(k)))),
        Value::Array(a) => a.iter_mut().enumerate().try_for_each(|(i, v)| to_working(v, crs, frame, &format!("{at}/{i}"))),
        _ => Ok(()),
    }
}

fn from_working(v: &mut Value, crs: DoorCrs, frame: &WorkingFrame) -> Result<(), Problem> {
    if let Some(c) = coordinates(v) {
        return positions(c, "/", &mut |p| {
            let height = p.get(2).copied();
            let out = crs.point(frame, [p[0], p[1], height.unwrap_or(0.0)])?;
            Ok(if height.is_some() { out.to_vec() } else { out[..2].to_vec() })
        });
    }
    match v {
        Value::Object(o) => o.values_mut().try_for_each(|v| from_working(v, crs, frame)),
        Value::Array(a) => a.iter_mut().try_for_each(|v| from_working(v, crs, frame)),
        _ => Ok(()),
    }
}

/// Each position of nested coordinates, two or three finite numbers.
fn positions(v: &mut Value, at: &str, f: &mut dyn FnMut(&[f64]) -> Result<Vec<f64>, Problem>) -> Result<(), Problem> {
    let bad = || Problem::pointer("invalid-geometry", at, "a position has two or three finite numbers");
    let Value::Array(items) = v else { return Err(bad()) };
    if items.iter().any(Value::is_number) {
        let numbers: Option<Vec<f64>> = items.iter().map(Value::as_f64).collect();
        let numbers = numbers.filter(|n| matches!(n.len(), 2 | 3) && n.iter().all(|x| x.is_finite())).ok_or_else(bad)?;
        *v = f(&numbers)?.into();
        return Ok(());
    }
    items.iter_mut().try_for_each(|i| positions(i, at, f))
}

impl From<AnalysisError> for Problem {
    fn from(e: AnalysisError) -> Self {
        match e {
            AnalysisError::Input { pointer, reason } => Self::pointer("invalid-parameter", format!("/inputs{pointer}"), reason),
            AnalysisError::Missing { what } => Self::new("not-found", format!("{what} is not in the city.")),
            AnalysisError::TooLarge { reason } => Self::new("answer-too-large", reason),
            AnalysisError::Engine(e) => e.into(),
        }
    }
}
