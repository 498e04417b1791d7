//! The twin in a browser's canvas: WebGPU where there is one, else WebGL 2. The page owns the loop and the network;
//! this side says what it wants and draws what it has.

use crate::{Kind, Label, Pace, PlanGrid, Quality, Renderer, Stage, TileHandle, about_width, gpu::Gpu, place};
use serde::Deserialize;
use strata_model::{Instant, WorkingFrame};
use strata_scene::{Action, Anchor, Answer, Camera, Mode, Scene, SectionBox};
use strata_tiles::decode_glb;
use wasm_bindgen::prelude::*;

#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    anchors: Vec<Anchor>,
    /// `[lon_deg, lat_deg, height_m]` when the scene's anchor is not there.
    #[serde(default)]
    centre: Option<[f64; 3]>,
    #[serde(default)]
    terrain_m: Option<[f32; 2]>,
    /// `low`, `medium` or `high`.
    #[serde(default = "medium")]
    quality: Quality,
    /// The city's own system of coordinates, and what ellipsoidal heights are more than heights in its datum.
    #[serde(default)]
    crs: Option<strata_model::Crs>,
    #[serde(default)]
    geoid_offset_m: f64,
    /// Water and flow stand still, as those want who asked for less motion.
    #[serde(default)]
    still: bool,
    /// A slower picture is no movement: where the adapter cannot keep this, moving pictures have fewer pixels.
    #[serde(default = "pictures_a_second")]
    pictures_a_second: f64,
}

fn pictures_a_second() -> f64 {
    24.0
}

fn medium() -> Quality {
    Quality::Medium
}

#[wasm_bindgen]
pub struct Twin {
    renderer: Renderer,
    stage: Stage,
    frame: Option<WorkingFrame>,
    last_ms: f64,
    pace: Pace,
    /// When the last picture of a movement was drawn.
    moved_ms: Option<f64>,
    /// Eye, heading and pitch of the last picture.
    seen: Option<([f64; 3], f64, f64)>,
    drawn: usize,
    settled: bool,
    draws: u32,
    surface: wgpu::Surface<'static>,
    config: wgpu::SurfaceConfiguration,
    layer_of: std::collections::BTreeMap<TileHandle, String>,
    shown: Vec<(TileHandle, f32)>,
    fading: bool,
    still: bool,
    /// Another day right of this share of the picture.
    swipe: Option<(i32, f32)>,
}

fn text(e: impl std::fmt::Display) -> JsValue {
    JsValue::from_str(&e.to_string())
}

#[wasm_bindgen]
impl Twin {
    /// For a canvas by its id, a scene file's text and the city's anchors.
    pub async fn create(canvas_id: &str, scene_json: &str, options_json: &str) -> Result<Twin, JsValue> {
        console_error_panic_hook::set_once();
        let scene = Scene::parse(scene_json).map_err(text)?;
        let options: Options = serde_json::from_str(options_json).map_err(text)?;
        let camera = match (scene.camera(&options.anchors), options.centre) {
            (Ok(camera), _) => camera,
            (Err(_), Some(centre)) => Camera::new(centre, scene.camera.distance_m, scene.camera.heading_deg, scene.camera.pitch_deg),
            (Err(e), None) => return Err(text(e)),
        };
        let canvas = web_sys::window()
            .and_then(|w| w.document())
            .and_then(|d| d.get_element_by_id(canvas_id))
            .and_then(|e| e.dyn_into::<web_sys::HtmlCanvasElement>().ok())
            .ok_or_else(|| text(format!("there is no canvas `{canvas_id}`")))?;
        let size = [canvas.width().max(1), canvas.height().max(1)];
        let instance = wgpu::util::new_instance_with_webgpu_detection(wgpu::InstanceDescriptor::new_without_display_handle()).await;
        let surface = instance.create_surface(wgpu::SurfaceTarget::Canvas(canvas)).map_err(text)?;
        let (gpu, adapter) = Gpu::on(&instance, Some(&surface)).await.map_err(text)?;
        let config = surface.get_default_config(&adapter, size[0], size[1]).ok_or_else(|| text("the canvas cannot be drawn on"))?;
        surface.configure(&gpu.device, &config);
        let renderer = Renderer::on(gpu, size, options.quality).map_err(text)?;
        let mut stage = Stage::new(&scene, camera, &|_| true, options.terrain_m, 576 << 20);
        stage.look.geoid_offset_m = options.geoid_offset_m;
        stage.stream.max_error_px = options.quality.error_px();
        let frame = options.crs.and_then(|crs| WorkingFrame::new(crs, options.geoid_offset_m).ok());
        Ok(Twin {
            renderer,
            stage,
            frame,
            last_ms: 0.0,
            pace: Pace::new(options.pictures_a_second),
            moved_ms: None,
            seen: None,
            drawn: 0,
            settled: false,
            draws: 0,
            surface,
            config,
            layer_of: Default::default(),
            shown: Vec::new(),
            fading: false,
            still: options.still,
            swipe: None,
        })
    }

