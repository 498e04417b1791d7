//! OGC API Features 1–3 (core, CRS, CQL2 text) and Tiles: the documents around the items.

use crate::{
    Ask, CityState, Problem, Reply,
    content::{content, layer_id},
    crs::DoorCrs,
    items::json_only,
    reply::{GEOJSON, JSON, MVT, OPENAPI},
};
use serde_json::{Value, json};
use strata_engine::Snapshot;
use strata_model::{EARTH_A_M, FieldKind, Layer, Scope};

const CONFORMANCE: &[&str] = &[
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/collections",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/json",
    "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/ogc-process-description",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/tileset",
    "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/mvt",
];

pub fn landing(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    json_only(&ask.query)?;
    let base = state.base();
    Ok(Reply::json(&json!({
        "title": state.meta.name,
        "description": "A city twin: layers of features with the time when they stood in the world and the version that said so.",
        "links": [
            { "rel": "self", "type": JSON, "href": format!("{base}/ogc") },
            { "rel": "service-desc", "type": OPENAPI, "href": format!("{base}/openapi.json") },
            { "rel": "conformance", "type": JSON, "href": format!("{base}/ogc/conformance") },
            { "rel": "data", "type": JSON, "href": format!("{base}/ogc/collections") },
            { "rel": "http://www.opengis.net/def/rel/ogc/1.0/processes", "type": JSON, "href": format!("{base}/ogc/processes") },
            { "rel": "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", "type": JSON, "href": format!("{base}/ogc/tileMatrixSets") },
        ],
    })))
}

pub fn conformance(_: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    json_only(&ask.query)?;
    Ok(Reply::json(&json!({ "conformsTo": CONFORMANCE })))
}

pub fn collections(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    json_only(&ask.query)?;
    let snapshot = state.snapshot();
    let scope = &ask.actor.scope;
    let all: Vec<Value> = snapshot.layers(scope).iter().map(|l| collection_json(state, &snapshot, l, scope)).collect();
    Ok(Reply::json(&json!({
        "collections": all,
        "crs": DoorCrs::uris(&state.frame),
        "links": [{ "rel": "self", "type": JSON, "href": format!("{}/ogc/collections", state.base()) }],
    })))
}

pub fn collection(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let snapshot = state.snapshot();
    let scope = &ask.actor.scope;
    let layer = snapshot.layer(&layer_id(ask.part("id"))?, scope).ok_or_else(Problem::not_found)?;
    json_only(&ask.query)?;
    Ok(Reply::json(&collection_json(state, &snapshot, &layer, scope)))
}

fn collection_json(state: &CityState, snapshot: &Snapshot, layer: &Layer, scope: &Scope) -> Value {
    let here = format!("{}/ogc/collections/{}", state.base(), layer.id);
    let days = snapshot.change_days(&layer.id, scope);
    let day = |d: Option<i32>| d.map(|d| strata_model::Instant::from_day(d).to_string());
    let begin = day(days.iter().filter(|d| d.1 > 0).map(|d| d.0).min()).map(|d| format!("{d}T00:00:00Z"));
    let mut out = json!({
        "id": layer.id,
        "title": format!("{} {}", layer.title_zh, layer.title_en),
        "description": layer.source,
        "itemType": "feature",
        "crs": DoorCrs::uris(&state.frame),
        "storageCrs": DoorCrs::working(&state.frame).uri(),
        "extent": { "temporal": { "interval": [[begin, null]], "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian" } },
        "synthetic": layer.synthetic,
        "links": [
            { "rel": "self", "type": JSON, "href": here },
            { "rel": "items", "type": GEOJSON, "href": format!("{here}/items") },
            { "rel": "http://www.opengis.net/def/rel/ogc/1.0/queryables", "type": "application/schema+json", "href": format!("{here}/queryables") },
            { "rel": "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector", "type": JSON, "href": format!("{here}/tiles") },
        ],
    });
    if let Some((b, _)) = state.extent(snapshot, &layer.id, scope) {
        out["extent"]["spatial"] = json!({ "bbox": [b], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84" });
    }
    out
}

pub fn queryables(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let id = layer_id(ask.part("id"))?;
    let layer = state.snapshot().layer(&id, &ask.actor.scope).ok_or_else(Problem::not_found)?;
    json_only(&ask.query)?;
    let properties: serde_json::Map<String, Value> = layer
        .fields
        .iter()
        .map(|f| {
            let kind = match f.kind {
                FieldKind::Bool => "boolean",
                FieldKind::Int => "integer",
                FieldKind::Float => "number",
                FieldKind::Text => "string",
            };
            let mut p = json!({ "type": kind, "title": format!("{} {}", f.title_zh, f.title_en) });
            if let Some(unit) = &f.unit {
                p["x-ogc-unit"] = unit.as_str().into();
            }
            (f.name.clone(), p)
        })
        .collect();
    let out = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("{}/ogc/collections/{id}/queryables", state.base()),
        "type": "object",
        "title": layer.title_en,
        "properties": properties,
        "additionalProperties": false,
    });
    Ok(Reply { media_type: "application/schema+json", ..Reply::json(&out) })
}

