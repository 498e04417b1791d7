//! What the viewer asks: the city, feature cards, versions, sessions, the audit log; and how the server is.

use crate::{
    Ask, CityState, Content, Problem, Reply,
    access::unauthenticated,
    content::{content, layer_id, version},
    geojson::instant,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use strata_model::{FeatureId, Layer, Query, Version};
use strata_store::Difference;

impl Content {
    /// The answer for this asker, packed if that is wanted.
    pub(crate) fn answer(self, ask: &Ask) -> Reply {
        let gzip = if ask.headers.gzip { self.gzip() } else { None };
        let reply = Reply::kept(self.media_type, self.bytes, gzip, self.etag);
        if self.dropped > 0 { reply.header("x-tile-truncated", self.dropped.to_string()) } else { reply }
    }
}

/// Tiles, terrain and styles by their own address.
pub fn address(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    content(state, &format!("{}?{}", ask.path, ask.query.with(&[])), &ask.actor.scope).map(|c| c.answer(ask))
}

pub fn city(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, scope) = (state.snapshot(), &ask.actor.scope);
    let key = format!("city|{}|{}|{}", snapshot.version().0, state.base(), scope.cache_key());
    let made = state.kept(key, || {
        let mut changes: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
        let mut all: Option<[f64; 4]> = None;
        let mut layers = Vec::new();
        for layer in snapshot.layers(scope) {
            for (day, begun, ended) in snapshot.change_days(&layer.id, scope) {
                let n = changes.entry(day).or_default();
                *n = (n.0 + u64::from(begun), n.1 + u64::from(ended));
            }
            let extent = state.extent(&snapshot, &layer.id, scope);
            if let Some((b, _)) = extent {
                let a = all.get_or_insert(b);
                *a = [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])];
            }
            let count = snapshot.count(&Query::all(layer.id.clone(), scope.clone()))?;
            let mut one = layer_json(&layer);
            one["bounds"] = json!(extent.map(|e| e.0));
            one["heights_m"] = json!(extent.map(|e| e.1));
            one["count"] = count.into();
            one["fields"] = json!(layer.fields);
            one["tiles"] = format!("/tiles/{}.json", layer.id).into();
            one["tileset"] = format!("/3dtiles/{}/tileset.json", layer.id).into();
            one["items"] = format!("/ogc/collections/{}/items", layer.id).into();
            layers.push(one);
        }
        let changes: Vec<Value> = changes.into_iter().map(|(day, (begun, ended))| json!([day, begun, ended])).collect();
        Ok(Content::json(&json!({
            "name": state.meta.name,
            "crs": state.meta.crs,
            "geoid_offset_m": state.meta.geoid_offset_m,
            "synthetic": state.meta.synthetic,
            "version": snapshot.version(),
            "bounds": all,
            "layers": layers,
            "anchors": state.anchors,
            "changes": changes,
        }))
        .packable())
    })?;
    Ok(made.answer(ask))
}

fn layer_json(layer: &Layer) -> Value {
    json!({
        "id": layer.id, "title_zh": layer.title_zh, "title_en": layer.title_en, "theme": layer.theme, "geometry": layer.geometry,
        "cim_level": layer.cim_level, "category": layer.category, "classification": layer.classification,
        "synthetic": layer.synthetic, "source": layer.source,
    })
}

pub fn card(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, scope) = (state.snapshot(), &ask.actor.scope);
    let id = layer_id(ask.part("layer"))?;
    let layer = snapshot.layer(&id, scope).ok_or_else(Problem::not_found)?;
    let as_of = version(state, &ask.query)?;
    let fid = FeatureId::new(ask.part("id"));
    let feature = snapshot.get(&id, &fid, as_of, scope)?.ok_or_else(Problem::not_found)?;
    let attributes: Vec<Value> = layer
        .fields
        .iter()
        .zip(&feature.attributes)
        .map(|(f, v)| json!({ "name": f.name, "title_zh": f.title_zh, "title_en": f.title_en, "unit": f.unit, "value": v }))
        .collect();
    let versions: Vec<Value> = snapshot
        .history(&id, &fid, scope)?
        .iter()
        .map(|v| json!({ "since": v.since, "until": v.until, "valid": v.feature.valid }))
        .collect();
    Ok(Reply::json(&json!({
        "id": feature.id, "layer": layer_json(&layer), "attributes": attributes, "valid": feature.valid, "versions": versions,
        "version": as_of.unwrap_or(snapshot.version()),
    })))
}

/// Who wrote what and why is the keeper's; everyone may know that there is a newer version.
pub fn versions(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let snapshot = state.snapshot();
    let log = state.store().log()?;
    let commits: Vec<Value> = log
        .iter()
        .filter(|c| c.version <= snapshot.version())
        .map(|c| {
            let layers: Vec<Value> = c
                .layers
                .iter()
                .filter(|(id, ..)| snapshot.layer(id, &ask.actor.scope).is_some())
                .map(|(id, put, removed)| json!({ "layer": id, "put": put, "removed": removed }))
                .collect();
            let mut out = json!({ "version": c.version, "at": instant(c.at), "layers": layers });
            if ask.actor.keeper {
                out["actor"] = c.actor.as_str().into();
                out["message"] = c.message.as_str().into();
            }
            out
        })
        .collect();
    Ok(Reply::json(&json!({ "head": snapshot.version(), "versions": commits })))
}

