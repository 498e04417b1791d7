//! Application layers over the city: bodies, symbols and grids of [`strata_scene::OverlayData`], drawn in a pass of their own
//! over the finished matter and under its depth, the same natively and in the browser.
//!
//! Each overlay has a frame of its own, east-north-up at its middle (`enu`), metres, f32. It lies on the ground that is drawn:
//! when finer ground comes, it is laid anew. A live [`State`] by feature id changes value or colour without any tile.

mod body;
mod device;
mod laying;
mod relief;

use crate::{Kind, Label, Look, Renderer, TileHandle, features::WIDTH, pick::meet, section::Cut, uniforms::Draw};
use body::{Body, ICON_PX};
use device::{Device, OnGpu, STRIDE};
use glam::{DVec3, Mat4, Vec2, Vec3};
use relief::Relief;
use std::collections::BTreeMap;
use strata_model::{Enu, ecef_from_geographic, geographic_from_ecef};
use strata_scene::{Overlay, OverlayData, OverlayKind, SceneError, View, cluster::Clusters};

/// Gathered symbols stand at least so far apart, CSS px.
const APART_PX: f64 = 46.0;

/// What is known of a feature at this moment, beside what its source says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct State {
    pub value: Option<f64>,
    pub colour: Option<[u8; 3]>,
}

/// What lies under a pixel of an overlay.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct OverlayHit {
    pub overlay: String,
    /// Of a single feature.
    pub id: Option<String>,
    pub value: Option<f64>,
    /// Features in it: more than one of what is gathered.
    pub count: u32,
    /// No value is known here.
    pub no_data: bool,
}

/// What was gathered or drawn, for tests and tables: middle on the screen, how many, of which ids.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Gathered {
    pub at: [f32; 2],
    pub count: u32,
    pub ids: Vec<String>,
}

struct Layer {
    data: OverlayData,
    visible: bool,
    enu: Enu,
    /// Plan metres of each item's first point, for what is gathered.
    clusters: Clusters,
    shown: Vec<u32>,
    relief: Relief,
    ground: Vec<TileHandle>,
    built_for: Option<(i32, u64)>,
    cut: Vec<u32>,
    body: Body,
    gpu: Option<OnGpu>,
}

#[derive(Default)]
pub(crate) struct Overlays {
    layers: Vec<Layer>,
    states: BTreeMap<String, State>,
    /// Goes up with every change of a state.
    turn: u64,
    device: Option<Device>,
    /// Device pixels of a CSS pixel.
    px: f32,
}

/// How much nearer than it is an overlay is drawn: grids and reach over land use and under streets and water, so that the city
/// stays readable; lines over streets.
fn nearer(o: &Overlay) -> f32 {
    match o.kind {
        OverlayKind::Heat | OverlayKind::Isochrone => 0.0011,
        OverlayKind::Track | OverlayKind::Arc => 0.0032,
        OverlayKind::Icon | OverlayKind::Column | OverlayKind::Area => 0.0015,
    }
}

/// A number as people read it, with no more digits than it has meaning.
pub(crate) fn figure(v: f64) -> String {
    if v.abs() >= 100.0 || v.fract() == 0.0 {
        format!("{v:.0}")
    } else if v.abs() >= 1.0 {
        format!("{v:.1}")
    } else {
        format!("{v:.2}")
    }
}

