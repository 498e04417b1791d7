//! For the tests of this room: pipes by hand, small cities by hand, and the synthetic district in an engine.

use crate::pipe::{Class, Pipe, Section};
use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};
use strata_citygen::District;
use strata_engine::{Engine, Snapshot, View};
use strata_model::{Feature, FeatureVersion, Instant, Layer, LayerId, Point3, Scope, Version};

pub(crate) fn round(id: &str, class: Class, dn_mm: f64, axis: &[Point3]) -> Pipe {
    Pipe {
        layer: LayerId::new("pipes").unwrap(),
        id: id.into(),
        class,
        subclass: String::new(),
        axis: axis.to_vec(),
        section: Section::Round { outer_diameter_m: dn_mm / 1000.0 },
        size_assumed: false,
        dn_mm: Some(dn_mm),
        material: None,
        embed: Some("直埋".into()),
        pressure: None,
        voltage_kv: None,
        flow_dir: None,
        start_point: None,
        end_point: None,
        start_invert_m: None,
        end_invert_m: None,
        owner: None,
        road: None,
        year_built: None,
        life_years: None,
        status: 0,
        accuracy_m: Some(0.0),
    }
}

/// An engine that holds these features, kept while the process runs.
pub(crate) fn engine(layers: Vec<(Arc<Layer>, Vec<Feature>)>) -> Snapshot {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).unwrap();
    for (layer, features) in layers {
        let mut features = features.into_iter();
        let mut rows = |sink: &mut strata_engine::Sink<'_>| {
            features.by_ref().try_for_each(|feature| sink(FeatureVersion { feature, since: Version(1), until: None }))
        };
        engine.build(layer, Version(1), &mut rows).unwrap();
    }
    // The segments are mapped; the files may go.
    engine.snapshot()
}

pub(crate) struct City {
    pub snapshot: Snapshot,
    pub plan: District,
    scope: Scope,
}

impl City {
    pub fn view(&self) -> View<'_> {
        View { snapshot: &self.snapshot, base: &self.snapshot, scope: &self.scope, at: Instant::from_ymd(2026, 1, 1) }
    }
    pub fn anchor(&self, name: &str) -> Point3 {
        self.plan.anchors().into_iter().find(|a| a.name == name).unwrap().position
    }
}

/// Seed 42.
pub(crate) fn district() -> &'static City {
    static CITY: LazyLock<City> = LazyLock::new(|| {
        let plan = District::new(42).unwrap();
        let mut all: BTreeMap<LayerId, (Arc<Layer>, Vec<Feature>)> =
            plan.layers().into_iter().map(|l| (l.id.clone(), (l, Vec::new()))).collect();
        plan.generate(&mut |layer, feature| {
            all.get_mut(&layer.id).unwrap().1.push(feature);
            Ok(())
        })
        .unwrap();
        City { snapshot: engine(all.into_values().collect()), plan, scope: Scope::everything() }
    });
    &CITY
}
