//! What the city's own sensors said of its water network, as the hourly series that leak detection reads.

use crate::{
    CityState, Problem,
    sta::{Catalog, Set},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use strata_engine::Snapshot;
use strata_model::{FeatureId, Instant, LayerId, Scope};
use strata_store::{Bound, Column, Comparison, ObservationQuery, Order, Where};

const HOUR_MS: i64 = 3_600_000;
/// Observations in memory at once.
const PAGE: usize = 10_000;
/// Two years and a leap day, as the detector itself.
const MOST_HOURS: i64 = 2 * 366 * 24;
/// Changchun's clocks, by which water is used, before UTC.
const CLOCK_AHEAD_H: i64 = 8;

/// Series by quantity (`pressure`, `flow`, `level`) and feature: m of water, m³/h, m; one mean an hour, null where none came.
#[derive(Debug, Default)]
pub struct Observed {
    pub series: Map<String, Value>,
    /// What was read and what was not, and why.
    pub told: Value,
}

/// From `from` on, by whole hours. Only streams that the scope may see; bound to a point (pressure, level) or a pipe (flow) of class JS.
pub fn observed(state: &CityState, snapshot: &Snapshot, scope: &Scope, from: Instant, hours: i64) -> Result<Observed, Problem> {
    let live = state.live.as_ref().ok_or_else(|| Problem::new("not-found", "No observations are kept here."))?;
    let catalog = Catalog::of(state, scope)?;
    let (mut out, mut read, mut left) = (Observed::default(), 0u32, Vec::new());
    for stream in catalog.all(Set::Datastreams) {
        let Some(property) = stream.links.get(&Set::ObservedProperties).and_then(|l| l.first()) else { continue };
        let (layer, units): (&str, &[(&str, f64)]) = match &**property {
            "pressure" => ("pipe_points", &[("m", 1.0), ("kPa", 1.0 / 9.80665), ("MPa", 1e3 / 9.80665), ("bar", 1e2 / 9.80665)]),
            "level" => ("pipe_points", &[("m", 1.0), ("cm", 0.01), ("mm", 0.001)]),
            "flow" => ("pipes", &[("m3/h", 1.0), ("m³/h", 1.0), ("L/s", 3.6), ("m3/s", 3600.0), ("m³/s", 3600.0)]),
            _ => continue,
        };
        let target = |name: &str| stream.body.get("properties").and_then(|p| p.get(name)).and_then(Value::as_str);
        let Some(id) = target("target_id").filter(|_| target("target_layer") == Some(layer)) else { continue };
        if !is_water(snapshot, layer, id, scope)? {
            continue;
        }
        let unit = stream.body.get("unitOfMeasurement").and_then(|u| u.get("symbol")).and_then(Value::as_str).unwrap_or_default();
        let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
            left.push(json!({ "stream": &*stream.id, "why": format!("its unit `{unit}` is none of {}", units.iter().map(|u| u.0).collect::<Vec<_>>().join(", ")) }));
            continue;
        };
        let within = |how, ms| Where::Compare(Column::At, how, Bound::Int(ms));
        // By pages: a stream may have said something every second for two years.
        let (mut means, mut after) = (vec![(0.0, 0u32); hours as usize], None);
        loop {
            let rows = live.observations.query(&ObservationQuery {
                streams: Some(BTreeSet::from([stream.id.clone()])),
                filter: Some(Where::And(vec![within(Comparison::Ge, from.0), within(Comparison::Lt, from.0 + hours * HOUR_MS)])),
                order: Some(Order { column: Column::At, descending: false }),
                after,
                limit: Some(PAGE),
                ..Default::default()
            })?;
            for r in &rows {
                let (sum, n) = &mut means[((r.at.0 - from.0) / HOUR_MS) as usize];
                (*sum, *n) = (*sum + r.result, *n + 1);
            }
            match rows.last() {
                Some(last) if rows.len() == PAGE => after = Some((Bound::Int(last.at.0), last.id)),
                _ => break,
            }
        }
        if means.iter().all(|(_, n)| *n == 0) {
            continue;
        }
        let series: Vec<Value> =
            means.iter().map(|(sum, n)| if *n > 0 { (sum / f64::from(*n) * factor).into() } else { Value::Null }).collect();
        let of = out.series.entry(property.to_string()).or_insert_with(|| json!({}));
        if of.get(id).is_some() {
            left.push(json!({ "stream": &*stream.id, "why": format!("another stream measures the {property} at {id}") }));
            continue;
        }
        of[id] = series.into();
        read += 1;
    }
    out.told = json!({ "streams": read, "left_out": left, "from": from.to_string(), "hours": hours });
    Ok(out)
}

fn is_water(snapshot: &Snapshot, layer: &str, id: &str, scope: &Scope) -> Result<bool, Problem> {
    let Ok(layer) = LayerId::new(layer) else { return Ok(false) };
    let Some(schema) = snapshot.layer(&layer, scope) else { return Ok(false) };
    let feature = snapshot.get(&layer, &FeatureId::new(id), None, scope)?;
    Ok(feature.is_some_and(|f| f.text(&schema, "class") == Some("JS")))
}

/// `observed` among a process's inputs (`from`, `to`) becomes its series; what was read is answered.
pub(crate) fn put_in(
    state: &CityState,
    snapshot: &Snapshot,
    scope: &Scope,
    inputs: &mut Map<String, Value>,
) -> Result<Option<Value>, Problem> {
    let Some(span) = inputs.remove("observed").filter(|v| !v.is_null()) else { return Ok(None) };
    let wrong = |at: &str, reason: &str| Problem::pointer("invalid-parameter", format!("/inputs{at}"), reason);
    if let Some(name) = ["start", "pressure", "flow", "level", "demand"].into_iter().find(|n| inputs.contains_key(*n)) {
        return Err(wrong(&format!("/{name}"), "series are given or observed, not both"));
    }
    let moment = |name: &str| {
        let text =
            span.get(name).and_then(Value::as_str).ok_or_else(|| wrong(&format!("/observed/{name}"), "a date or a time is wanted"))?;
        Instant::parse(text).map_err(|e| wrong(&format!("/observed/{name}"), &e.to_string()))
    };
    let (from, to) = (moment("from")?, moment("to")?);
    let hours = to.0.saturating_sub(from.0) / HOUR_MS;
    if !(1..=MOST_HOURS).contains(&hours) {
        return Err(wrong("/observed", "from an hour to two years are read"));
    }
    let seen = observed(state, snapshot, scope, from, hours)?;
    inputs.extend(seen.series);
    inputs.insert("start".into(), from.to_string().into());
    inputs.entry("clock_ahead_h").or_insert(CLOCK_AHEAD_H.into());
    Ok(Some(seen.told))
}