    /// At most `n` addresses to fetch, most urgent first; each is named once until it is answered.
    pub fn wanted(&mut self, n: i32) -> Vec<String> {
        let urls: Vec<String> = self.stage.stream.wanted(n.max(0) as usize).into_iter().map(|r| r.url).collect();
        urls.iter().for_each(|u| self.stage.stream.started(u));
        urls
    }
    pub fn provide(&mut self, url: &str, bytes: &[u8]) {
        let Some(ready) = self.stage.stream.provide(url, Ok(bytes.to_vec())) else { return };
        match decode_glb(&ready.bytes) {
            Ok(content) => {
                let handle = self.renderer.upload(&content);
                self.layer_of.insert(handle, ready.layer.clone());
                self.stage.stream.loaded(&ready.url, handle, self.renderer.tile_bytes(handle));
            }
            Err(e) => self.stage.stream.failed(&ready.url, e.to_string()),
        }
    }
    /// The address did not come.
    pub fn refuse(&mut self, url: &str, reason: &str) {
        let _ = self.stage.stream.provide(url, Err(reason.to_owned()));
    }

    /// Selects for the camera as it stands: what is wanted and what will be drawn. Cheap; call it before `wanted`.
    pub fn tick(&mut self, now_ms: f64) {
        if self.renderer.watch().out_of_memory() {
            // Fewer tiles are kept from now on; the page is told by `stats`.
            self.stage.stream.set_budget((self.stage.stream.budget_bytes() / 2).max(16 << 20));
        }
        let dt = if self.last_ms > 0.0 { (now_ms - self.last_ms) / 1000.0 } else { 0.0 };
        self.last_ms = now_ms;
        let (renderer, handles) = (&self.renderer, self.handles());
        self.stage.navigator.advance(dt, &|at| renderer.ground_m(at, &handles));
        let view = self.stage.navigator.camera.view(self.renderer.size());
        self.stage.look.grid = self.frame.as_ref().and_then(|f| PlanGrid::at(f, view.enu.origin_in_ecef));
        self.stage.stream.set_beside(self.renderer.target_bytes());
        let update = self.stage.stream.update(&view, now_ms / 1000.0);
        for handle in update.evict {
            self.renderer.release(handle);
            self.layer_of.remove(&handle);
        }
        self.shown = update.draw.iter().map(|d| (d.handle, d.fade)).collect();
        self.fading = update.fading;
        self.drawn = self.shown.len();
        self.settled = update.settled;
    }
    /// Draws what the last `tick` selected; true when nothing more is to be drawn until something changes.
    pub fn frame(&mut self, now_ms: f64) -> Result<bool, JsValue> {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        let seen = (view.eye_in_ecef, view.heading_deg, view.pitch_deg);
        let moving = self.seen.replace(seen).is_some_and(|before| before != seen);
        if let Some(before) = self.moved_ms.filter(|_| moving) {
            self.pace.took(now_ms - before);
        }
        self.moved_ms = moving.then_some(now_ms);
        self.renderer.set_motion(moving.then(|| self.pace.share()));
        self.stage.look.time_s = if self.still { 0.0 } else { (now_ms / 1000.0 % 3600.0) as f32 };
        self.draws = self.renderer.draw_faded(&view, &self.stage.look, &self.shown).draws;
        match self.surface.get_current_texture() {
            wgpu::CurrentSurfaceTexture::Success(frame) | wgpu::CurrentSurfaceTexture::Suboptimal(frame) => {
                let target = frame.texture.create_view(&Default::default());
                match self.swipe {
                    None => self.renderer.blit(&target, self.config.format),
                    Some((day, share)) => {
                        let width = self.renderer.size()[0];
                        let at = (width as f32 * share.clamp(0.0, 1.0)).round() as u32;
                        self.renderer.blit_strip(&target, self.config.format, [0, at]);
                        let other = crate::Look { day, ..self.stage.look.clone() };
                        self.draws += self.renderer.draw_faded(&view, &other, &self.shown).draws;
                        self.renderer.blit_strip(&target, self.config.format, [at, width]);
                    }
                }
                self.renderer.queue().present(frame);
            }
            wgpu::CurrentSurfaceTexture::Lost | wgpu::CurrentSurfaceTexture::Outdated => {
                self.surface.configure(self.renderer.device(), &self.config);
                return Ok(false);
            }
            _ => return Ok(false),
        }
        // What was drawn in motion is drawn whole once it rests.
        Ok(!self.fading && !moving && !self.stage.navigator.moving())
    }
    pub fn resize(&mut self, width: u32, height: u32) -> Result<(), JsValue> {
        self.renderer.resize([width.max(1), height.max(1)]).map_err(text)?;
        [self.config.width, self.config.height] = self.renderer.size();
        self.surface.configure(self.renderer.device(), &self.config);
        Ok(())
    }