pub fn tile_matrix_sets(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    json_only(&ask.query)?;
    let href = format!("{}/ogc/tileMatrixSets/WebMercatorQuad", state.base());
    Ok(Reply::json(&json!({ "tileMatrixSets": [{
        "id": "WebMercatorQuad", "title": "Google Maps Compatible for the World", "uri": TMS_URI,
        "links": [{ "rel": "self", "type": JSON, "href": href }],
    }] })))
}

const TMS_URI: &str = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad";

pub fn tile_matrix_set(_: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    json_only(&ask.query)?;
    if ask.part("tms") != "WebMercatorQuad" {
        return Err(Problem::not_found());
    }
    let half = std::f64::consts::PI * EARTH_A_M;
    let matrices: Vec<Value> = (0..=24u32)
        .map(|z| {
            let n = 1u64 << z;
            let cell = 2.0 * half / (256.0 * n as f64);
            json!({
                "id": z.to_string(), "scaleDenominator": cell / 0.00028, "cellSize": cell, "cornerOfOrigin": "topLeft",
                "pointOfOrigin": [-half, half], "tileWidth": 256, "tileHeight": 256, "matrixWidth": n, "matrixHeight": n,
            })
        })
        .collect();
    Ok(Reply::json(&json!({
        "id": "WebMercatorQuad", "title": "Google Maps Compatible for the World", "uri": TMS_URI,
        "crs": "http://www.opengis.net/def/crs/EPSG/0/3857", "orderedAxes": ["X", "Y"],
        "wellKnownScaleSet": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
        "tileMatrices": matrices,
    })))
}

pub fn tilesets(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let set = tileset_json(state, ask)?;
    Ok(Reply::json(&json!({ "tilesets": [set] })))
}

pub fn tileset(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    if ask.part("tms") != "WebMercatorQuad" {
        return Err(Problem::not_found());
    }
    tileset_json(state, ask).map(|t| Reply::json(&t))
}

fn tileset_json(state: &CityState, ask: &Ask) -> Result<Value, Problem> {
    let id = layer_id(ask.part("id"))?;
    let layer = state.snapshot().layer(&id, &ask.actor.scope).ok_or_else(Problem::not_found)?;
    json_only(&ask.query)?;
    let base = state.base();
    let here = format!("{base}/ogc/collections/{id}/tiles/WebMercatorQuad");
    Ok(json!({
        "title": layer.title_en, "dataType": "vector", "crs": "http://www.opengis.net/def/crs/EPSG/0/3857", "tileMatrixSetURI": TMS_URI,
        "links": [
            { "rel": "self", "type": JSON, "href": here },
            { "rel": "item", "type": MVT, "templated": true, "href": format!("{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}") },
            { "rel": "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme", "type": JSON, "href": format!("{base}/ogc/tileMatrixSets/WebMercatorQuad") },
        ],
    }))
}

/// Row before column here, as OGC API Tiles has it.
pub fn tile(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    if ask.part("tms") != "WebMercatorQuad" {
        return Err(Problem::not_found());
    }
    let query = ask.query.with(&[]);
    let address = format!("/tiles/{}/{}/{}/{}.mvt?{query}", ask.part("id"), ask.part("z"), ask.part("x"), ask.part("y"));
    content(state, &address, &ask.actor.scope).map(|c| c.answer(ask))
}
