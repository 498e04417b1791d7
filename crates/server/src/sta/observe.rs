//! Observations on their way in: one by one, or as data arrays.

use super::{
    catalog::{Catalog, Set},
    path::{Place, resolve},
    read::{ROOT, observation_entity},
};
use crate::{Actor, Ask, CityState, Problem, Reply, api::body, problem::short, writes::fingerprint};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use strata_model::Instant;
use strata_store::{Appended, BatchKey, Fate, NewObservation, Observation};

/// A clock that runs ahead by this much is forgiven.
const AHEAD_MS: i64 = 60_000;
/// `parameters` of one observation, bytes.
const MAX_PARAMETERS: usize = 4096;

fn wrong(at: &str, reason: impl Into<String>) -> Problem {
    Problem::pointer("invalid-observation", if at.is_empty() { "/" } else { at }, reason)
}

/// The city may be open for reading only, as for a picture.
fn live(state: &CityState) -> Result<&crate::live::Live, Problem> {
    state.live.as_ref().ok_or_else(|| Problem::new("storage-failed", "Observations are not taken here."))
}

/// `POST Observations`, `POST Datastreams(id)/Observations`.
pub fn observe(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let catalog = Catalog::of(state, &ask.actor.scope)?;
    let stream = match ask.part("path") {
        "" => None,
        path => Some(stream_of(state, &catalog, path)?),
    };
    let one = single(state, &catalog, stream, &ask.body)?;
    let key = ask.headers.idempotency_key.as_ref().map(|key| BatchKey {
        actor: ask.actor.name.clone(),
        key: key.clone(),
        fingerprint: fingerprint(ask),
    });
    let (fates, again) = kept(live(state)?.observations.append(vec![one.clone()], key, state.now())?)?;
    let fate = fates.first().copied().ok_or_else(|| Problem::internal("an observation without a fate"))?;
    let (id, status) = match fate {
        Fate::New(id) => (id, 201),
        Fate::Same(id) => (id, 200),
        Fate::Other(id) => {
            return Err(Problem::new("conflict", format!("At this time the datastream has another result: Observations({id}).")));
        }
    };
    let NewObservation { stream, at, until, result_at, result, parameters } = one;
    let entity = observation_entity(&catalog, &Observation { id, stream, at, until, result_at, result, parameters });
    let place = format!("{}{ROOT}/Observations({id})", state.base());
    let mut out = Map::new();
    out.insert("@iot.id".into(), id.into());
    out.insert("@iot.selfLink".into(), place.as_str().into());
    out.extend(entity.body);
    let reply = Reply::json(&Value::Object(out)).status(status).header("location", place).never_kept();
    Ok(if again { reply.header("idempotency-replayed", "true") } else { reply })
}

fn kept(appended: Appended) -> Result<(Vec<Fate>, bool), Problem> {
    match appended {
        Appended::Done(fates) => Ok((fates, false)),
        Appended::Again(fates) => Ok((fates, true)),
        Appended::OtherRequest => Err(Problem::new("key-reuse", "Take a new `Idempotency-Key` for a new request.")),
    }
}

/// The stream whose observations the path names.
pub fn stream_of(state: &CityState, catalog: &Catalog, path: &str) -> Result<Arc<str>, Problem> {
    let head = path.strip_suffix("/Observations").ok_or_else(Problem::not_found)?;
    match resolve(state, catalog, head)?.place {
        Place::One { set: Set::Datastreams, entity } => Ok(entity.id),
        _ => Err(Problem::not_found()),
    }
}

/// An observation that came by another way than HTTP; `path`: as behind the service's root. Gives its id.
pub fn keep(state: &CityState, actor: &Actor, path: &str, bytes: &[u8]) -> Result<u64, Problem> {
    actor.must_be_keeper()?;
    let catalog = Catalog::of(state, &actor.scope)?;
    let stream = if path == "Observations" { None } else { Some(stream_of(state, &catalog, path)?) };
    let one = single(state, &catalog, stream, bytes)?;
    match live(state)?.observations.append(vec![one], None, state.now())? {
        Appended::Done(fates) => match fates.first() {
            Some(Fate::New(id) | Fate::Same(id)) => Ok(*id),
            _ => Err(Problem::new("conflict", "At this time the datastream has another result.")),
        },
        _ => Err(Problem::internal("a batch without a key was kept before")),
    }
}

