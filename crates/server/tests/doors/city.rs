use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use strata_engine::{Engine, EngineError};
use strata_model::*;
use strata_scene::{Anchor, Title};
use strata_server::{CityState, Config, Limits, router};
use strata_store::{CityMeta, Store, StoreError};
use tower::ServiceExt;

pub const TOKEN: &str = "a-token-for-the-tests-only";
/// 43.9 N, 125.3 E in EPSG:4551, as PROJ 9.1.1 has it.
pub const HOME: [f64; 2] = [443_761.3954, 4_862_949.4618];
pub const GEOID: f64 = 10.0;

pub struct TestCity {
    pub state: Arc<CityState>,
    pub router: Router,
    pub dir: tempfile::TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().expect("text"))
    }
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn now() -> Instant {
    Instant::parse("2026-01-20T06:32:05Z").expect("a time")
}

pub fn layer(id: &str, theme: Theme, geometry: GeometryKind, classification: Classification, fields: Vec<Field>) -> Layer {
    Layer {
        id: LayerId::new(id).expect("valid"),
        title_zh: format!("{id}层"),
        title_en: format!("<b>{id}</b>"),
        theme,
        geometry,
        cim_level: 4,
        category: 'A',
        classification,
        synthetic: true,
        source: "made for a test".into(),
        fields,
    }
}

pub fn square(half_m: f64, dx: f64, dy: f64) -> Geometry {
    let p = |x: f64, y: f64| [HOME[0] + dx + x * half_m, HOME[1] + dy + y * half_m, 200.0];
    Geometry::Polygon(Polygon::new(vec![p(-1.0, -1.0), p(1.0, -1.0), p(1.0, 1.0), p(-1.0, 1.0), p(-1.0, -1.0)]))
}

pub fn feature(id: &str, geometry: Geometry, valid: Interval, attributes: Vec<Value>) -> Feature {
    Feature { id: id.into(), geometry, valid, attributes }
}

fn fill(store: &mut Store) -> Result<(), StoreError> {
    let year = |y| Instant::from_ymd(y, 1, 1);
    let text = |name: &str| Field::new(name, FieldKind::Text, "", "");
    let buildings = layer(
        "buildings",
        Theme::Building,
        GeometryKind::Polygon,
        Classification::Public,
        vec![
            text("name"),
            Field::new("height_m", FieldKind::Float, "高度", "height").unit("m"),
            Field::new("floors", FieldKind::Int, "层数", "floors"),
            text("owner").classified(Classification::Secret),
        ],
    );
    let places = layer(
        "places",
        Theme::Other,
        GeometryKind::Point,
        Classification::Public,
        vec![text("name_zh"), Field::new("rank", FieldKind::Int, "", "")],
    );
    let pipes = layer(
        "pipes",
        Theme::Pipe,
        GeometryKind::Line,
        Classification::Internal,
        vec![text("class"), Field::new("dn_mm", FieldKind::Int, "", "")],
    );
    let terrain = layer("terrain", Theme::Terrain, GeometryKind::Tin, Classification::Public, Vec::new());
    let device = || vec![text("kind"), text("unit"), text("target_layer"), text("target_id")];
    let sensors = layer("sensors", Theme::Sensor, GeometryKind::Point, Classification::Internal, device());
    let gauges = layer("gauges", Theme::Sensor, GeometryKind::Point, Classification::Public, device());
    let mut w = store.begin("keeper", "secret errand 7", now())?;
    for l in [&buildings, &places, &pipes, &terrain, &sensors, &gauges] {
        w.layer(l)?;
    }
    let house = |id: &str, g, valid, h: f64, floors: i64| {
        feature(id, g, valid, vec![format!("楼 {id}").into(), h.into(), floors.into(), "Mr Hidden".into()])
    };
    w.put(&buildings.id, &house("b1", square(20.0, 0.0, 0.0), Interval::since(year(2012)), 30.5, 10))?;
    w.put(&buildings.id, &house("b2", square(10.0, 200.0, 0.0), Interval { from: year(1990), to: year(2005) }, 12.0, 4))?;
    w.put(&buildings.id, &house("b3", square(10.0, 0.0, 3000.0), Interval::ALWAYS, 9.0, 3))?;
    for i in 0..25 {
        let at = Geometry::Point([HOME[0] + 10.0 * f64::from(i), HOME[1], 200.0]);
        w.put(&places.id, &feature(&format!("p{i:02}"), at, Interval::ALWAYS, vec![format!("地点{i}").into(), i64::from(i % 5).into()]))?;
    }
    for i in 0..3 {
        let line = Geometry::LineString(vec![[HOME[0], HOME[1] + f64::from(i), 198.0], [HOME[0] + 500.0, HOME[1] + f64::from(i), 197.0]]);
        w.put(&pipes.id, &feature(&format!("PIPE-{i}"), line, Interval::ALWAYS, vec!["JS".into(), 600.into()]))?;
    }
    let p = |x: f64, y: f64, h: f64| [HOME[0] + x * 3000.0, HOME[1] + y * 3000.0, h];
    let tin = Geometry::Tin {
        points: vec![p(-1.0, -1.0, 200.0), p(1.0, -1.0, 200.0), p(1.0, 1.0, 260.0), p(-1.0, 1.0, 260.0)],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
    };
    let sensor = |id: &str, dx: f64, kind: &str, unit: &str, target: [&str; 2]| {
        let at = Geometry::Point([HOME[0] + dx, HOME[1], 200.0]);
        feature(id, at, Interval::ALWAYS, vec![kind.into(), unit.into(), target[0].into(), target[1].into()])
    };
    for i in 0..3 {
        let one = sensor(&format!("SE-{i}"), f64::from(i) * 100.0, "压力", "MPa", ["pipes", &format!("PIPE-{i}")]);
        w.put(&sensors.id, &one)?;
    }
    w.put(&sensors.id, &sensor("SE-9", 900.0, "液位", "m", ["pipes", "PIPE-0"]))?;
    w.put(&gauges.id, &sensor("RG-1", 50.0, "雨量", "mm", ["places", "p00"]))?;
    w.put(&terrain.id, &feature("t1", tin, Interval::ALWAYS, Vec::new()))?;
    w.commit()?;
    let mut w = store.begin("keeper", "second errand", now())?;
    w.put(&buildings.id, &house("b1", square(20.0, 0.0, 0.0), Interval::since(year(2012)), 33.0, 11))?;
    w.remove(&pipes.id, &"PIPE-2".into())?;
    w.commit()?;
    Ok(())
}