impl Layer {
    fn new(data: OverlayData, fallback_m: f64) -> Option<Self> {
        let grid_middle = data.overlay.extent.map(|[w, s, e, n]| [(w + e) / 2.0, (s + n) / 2.0, f64::NAN]);
        let own = data.middle();
        let [lon, lat, h] = if data.overlay.cell_m.is_some() { grid_middle.or(own)? } else { own.or(grid_middle)? };
        let h = own.map_or(h, |m| m[2]);
        let enu = Enu::at_geographic([lon, lat, if h.is_finite() { h } else { fallback_m }]);
        Some(Self {
            visible: data.overlay.visible,
            data,
            enu,
            clusters: Clusters::default(),
            shown: Vec::new(),
            relief: Relief::default(),
            ground: Vec::new(),
            built_for: None,
            cut: Vec::new(),
            body: Body::default(),
            gpu: None,
        })
    }
    fn local(&self, [lon, lat, h]: [f64; 3]) -> Vec3 {
        // Heights that nobody knows are the ground's.
        let at = geographic_from_ecef(self.enu.origin_in_ecef)[2];
        DVec3::from(self.enu.local_from_ecef(ecef_from_geographic([lon, lat, if h.is_finite() { h } else { at }]))).as_vec3()
    }
    /// On the drawn ground; where none is drawn, at its own height.
    fn laid(&self, p: Vec3, lift: f32) -> Vec3 {
        let z = self.relief.height(p.truncate()).unwrap_or(p.z);
        p.truncate().extend(z + lift)
    }
    fn shows(&self, i: usize, day: i32) -> bool {
        let (from, to) = self.data.items[i].valid;
        from <= day && day < to
    }
    /// Value and colour of an item as they are now.
    fn face(&self, i: usize, states: &BTreeMap<String, State>) -> (Option<f64>, Option<[u8; 3]>) {
        let item = &self.data.items[i];
        let state = states.get(&item.id).copied().unwrap_or_default();
        let value = state.value.or(item.value);
        (value, state.colour.or_else(|| self.data.colour(value, &item.category)))
    }

    /// From the overlay's frame to the picture's, eye as origin.
    fn enu_from_overlay(&self, view: &View) -> Mat4 {
        let axes = view.enu.axes_in_ecef.map(DVec3::from);
        let turn = |v: [f64; 3]| axes.map(|a| a.dot(DVec3::from(v)));
        let [e, n, u] = self.enu.axes_in_ecef.map(|a| DVec3::from(turn(a)).as_vec3());
        let origin = DVec3::from(view.enu.local_from_ecef(self.enu.origin_in_ecef)) - view.eye_in_enu;
        Mat4::from_cols(e.extend(0.0), n.extend(0.0), u.extend(0.0), origin.as_vec3().extend(1.0))
    }
    fn on_screen(&self, view: &View, p: Vec3) -> Option<([f32; 2], f32)> {
        view.project(self.enu.ecef_from_local(p.as_dvec3().to_array()))
    }
}

impl Overlays {
    pub fn px(&self) -> f32 {
        if self.px > 0.0 { self.px } else { 1.0 }
    }
    pub fn forget_device(&mut self) {
        self.device = None;
        for l in &mut self.layers {
            (l.gpu, l.built_for) = (None, None);
            l.cut.clear();
        }
    }
    pub fn state(&self, id: &str) -> Option<State> {
        self.states.get(id).copied()
    }
    pub fn any(&self) -> bool {
        self.layers.iter().any(|l| l.visible)
    }

    /// Draws over what is there; how many draws.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>, frame: &wgpu::BindGroup, below: bool) -> u32 {
        let Some(device) = &self.device else { return 0 };
        let mut draws = 0;
        pass.set_bind_group(0, frame, &[0]);
        let mut run = |pass: &mut wgpu::RenderPass<'_>, pipeline: &wgpu::RenderPipeline, range: &dyn Fn(&OnGpu) -> std::ops::Range<u32>| {
            for (k, l) in self.layers.iter().enumerate().filter(|(_, l)| l.visible) {
                let Some(gpu) = &l.gpu else { continue };
                let range = range(gpu);
                if range.is_empty() {
                    continue;
                }
                pass.set_pipeline(pipeline);
                pass.set_bind_group(1, &device.group, &[(k as u64 * STRIDE) as u32]);
                pass.set_vertex_buffer(0, gpu.vertices.slice(..));
                pass.set_index_buffer(gpu.indices.slice(..), wgpu::IndexFormat::Uint32);
                pass.draw_indexed(range, 0, 0..1);
                draws += 1;
            }
        };
        // Under the ground its surface shows nothing.
        if !below {
            run(pass, &device.tested, &|g| 0..g.solid);
        }
        run(pass, &device.tested, &|g| g.solid..g.solid + g.lines);
        run(pass, &device.hidden, &|g| g.solid..g.solid + g.lines);
        run(pass, &device.above, &|g| g.solid + g.lines..g.solid + g.lines + g.above);
        draws
    }
}

