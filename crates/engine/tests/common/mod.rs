//! A city of random features, and the slow way to answer: a look at every row.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(dead_code, reason = "each test file uses its part")]

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use strata_model::*;

pub fn id(text: &str) -> LayerId {
    LayerId::new(text).unwrap()
}

pub fn layer(name: &str) -> Arc<Layer> {
    Arc::new(Layer {
        id: id(name),
        title_zh: "测试".into(),
        title_en: "Test".into(),
        theme: Theme::Building,
        geometry: GeometryKind::Any,
        cim_level: 4,
        category: 'C',
        classification: Classification::Public,
        synthetic: true,
        source: "made by the test".into(),
        fields: vec![
            Field::new("name", FieldKind::Text, "名称", "Name"),
            Field::new("height_m", FieldKind::Float, "高度", "Height").unit("m"),
            Field::new("floors", FieldKind::Int, "层数", "Floors").classified(Classification::Internal),
            Field::new("open", FieldKind::Bool, "开放", "Open"),
        ],
    })
}

/// Rows of one layer as the record would hold them, in no order.
#[derive(Clone, Default)]
pub struct Slow {
    pub rows: Vec<FeatureVersion>,
}

impl Slow {
    pub fn apply(&mut self, version: Version, changes: &[Change]) {
        for change in changes {
            for r in self.rows.iter_mut().filter(|r| r.feature.id == *change.id() && r.until.is_none()) {
                r.until = Some(version);
            }
            if let Change::Put(f) = change {
                self.rows.push(FeatureVersion { feature: f.clone(), since: version, until: None });
            }
        }
    }
    /// Hits in the order of their ids; `newest` stands for a query without a version.
    pub fn query(&self, layer: &Layer, q: &Query, newest: Version) -> Vec<Feature> {
        let version = q.version.unwrap_or(newest);
        let mut hits: Vec<Feature> = self
            .rows
            .iter()
            .filter(|r| r.since <= version && r.until.is_none_or(|u| version < u))
            .filter(|r| q.bounds.is_none_or(|b| r.feature.geometry.bounds().is_some_and(|own| own.intersects(&b))))
            .filter(|r| q.valid.is_none_or(|v| r.feature.valid.overlaps(&v)))
            .filter(|r| q.filter.as_ref().is_none_or(|f| f.matches(layer, &r.feature)))
            .filter(|r| seen(&r.feature, &q.scope))
            .map(|r| shown(layer, &r.feature, &q.scope))
            .collect();
        hits.sort_by(|a, b| a.id.cmp(&b.id));
        hits
    }
    pub fn history(&self, layer: &Layer, id: &FeatureId, scope: &Scope) -> Vec<FeatureVersion> {
        let mut out: Vec<FeatureVersion> = self.rows.iter().filter(|r| r.feature.id == *id && seen(&r.feature, scope)).cloned().collect();
        out.sort_by_key(|r| r.since);
        out.iter_mut().for_each(|r| r.feature = shown(layer, &r.feature, scope));
        out
    }
}

fn seen(f: &Feature, scope: &Scope) -> bool {
    let Some(districts) = &scope.districts else { return true };
    f.geometry.bounds().is_some_and(|b| districts.iter().any(|d| d.intersects(&b.plan())))
}

fn shown(layer: &Layer, f: &Feature, scope: &Scope) -> Feature {
    let attributes = layer.fields.iter().zip(&f.attributes).filter(|(field, _)| scope.sees_attribute(layer, &field.name));
    Feature { attributes: attributes.map(|(_, v)| v.clone()).collect(), ..f.clone() }
}

/// Where features like to be. Whole metres and whole days, so that boxes often just touch.
pub const EAST: f64 = 440_000.0;
pub const NORTH: f64 = 4_860_000.0;

pub fn point(rng: &mut ChaCha8Rng) -> Point3 {
    [EAST + f64::from(rng.random_range(0..200)), NORTH + f64::from(rng.random_range(0..200)), f64::from(rng.random_range(-10..30))]
}

pub fn interval(rng: &mut ChaCha8Rng) -> Interval {
    let from = if rng.random_bool(0.2) { Instant::MIN } else { Instant::from_day(rng.random_range(10_000..10_050)) };
    let to = match rng.random_range(0..10) {
        0..4 => Instant::MAX,
        4 if from != Instant::MIN => from, // stood at no moment
        5 => Instant(Instant::from_day(10_060).0 + rng.random_range(0..3)),
        _ => Instant::from_day(rng.random_range(10_050..10_100)),
    };
    Interval { from, to }
}

