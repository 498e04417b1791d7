//! Vector tiles, 3D Tiles, terrain pictures and styles by their address: for the routes and for callers in the same process.

use crate::{CityState, Problem, ask::Params, relief::Relief, reply, threed};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    io::Write,
    sync::{Arc, OnceLock},
};
use strata_model::{Instant, LayerId, Query, Scope, Theme, TileId, Version};
use strata_tiles::{TileProjection, encode_projected, terrarium_png};

/// Finished bytes of one address for one scope.
#[derive(Debug, Clone)]
pub struct Content {
    pub bytes: Bytes,
    /// The packed form, made when the first one asks for it; `None`: it is not worth it.
    gzip: Option<Arc<OnceLock<Option<Bytes>>>>,
    pub media_type: &'static str,
    pub etag: String,
    /// Features left out because the tile was full.
    pub dropped: usize,
}

impl Content {
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { etag: reply::etag(&bytes), gzip: None, bytes: bytes.into(), media_type, dropped: 0 }
    }
    pub(crate) fn json(value: &Value) -> Self {
        Self::new(reply::JSON, value.to_string().into_bytes())
    }
    /// May travel packed.
    pub(crate) fn packable(mut self) -> Self {
        self.gzip = (self.bytes.len() >= 1024).then(Arc::default);
        self
    }
    /// Packed at most once, however often the content is handed out.
    pub(crate) fn gzip(&self) -> Option<Bytes> {
        self.gzip
            .as_ref()?
            .get_or_init(|| {
                let mut out = flate2::write::GzEncoder::new(Vec::with_capacity(self.bytes.len() / 2), flate2::Compression::fast());
                out.write_all(&self.bytes).and_then(|()| out.finish()).ok().map(Bytes::from)
            })
            .clone()
    }
    /// With the packed form, which may be made later.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + self.gzip.as_ref().map_or(0, |_| self.bytes.len() / 2) + self.etag.len()
    }
}

/// `/tiles/{layer}.json`, `/tiles/{layer}/{z}/{x}/{y}.mvt`, `/3dtiles/{layer}/…`, `/terrain/{z}/{x}/{y}.png`, `/styles`,
/// `/styles/{scene}.json`; of the query `t` (valid time) and `v` (record version) count. What the scope hides is
/// [`Problem::not_found`], as what is not there.
pub fn content(state: &CityState, address: &str, scope: &Scope) -> Result<Content, Problem> {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let query = Params::parse(query)?;
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["tiles", file] => match file.strip_suffix(".json") {
            Some(layer) => tilejson(state, layer, scope),
            None => Err(Problem::not_found()),
        },
        ["tiles", layer, z, x, y] => match y.strip_suffix(".mvt").or_else(|| y.strip_suffix(".pbf")) {
            Some(y) => tile(state, layer, [z, x, y], &query, scope),
            None => Err(Problem::not_found()),
        },
        ["3dtiles", layer, rest @ ..] => threed::content(state, layer, rest, scope),
        ["terrain", z, x, y] => match y.strip_suffix(".png") {
            Some(y) => terrain(state, [z, x, y], &query, scope),
            None => Err(Problem::not_found()),
        },
        ["styles"] => Ok(styles(state)),
        ["styles", file] => match file.strip_suffix(".json").and_then(|s| state.config.scenes.get(s)) {
            Some(scene) => Ok(style(state, scene, scope)),
            None => Err(Problem::not_found()),
        },
        _ => Err(Problem::not_found()),
    }
}

pub(crate) fn layer_id(text: &str) -> Result<LayerId, Problem> {
    LayerId::new(text).map_err(|_| Problem::not_found())
}

