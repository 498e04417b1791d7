//! The entities that an asker sees: those made of sensor features of the city, and those registered over the API.

use crate::{CityState, Problem, access::lock, crs::DoorCrs};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::ControlFlow,
    sync::{Arc, LazyLock},
};
use strata_model::{Classification, Feature, Geometry, Layer, Query, Scope, Theme};
use strata_store::Registered;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Set {
    Things,
    Locations,
    Sensors,
    ObservedProperties,
    Datastreams,
    FeaturesOfInterest,
    Observations,
}

/// A navigation property, and whether it leads to many.
pub struct Nav {
    pub name: &'static str,
    pub to: Set,
    pub many: bool,
}

const fn nav(name: &'static str, to: Set, many: bool) -> Nav {
    Nav { name, to, many }
}

impl Set {
    pub const ALL: [Self; 7] = [
        Self::Things,
        Self::Locations,
        Self::Sensors,
        Self::ObservedProperties,
        Self::Datastreams,
        Self::FeaturesOfInterest,
        Self::Observations,
    ];
    pub fn name(self) -> &'static str {
        match self {
            Self::Things => "Things",
            Self::Locations => "Locations",
            Self::Sensors => "Sensors",
            Self::ObservedProperties => "ObservedProperties",
            Self::Datastreams => "Datastreams",
            Self::FeaturesOfInterest => "FeaturesOfInterest",
            Self::Observations => "Observations",
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
    pub fn navs(self) -> &'static [Nav] {
        const THINGS: &[Nav] = &[nav("Datastreams", Set::Datastreams, true), nav("Locations", Set::Locations, true)];
        const LOCATIONS: &[Nav] = &[nav("Things", Set::Things, true)];
        const STREAMS: &[Nav] = &[nav("Datastreams", Set::Datastreams, true)];
        const DATASTREAMS: &[Nav] = &[
            nav("Thing", Set::Things, false),
            nav("Sensor", Set::Sensors, false),
            nav("ObservedProperty", Set::ObservedProperties, false),
            nav("Observations", Set::Observations, true),
        ];
        const INTEREST: &[Nav] = &[nav("Observations", Set::Observations, true)];
        const OBSERVATIONS: &[Nav] =
            &[nav("Datastream", Set::Datastreams, false), nav("FeatureOfInterest", Set::FeaturesOfInterest, false)];
        match self {
            Self::Things => THINGS,
            Self::Locations => LOCATIONS,
            Self::Sensors | Self::ObservedProperties => STREAMS,
            Self::Datastreams => DATASTREAMS,
            Self::FeaturesOfInterest => INTEREST,
            Self::Observations => OBSERVATIONS,
        }
    }
    pub fn nav(self, name: &str) -> Option<&'static Nav> {
        self.navs().iter().find(|n| n.name == name)
    }
    /// The properties that an entity of the set has beside its id and its links.
    pub fn properties(self) -> &'static [&'static str] {
        match self {
            Self::Things => &["name", "description", "properties"],
            Self::Locations => &["name", "description", "encodingType", "location", "properties"],
            Self::Sensors => &["name", "description", "encodingType", "metadata", "properties"],
            Self::ObservedProperties => &["name", "definition", "description", "properties"],
            Self::Datastreams => &[
                "name",
                "description",
                "observationType",
                "unitOfMeasurement",
                "observedArea",
                "phenomenonTime",
                "resultTime",
                "properties",
            ],
            Self::FeaturesOfInterest => &["name", "description", "encodingType", "feature", "properties"],
            Self::Observations => &["phenomenonTime", "resultTime", "result", "parameters"],
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Entity {
    pub id: Arc<str>,
    pub body: Map<String, Value>,
    pub links: BTreeMap<Set, Vec<Arc<str>>>,
}

/// All entities but observations, by set and id.
#[derive(Debug, Default)]
pub struct Catalog {
    sets: BTreeMap<Set, BTreeMap<Arc<str>, Entity>>,
    /// Every stream that there is may be seen: observations need no list of streams.
    pub whole: bool,
}

/// What a quantity's Chinese name stands for.
struct Quantity {
    id: &'static str,
    name_en: &'static str,
    definition: &'static str,
    unit: &'static str,
    ucum: &'static str,
}

static QUANTITIES: LazyLock<BTreeMap<&'static str, Quantity>> = LazyLock::new(|| {
    include_str!("../../../../data/codes/observed-properties.csv")
        .lines()
        .skip(1)
        .filter_map(|line| {
            let [kind, id, name_en, definition, unit, ucum] = *line.split(',').collect::<Vec<_>>() else { return None };
            Some((kind, Quantity { id, name_en, definition, unit, ucum }))
        })
        .collect()
});

