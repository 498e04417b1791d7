//! A survey delivery as a case: asked by every quality rule, turned into what it changes in the stock, and carried as a
//! proposal from the field sample to the archive.

use crate::{CityState, Problem, cases};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use strata_civic::{Definition, Facts, StepAsked, Takes};
use strata_engine::{Snapshot, View};
use strata_model::{Case, Change, Feature, FeatureId, Geometry, Layer, LayerId, Scope, Value as Cell, survey::Delivery};
use strata_store::{Effect, NewCase, Store, StoreError};

/// Points that moved by less are where they were, m.
const SAME_PLACE_M: f64 = 0.1;
/// More findings and differences than this are not asked for.
const ALL: usize = 100_000;

pub fn open(state: &CityState, store: &mut Store, d: &Definition, title: &str, delivery: &Delivery, actor: &str) -> Result<Case, Problem> {
    let (snapshot, scope, now) = (state.snapshot(), Scope::everything(), state.now());
    let view = View { snapshot: &snapshot, base: &snapshot, scope: &scope, at: now };
    let said = (strata_pipes::qc::QC.run)(&view, &json!({ "delivery": delivery, "shown": ALL }))?;
    if said["points"] == 0 && said["lines"] == 0 {
        return Err(Problem::new("refused", "No row of the delivery was read."));
    }
    if said["faults"] != 0 {
        return Err(Problem::new("refused", format!("{} findings of level error: correct them and deliver again.", said["faults"])));
    }
    let changes = changes(state, &snapshot, delivery, &said["difference"])?;
    let most = state.limits().delivery_changes;
    if changes.is_empty() {
        return Err(Problem::new("refused", "The delivery changes nothing in the stock."));
    }
    if changes.len() > most {
        return Err(Problem::new(
            "refused",
            format!("It changes {} features, more than {most}: take it in at the command line.", changes.len()),
        ));
    }
    let sampled: Vec<&Value> = said["sample"].as_array().into_iter().flatten().map(|p| &p["id"]).collect();
    let report = json!({
        "version": snapshot.version(), "delivery": delivery.name, "points": said["points"], "lines": said["lines"],
        "warnings": said["warnings"], "sample": sampled, "difference": said["difference"]["counts"],
    });
    let proposal = store.create_proposal(title, actor, now, changes)?;
    let start = d.start().map_or("", |s| s.id.as_str());
    let place = cases::middle(&proposal);
    let new = NewCase { definition: &d.id, edition: d.edition, title, start_state: start, place, proposal: Some(&proposal.id) };
    let case = store.open_case(&new, actor, now)?;
    let Some(step) = d.steps_from(start).find(|s| s.takes == Some(Takes::Report)) else { return Ok(case) };
    let asked = StepAsked { step: step.id.clone(), role: step.role.clone(), after: 0, reason: None, detail: report };
    let facts = Facts { automatic: true, ..Facts::default() };
    let (case, _) = store.step_case(&case.id, strata_store::RULES, now, &mut |case, _, _| {
        strata_civic::advance(d, case, &asked, &facts, strata_store::RULES, now)
            .map(|event| (event, Effect::Leave))
            .map_err(|e| StoreError::Refused { id: case.id.clone(), reason: e.to_string() })
    })?;
    Ok(case)
}

/// What the delivery does to the city's layers: a pipe measured anew keeps its id and what the survey does not know.
fn changes(state: &CityState, snapshot: &Snapshot, delivery: &Delivery, difference: &Value) -> Result<Vec<(LayerId, Change)>, Problem> {
    let Some(read) = state.config.read_delivery else { return Err(Problem::new("refused", "This server reads no deliveries.")) };
    let features =
        read(&state.frame, delivery).map_err(|reason| Problem::new("refused", format!("The delivery cannot be read: {reason}.")))?;
    let ids = |kind: &str, name: &str| -> Vec<String> {
        difference[kind].as_array().into_iter().flatten().filter_map(|v| v[name].as_str().map(str::to_owned)).collect()
    };
    let new: BTreeSet<String> = ids("new", "id").into_iter().collect();
    let changed: BTreeMap<String, String> = ids("changed", "id").into_iter().zip(ids("changed", "stock")).collect();
    let scope = Scope::everything();
    let layer_of = |id: &str| -> Result<_, Problem> {
        let id = LayerId::new(id).map_err(Problem::internal)?;
        let layer = snapshot.layer(&id, &scope).ok_or_else(|| Problem::new("refused", format!("The city has no layer {id}.")))?;
        Ok((id, layer))
    };
    let (pipes_id, pipes) = layer_of("pipes")?;
    let (points_id, points) = layer_of("pipe_points")?;
    let standing = |layer: &LayerId, id: &str| snapshot.get(layer, &FeatureId::new(id), None, &scope);
    let mut out = Vec::new();
    let mut ends: BTreeSet<String> = BTreeSet::new();
    for (layer, f) in features.iter().filter(|(l, _)| l.id == pipes_id) {
        let old = match (new.contains(f.id.as_str()), changed.get(f.id.as_str())) {
            (true, _) => None,
            (false, Some(stock)) => standing(&pipes_id, stock)?,
            (false, None) => continue,
        };
        ends.extend(["start_point", "end_point"].into_iter().filter_map(|n| f.text(layer, n)).map(str::to_owned));
        out.push((pipes_id.clone(), Change::Put(fitted(&pipes, layer, f, old.as_ref()))));
    }
    for (layer, f) in features.iter().filter(|(l, f)| l.id == points_id && ends.contains(f.id.as_str())) {
        let old = standing(&points_id, f.id.as_str())?;
        if old.as_ref().is_none_or(|old| moved(old, f)) {
            out.push((points_id.clone(), Change::Put(fitted(&points, layer, f, old.as_ref()))));
        }
    }
    out.extend(ids("gone", "id").into_iter().map(|id| (pipes_id.clone(), Change::Remove(FeatureId::new(id.as_str())))));
    Ok(out)
}

fn moved(old: &Feature, new: &Feature) -> bool {
    match (&old.geometry, &new.geometry) {
        (Geometry::Point(a), Geometry::Point(b)) => (a[0] - b[0]).hypot(a[1] - b[1]) > SAME_PLACE_M,
        _ => true,
    }
}

/// The feature in the attributes of the city's layer.
fn fitted(to: &Layer, from: &Layer, f: &Feature, old: Option<&Feature>) -> Feature {
    let cell = |i: usize, name: &str| {
        let own = f.value(from, name).filter(|v| **v != Cell::Null);
        own.or_else(|| old.and_then(|o| o.attributes.get(i))).cloned().unwrap_or(Cell::Null)
    };
    let attributes = to.fields.iter().enumerate().map(|(i, field)| cell(i, &field.name)).collect();
    let (id, valid) = old.map_or_else(|| (f.id.clone(), f.valid), |o| (o.id.clone(), o.valid));
    Feature { id, geometry: f.geometry.clone(), valid, attributes }
}