/// Ids named in one list of a difference.
const MAX_NAMED: usize = 10_000;

pub fn diff(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let (snapshot, scope) = (state.snapshot(), &ask.actor.scope);
    let number =
        |name: &str| ask.part(name).parse::<u64>().ok().map(Version).filter(|v| *v <= snapshot.version()).ok_or_else(Problem::not_found);
    let (a, b) = (number("a")?, number("b")?);
    let layers = match ask.query.get("layer") {
        Some(id) => vec![snapshot.layer(&layer_id(id)?, scope).ok_or_else(Problem::not_found)?],
        None => snapshot.layers(scope),
    };
    let mut out = Vec::new();
    for layer in layers {
        let differences = state.store().diff(&layer.id, a, b)?;
        let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for d in &differences {
            match d {
                Difference::Added(f) => added.push(json!(f.id)),
                Difference::Removed(f) => removed.push(json!(f.id)),
                Difference::Changed { after, fields, .. } => {
                    let shown: Vec<&String> =
                        fields.iter().filter(|f| matches!(f.as_str(), "geometry" | "valid") || layer.field(f).is_some()).collect();
                    // A change of nothing but hidden attributes is no change for this asker.
                    if !shown.is_empty() {
                        changed.push(json!({ "id": after.id, "fields": shown }));
                    }
                }
            }
        }
        let counts = json!({ "added": added.len(), "removed": removed.len(), "changed": changed.len() });
        let truncated = [&added, &removed, &changed].iter().any(|l| l.len() > MAX_NAMED);
        [&mut added, &mut removed, &mut changed].into_iter().for_each(|l| l.truncate(MAX_NAMED));
        out.push(
            json!({ "layer": layer.id, "counts": counts, "truncated": truncated, "added": added, "removed": removed, "changed": changed }),
        );
    }
    Ok(Reply::json(&json!({ "from": a, "to": b, "layers": out })))
}

pub fn sign_in(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        token: String,
    }
    let form: Form = body(&ask.body)?;
    let now = state.now();
    match state.door.sign_in(&form.token, now, state.limits()) {
        Ok(cookie) => {
            state.store().audit("keeper", "sign-in", "session", json!({}), now)?;
            Ok(Reply::json(&json!({ "actor": "keeper" })).status(201).header("set-cookie", cookie).never_kept())
        }
        Err(problem) => {
            if problem.code == "invalid-token" {
                state.store().audit("anonymous", "sign-in.refused", "session", json!({}), now)?;
            }
            Err(problem)
        }
    }
}

pub fn who(_: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    if !ask.actor.keeper {
        return Err(unauthenticated());
    }
    Ok(Reply::json(&json!({ "actor": ask.actor.name })).never_kept())
}

pub fn sign_out(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let cookie = state.door.sign_out(ask.headers.cookie.as_deref().unwrap_or_default());
    state.store().audit(&ask.actor.name, "sign-out", "session", json!({}), state.now())?;
    Ok(Reply::json(&json!({ "actor": "anonymous" })).header("set-cookie", cookie).never_kept())
}

pub fn audit(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let after = ask.query.number("after", 0, i64::MAX as usize, false)?.unwrap_or(0) as u64;
    let limit = ask.query.number("limit", 1, 1000, true)?.unwrap_or(100);
    let store = state.store();
    let (last, head) = store.audit_head()?;
    let rows: Vec<Value> = store
        .audit_rows(after, limit)?
        .into_iter()
        .map(|r| {
            json!({ "seq": r.seq, "at": instant(r.at), "actor": r.actor, "action": r.action, "target": r.target, "detail": r.detail,
                    "prev_hash": r.prev_hash, "hash": r.hash })
        })
        .collect();
    Ok(Reply::json(&json!({ "rows": rows, "head": { "seq": last, "hash": head } })).never_kept())
}

pub fn healthz(_: &CityState, _: &Ask) -> Result<Reply, Problem> {
    Ok(Reply::json(&json!({ "status": "ok" })).never_kept())
}

/// Ready when the record can be read and the engine holds all of it.
pub fn readyz(state: &CityState, _: &Ask) -> Result<Reply, Problem> {
    let (head, engine) = (state.store().head()?, state.snapshot().version());
    let ready = engine >= head;
    let out = json!({ "status": if ready { "ready" } else { "behind" }, "record": head, "engine": engine });
    Ok(Reply::json(&out).status(if ready { 200 } else { 503 }).never_kept())
}

pub fn limits(state: &CityState, _: &Ask) -> Result<Reply, Problem> {
    Ok(Reply::json(&serde_json::to_value(state.limits()).unwrap_or_default()))
}

/// A JSON body of a known form.
pub fn body<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|e| {
        let text = e.to_string();
        let code = if text.starts_with("unknown field") { "unknown-member" } else { "invalid-json" };
        Problem::new(code, text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
    })
}
