//! `POST` of Things (with what belongs to them), Sensors, ObservedProperties and Datastreams.

use super::{
    catalog::{Catalog, GEOJSON, MEASUREMENT, Set},
    observe::id_text,
    read::ROOT,
};
use crate::{Ask, CityState, Problem, Reply, Written, access::lock, api::body, ask::encoded, problem::short};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use strata_store::{Registered, Store};

/// Entities in one request.
const MOST: usize = 200;

struct Making<'a> {
    catalog: &'a Catalog,
    all: Vec<Registered>,
    taken: BTreeSet<(Set, String)>,
    next: usize,
}

fn wrong(at: &str, reason: impl Into<String>) -> Problem {
    Problem::pointer("invalid-entity", if at.is_empty() { "/" } else { at }, reason)
}

pub fn register(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    let set = ask.path.strip_prefix(ROOT).and_then(|p| Set::parse(p.trim_matches('/'))).ok_or_else(Problem::not_found)?;
    let catalog = Catalog::of(state, &ask.actor.scope)?;
    let form: Value = body(&ask.body)?;
    let mut making = Making { catalog: &catalog, all: Vec::new(), taken: BTreeSet::new(), next: store.registered()?.len() };
    let id = match set {
        Set::Things => making.thing(&form, "")?,
        Set::Sensors | Set::ObservedProperties => making.plain(set, &form, "")?,
        Set::Datastreams => making.stream(&form, None, "")?,
        _ => return Err(Problem::not_found()),
    };
    store.register(&ask.actor.name, state.now(), &making.all)?;
    let place = format!("{}{ROOT}/{}('{}')", state.base(), set.name(), encoded(&id));
    let reply = Reply::json(&json!({ "@iot.id": id, "@iot.selfLink": place })).status(201).header("location", place).never_kept();
    Ok(Written { after: Some(learn), ..reply.into() })
}

/// What is registered is read again; the store is still locked.
fn learn(state: &CityState, store: &Store) {
    match store.registered() {
        Ok(all) => {
            *lock(&state.registered) = all.into();
            super::look_again(state);
        }
        Err(e) => tracing::error!(error = %e, "what is registered cannot be read"),
    }
}

impl Making<'_> {
    /// The client's own id, or a new one. Ids stand in addresses and topics.
    fn id(&mut self, set: Set, form: &Map<String, Value>, at: &str) -> Result<String, Problem> {
        let id = match form.get("@iot.id") {
            Some(v) => {
                let fits = |t: &String| {
                    (1..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
                };
                id_text(v).filter(fits).ok_or_else(|| wrong(&format!("{at}/@iot.id"), "1 to 64 letters, digits and -_.: are wanted"))?
            }
            None => {
                self.next += 1;
                format!("{}-{}", set.name().to_lowercase(), self.next)
            }
        };
        if self.catalog.get(set, &id).is_some() || !self.taken.insert((set, id.clone())) {
            return Err(wrong(&format!("{at}/@iot.id"), format!("there is one of the id `{id}` already")));
        }
        if self.taken.len() > MOST {
            return Err(wrong(at, format!("at most {MOST} entities are made at once")));
        }
        Ok(id)
    }

    fn keep(&mut self, set: Set, id: &str, body: Map<String, Value>, links: Value, place: Value) {
        let document = json!({ "body": body, "links": links, "place": place });
        self.all.push(Registered { kind: set.name().into(), id: id.into(), document });
    }

    fn thing(&mut self, form: &Value, at: &str) -> Result<String, Problem> {
        let form = members(form, Set::Things, &["Locations", "Datastreams"], at)?;
        let id = self.id(Set::Things, form, at)?;
        let (mut links, mut place) = (json!({}), Value::Null);
        let locations = list(form, "Locations", at)?;
        if locations.len() > 1 {
            return Err(wrong(&format!("{at}/Locations"), "a thing has one place here"));
        }
        if let Some(l) = locations.first() {
            let at = format!("{at}/Locations/0");
            let location = members(l, Set::Locations, &[], &at)?;
            let mut kept = texts(location, &["name", "description"], &at)?;
            if !matches!(location.get("encodingType").and_then(Value::as_str), Some(GEOJSON | "application/vnd.geo+json")) {
                return Err(wrong(&format!("{at}/encodingType"), format!("{GEOJSON} is wanted")));
            }
            place = point(&location.get("location").cloned().unwrap_or_default(), &format!("{at}/location"))?;
            kept.insert("encodingType".into(), GEOJSON.into());
            kept.insert("location".into(), place.clone());
            let location_id = self.id(Set::Locations, location, &at)?;
            links["Locations"] = location_id.as_str().into();
            self.keep(Set::Locations, &location_id, kept, json!({}), Value::Null);
        }
        let kept = texts(form, &["name", "description"], at)?;
        self.keep(Set::Things, &id, kept, links, place);
        for (i, d) in list(form, "Datastreams", at)?.iter().enumerate() {
            self.stream(d, Some(&id), &format!("{at}/Datastreams/{i}"))?;
        }
        Ok(id)
    }

    fn stream(&mut self, form: &Value, thing: Option<&str>, at: &str) -> Result<String, Problem> {
        let form = members(form, Set::Datastreams, &["Thing", "Sensor", "ObservedProperty"], at)?;
        let id = self.id(Set::Datastreams, form, at)?;
        let mut kept = texts(form, &["name", "description"], at)?;
        match form.get("observationType").and_then(Value::as_str) {
            None | Some(MEASUREMENT) => {}
            Some(_) => return Err(wrong(&format!("{at}/observationType"), format!("only measurements are kept: {MEASUREMENT}"))),
        }
        kept.insert("observationType".into(), MEASUREMENT.into());
        let unit = form
            .get("unitOfMeasurement")
            .and_then(Value::as_object)
            .filter(|u| u.keys().all(|k| matches!(k.as_str(), "name" | "symbol" | "definition")));
        let unit = unit.ok_or_else(|| wrong(&format!("{at}/unitOfMeasurement"), "an object of name, symbol and definition is wanted"))?;
        kept.insert("unitOfMeasurement".into(), Value::Object(unit.clone()));
        let thing = match (thing, form.get("Thing")) {
            (Some(t), None) => t.to_owned(),
            (None, Some(t)) => self.linked(Set::Things, t, &format!("{at}/Thing"))?,
            _ => return Err(wrong(&format!("{at}/Thing"), "one thing is wanted")),
        };
        let sensor = self.linked(Set::Sensors, form.get("Sensor").unwrap_or(&Value::Null), &format!("{at}/Sensor"))?;
        let property =
            self.linked(Set::ObservedProperties, form.get("ObservedProperty").unwrap_or(&Value::Null), &format!("{at}/ObservedProperty"))?;
        self.keep(Set::Datastreams, &id, kept, json!({ "Things": thing, "Sensors": sensor, "ObservedProperties": property }), Value::Null);
        Ok(id)
    }

    /// By its id alone, or made along the way.
    fn linked(&mut self, set: Set, form: &Value, at: &str) -> Result<String, Problem> {
        if let Some(object) = form.as_object().filter(|o| o.len() == 1)
            && let Some(id) = object.get("@iot.id").and_then(id_text)
        {
            let known = self.catalog.get(set, &id).is_some() || self.taken.contains(&(set, id.clone()));
            return if known { Ok(id) } else { Err(wrong(&format!("{at}/@iot.id"), "there is none of this id")) };
        }
        match set {
            Set::Things => self.thing(form, at),
            _ => self.plain(set, form, at),
        }
    }

    fn plain(&mut self, set: Set, form: &Value, at: &str) -> Result<String, Problem> {
        let form = members(form, set, &[], at)?;
        let id = self.id(set, form, at)?;
        let wanted: &[&str] =
            if set == Set::Sensors { &["name", "description", "encodingType"] } else { &["name", "definition", "description"] };
        let mut kept = texts(form, wanted, at)?;
        if set == Set::Sensors {
            kept.insert("metadata".into(), form.get("metadata").cloned().ok_or_else(|| wrong(&format!("{at}/metadata"), "it is missing"))?);
        }
        self.keep(set, &id, kept, json!({}), Value::Null);
        Ok(id)
    }
}

