//! Resource paths: `Things('a')/Datastreams('b')/Observations`.

use super::{
    catalog::{Catalog, Entity, Set},
    read::observation_entity,
};
use crate::{CityState, Problem, sta::options::split};
use std::{collections::BTreeSet, sync::Arc};

/// What a path leads to.
pub enum Place {
    /// Entities of a set; `only`: these.
    Many {
        set: Set,
        only: Option<Vec<Arc<str>>>,
    },
    /// Observations; `streams`: of these.
    Observations {
        streams: Option<BTreeSet<Arc<str>>>,
    },
    One {
        set: Set,
        entity: Entity,
    },
    /// A property; `bare`: its value alone.
    Property {
        name: String,
        value: serde_json::Value,
        bare: bool,
    },
}

pub struct Resolved {
    pub place: Place,
    /// `$ref`: addresses only.
    pub refs: bool,
}

/// `Set`, or `Set(id)` with the id as a text in quotes or bare.
fn segment(text: &str) -> Option<(&str, Option<String>)> {
    match text.split_once('(') {
        None => Some((text, None)),
        Some((name, rest)) => {
            let id = rest.strip_suffix(')')?;
            let id = match id.strip_prefix('\'') {
                Some(quoted) => quoted.strip_suffix('\'')?.replace("''", "'"),
                None => id.to_owned(),
            };
            (!id.is_empty()).then_some((name, Some(id)))
        }
    }
}

pub fn resolve(state: &CityState, catalog: &Catalog, path: &str) -> Result<Resolved, Problem> {
    let none = Problem::not_found;
    let segments = split(path, '/').ok_or_else(none)?;
    let mut segments = segments.iter().map(String::as_str).peekable();
    let (name, id) = segment(segments.next().ok_or_else(none)?).ok_or_else(none)?;
    let set = Set::parse(name).ok_or_else(none)?;
    let mut place = match (set, id) {
        (Set::Observations, None) => Place::Observations { streams: catalog.streams() },
        (set, None) => Place::Many { set, only: None },
        (set, Some(id)) => Place::One { set, entity: one(state, catalog, set, &id)? },
    };
    let mut refs = false;
    while let Some(text) = segments.next() {
        if text == "$ref" && segments.peek().is_none() {
            refs = true;
            break;
        }
        let Place::One { set, entity } = &place else { return Err(none()) };
        let (name, id) = segment(text).ok_or_else(none)?;
        if let Some(nav) = set.nav(name) {
            place = match (nav.to, id) {
                (Set::Observations, id) => {
                    let streams = streams_of(catalog, *set, entity);
                    match id {
                        None => Place::Observations { streams: Some(streams) },
                        Some(id) => {
                            let found = one(state, catalog, Set::Observations, &id)?;
                            let of_these = found.links.get(&Set::Datastreams).is_some_and(|l| l.iter().all(|s| streams.contains(s)));
                            if !of_these {
                                return Err(none());
                            }
                            Place::One { set: Set::Observations, entity: found }
                        }
                    }
                }
                (to, id) => {
                    let ids = entity.links.get(&to).cloned().unwrap_or_default();
                    match (nav.many, id) {
                        (true, None) => Place::Many { set: to, only: Some(ids) },
                        (true, Some(id)) if ids.iter().any(|i| **i == *id) => Place::One { set: to, entity: one(state, catalog, to, &id)? },
                        (false, None) => Place::One { set: to, entity: one(state, catalog, to, ids.first().ok_or_else(none)?)? },
                        _ => return Err(none()),
                    }
                }
            };
        } else if set.properties().contains(&name) && id.is_none() {
            let value = super::read::property(state, *set, entity, name)?.ok_or_else(none)?;
            let bare = match segments.next() {
                None => false,
                Some("$value") if segments.peek().is_none() => true,
                Some(_) => return Err(none()),
            };
            return Ok(Resolved { place: Place::Property { name: name.into(), value, bare }, refs });
        } else {
            return Err(none());
        }
    }
    Ok(Resolved { place, refs })
}

/// The streams whose observations an entity leads to.
pub fn streams_of(catalog: &Catalog, set: Set, entity: &Entity) -> BTreeSet<Arc<str>> {
    match set {
        Set::Datastreams => BTreeSet::from([entity.id.clone()]),
        // A feature of interest has its thing's id.
        Set::FeaturesOfInterest => {
            catalog.get(Set::Things, &entity.id).and_then(|t| t.links.get(&Set::Datastreams)).into_iter().flatten().cloned().collect()
        }
        _ => BTreeSet::new(),
    }
}

fn one(state: &CityState, catalog: &Catalog, set: Set, id: &str) -> Result<Entity, Problem> {
    if set != Set::Observations {
        return catalog.get(set, id).cloned().ok_or_else(Problem::not_found);
    }
    let number = id.parse::<i64>().map_err(|_| Problem::not_found())?;
    let query = strata_store::ObservationQuery {
        streams: catalog.streams(),
        filter: Some(strata_store::Where::Compare(
            strata_store::Column::Id,
            strata_store::Comparison::Eq,
            strata_store::Bound::Int(number),
        )),
        ..Default::default()
    };
    let live = state.live.as_ref().ok_or_else(Problem::not_found)?;
    let found = live.observations.query(&query)?;
    found.first().map(|o| observation_entity(catalog, o)).ok_or_else(Problem::not_found)
}