/// Digits out of range are no tile; what is no whole number is a wrong request.
pub(crate) fn tile_id([z, x, y]: [&str; 3]) -> Result<TileId, Problem> {
    let none = || Problem::new("tile-out-of-range", "Zoom 0 to 24, columns and rows below 2 to the power of the zoom.");
    let number = |name: &str, text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Problem::parameter("invalid-parameter", name, "it is not a whole number"));
        }
        text.parse::<u32>().map_err(|_| none())
    };
    let (z, x, y) = (number("z", z)?, number("x", x)?, number("y", y)?);
    u8::try_from(z).ok().and_then(|z| TileId::new(z, x, y)).ok_or_else(none)
}

/// The record version of `v`; one that is still to come is refused.
pub(crate) fn version(state: &CityState, query: &Params) -> Result<Option<Version>, Problem> {
    let head = state.snapshot().version().0;
    Ok(query.number("v", 0, usize::try_from(head).unwrap_or(usize::MAX), false)?.map(|v| Version(v as u64)))
}

fn tile(state: &CityState, layer: &str, zxy: [&str; 3], query: &Params, scope: &Scope) -> Result<Content, Problem> {
    let id = layer_id(layer)?;
    let snapshot = state.snapshot();
    let layer = snapshot.layer(&id, scope).ok_or_else(Problem::not_found)?;
    let tile = tile_id(zxy)?;
    let at = query.get("t").map(Instant::parse).transpose()?;
    let version = version(state, query)?;
    let key = format!("mvt|{}|{id}|{}/{}/{}|{at:?}|{version:?}|{}", snapshot.version().0, tile.z, tile.x, tile.y, scope.cache_key());
    let recipe = state.recipe(&id);
    state.kept(key, || {
        // A tile where the city's CRS has no answer holds nothing of the city.
        let Some(projection) = TileProjection::new(tile, &state.frame).ok().filter(|_| recipe.covers(tile.z)) else {
            return Ok(Content::new(reply::MVT, Vec::new()));
        };
        let q = Query {
            bounds: Some(projection.bounds_in_working.with_all_heights()),
            filter: recipe.filter_at(&layer, tile.z),
            attributes: recipe.attributes.clone(),
            version,
            limit: Some(recipe.max_features.saturating_mul(4)),
            ..Query::all(id.clone(), scope.clone())
        };
        let batch = snapshot.query(&match at {
            Some(at) => q.at(at),
            None => q,
        })?;
        let encoded = encode_projected(&projection, &[(&recipe, &batch)]);
        Ok(Content { dropped: encoded.dropped, ..Content::new(reply::MVT, encoded.bytes).packable() })
    })
}

fn terrain(state: &CityState, zxy: [&str; 3], query: &Params, scope: &Scope) -> Result<Content, Problem> {
    let snapshot = state.snapshot();
    let layers = snapshot.layers(scope);
    let layer = layers.iter().find(|l| l.theme == Theme::Terrain).ok_or_else(Problem::not_found)?;
    let tile = tile_id(zxy)?;
    let version = version(state, query)?;
    let key = format!("png|{}|{}/{}/{}|{version:?}|{}", snapshot.version().0, tile.z, tile.x, tile.y, scope.cache_key());
    state.kept(key, || {
        let none = || Problem::new("tile-out-of-range", "The terrain does not reach here.");
        let bounds = tile.bounds_working(&state.frame, 0.01).map_err(|_| none())?;
        let q = Query { bounds: Some(bounds.with_all_heights()), version, ..Query::all(layer.id.clone(), scope.clone()) };
        let relief = Relief::new(&snapshot.query(&q)?, bounds);
        if relief.is_empty() {
            return Err(none());
        }
        let png = terrarium_png(tile, &state.frame, &|e, n| relief.height_m(e, n), 256)?;
        Ok(Content::new("image/png", png))
    })
}

