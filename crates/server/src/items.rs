//! `/ogc/collections/{id}/items`: the features of a layer, page by page.

use crate::{
    Ask, CityState, Problem, Reply,
    ask::{Params, encoded},
    content::{layer_id, version},
    crs::{AskedBox, DoorCrs},
    geojson,
    problem::short,
    reply::GEOJSON,
};
use serde_json::{Value as Json, json};
use std::ops::ControlFlow;
use strata_model::{CompareOp, FeatureId, FieldKind, Filter, Instant, Interval, Layer, Query, Scope, Value};

/// Parameters that every collection knows; its own attributes come on top.
pub const PARAMS: [&str; 12] =
    ["f", "bbox", "bbox-crs", "crs", "datetime", "limit", "offset", "filter", "filter-lang", "filter-crs", "v", "resultType"];

pub fn items(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let scope = &ask.actor.scope;
    let id = layer_id(ask.part("id"))?;
    let snapshot = state.snapshot();
    let layer = snapshot.layer(&id, scope).ok_or_else(Problem::not_found)?;
    let q = &ask.query;
    q.only(|name| PARAMS.contains(&name) || layer.field(name).is_some())?;
    json_only(q)?;
    let limits = state.limits();
    let limit = q.number("limit", 1, limits.max_items, true)?.unwrap_or(limits.default_items);
    let offset = q.number("offset", 0, limits.max_offset, false)?.unwrap_or(0);
    let crs = output_crs(q, state)?;
    let asked = AskedBox::parse(q, &state.frame)?;
    let as_of = version(state, q)?;
    let mut query = Query { filter: filter(q, &layer, scope)?, version: as_of, ..Query::all(id.clone(), scope.clone()) };
    query.valid = q.get("datetime").map(datetime).transpose()?;

    // A box asks for more than the index knows (features whose own box meets it), so paging is counted here.
    let mut page: Vec<Json> = Vec::new();
    let (mut seen, mut more, mut fault) = (0usize, false, None);
    let hits = q.get("resultType") == Some("hits");
    let possible = match &asked {
        None => true,
        Some(b) => match snapshot.bounds(&id, scope).and_then(|own| b.cover(state, &own)) {
            Some(cover) => {
                query.bounds = Some(cover);
                true
            }
            None => false,
        },
    };
    if possible && asked.is_none() && !hits {
        query.offset = offset;
        query.limit = Some(limit + 1);
        seen = offset;
    }
    if possible && !(hits && asked.is_none()) {
        snapshot.for_each(&query, &mut |f| {
            if asked.as_ref().is_some_and(|b| !b.meets(&state.frame, &f.geometry)) {
                return ControlFlow::Continue(());
            }
            seen += 1;
            if hits || seen <= offset {
                return ControlFlow::Continue(());
            }
            if page.len() == limit {
                more = true;
                return ControlFlow::Break(());
            }
            match geojson::feature(&layer, &f, crs, &state.frame) {
                Ok(json) => page.push(json),
                Err(p) => {
                    fault = Some(p);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    if let Some(p) = fault {
        return Err(p);
    }
    let here = format!("{}/ogc/collections/{id}/items", state.base());
    let link = |rel: &str, query: String| {
        let href = if query.is_empty() { here.clone() } else { format!("{here}?{query}") };
        json!({ "rel": rel, "type": GEOJSON, "href": href })
    };
    let mut links = vec![link("self", q.with(&[]))];
    // All pages of one walk are of one version of the record, whatever is committed meanwhile.
    let pinned = as_of.unwrap_or(snapshot.version()).0.to_string();
    if more {
        links.push(link("next", q.with(&[("offset", (offset + limit).to_string()), ("limit", limit.to_string()), ("v", pinned.clone())])));
    }
    if offset > 0 {
        links.push(link(
            "prev",
            q.with(&[("offset", offset.saturating_sub(limit).to_string()), ("limit", limit.to_string()), ("v", pinned)]),
        ));
    }
    links.push(json!({ "rel": "collection", "type": "application/json", "href": format!("{}/ogc/collections/{id}", state.base()) }));
    let mut out = json!({
        "type": "FeatureCollection",
        "features": page,
        "numberReturned": page.len(),
        "links": links,
        "version": as_of.unwrap_or(snapshot.version()),
        "synthetic": layer.synthetic,
    });
    if hits {
        let matched = if asked.is_some() || !possible { seen } else { snapshot.count(&query)? };
        out["numberMatched"] = matched.into();
    }
    Ok(Reply { media_type: GEOJSON, ..Reply::json(&out) }.header("content-crs", format!("<{}>", crs.uri())))
}

pub fn item(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let scope = &ask.actor.scope;
    let id = layer_id(ask.part("id"))?;
    let snapshot = state.snapshot();
    let layer = snapshot.layer(&id, scope).ok_or_else(Problem::not_found)?;
    json_only(&ask.query)?;
    let crs = output_crs(&ask.query, state)?;
    let as_of = version(state, &ask.query)?;
    let fid = FeatureId::new(ask.part("fid"));
    let feature = snapshot.get(&id, &fid, as_of, scope)?.ok_or_else(Problem::not_found)?;
    let mut out = geojson::feature(&layer, &feature, crs, &state.frame)?;
    let base = format!("{}/ogc/collections/{id}", state.base());
    out["links"] = json!([
        { "rel": "self", "type": GEOJSON, "href": format!("{base}/items/{}", encoded(fid.as_str())) },
        { "rel": "collection", "type": "application/json", "href": base },
    ]);
    Ok(Reply { media_type: GEOJSON, ..Reply::json(&out) }.header("content-crs", format!("<{}>", crs.uri())))
}

/// `f=json` is all there is.
pub fn json_only(query: &Params) -> Result<(), Problem> {
    match query.get("f") {
        None | Some("json" | "geojson") => Ok(()),
        Some(f) => Err(Problem::parameter("invalid-parameter", "f", format!("`{}` is not offered, json is", short(f)))),
    }
}

fn output_crs(query: &Params, state: &CityState) -> Result<DoorCrs, Problem> {
    query.get("crs").map_or(Ok(DoorCrs::Crs84), |text| DoorCrs::parse("crs", text, &state.frame))
}

/// RFC 3339 instant, or an interval with `..` or nothing for an open end. Both ends belong to it.
fn datetime(text: &str) -> Result<Interval, Problem> {
    let bad = |reason: String| Problem::parameter("invalid-datetime", "datetime", reason);
    let moment = |t: &str| Instant::parse(t).map_err(|e| bad(e.to_string()));
    let after = |i: Instant| Instant(i.0.saturating_add(1));
    match text.split_once('/') {
        None => moment(text).map(|at| Interval { from: at, to: after(at) }),
        Some((from, to)) => {
            let open = |t: &str| t.is_empty() || t == "..";
            let from = if open(from) { Instant::MIN } else { moment(from)? };
            let to = if open(to) { Instant::MAX } else { after(moment(to)?) };
            if to <= from { Err(bad("it ends before it begins".into())) } else { Ok(Interval { from, to }) }
        }
    }
}

/// The `filter` and the attributes that stand as parameters of their own, all of which must hold.
fn filter(query: &Params, layer: &Layer, scope: &Scope) -> Result<Option<Filter>, Problem> {
    if let Some(lang) = query.get("filter-lang").filter(|l| *l != "cql2-text") {
        return Err(Problem::parameter("invalid-parameter", "filter-lang", format!("`{}` is not offered, cql2-text is", short(lang))));
    }
    let mut all = Vec::new();
    if let Some(text) = query.get("filter") {
        let filter = Filter::parse_cql2(text)?;
        filter.check(layer, scope)?;
        all.push(filter);
    }
    for field in &layer.fields {
        let Some(text) = query.get(&field.name).filter(|_| !PARAMS.contains(&field.name.as_str())) else { continue };
        let bad = || Problem::parameter("invalid-parameter", &field.name, format!("it is of kind {:?}", field.kind));
        let value = match field.kind {
            FieldKind::Text => Value::from(text),
            FieldKind::Bool => Value::Bool(text.parse().map_err(|_| bad())?),
            FieldKind::Int => Value::Int(text.parse().map_err(|_| bad())?),
            FieldKind::Float => Value::Float(text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(bad)?),
        };
        all.push(Filter::Compare { name: field.name.clone(), op: CompareOp::Eq, value });
    }
    Ok(match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Filter::And(all)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_hold_both_their_ends() {
        let day = |d| Instant::from_ymd(2020, 1, d).0;
        let got = |t: &str| datetime(t).map(|i| (i.from.0, i.to.0)).map_err(|p| p.code);
        assert_eq!(got("2020-01-01"), Ok((day(1), day(1) + 1)));
        assert_eq!(got("2020-01-01/2020-01-03"), Ok((day(1), day(3) + 1)));
        assert_eq!(got("../2020-01-03"), Ok((i64::MIN, day(3) + 1)));
        assert_eq!(got("2020-01-01/"), Ok((day(1), i64::MAX)));
        for bad in ["2026-13-45", "2020-01-03/2020-01-01", "now", "", "a/b"] {
            assert_eq!(got(bad), Err("invalid-datetime"), "{bad}");
        }
    }
}