fn single(state: &CityState, catalog: &Catalog, stream: Option<Arc<str>>, bytes: &[u8]) -> Result<NewObservation, Problem> {
    let form: Map<String, Value> = body(bytes)?;
    if let Some(other) = form
        .keys()
        .find(|k| !matches!(k.as_str(), "phenomenonTime" | "resultTime" | "result" | "parameters" | "Datastream" | "FeatureOfInterest"))
    {
        return Err(Problem::pointer("unknown-member", format!("/{}", short(other)), "it is not kept here"));
    }
    let named = form.get("Datastream").map(|d| linked(d, "/Datastream")).transpose()?;
    let stream = match (stream, named) {
        (Some(s), None) => s,
        (Some(s), Some(n)) if *s == *n => s,
        (Some(_), Some(_)) => return Err(wrong("/Datastream", "the address names another datastream")),
        (None, Some(n)) => known(catalog, &n, "/Datastream/@iot.id")?,
        (None, None) => return Err(wrong("/Datastream", "it is missing")),
    };
    if let Some(f) = form.get("FeatureOfInterest") {
        interest(catalog, &stream, &linked(f, "/FeatureOfInterest")?, "/FeatureOfInterest")?;
    }
    observation(state, stream, &|name| form.get(name), "")
}

fn linked(v: &Value, at: &str) -> Result<String, Problem> {
    id_text(&v["@iot.id"]).ok_or_else(|| wrong(at, "{\"@iot.id\": …} is wanted"))
}