impl Renderer {
    /// Lays an overlay over the city, in the place of one with the same id. `collection`: its features, GeoJSON in CRS84 with
    /// ellipsoidal heights. `fallback_m`: ellipsoidal height of the ground where neither the source nor a tile knows it.
    pub fn set_overlay(&mut self, overlay: &Overlay, collection: &serde_json::Value, fallback_m: f64) -> Result<(), SceneError> {
        let data = OverlayData::new(overlay.clone(), collection)?;
        let at = self.overlays.layers.iter().position(|l| l.data.overlay.id == overlay.id);
        match (Layer::new(data, fallback_m), at) {
            (Some(l), Some(k)) => self.overlays.layers[k] = l,
            (Some(l), None) => self.overlays.layers.push(l),
            // Nothing to show is no fault, but what was shown is gone.
            (None, Some(k)) => drop(self.overlays.layers.remove(k)),
            (None, None) => {}
        }
        Ok(())
    }
    pub fn remove_overlay(&mut self, id: &str) {
        self.overlays.layers.retain(|l| l.data.overlay.id != id);
    }
    pub fn clear_overlays(&mut self) {
        self.overlays.layers.clear();
    }
    pub fn show_overlay(&mut self, id: &str, visible: bool) {
        self.overlays.layers.iter_mut().filter(|l| l.data.overlay.id == id).for_each(|l| l.visible = visible);
    }
    /// Overlays that are shown, with what they stand for.
    pub fn overlays(&self) -> impl Iterator<Item = &OverlayData> {
        self.overlays.layers.iter().filter(|l| l.visible).map(|l| &l.data)
    }
    /// Device pixels of a CSS pixel: symbols and lines are measured in CSS pixels.
    pub fn set_pixel_ratio(&mut self, ratio: f32) {
        self.overlays.px = ratio.max(0.1);
    }
    /// What is known of a feature now, wherever it is shown: an overlay takes value and colour, a body of the city the colour.
    /// `None` forgets it. No tile is loaded for it.
    pub fn set_state(&mut self, id: &str, state: Option<State>) {
        let before = self.overlays.states.get(id).copied();
        if before == state {
            return;
        }
        match state {
            Some(s) => drop(self.overlays.states.insert(id.to_owned(), s)),
            None => drop(self.overlays.states.remove(id)),
        }
        self.overlays.turn += 1;
        self.paint(id, state.and_then(|s| s.colour));
    }

