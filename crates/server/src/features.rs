//! The features of a layer for those in the same process that draw or sum them up.

use crate::{CityState, Problem, content::layer_id, crs::DoorCrs, geojson};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use strata_model::{Filter, Query, Scope};

/// More than so many are for tiles.
const MOST: usize = 200_000;

/// A FeatureCollection in CRS84 with ellipsoidal heights, of all times: each feature says from when and to when it stands.
/// `filter`: CQL2 text. A hidden layer answers as a missing one.
pub fn features(state: &CityState, layer: &str, filter: Option<&str>, scope: &Scope) -> Result<Value, Problem> {
    let snapshot = state.snapshot();
    let layer = snapshot.layer(&layer_id(layer)?, scope).ok_or_else(Problem::not_found)?;
    let mut query = Query::all(layer.id.clone(), scope.clone());
    if let Some(text) = filter {
        let filter = Filter::parse_cql2(text)?;
        filter.check(&layer, scope)?;
        query.filter = Some(filter);
    }
    let (mut all, mut fault) = (Vec::new(), None);
    snapshot.for_each(&query, &mut |f| {
        if all.len() == MOST {
            fault = Some(Problem::new("answer-too-large", format!("`{}` has more than {MOST} features here.", layer.id)));
            return ControlFlow::Break(());
        }
        match geojson::feature(&layer, &f, DoorCrs::Crs84, &state.frame) {
            Ok(v) => all.push(v),
            Err(p) => fault = Some(p),
        }
        if fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    fault.map_or_else(|| Ok(json!({ "type": "FeatureCollection", "features": all })), Err)
}