pub fn build(store: &Store, engine: &Engine) {
    let head = store.head().expect("head");
    for layer in store.layers().expect("layers") {
        let rows = engine.build(layer.clone(), head, &mut |sink| {
            let scanned = store.scan(&layer.id, &mut |row| sink(row).map_err(|e| StoreError::Stopped { reason: e.to_string() }));
            scanned.map_err(|e| EngineError::source(e.to_string()))
        });
        rows.expect("segments");
    }
}

pub fn scenes() -> BTreeMap<String, Json> {
    let scene = json!({
        "version": 8, "name": "planner",
        "metadata": { "strata:title": { "zh": "规划", "en": "Planner" } },
        "sources": { "buildings": { "type": "vector", "url": "/tiles/buildings.json" }, "pipes": { "type": "vector", "url": "/tiles/pipes.json" } },
        "layers": [
            { "id": "land", "type": "background" },
            { "id": "buildings", "type": "fill", "source": "buildings", "source-layer": "buildings" },
            { "id": "pipes", "type": "line", "source": "pipes", "source-layer": "pipes" },
            { "id": "tubes", "type": "background", "metadata": { "strata:tileset": "/3dtiles/pipes/tileset.json" } },
        ],
    });
    BTreeMap::from([("planner".to_owned(), scene)])
}

pub fn city() -> TestCity {
    city_with(Limits::default(), None, None)
}

pub fn city_with(limits: Limits, viewer: Option<PathBuf>, public_url: Option<String>) -> TestCity {
    city_of(limits, viewer, public_url, fill)
}

/// With what `fill` puts into its record.
pub fn city_of(
    limits: Limits,
    viewer: Option<PathBuf>,
    public_url: Option<String>,
    fill: impl FnOnce(&mut Store) -> Result<(), StoreError>,
) -> TestCity {
    let dir = tempfile::tempdir().expect("a folder");
    let meta = CityMeta { name: "长春<script>".into(), crs: Crs::CHANGCHUN, geoid_offset_m: GEOID, synthetic: true };
    let mut store = Store::create(dir.path(), &meta).expect("a record");
    fill(&mut store).expect("a city");
    let engine = Arc::new(Engine::open(&dir.path().join("segments")).expect("an engine"));
    build(&store, &engine);
    let frame = Arc::new(WorkingFrame::new(Crs::CHANGCHUN, GEOID).expect("known"));
    let anchors = vec![Anchor { name: "cbd".into(), title: Title::default(), position: [125.3, 43.9, 210.0] }];
    let config = Config {
        listen: "127.0.0.1:8080".into(),
        token: TOKEN.into(),
        viewer,
        scenes: scenes(),
        limits,
        public_url,
        now,
        cache_bytes: 16 << 20,
        read_delivery: None,
        recipe: None,
    };
    let state = Arc::new(
        CityState::new(store, engine, frame, anchors, config).expect("a state").with_observations(dir.path()).expect("observations"),
    );
    TestCity { router: router(state.clone()), state, dir }
}

impl TestCity {
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body").to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }
    /// Without a token.
    pub async fn get(&self, address: &str) -> Answer {
        self.send(Request::get(address).body(Body::empty()).expect("a request")).await
    }
    pub async fn keeper(&self, address: &str) -> Answer {
        self.send(Request::get(address).header("authorization", format!("Bearer {TOKEN}")).body(Body::empty()).expect("a request")).await
    }
    pub async fn post(&self, address: &str, body: &Json) -> Answer {
        let request = Request::post(address).header("authorization", format!("Bearer {TOKEN}")).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }
}