    /// Everything that the picture of this view wants of the overlays is on the device afterwards. Uniform buffers written.
    pub(crate) fn ready_overlays(&mut self, view: &View, look: &Look, tiles: &[(TileHandle, f32)]) -> u32 {
        if !self.overlays.any() {
            return 0;
        }
        let mut overlays = std::mem::take(&mut self.overlays);
        // In a moving picture of fewer pixels a symbol keeps its share of it.
        let px = f64::from(overlays.px()) * f64::from(self.drawn().size[0]) / f64::from(self.size()[0]);
        let ground: Vec<TileHandle> = tiles.iter().filter(|(h, fade)| *fade >= 0.0 && self.has_ground(*h)).map(|(h, _)| *h).collect();
        let Overlays { layers, states, turn, .. } = &mut overlays;
        for l in layers.iter_mut().filter(|l| l.visible) {
            let key = (look.day, *turn);
            if l.ground != ground {
                l.relief = self.relief(l, &ground);
                l.ground.clone_from(&ground);
                l.built_for = None;
            }
            let stale = l.built_for != Some(key);
            if l.data.overlay.kind == OverlayKind::Icon {
                if l.built_for.is_none_or(|k| k.0 != look.day) {
                    l.gather(look.day);
                }
                let apart = |n: &strata_scene::cluster::Node| {
                    let at = l.laid(Vec3::new(n.at[0] as f32, n.at[1] as f32, 0.0), 2.0);
                    let far = l.on_screen(view, at).map_or(view.distance_m.max(1.0), |(_, far)| f64::from(far));
                    n.reach_m / view.metres_per_px(far.max(0.5)) > APART_PX * px
                };
                let cut = l.clusters.cut(&apart);
                if !stale && cut == l.cut {
                    continue;
                }
                l.cut = cut;
                l.icons(states);
            } else if stale {
                l.build(look.day, states);
            } else {
                continue;
            }
            l.built_for = Some(key);
            l.gpu = OnGpu::of(&l.body, self.gpu());
        }
        let slots = (overlays.layers.len() as u64).next_power_of_two().max(4);
        if overlays.device.as_ref().is_none_or(|d| d.slots < slots) {
            overlays.device = Some(Device::new(self.gpu(), self.pipelines(), self.samples(), slots));
        }
        let mut bytes = vec![0u8; (STRIDE * slots) as usize];
        for (k, l) in overlays.layers.iter().enumerate() {
            let draw = Draw {
                enu_from_tile: l.enu_from_overlay(view).to_cols_array_2d(),
                params: [0.0, px as f32, 1.0, 0.0],
                world: [0.0, 0.0, nearer(&l.data.overlay), 0.0],
                colour: [1.0; 4],
                ids: [0, WIDTH, 0, 0],
            };
            bytes[k * STRIDE as usize..k * STRIDE as usize + size_of::<Draw>()].copy_from_slice(bytemuck::bytes_of(&draw));
        }
        let mut written = 0;
        if let Some(device) = &mut overlays.device
            && device.last != bytes
        {
            self.gpu().queue.write_buffer(&device.uniforms, 0, &bytes);
            device.last = bytes;
            written = 1;
        }
        self.overlays = overlays;
        written
    }
    fn relief(&self, l: &Layer, tiles: &[TileHandle]) -> Relief {
        let (mut low, mut high) = (Vec2::INFINITY, Vec2::NEG_INFINITY);
        let own = l.data.items.iter().flat_map(|i| i.shape.points()).copied();
        let corners = l.data.overlay.extent.map(|[w, s, e, n]| [[w, s, f64::NAN], [e, s, f64::NAN], [e, n, f64::NAN], [w, n, f64::NAN]]);
        for p in own.chain(corners.into_iter().flatten()) {
            let p = l.local(p).truncate();
            (low, high) = (low.min(p), high.max(p));
        }
        let margin = Vec2::splat(l.data.overlay.cell_m.unwrap_or(0.0) as f32 + 50.0);
        let (low, high) = (low - margin, high + margin);
        let mut out = Relief::default();
        self.for_each_ground(tiles, &l.enu, &mut |t| {
            let (a, b) = (t[0].min(t[1]).min(t[2]).truncate(), t[0].max(t[1]).max(t[2]).truncate());
            if a.cmple(high).all() && b.cmpge(low).all() {
                out.add(t);
            }
        });
        out
    }

    /// Counts and values beside their symbols.
    pub(crate) fn overlay_words(&self, view: &View, text_px: f32, ink: [u8; 3], halo: [u8; 3], out: &mut Vec<Label>) {
        let [w, h] = view.viewport_px.map(|v| v as f32);
        for l in self.overlays.layers.iter().filter(|l| l.visible) {
            for word in &l.body.words {
                let Some(([x, y], far)) = l.on_screen(view, word.at) else { continue };
                if x < 0.0 || y < 0.0 || x >= w || y >= h {
                    continue;
                }
                let near = view.metres_per_px(f64::from(far));
                if word.badge {
                    let label = Label::new(Kind::Badge, word.text.clone(), [x, y], text_px * 0.95, -1000 - word.text.len() as i64);
                    out.push(Label { ink: [255; 3], halo: [30, 38, 48], ..label });
                } else if l.data.overlay.kind == OverlayKind::Icon && near < 1.2 {
                    out.push(Label {
                        ink,
                        halo,
                        ..Label::new(Kind::Sensor, word.text.clone(), [x, y + ICON_PX * self.overlays.px() + text_px * 0.9], text_px, 450)
                    });
                } else if l.data.overlay.kind == OverlayKind::Column && l.data.overlay.width_m / near > f64::from(text_px) * 1.1 {
                    let label = Label::new(Kind::Sensor, word.text.clone(), [x, y - text_px * 0.4], text_px, 460 + far as i64);
                    out.push(Label { ink, halo, ..label });
                }
            }
        }
    }

