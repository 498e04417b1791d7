//! Features by what people call them: a name, an address, a code, an id.
//!
//! Names are gathered once for each version and scope and kept with the snapshot; a question goes through them all, for a
//! city has fewer names than features. Letters are compared without case and spaces.

use crate::{Ask, CityState, Problem, Reply, crs::DoorCrs};
use serde_json::{Value, json};
use std::{collections::HashMap, ops::ControlFlow};
use strata_engine::Snapshot;
use strata_model::{Feature, FeatureId, FieldKind, Layer, LayerId, Point3, Query, Scope, Theme, Value as Attribute};

/// A city of more names answers for the first so many, and says so.
const MOST_NAMES: usize = 1_000_000;

struct Name {
    folded: Box<str>,
    said: Box<str>,
    layer: u16,
    id: FeatureId,
    /// Working frame.
    place: Point3,
    /// Features of the layer that bear it: pieces of a street, say.
    count: u32,
}

#[derive(Default)]
struct Names {
    all: Vec<Name>,
    cut: bool,
}

/// Lower case, without spaces and marks that people leave out.
fn folded(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The attributes by which a layer's features are known, as this scope sees them.
fn naming(layer: &Layer, scope: &Scope) -> Vec<usize> {
    let names = |f: &str| ["name", "code", "address"].iter().any(|w| f.to_lowercase().contains(w));
    let known = |f: &strata_model::Field| f.kind == FieldKind::Text && (layer.theme == Theme::Address || names(&f.name));
    let fields = layer.fields.iter().enumerate().filter(|(_, f)| known(f) && scope.sees_attribute(layer, &f.name));
    fields.map(|(i, _)| i).collect()
}

fn middle(f: &Feature) -> Option<Point3> {
    f.geometry.bounds().map(|b| b.centre())
}

fn gather(snapshot: &Snapshot, scope: &Scope) -> Result<Names, Problem> {
    let mut names = Names::default();
    for (number, layer) in snapshot.layers(scope).iter().enumerate() {
        let fields = naming(layer, scope);
        if fields.is_empty() {
            continue;
        }
        let mut met: HashMap<String, usize> = HashMap::new();
        snapshot.for_each(&Query::all(layer.id.clone(), scope.clone()), &mut |f| {
            for i in &fields {
                let Some(Attribute::Text(said)) = f.attributes.get(*i) else { continue };
                let (folded, Some(place)) = (folded(said), middle(&f)) else { continue };
                if folded.is_empty() {
                    continue;
                }
                if let Some(known) = met.get(&folded) {
                    let known: &mut Name = &mut names.all[*known];
                    known.count += u32::from(known.id != f.id);
                    continue;
                }
                if names.all.len() == MOST_NAMES {
                    names.cut = true;
                    return ControlFlow::Break(());
                }
                met.insert(folded.clone(), names.all.len());
                let (folded, said) = (folded.into(), said.to_string().into());
                names.all.push(Name { folded, said, layer: number as u16, id: f.id.clone(), place, count: 1 });
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(names)
}

/// What one looks for by name before the rest that bears names.
fn weight(theme: Theme) -> u8 {
    match theme {
        Theme::Admin | Theme::Other => 0,
        Theme::Road | Theme::Water => 1,
        Theme::Building => 2,
        Theme::Address => 3,
        Theme::Parcel => 4,
        _ => 5,
    }
}

/// `GET /api/search?q=…&limit=…`: features by id, name, address or code, the likeliest first.
pub fn search(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let q = ask.query.get("q").unwrap_or_default();
    let limit = ask.query.number("limit", 1, 100, true)?.unwrap_or(20);
    let wanted = folded(q);
    if wanted.is_empty() || q.len() > 200 {
        return Err(Problem::parameter("invalid-parameter", "q", "a name, an address, a code or an id of 1 to 200 bytes is wanted"));
    }
    let (snapshot, scope) = (state.snapshot(), &ask.actor.scope);
    let layers = snapshot.layers(scope);
    let at = |p: Point3| DoorCrs::Crs84.point(&state.frame, p);
    let mut hits: Vec<Value> = Vec::new();
    let mut by_id: Vec<&LayerId> = Vec::new();
    // By id first: who types one means it.
    let id = FeatureId::new(q.trim());
    for layer in &layers {
        if let Some(f) = snapshot.get(&layer.id, &id, None, scope)?
            && let Some(place) = middle(&f)
        {
            by_id.push(&layer.id);
            hits.push(json!({ "layer": layer.id, "id": f.id, "name": f.id, "by": "id", "count": 1, "place": at(place)? }));
        }
    }
    let names = snapshot.keep(&format!("names {}", scope.cache_key()), || {
        gather(&snapshot, scope).map(|n| {
            let bytes = n.all.iter().map(|n| 96 + n.folded.len() + n.said.len()).sum();
            (n, bytes)
        })
    })?;
    // The whole name, its beginning, a part; then what one is likelier to mean, then the shorter.
    let mut found: Vec<(u8, u8, usize, usize)> = Vec::new();
    for (i, n) in names.all.iter().enumerate() {
        let Some(from) = n.folded.find(wanted.as_str()) else { continue };
        if n.id == id && layers.get(usize::from(n.layer)).is_some_and(|l| by_id.contains(&&l.id)) {
            continue;
        }
        let how = if from > 0 { 2 } else { u8::from(n.folded.len() != wanted.len()) };
        found.push((how, layers.get(usize::from(n.layer)).map_or(9, |l| weight(l.theme)), n.folded.len(), i));
    }
    found.sort_unstable();
    let total = found.len() + hits.len();
    for (.., i) in found.into_iter().take(limit.saturating_sub(hits.len())) {
        let n = &names.all[i];
        let Some(layer) = layers.get(usize::from(n.layer)) else { continue };
        hits.push(json!({ "layer": layer.id, "id": n.id, "name": n.said, "by": "name", "count": n.count, "place": at(n.place)? }));
    }
    Ok(Reply::json(&json!({ "q": q, "total": total, "hits": hits, "all_names": !names.cut })))
}

#[cfg(test)]
mod tests {
    #[test]
    fn spaces_case_and_marks_are_left_out() {
        assert_eq!(super::folded("人民大街 1 号"), "人民大街1号");
        assert_eq!(super::folded("Renmin  Street, B-0173"), "renminstreetb0173");
    }
}