fn tilejson(state: &CityState, layer: &str, scope: &Scope) -> Result<Content, Problem> {
    let id = layer_id(layer)?;
    let snapshot = state.snapshot();
    let layer = snapshot.layer(&id, scope).ok_or_else(Problem::not_found)?;
    let recipe = state.recipe(&id);
    let mut fields = serde_json::Map::new();
    for (name, text) in
        [("id", "String"), ("valid_from_day", "Number: days since 1970-01-01"), ("valid_to_day", "Number: days since 1970-01-01")]
    {
        fields.insert(name.into(), text.into());
    }
    for f in &layer.fields {
        if recipe.attributes.as_ref().is_none_or(|a| a.contains(&f.name)) {
            let kind = match f.kind {
                strata_model::FieldKind::Text => "String",
                strata_model::FieldKind::Bool => "Boolean",
                _ => "Number",
            };
            let text = f.unit.as_ref().map_or_else(|| kind.to_owned(), |u| format!("{kind}: {u}"));
            fields.insert(f.name.clone(), text.into());
        }
    }
    let mut out = json!({
        "tilejson": "3.0.0",
        "name": layer.title_en,
        "description": format!("{} · {}", layer.title_zh, layer.title_en),
        "attribution": layer.source,
        "version": format!("{}.0.0", snapshot.version().0),
        "scheme": "xyz",
        "tiles": [format!("{}/tiles/{id}/{{z}}/{{x}}/{{y}}.mvt", state.base())],
        "minzoom": recipe.min_zoom,
        "maxzoom": recipe.max_zoom,
        "vector_layers": [{ "id": id, "description": layer.title_en, "fields": fields, "minzoom": recipe.min_zoom, "maxzoom": recipe.max_zoom }],
    });
    if let Some((b, _)) = state.extent(&snapshot, &id, scope) {
        out["bounds"] = json!(b);
        out["center"] = json!([(b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0, recipe.min_zoom.max(14).min(recipe.max_zoom)]);
    }
    Ok(Content::json(&out))
}

fn styles(state: &CityState) -> Content {
    let scenes: Vec<Value> = state
        .config
        .scenes
        .iter()
        .map(|(name, scene)| {
            let title = scene["metadata"].get("strata:title").cloned().unwrap_or_else(|| json!({ "zh": name, "en": name }));
            json!({ "name": name, "title": title, "href": format!("/styles/{name}.json") })
        })
        .collect();
    Content::json(&json!({ "scenes": scenes }))
}

/// The scene with absolute addresses, and without the layers that the asker does not see.
fn style(state: &CityState, scene: &Value, scope: &Scope) -> Content {
    let snapshot = state.snapshot();
    let seen = |address: &str, folder: &str| {
        let name = address.strip_prefix(folder).and_then(|rest| rest.split(['/', '.']).next());
        name.is_none_or(|n| LayerId::new(n).is_ok_and(|id| snapshot.layer(&id, scope).is_some()))
    };
    let base = state.base();
    let mut out = scene.clone();
    let mut gone = Vec::new();
    if let Some(sources) = out["sources"].as_object_mut() {
        sources.retain(|name, source| {
            let keep = source["url"].as_str().is_none_or(|u| seen(u, "/tiles/"));
            if !keep {
                gone.push(name.clone());
            }
            keep
        });
        for source in sources.values_mut() {
            if let Some(Value::String(url)) = source.get_mut("url") {
                absolute(&base, url);
            }
            for tile in source.get_mut("tiles").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Value::String(url) = tile {
                    absolute(&base, url);
                }
            }
        }
    }
    for key in ["glyphs", "sprite"] {
        if let Some(Value::String(url)) = out.get_mut(key) {
            absolute(&base, url);
        }
    }
    if let Some(layers) = out["layers"].as_array_mut() {
        layers.retain(|l| {
            l["source"].as_str().is_none_or(|s| !gone.iter().any(|g| g == s))
                && l["metadata"]["strata:tileset"].as_str().is_none_or(|t| seen(t, "/3dtiles/"))
        });
    }
    Content::json(&out)
}

fn absolute(base: &str, url: &mut String) {
    if url.starts_with('/') {
        url.insert_str(0, base);
    }
}