pub fn id_text(v: &Value) -> Option<String> {
    match v {
        Value::String(t) => Some(t.clone()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn known(catalog: &Catalog, id: &str, at: &str) -> Result<Arc<str>, Problem> {
    catalog.get(Set::Datastreams, id).map(|d| d.id.clone()).ok_or_else(|| wrong(at, "there is no such datastream"))
}

fn interest(catalog: &Catalog, stream: &str, id: &str, at: &str) -> Result<(), Problem> {
    match catalog.interest_of(stream) {
        Some(e) if *e.id == *id => Ok(()),
        _ => Err(wrong(at, "the feature of interest is that of the datastream's thing")),
    }
}

fn observation<'v>(
    state: &CityState,
    stream: Arc<str>,
    get: &dyn Fn(&str) -> Option<&'v Value>,
    at: &str,
) -> Result<NewObservation, Problem> {
    let now = state.now();
    let moment = |text: &str, name: &str| {
        let place = format!("{at}/{name}");
        let t = Instant::parse(text).map_err(|e| wrong(&place, e.to_string()))?;
        if t.0 > now.0.saturating_add(AHEAD_MS) {
            return Err(wrong(&place, format!("{} lies in the future; it is {} now", short(text), super::moment(now))));
        }
        if t.0 < 0 {
            return Err(wrong(&place, format!("{} lies before 1970", short(text))));
        }
        Ok(t)
    };
    let (begin, until) = match get("phenomenonTime") {
        None | Some(Value::Null) => (now, None),
        Some(Value::String(t)) => match t.split_once('/') {
            None => (moment(t, "phenomenonTime")?, None),
            Some((a, b)) => {
                let (a, b) = (moment(a, "phenomenonTime")?, moment(b, "phenomenonTime")?);
                if b < a {
                    return Err(wrong(&format!("{at}/phenomenonTime"), "it ends before it begins"));
                }
                (a, Some(b))
            }
        },
        Some(_) => return Err(wrong(&format!("{at}/phenomenonTime"), "a time is a text")),
    };
    let result_at = match get("resultTime") {
        None | Some(Value::Null) => None,
        Some(Value::String(t)) => Some(moment(t, "resultTime")?),
        Some(_) => return Err(wrong(&format!("{at}/resultTime"), "a time is a text")),
    };
    let result = match get("result") {
        Some(Value::Number(n)) => n.as_f64().filter(|v| v.is_finite()),
        _ => None,
    };
    let result = result.ok_or_else(|| wrong(&format!("{at}/result"), "a finite number in the datastream's unit is wanted"))?;
    let parameters = match get("parameters") {
        None | Some(Value::Null) => None,
        Some(p @ Value::Object(_)) => Some(p.to_string()).filter(|t| t.len() <= MAX_PARAMETERS),
        Some(_) => return Err(wrong(&format!("{at}/parameters"), "an object is wanted")),
    };
    if get("parameters").is_some_and(Value::is_object) && parameters.is_none() {
        return Err(wrong(&format!("{at}/parameters"), format!("at most {MAX_PARAMETERS} bytes")));
    }
    Ok(NewObservation { stream, at: begin, until, result_at, result, parameters })
}

/// `POST CreateObservations`: for each row, in order, the address of its observation, or `error: …`.
pub fn create(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let catalog = Catalog::of(state, &ask.actor.scope)?;
    let arrays: Vec<Value> = body(&ask.body)?;
    let mut taken = Vec::new();
    // Of each row: its place in `taken`, or why it was refused.
    let mut rows: Vec<Result<usize, Problem>> = Vec::new();
    for (i, array) in arrays.iter().enumerate() {
        let at = format!("/{i}");
        let form = array.as_object().ok_or_else(|| wrong(&at, "an object is wanted"))?;
        if let Some(other) = form.keys().find(|k| !matches!(k.as_str(), "Datastream" | "components" | "dataArray" | "dataArray@iot.count"))
        {
            return Err(Problem::pointer("unknown-member", format!("{at}/{}", short(other)), "it is not known here"));
        }
        let named = linked(&array["Datastream"], &format!("{at}/Datastream"))?;
        let stream = known(&catalog, &named, &format!("{at}/Datastream/@iot.id"));
        let components: Vec<&str> = array["components"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let strange =
            components.iter().find(|c| !matches!(**c, "phenomenonTime" | "resultTime" | "result" | "parameters" | "FeatureOfInterest/id"));
        if let Some(c) = strange {
            return Err(Problem::pointer("unknown-member", format!("{at}/components"), format!("`{}` is not kept here", short(c))));
        }
        if components.is_empty() || Some(components.len()) != array["components"].as_array().map(Vec::len) {
            return Err(wrong(&format!("{at}/components"), "a list of names is wanted"));
        }
        let list = array["dataArray"].as_array().ok_or_else(|| wrong(&format!("{at}/dataArray"), "a list of lists is wanted"))?;
        if array.get("dataArray@iot.count").is_some_and(|n| n.as_u64() != Some(list.len() as u64)) {
            return Err(wrong(&format!("{at}/dataArray@iot.count"), format!("there are {} rows", list.len())));
        }
        for (j, row) in list.iter().enumerate() {
            let at = format!("{at}/dataArray/{j}");
            let one = || {
                let stream = stream.clone()?;
                let row = row
                    .as_array()
                    .filter(|r| r.len() == components.len())
                    .ok_or_else(|| wrong(&at, "a list with a value for each component is wanted"))?;
                let get = |name: &str| components.iter().position(|c| *c == name).and_then(|k| row.get(k));
                if let Some(id) = get("FeatureOfInterest/id").and_then(id_text) {
                    interest(&catalog, &stream, &id, &at)?;
                }
                observation(state, stream, &get, &at)
            };
            rows.push(one().map(|o| {
                taken.push(o);
                taken.len() - 1
            }));
        }
    }
    if rows.is_empty() {
        return Err(wrong("", "there is no row in it"));
    }
    if taken.is_empty() {
        // Nothing to keep: the first reason stands for the answer, all of them are in the list.
        let first = rows.iter().find_map(|r| r.as_ref().err()).map_or("", |p| p.detail.as_str());
        let mut problem = Problem::new("invalid-observation", format!("None of {} observations can be kept. {first}", rows.len()));
        problem.errors = rows.iter().filter_map(|r| r.as_ref().err()).flat_map(|p| p.errors.clone()).take(100).collect();
        return Err(problem);
    }
    let key = ask.headers.idempotency_key.as_ref().map(|key| BatchKey {
        actor: ask.actor.name.clone(),
        key: key.clone(),
        fingerprint: fingerprint(ask),
    });
    let (fates, again) = kept(live(state)?.observations.append(taken, key, state.now())?)?;
    let base = format!("{}{ROOT}", state.base());
    let mut new = 0;
    let told: Vec<Value> = rows
        .iter()
        .map(|row| match row {
            Err(p) => format!("error: {}", p.detail).into(),
            Ok(i) => match fates.get(*i) {
                Some(Fate::New(id)) => {
                    new += 1;
                    format!("{base}/Observations({id})").into()
                }
                Some(Fate::Same(id)) => format!("{base}/Observations({id})").into(),
                Some(Fate::Other(id)) => format!("error: at this time the datastream has another result: {base}/Observations({id})").into(),
                None => "error: it was not kept".into(),
            },
        })
        .collect();
    let reply = Reply::json(&json!(told)).status(if new > 0 { 201 } else { 200 }).never_kept();
    Ok(if again { reply.header("idempotency-replayed", "true") } else { reply })
}