fn members<'f>(form: &'f Value, set: Set, links: &[&str], at: &str) -> Result<&'f Map<String, Value>, Problem> {
    let form = form.as_object().ok_or_else(|| wrong(at, "an object is wanted"))?;
    let known = |k: &str| {
        k == "@iot.id"
            || links.contains(&k)
            || (set.properties().contains(&k) && !matches!(k, "phenomenonTime" | "resultTime" | "observedArea"))
    };
    match form.keys().find(|k| !known(k)) {
        Some(k) => Err(Problem::pointer("unknown-member", format!("{at}/{}", short(k)), "it is not kept here")),
        None => Ok(form),
    }
}

fn list<'f>(form: &'f Map<String, Value>, name: &str, at: &str) -> Result<&'f [Value], Problem> {
    match form.get(name) {
        None => Ok(&[]),
        Some(Value::Array(a)) => Ok(a),
        Some(_) => Err(wrong(&format!("{at}/{name}"), "a list is wanted")),
    }
}

/// The texts that the standard wants, and `properties` as they are.
fn texts(form: &Map<String, Value>, names: &[&str], at: &str) -> Result<Map<String, Value>, Problem> {
    let mut out = Map::new();
    for name in names {
        let text =
            form.get(*name).and_then(Value::as_str).filter(|t| !t.trim().is_empty() && t.len() <= 2000 && !t.chars().any(char::is_control));
        out.insert((*name).into(), text.ok_or_else(|| wrong(&format!("{at}/{name}"), "a text of one line is wanted"))?.into());
    }
    match form.get("properties") {
        None => {}
        Some(p @ Value::Object(_)) => {
            out.insert("properties".into(), p.clone());
        }
        Some(_) => return Err(wrong(&format!("{at}/properties"), "an object is wanted")),
    }
    Ok(out)
}

fn point(v: &Value, at: &str) -> Result<Value, Problem> {
    let c: Option<Vec<f64>> = v["coordinates"].as_array().and_then(|a| a.iter().map(Value::as_f64).collect());
    match (v["type"].as_str(), c.as_deref()) {
        (Some("Point"), Some([lon, lat] | [lon, lat, _])) if lon.abs() <= 180.0 && lat.abs() <= 90.0 => {
            Ok(json!({ "type": "Point", "coordinates": v["coordinates"] }))
        }
        _ => Err(wrong(at, "a GeoJSON Point in longitude and latitude is wanted")),
    }
}