pub fn feature(rng: &mut ChaCha8Rng, ids: u32) -> Feature {
    let p = point(rng);
    let step = |rng: &mut ChaCha8Rng, p: Point3| p.map(|v| v + f64::from(rng.random_range(0..12)));
    let ring = |p: Point3| vec![p, [p[0] + 4.0, p[1], p[2]], [p[0] + 4.0, p[1] + 4.0, p[2] + 3.0], p];
    let geometry = match rng.random_range(0..7) {
        0 => Geometry::Point(p),
        1 => Geometry::LineString(vec![p, step(rng, p)]),
        2 => Geometry::Polygon(Polygon::new(ring(p))),
        3 => Geometry::MultiPoint(vec![p, step(rng, p), step(rng, p)]),
        4 => Geometry::MultiPolygon(vec![Polygon::new(ring(p)), Polygon::new(ring(step(rng, p)))]),
        5 => Geometry::Tin { points: vec![p, [p[0] + 9.0, p[1], p[2]], [p[0], p[1] + 9.0, p[2] + 1.0]], triangles: vec![[0, 1, 2]] },
        _ => Geometry::Surfaces(vec![
            Surface { polygon: Polygon::new(ring(p)), kind: SurfaceKind::Roof },
            Surface { polygon: Polygon::new(ring([p[0], p[1], p[2] - 5.0])), kind: SurfaceKind::Wall },
        ]),
    };
    let or_null = |rng: &mut ChaCha8Rng, v: Value| if rng.random_bool(0.15) { Value::Null } else { v };
    let (name, height) = (format!("名{}", rng.random_range(0..20)), rng.random_range(0.0..100.0));
    let (floors, open) = (rng.random_range(0..30i64), rng.random_bool(0.5));
    Feature {
        id: FeatureId::new(format!("f{}", rng.random_range(0..ids))),
        geometry,
        valid: interval(rng),
        attributes: vec![or_null(rng, name.into()), or_null(rng, height.into()), or_null(rng, floors.into()), or_null(rng, open.into())],
    }
}

pub fn changes(rng: &mut ChaCha8Rng, n: usize, ids: u32) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::new();
    for _ in 0..n {
        let f = feature(rng, ids);
        let change = if rng.random_bool(0.25) { Change::Remove(f.id) } else { Change::Put(f) };
        if !out.iter().any(|c| c.id() == change.id()) {
            out.push(change);
        }
    }
    out
}

pub fn scope(rng: &mut ChaCha8Rng) -> Scope {
    let mut s = Scope::everything();
    if rng.random_bool(0.2) {
        s.clearance = Classification::Public;
    }
    if rng.random_bool(0.2) {
        s.hidden_attributes.insert("name".into());
    }
    if rng.random_bool(0.2) {
        s.districts = Some((0..rng.random_range(0..3)).map(|_| bounds(rng).plan()).collect());
    }
    s
}

pub fn bounds(rng: &mut ChaCha8Rng) -> Bounds3 {
    let (a, size) = (point(rng), f64::from(rng.random_range(0..80)));
    let b = Bounds3 { min: a, max: [a[0] + size, a[1] + size, a[2] + size / 4.0] };
    if rng.random_bool(0.5) { b.plan().with_all_heights() } else { b }
}

pub fn query(rng: &mut ChaCha8Rng, layer: &Layer, newest: Version) -> Query {
    let mut q = Query::all(layer.id.clone(), scope(rng));
    if rng.random_bool(0.7) {
        q = q.within(bounds(rng));
    }
    if rng.random_bool(0.6) {
        let at = Instant::from_day(rng.random_range(9_990..10_110));
        q = match rng.random_range(0..3) {
            0 => q.at(at),
            1 => q.during(Interval { from: at, to: Instant(at.0 + rng.random_range(0..40) * 86_400_000) }),
            _ => q.during(Interval::ALWAYS),
        };
    }
    if rng.random_bool(0.4) {
        q.version = Some(Version(rng.random_range(0..=newest.0)));
    }
    if rng.random_bool(0.3) {
        let text = ["height_m > 50", "open = TRUE", "height_m IS NULL OR height_m <= 20", "NOT (height_m BETWEEN 10 AND 60)"];
        q = q.matching(Filter::parse_cql2(text[rng.random_range(0..text.len())]).unwrap());
    }
    q
}