    /// What of the overlays lies under a pixel and is not taken by a section: a symbol whose body holds it, else the nearest body
    /// or line.
    pub fn pick_overlay(&self, view: &View, look: &Look, x_px: f32, y_px: f32) -> Option<OverlayHit> {
        let px = self.overlays.px();
        let hit = |l: &Layer, part: u32| {
            let p = &l.body.of[part as usize];
            let id = p.item.map(|i| l.data.items[i as usize].id.clone());
            OverlayHit { overlay: l.data.overlay.id.clone(), id, value: p.value, count: p.count, no_data: p.no_data }
        };
        let shown = || self.overlays.layers.iter().rev().filter(|l| l.visible);
        let cut = look.section.as_ref().map(Cut::new);
        let taken = |l: &Layer, p: Vec3| cut.as_ref().is_some_and(|c| c.takes(l.enu.ecef_from_local(p.as_dvec3().to_array()).into()));
        let mut best: Option<(f32, OverlayHit)> = None;
        for l in shown() {
            for (k, p) in l.body.of.iter().enumerate() {
                let Some((at, half)) = p.symbol.filter(|(at, _)| !taken(l, *at)) else { continue };
                let Some(([x, y], far)) = l.on_screen(view, at) else { continue };
                if (x - x_px).hypot(y - y_px) <= half * px && best.as_ref().is_none_or(|(f, _)| far < *f) {
                    best = Some((far, hit(l, k as u32)));
                }
            }
        }
        if best.is_some() {
            return best.map(|b| b.1);
        }
        for l in shown() {
            let m = l.enu_from_overlay(view);
            let eye_from = m.inverse();
            let eye = eye_from.transform_point3(Vec3::ZERO);
            let way = eye_from.transform_vector3(view.ray(x_px, y_px)).normalize();
            let at = |i: u32| Vec3::from(l.body.vertices[i as usize].position);
            for t in l.body.solid.chunks_exact(3) {
                let met = meet(eye, way, at(t[0]), at(t[1]), at(t[2])).filter(|d| !taken(l, eye + way * *d));
                if let Some(d) = met.filter(|d| best.as_ref().is_none_or(|(b, _)| d < b)) {
                    best = Some((d, hit(l, l.body.parts[t[0] as usize])));
                }
            }
            for t in l.body.lines.chunks_exact(6) {
                let v = &l.body.vertices[t[0] as usize];
                let (Some((a, far)), Some((b, _))) = (l.on_screen(view, at(t[0])), l.on_screen(view, at(t[2]))) else { continue };
                let (a, b, p) = (Vec2::from(a), Vec2::from(b), Vec2::new(x_px, y_px));
                let s = ((p - a).dot(b - a) / (b - a).length_squared().max(1e-6)).clamp(0.0, 1.0);
                let under = p.distance(a.lerp(b, s)) <= (v.shape[2] + 2.0) * px && !taken(l, at(t[0]).lerp(at(t[2]), s));
                if under && best.as_ref().is_none_or(|(d, _)| far < *d) {
                    best = Some((far, hit(l, l.body.parts[t[0] as usize])));
                }
            }
        }
        best.map(|b| b.1)
    }
    /// The symbols of an overlay as they are drawn.
    pub fn gathered(&self, view: &View, id: &str) -> Vec<Gathered> {
        let layers = self.overlays.layers.iter().filter(|l| l.data.overlay.id == id);
        layers
            .flat_map(|l| {
                l.body.of.iter().filter_map(move |p| {
                    let (at, _) = l.on_screen(view, p.symbol?.0)?;
                    let items = l.clusters.items(p.node?).into_iter().map(|k| l.data.items[l.shown[k as usize] as usize].id.clone());
                    Some(Gathered { at, count: p.count, ids: items.collect() })
                })
            })
            .collect()
    }
}
