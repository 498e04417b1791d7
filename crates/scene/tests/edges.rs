//! Features that stand out of their cells: whatever shows of them on the screen, their tile is drawn.

use rand_like::Dice;
use strata_model::{Bounds3, Classification, Crs, GeometryKind, Layer, LayerId, Theme, WorkingFrame};
use strata_scene::{Camera, RequestKind, Stream, View};
use strata_tiles::TilesetPlan;

/// A small generator of even numbers, the same everywhere.
mod rand_like {
    pub struct Dice(pub u64);
    impl Dice {
        pub fn next(&mut self, lo: f64, hi: f64) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            lo + (hi - lo) * (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }
    }
}

const PLACE: [f64; 2] = [445_000.0, 4_860_000.0];

fn layer() -> Layer {
    Layer {
        id: LayerId::new("roads").expect("an id"),
        title_zh: "道路".into(),
        title_en: "Roads".into(),
        theme: Theme::Road,
        geometry: GeometryKind::Line,
        cim_level: 2,
        category: 'A',
        classification: Classification::Public,
        synthetic: true,
        source: String::new(),
        fields: Vec::new(),
    }
}

/// Streets of up to 1.6 km, along or across, over 6 km.
fn streets(dice: &mut Dice) -> Vec<Bounds3> {
    (0..6000)
        .map(|i| {
            let (e, n) = (PLACE[0] + dice.next(-3000.0, 3000.0), PLACE[1] + dice.next(-3000.0, 3000.0));
            let (long, z) = (dice.next(20.0, 800.0) * if i % 5 == 0 { 1.0 } else { 0.1 }, 200.0 + dice.next(0.0, 20.0));
            let (de, dn) = if i % 2 == 0 { (long, 6.0) } else { (6.0, long) };
            Bounds3 { min: [e - de, n - dn, z], max: [e + de, n + dn, z + 1.0] }
        })
        .collect()
}

struct City {
    plan: TilesetPlan,
    frame: WorkingFrame,
    streets: Vec<Bounds3>,
    tileset: Vec<u8>,
}

impl City {
    fn stream(&self, view: &View) -> Vec<(u32, u32, u32)> {
        let mut stream: Stream<String> = Stream::new(u64::MAX);
        stream.add_tileset("roads", "/tileset.json");
        for step in 0..2000 {
            let update = stream.update(view, f64::from(step));
            let wanted = stream.wanted(64);
            if wanted.is_empty() {
                assert!(update.settled);
                return update.draw.iter().map(|d| place(&d.url)).collect();
            }
            for r in wanted {
                stream.started(&r.url);
                let bytes = match r.kind {
                    RequestKind::Tileset => self.tileset.clone(),
                    RequestKind::Subtree => {
                        let (l, x, y) = place(&r.url);
                        self.plan.subtree(l, x, y).expect("a subtree that is asked for is there")
                    }
                    RequestKind::Content => vec![1],
                };
                if let Some(ready) = stream.provide(&r.url, Ok(bytes)) {
                    stream.loaded(&ready.url, ready.url.clone(), 1);
                }
            }
        }
        panic!("the scene never came to rest");
    }
    /// Streets of which a piece stands on the screen and whose tile is not drawn.
    fn lost(&self, view: &View) -> (usize, usize) {
        let drawn: Vec<_> = self
            .stream(view)
            .into_iter()
            .map(|(l, x, y)| self.plan.cell(&self.frame, l, x, y).expect("a place").expect("a cell"))
            .collect();
        let [w, h] = view.viewport_px.map(|v| v as f32);
        let (mut seen, mut lost) = (0, 0);
        for b in &self.streets {
            let shows = (0..=40).any(|k| {
                let at = |i: usize| b.min[i] + (b.max[i] - b.min[i]) * f64::from(k) / 40.0;
                let p = self.frame.ecef_from_working([at(0), at(1), at(2)]).expect("a place");
                view.project(p).is_some_and(|(q, _)| q[0] > 0.0 && q[1] > 0.0 && q[0] < w && q[1] < h)
            });
            if shows {
                seen += 1;
                let c = b.centre();
                if !drawn.iter().any(|cell| self.plan.belongs(&self.frame, cell, [c[0], c[1]])) {
                    lost += 1;
                }
            }
        }
        (seen, lost)
    }
}

/// `…/level/x/y.ending`.
fn place(url: &str) -> (u32, u32, u32) {
    let parts: Vec<u32> = url.rsplit('/').take(3).map(|p| p.split('.').next().and_then(|v| v.parse().ok()).expect("a number")).collect();
    (parts[2], parts[1], parts[0])
}

#[test]
fn what_stands_out_of_its_cell_is_drawn_where_it_shows() {
    let mut dice = Dice(7);
    let frame = WorkingFrame::new(Crs::parse("EPSG:4551+5737").expect("a CRS"), 0.0).expect("a frame");
    let streets = streets(&mut dice);
    let plan = TilesetPlan::new(&layer(), &frame, streets.iter().copied()).expect("a plan").expect("a tileset");
    assert!(plan.max_level() >= 2, "too flat a tree to test anything: {}", plan.max_level());
    let json = plan.tileset_json();
    let mut city = City { plan, frame, streets, tileset: json.to_string().into_bytes() };
    let cameras: Vec<View> = (0..25)
        .map(|_| {
            let at = [PLACE[0] + dice.next(-2500.0, 2500.0), PLACE[1] + dice.next(-2500.0, 2500.0)];
            let [lon, lat] = city.frame.geographic_from_working(at).expect("a place");
            Camera::new([lon, lat, 210.0], dice.next(40.0, 900.0), dice.next(0.0, 360.0), dice.next(-89.0, -15.0)).view([800, 450])
        })
        .collect();
    let mut all = 0;
    for view in &cameras {
        let (seen, lost) = city.lost(view);
        all += seen;
        assert_eq!(lost, 0, "{lost} of {seen} streets on the screen have no tile");
    }
    assert!(all > 500, "the cameras see too little: {all}");
    // The same tileset without the tiles' own regions loses some: the test can fail.
    let mut bare = json;
    bare["schema"]["classes"]["strata_tile"]["properties"]["region"]["semantic"] = "NONE".into();
    city.tileset = bare.to_string().into_bytes();
    let lost: usize = cameras.iter().map(|v| city.lost(v).1).sum();
    assert!(lost > 0, "no street stands out of its cell");
}