    /// Valid-time day; the light keeps its hour and season, so that only the city changes.
    pub fn set_time(&mut self, day: i32) {
        self.stage.look.day = day;
    }
    /// The light's clock, ms since 1970 UTC.
    pub fn set_clock(&mut self, ms: f64) {
        self.stage.set_clock(Instant(ms as i64));
    }
    pub fn set_camera(&mut self, lon: f64, lat: f64, h: f64, distance_m: f64, heading_deg: f64, pitch_deg: f64) {
        let camera = Camera {
            target: [lon, lat, h],
            distance_m: distance_m.clamp(strata_scene::NEAREST_M, strata_scene::FARTHEST_M),
            heading_deg,
            pitch_deg: pitch_deg.clamp(-89.5, 60.0),
            ..self.stage.navigator.camera
        };
        self.stage.navigator.set(camera);
    }
    /// JSON `{target, plan, distance_m, heading_deg, pitch_deg, gait, time_held}`; `plan` is the target in the city's own frame,
    /// east, north and height in its datum, m, or null.
    pub fn camera(&self) -> String {
        let n = &self.stage.navigator;
        let c = &n.camera;
        let plan = self.frame.as_ref().and_then(|f| f.working_from_ecef(strata_model::ecef_from_geographic(c.target)).ok());
        serde_json::json!({ "target": c.target, "plan": plan, "distance_m": c.distance_m, "heading_deg": c.heading_deg, "pitch_deg": c.pitch_deg,
            "gait": format!("{:?}", n.gait).to_lowercase(), "time_held": n.time_held })
        .to_string()
    }
    /// Turning by a drag, CSS px.
    pub fn turn(&mut self, dx: f64, dy: f64) {
        self.stage.navigator.turn(dx, dy);
    }
    /// The ground under the pointer follows it, px of the canvas.
    pub fn pan(&mut self, dx: f64, dy: f64) {
        self.stage.navigator.pan(dx, dy, self.renderer.size());
    }
    /// Nearer (< 1) or farther, towards what lies under a pixel of the canvas.
    pub fn zoom(&mut self, factor: f64, x: f32, y: f32) {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        let under =
            self.renderer.ground_under(&view, [x, y], &self.stage.look, &self.handles()).filter(|_| !self.stage.navigator.is_below());
        self.stage.navigator.zoom(factor, under);
    }
    /// A key goes down. `null`: not one of ours; `""`: the camera moves; else what is asked of the page:
    /// `underground`, `change ±1`, `years ±1`, `scene N`, `deselect`.
    pub fn press(&mut self, key: &str, shift: bool) -> Option<String> {
        Some(match self.stage.navigator.press(key, shift) {
            Answer::Unknown => return None,
            Answer::Moved => String::new(),
            Answer::Asked(Action::Underground) => "underground".into(),
            Answer::Asked(Action::Change(n)) => format!("change {n}"),
            Answer::Asked(Action::Years(n)) => format!("years {n}"),
            Answer::Asked(Action::Scene(n)) => format!("scene {n}"),
            Answer::Asked(Action::Deselect) => "deselect".into(),
            Answer::Asked(Action::Tool(tool)) => format!("tool {}", tool.name()),
        })
    }
    /// A key comes up; an empty name: all of them.
    pub fn release(&mut self, key: &str) {
        if key.is_empty() { self.stage.navigator.release_all() } else { self.stage.navigator.release(key) }
    }
    pub fn set_mode(&mut self, mode: &str) -> Result<(), JsValue> {
        self.stage.set_mode(serde_json::from_value(mode.into()).map_err(text)?);
        Ok(())
    }
    /// X-ray on a dark page.
    pub fn set_dim(&mut self, dim: bool) {
        self.stage.look.dim = dim;
    }
    /// A [`crate::SectionBox`] as JSON, or an empty text: none.
    pub fn set_section(&mut self, section_json: &str) -> Result<(), JsValue> {
        self.stage.look.section = match section_json {
            "" => None,
            json => Some(serde_json::from_str::<SectionBox>(json).map_err(text)?).filter(SectionBox::is_sound),
        };
        Ok(())
    }
    /// The same back: what the scene is cut by now.
    pub fn section(&self) -> Option<String> {
        self.stage.look.section.as_ref().and_then(|s| serde_json::to_string(s).ok())
    }
    pub fn set_layer(&mut self, id: &str, visible: bool, _opacity: f32) {
        self.stage.set_visible(id, visible);
    }
    pub fn select(&mut self, _layer: &str, id: &str) {
        self.renderer.select((!id.is_empty()).then_some(id));
    }
    /// Several ids, JSON.
    pub fn select_all(&mut self, ids_json: &str) -> Result<(), JsValue> {
        self.renderer.select_all(serde_json::from_str(ids_json).map_err(text)?);
        Ok(())
    }
    /// The feature under the pointer is drawn a little lighter; true when another picture is wanted.
    pub fn hover(&mut self, id: &str) -> bool {
        self.renderer.hover((!id.is_empty()).then_some(id))
    }
    /// `[lon_deg, lat_deg]` of a place in the city's own frame, m.
    pub fn geographic(&self, east_m: f64, north_m: f64) -> Option<Vec<f64>> {
        self.frame.as_ref()?.geographic_from_working([east_m, north_m]).ok().map(|p| p.to_vec())
    }
    /// A flight, as long as `seconds`; with none, a jump.
    pub fn fly_to(&mut self, lon: f64, lat: f64, h: f64, distance_m: f64, seconds: f64) {
        let c = &self.stage.navigator.camera;
        let pitch_deg = if c.pitch_deg > -15.0 { -35.0 } else { c.pitch_deg };
        let distance_m = distance_m.clamp(strata_scene::NEAREST_M, strata_scene::FARTHEST_M);
        let camera = Camera { target: [lon, lat, h], distance_m, pitch_deg, ..*c };
        self.stage.navigator.fly_to(camera, seconds);
    }
    /// JSON `{layer, id, place, snap}`: what lies under a pixel, held to corners, edges and axes within `snap_px`.
    pub fn probe(&self, x: f32, y: f32, snap_px: f32) -> Option<String> {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        let p = self.renderer.probe(&view, [x, y], &self.stage.look, &self.handles(), snap_px)?;
        let (layer, id) = p.feature.map_or((None, None), |(h, id)| (self.layer_of.get(&h).cloned(), Some(id)));
        Some(serde_json::json!({ "layer": layer, "id": id, "place": p.place, "snap": p.snap }).to_string())
    }
    /// JSON `{low_m, high_m, middle, radius_m}` of a body that is drawn.
    pub fn extent(&self, id: &str) -> Option<String> {
        self.renderer.extent(id, &self.handles()).and_then(|e| serde_json::to_string(&e).ok())
    }
    /// Height of the eye over the ground that is drawn, m.
    pub fn eye_over_ground(&self) -> Option<f64> {
        let eye = self.stage.navigator.eye();
        self.renderer.ground_m([eye[0], eye[1]], &self.handles()).map(|g| eye[2] - g)
    }
    /// JSON `[{layer, id}]` of what lies within a closed line, JSON `[[x, y]]` px of the canvas.
    pub fn within(&self, lasso_json: &str) -> Result<String, JsValue> {
        let lasso: Vec<[f32; 2]> = serde_json::from_str(lasso_json).map_err(text)?;
        let view = self.stage.navigator.camera.view(self.renderer.size());
        let found = self.renderer.within(&view, &lasso, &self.stage.look, &self.handles());
        let list: std::collections::BTreeSet<(String, String)> =
            found.into_iter().map(|(h, id)| (self.layer_of.get(&h).cloned().unwrap_or_default(), id)).collect();
        let list: Vec<_> = list.into_iter().map(|(layer, id)| serde_json::json!({ "layer": layer, "id": id })).collect();
        Ok(serde_json::Value::from(list).to_string())
    }
    /// JSON of [`strata_scene::measure::Length`] and `area` of the places JSON `[[lon, lat, h]]`.
    pub fn measure(&self, places_json: &str) -> Result<String, JsValue> {
        let places: Vec<[f64; 3]> = serde_json::from_str(places_json).map_err(text)?;
        let (length, area) = (strata_scene::measure::length(&places), strata_scene::measure::area(&places));
        Ok(serde_json::json!({ "length": length, "area": area }).to_string())
    }
    /// Land-use indices of a parcel, GeoJSON, by the buildings of a FeatureCollection, on the shown day.
    pub fn indices(&self, parcel_json: &str, buildings_json: &str) -> Result<String, JsValue> {
        let parcel: serde_json::Value = serde_json::from_str(parcel_json).map_err(text)?;
        let buildings: serde_json::Value = serde_json::from_str(buildings_json).map_err(text)?;
        let list = buildings["features"].as_array().map(Vec::as_slice).unwrap_or_default();
        serde_json::to_string(&strata_scene::measure::indices(&parcel, list, self.stage.look.day)).map_err(text)
    }
    /// An application layer, as `strata:overlays` describes one, with its features as GeoJSON.
    pub fn set_overlay(&mut self, overlay_json: &str, collection_json: &str) -> Result<(), JsValue> {
        let overlay = strata_scene::Overlay::read(serde_json::from_str(overlay_json).map_err(text)?, "overlay").map_err(text)?;
        let collection = serde_json::from_str(collection_json).map_err(text)?;
        self.renderer.set_overlay(&overlay, &collection, self.stage.navigator.camera.target[2]).map_err(text)
    }
    pub fn remove_overlay(&mut self, id: &str) {
        self.renderer.remove_overlay(id);
    }
    pub fn show_overlay(&mut self, id: &str, visible: bool) {
        self.renderer.show_overlay(id, visible);
    }
    pub fn set_pixel_ratio(&mut self, ratio: f32) {
        self.renderer.set_pixel_ratio(ratio);
    }
    /// What is known of a feature now: a value (NaN: none) and a colour `#RRGGBB` (empty: none); neither forgets it.
    pub fn set_state(&mut self, id: &str, value: f64, colour: &str) {
        let state = crate::State { value: value.is_finite().then_some(value), colour: strata_scene::overlay::hex(colour) };
        self.renderer.set_state(id, (state != crate::State::default()).then_some(state));
    }
    /// JSON `{overlay, id, value, count, no_data}` of what an overlay has under a pixel.
    pub fn pick_overlay(&self, x: f32, y: f32) -> Option<String> {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        self.renderer.pick_overlay(&view, &self.stage.look, x, y).and_then(|h| serde_json::to_string(&h).ok())
    }
    /// JSON `[{at, count, ids}]`: the symbols of an overlay as they are drawn, px of the canvas.
    pub fn gathered(&self, id: &str) -> Result<String, JsValue> {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        serde_json::to_string(&self.renderer.gathered(&view, id)).map_err(text)
    }
    /// Another date: buildings that came, changed and went since are coloured. `day` of `i32::MIN`: no longer.
    pub fn set_compare(&mut self, day: i32) {
        self.stage.look.compare = (day != i32::MIN).then_some(day);
    }
    /// Right of a share of the picture another day is shown. `day` of `i32::MIN`: no longer.
    pub fn set_swipe(&mut self, day: i32, share: f32) {
        self.swipe = (day != i32::MIN).then_some((day, share));
    }
    /// JSON `[{zh, en, entries: [{swatch, code, zh, en}], notes}]`: what the colours of this picture mean.
    pub fn legend(&self) -> Result<String, JsValue> {
        use crate::legend;
        let (view, look) = (self.stage.navigator.camera.view(self.renderer.size()), &self.stage.look);
        let found = self.renderer.found(&view, look, &self.handles());
        let mut sections: Vec<legend::Section> = self.renderer.overlays().map(legend::overlay).collect();
        if look.drape {
            sections.push(legend::land_uses(&found.land_uses));
        }
        if !found.control_lines.is_empty() {
            sections.push(legend::control_lines(&found.control_lines));
        }
        if !found.pipes.is_empty() {
            sections.push(legend::pipes(&found.pipes, look));
        }
        sections.push(legend::underground(look));
        if let Some(compared) = look.compare {
            let year = |day: i32| Instant::from_day(day).year();
            let mut states = legend::states([year(compared), year(look.day)], [0, 1, 0]);
            // How many there are is the record's to say, not the drawn tiles'.
            states.entries.iter_mut().for_each(|e| e.code.clear());
            sections.push(states);
        }
        sections.retain(|s| !s.entries.is_empty());
        serde_json::to_string(&sections).map_err(text)
    }
    fn handles(&self) -> Vec<TileHandle> {
        self.shown.iter().filter(|(_, fade)| *fade >= 0.0).map(|(h, _)| *h).collect()
    }
    /// Why nothing can be drawn any more, when the device is gone: the page opens the twin anew.
    pub fn lost(&self) -> Option<String> {
        self.renderer.watch().lost()
    }
    /// Takes the device away, as a driver's reset would: what the page does then can be seen.
    pub fn lose(&self) {
        self.renderer.device().destroy();
    }
    /// `[x, y, distance]` in px of the canvas, or nothing behind the eye.
    pub fn project(&self, lon: f64, lat: f64, h: f64) -> Option<Vec<f32>> {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        view.project(strata_model::ecef_from_geographic([lon, lat, h])).map(|(p, d)| vec![p[0], p[1], d])
    }
    /// JSON `{layer, id, distance_m}` of what lies under a pixel, or nothing.
    pub fn pick(&self, x: f32, y: f32) -> Option<String> {
        let view = self.stage.navigator.camera.view(self.renderer.size());
        let (handle, id, distance_m) = self.renderer.pick(&view, [x, y], &self.stage.look, &self.handles())?;
        let layer = self.layer_of.get(&handle).cloned().unwrap_or_default();
        Some(serde_json::json!({ "layer": layer, "id": id, "distance_m": distance_m }).to_string())
    }
    /// JSON `[{text, at, angle_deg, size_px, ink, halo, rank, kind}]`: the words of this view, placed without a collision, px of
    /// the canvas, the most important first. `places` is JSON `[{text, lon, lat, height_m, rank}]`, names that no tile has;
    /// `text_px` is the em of ordinary words; at most `most` are given.
    pub fn labels(&self, places_json: &str, text_px: f32, most: u32) -> Result<String, JsValue> {
        #[derive(Deserialize)]
        struct Place {
            text: String,
            lon: f64,
            lat: f64,
            height_m: f64,
            rank: i64,
        }
        let places: Vec<Place> = serde_json::from_str(places_json).map_err(text)?;
        let view = self.stage.navigator.camera.view(self.renderer.size());
        let shown = self.handles();
        let mut words = self.renderer.words(&view, &self.stage.look, &shown, text_px);
        for p in places.into_iter().filter(|_| self.stage.look.mode == Mode::Surface) {
            let Some((at, far)) = view.project(strata_model::ecef_from_geographic([p.lon, p.lat, p.height_m])) else { continue };
            if f64::from(far) < view.distance_m * 4.0 {
                let size_px = text_px * if p.rank <= 1 { 1.25 } else { 1.1 };
                words.push(Label { apart_px: 1.0, ..Label::new(Kind::Place, p.text, at, size_px, p.rank) });
            }
        }
        let seen = |l: &Label| l.far_m.is_none_or(|far| !self.renderer.hides(&view, &self.stage.look, &shown, l.at, far));
        let mut placed = place(words, self.renderer.size(), &about_width, &seen);
        placed.truncate(most as usize);
        serde_json::to_string(&placed).map_err(text)
    }
    /// JSON `{drawn, settled, draws, bytes, budget, fault, adapter, missing}`; a fault is named once.
    pub fn stats(&self) -> String {
        serde_json::json!({ "drawn": self.drawn, "settled": self.settled, "draws": self.draws, "bytes": self.renderer.gpu_bytes(),
            "budget": self.stage.stream.budget_bytes(), "fault": self.renderer.watch().fault(),
            "adapter": self.renderer.adapter(), "missing": self.stage.stream.failures().len() })
        .to_string()
    }
}