pub const MEASUREMENT: &str = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement";
pub const GEOJSON: &str = "application/geo+json";

impl Catalog {
    /// Made once for each version of the city, each registration and each scope.
    pub fn of(state: &CityState, scope: &Scope) -> Result<Arc<Self>, Problem> {
        let registered = lock(&state.registered).clone();
        let snapshot = state.snapshot();
        let key = format!("{}|{}|{}", snapshot.version().0, registered.len(), scope.cache_key());
        state.catalogs.try_get_with(key, || Self::build(state, &registered, scope).map(Arc::new)).map_err(|e| (*e).clone())
    }

    fn build(state: &CityState, registered: &[Registered], scope: &Scope) -> Result<Self, Problem> {
        let snapshot = state.snapshot();
        let mut out = Self { whole: *scope == Scope::everything(), ..Self::default() };
        let sensors: Vec<Arc<Layer>> = snapshot.layers(scope).into_iter().filter(|l| l.theme == Theme::Sensor).collect();
        for layer in &sensors {
            let mut fault = None;
            snapshot.for_each(
                &Query::all(layer.id.clone(), scope.clone()).at(state.now()),
                &mut |f| match out.device(state, layer, &f) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(p) => {
                        fault = Some(p);
                        ControlFlow::Break(())
                    }
                },
            )?;
            if let Some(p) = fault {
                return Err(p);
            }
        }
        // What is registered has been judged by nobody: it is internal, and of no district or list of layers.
        if scope.clearance >= Classification::Internal && scope.districts.is_none() && scope.layers.is_none() {
            registered.iter().for_each(|r| out.registered(r));
        }
        out.link_back();
        Ok(out)
    }

    pub fn get(&self, set: Set, id: &str) -> Option<&Entity> {
        self.sets.get(&set)?.get(id)
    }
    pub fn all(&self, set: Set) -> impl Iterator<Item = &Entity> {
        self.sets.get(&set).into_iter().flat_map(BTreeMap::values)
    }
    /// Ids of the streams whose observations may be seen; `None`: all.
    pub fn streams(&self) -> Option<BTreeSet<Arc<str>>> {
        (!self.whole).then(|| self.sets.get(&Set::Datastreams).map(|s| s.keys().cloned().collect()).unwrap_or_default())
    }
    pub fn may_see(&self, stream: &str) -> bool {
        self.whole || self.get(Set::Datastreams, stream).is_some()
    }
    /// The name of the quantity that each stream measures.
    pub fn kinds(&self) -> HashMap<Arc<str>, Arc<str>> {
        let name = |e: &Entity| {
            let property = e.links.get(&Set::ObservedProperties)?.first()?;
            self.get(Set::ObservedProperties, property)?.body.get("name")?.as_str().map(Arc::from)
        };
        self.all(Set::Datastreams).filter_map(|e| Some((e.id.clone(), name(e)?))).collect()
    }
    /// The feature of interest of all observations of a stream.
    pub fn interest_of(&self, stream: &str) -> Option<&Entity> {
        let thing = self.get(Set::Datastreams, stream)?.links.get(&Set::Things)?.first()?;
        self.get(Set::FeaturesOfInterest, thing)
    }

    fn put(&mut self, set: Set, entity: Entity) {
        self.sets.entry(set).or_default().entry(entity.id.clone()).or_insert(entity);
    }

    /// A sensor feature is a Thing with one Location, one Sensor and one Datastream of the same id.
    fn device(&mut self, state: &CityState, layer: &Layer, f: &Feature) -> Result<(), Problem> {
        let Geometry::Point(at) = f.geometry else { return Ok(()) };
        let id: Arc<str> = f.id.as_str().into();
        let text = |name: &str| layer.field_index(name).and_then(|i| f.attributes.get(i)).and_then(|v| serde_json::to_value(v).ok());
        let word = |name: &str| text(name).and_then(|v| v.as_str().map(str::to_owned));
        let kind = word("kind").unwrap_or_else(|| layer.title_zh.clone());
        let target = word("target_id");
        let point = json!({ "type": "Point", "coordinates": DoorCrs::Crs84.point(&state.frame, at)? });
        let name = match &target {
            Some(t) => format!("{kind} {t}"),
            None => format!("{kind} {id}"),
        };
        let description = if layer.synthetic { format!("{}(合成数据 synthetic)", layer.title_zh) } else { layer.title_zh.clone() };
        let mut about = json!({ "layer": layer.id, "feature": f.id, "synthetic": layer.synthetic });
        for (field, value) in layer.fields.iter().zip(&f.attributes) {
            about[&field.name] = serde_json::to_value(value).unwrap_or(Value::Null);
        }
        let entity = |body: Value, links: &[(Set, &Arc<str>)]| Entity {
            id: id.clone(),
            body: object(body),
            links: links.iter().map(|(s, l)| (*s, vec![(*l).clone()])).collect(),
        };
        let property: Arc<str> = self.quantity(&kind);
        let known = QUANTITIES.get(kind.as_str());
        let unit = word("unit").unwrap_or_default();
        let ucum = known.filter(|q| q.unit == unit).map_or(unit.as_str(), |q| q.ucum);
        self.put(
            Set::Things,
            entity(
                json!({ "name": name, "description": description, "properties": about }),
                &[(Set::Locations, &id), (Set::Datastreams, &id)],
            ),
        );
        let place = json!({ "name": name, "description": description, "encodingType": GEOJSON, "location": point });
        self.put(Set::Locations, entity(place, &[(Set::Things, &id)]));
        let device = json!({ "name": format!("{kind} {id}"), "description": description, "encodingType": "application/json", "metadata": { "layer": layer.id, "feature": f.id } });
        self.put(Set::Sensors, entity(device, &[]));
        let stream = json!({
            "name": name, "description": description, "observationType": MEASUREMENT,
            "unitOfMeasurement": { "name": unit, "symbol": unit, "definition": format!("ucum:{ucum}") },
            "observedArea": point,
            "properties": { "target_layer": about["target_layer"], "target_id": about["target_id"], "synthetic": layer.synthetic },
        });
        self.put(Set::Datastreams, entity(stream, &[(Set::Things, &id), (Set::Sensors, &id), (Set::ObservedProperties, &property)]));
        let interest = json!({
            "name": name, "description": description, "encodingType": GEOJSON, "feature": point,
            "properties": { "target_layer": about["target_layer"], "target_id": about["target_id"] },
        });
        self.put(Set::FeaturesOfInterest, entity(interest, &[]));
        Ok(())
    }

    fn quantity(&mut self, kind: &str) -> Arc<str> {
        let (id, body): (Arc<str>, Value) = match QUANTITIES.get(kind) {
            Some(q) => (q.id.into(), json!({ "name": kind, "definition": q.definition, "description": q.name_en })),
            None => {
                let id = format!("q-{}", &blake3::hash(kind.as_bytes()).to_hex()[..8]);
                (id.as_str().into(), json!({ "name": kind, "definition": format!("urn:strata:quantity:{id}"), "description": kind }))
            }
        };
        self.put(Set::ObservedProperties, Entity { id: id.clone(), body: object(body), links: BTreeMap::new() });
        id
    }

    fn registered(&mut self, r: &Registered) {
        let Some(set) = Set::parse(&r.kind) else { return };
        let mut links: BTreeMap<Set, Vec<Arc<str>>> = BTreeMap::new();
        for (name, id) in r.document["links"].as_object().into_iter().flatten() {
            if let (Some(to), Some(id)) = (Set::parse(name), id.as_str()) {
                links.entry(to).or_default().push(id.into());
            }
        }
        let id: Arc<str> = r.id.as_str().into();
        let body = object(r.document["body"].clone());
        if set == Set::Things {
            let place = r.document["place"].clone();
            let interest = json!({ "name": body["name"], "description": body["description"], "encodingType": GEOJSON, "feature": place });
            self.put(Set::FeaturesOfInterest, Entity { id: id.clone(), body: object(interest), links: BTreeMap::new() });
        }
        self.put(set, Entity { id, body, links });
    }

    /// Links are kept on one side; here the other side learns of them.
    fn link_back(&mut self) {
        let mut back: Vec<(Set, Arc<str>, Set, Arc<str>)> = Vec::new();
        for (from, to) in [
            (Set::Datastreams, Set::Things),
            (Set::Datastreams, Set::Sensors),
            (Set::Datastreams, Set::ObservedProperties),
            (Set::Things, Set::Locations),
            (Set::Locations, Set::Things),
        ] {
            for e in self.all(from) {
                back.extend(e.links.get(&to).into_iter().flatten().map(|id| (to, id.clone(), from, e.id.clone())));
            }
        }
        for (set, id, from, other) in back {
            if let Some(e) = self.sets.get_mut(&set).and_then(|s| s.get_mut(&id)) {
                let known = e.links.entry(from).or_default();
                if !known.contains(&other) {
                    known.push(other);
                }
            }
        }
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
