#![allow(dead_code, reason = "each test binary takes what it needs")]

use rand::Rng;
use strata_model::*;
use strata_store::{CityMeta, Store};

pub fn meta() -> CityMeta {
    CityMeta { name: "长春".into(), crs: Crs::CHANGCHUN, geoid_offset_m: 12.25, synthetic: true }
}

pub fn city() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path(), &meta()).unwrap();
    (dir, store)
}

pub fn id(text: &str) -> LayerId {
    LayerId::new(text).unwrap()
}

pub fn layer(name: &str, geometry: GeometryKind) -> Layer {
    Layer {
        id: id(name),
        title_zh: "管线".into(),
        title_en: "Pipes".into(),
        theme: Theme::Pipe,
        geometry,
        cim_level: 5,
        category: 'C',
        classification: Classification::Internal,
        synthetic: true,
        source: "made for a test".into(),
        fields: vec![
            Field::new("material", FieldKind::Text, "材质", "material"),
            Field::new("dn_mm", FieldKind::Int, "公称直径", "nominal diameter").unit("mm"),
            Field::new("depth_m", FieldKind::Float, "埋深", "depth").unit("m"),
            Field::new("live", FieldKind::Bool, "在用", "in use"),
        ],
    }
}

pub fn pipe(name: &str, x: f64, dn: i64) -> Feature {
    Feature {
        id: name.into(),
        geometry: Geometry::LineString(vec![[x, 4_862_000.0, 200.0], [x + 10.0, 4_862_010.0, 199.5]]),
        valid: Interval::since(Instant::from_ymd(2012, 6, 1)),
        attributes: vec!["球墨铸铁".into(), dn.into(), 1.5.into(), true.into()],
    }
}

pub fn at(n: i64) -> Instant {
    Instant(Instant::from_ymd(2026, 1, 20).0 + n * 1000)
}

pub fn random_feature(rng: &mut impl Rng, name: &str) -> Feature {
    let mut p = || [rng.random_range(440_000.0..450_000.0), rng.random_range(4_860_000.0..4_870_000.0), rng.random_range(180.0..230.0)];
    let line = vec![p(), p()];
    let from = Instant::from_ymd(2000 + rng.random_range(0..20), 1, 1);
    Feature {
        id: name.into(),
        geometry: Geometry::LineString(line),
        valid: if rng.random() { Interval::since(from) } else { Interval { from, to: Instant(from.0 + 1_234_567) } },
        attributes: vec![
            if rng.random() { "PE".into() } else { Value::Null },
            i64::from(rng.random_range(0..3_i32)).into(),
            f64::from(rng.random_range(0..1000_i32)).into(),
            rng.random::<bool>().into(),
        ],
    }
}
