//! The city in a window of the desktop: the same renderer, scenes and hands as in the browser.
//!
//! The window draws when something changed and sleeps otherwise. Tiles are fetched and decoded on threads of their own;
//! the picture's thread uploads a few milliseconds' worth a frame. A lost device is opened anew and its tiles are asked
//! for again; a full memory halves the budget, then the quality; a hidden window and one of no size draw nothing.

mod screen;
mod script;

pub use script::{Script, Step};

use crate::{Pace, PlanGrid, Quality, RenderError, Stage, TileHandle};
use screen::{Drawn, Screen};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant as Clock},
};
use strata_model::Instant;
use strata_scene::{Action, Anchor, Answer, Camera, Gait, Mode, Scene};
use strata_tiles::{content::TileContent, decode_glb};
use winit::{
    application::ApplicationHandler,
    dpi::{LogicalSize, PhysicalPosition, PhysicalSize},
    event::{ElementState, MouseButton, MouseScrollDelta, WindowEvent},
    event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy},
    keyboard::{Key, NamedKey},
    window::{Window, WindowId},
};

/// Address → bytes, or why not. Called from several threads.
pub type Fetch = Arc<dyn Fn(&str) -> Result<Vec<u8>, String> + Send + Sync>;

pub struct WindowOptions {
    pub title: String,
    /// Logical pixels; the screen's scale makes them physical.
    pub size: [u32; 2],
    pub quality: Quality,
    pub budget_bytes: u64,
    /// Every scene of the city; keys 1–9 take the first nine.
    pub scenes: Vec<Scene>,
    /// Which of them opens.
    pub first: usize,
    pub camera: Option<Camera>,
    pub anchors: Vec<Anchor>,
    /// Layers that the city has and the reader may see.
    pub layers: Vec<String>,
    pub terrain_m: Option<[f32; 2]>,
    pub geoid_offset_m: f64,
    /// The city's plan metres at a place in ECEF, for the grid overhead.
    pub grid: Box<dyn Fn([f64; 3]) -> Option<PlanGrid>>,
    /// Days on which something of the city came or went, ascending.
    pub changes: Vec<i32>,
    pub fetch: Fetch,
    /// The features of a scene's overlay, GeoJSON.
    pub source: Box<dyn Fn(&strata_scene::Overlay) -> Result<serde_json::Value, String>>,
    /// Text of a script that plays; the window closes when it is over.
    pub script: Option<String>,
}

/// Opens the window and stays until it is closed. To be called on the program's first thread.
pub fn window(options: WindowOptions) -> Result<(), RenderError> {
    let script = options.script.as_deref().map(script::parse).transpose()?;
    let event_loop = EventLoop::<Came>::with_user_event().build().map_err(|e| RenderError::NoWindow(e.to_string()))?;
    let errands = errands(options.fetch.clone(), event_loop.create_proxy());
    let stage = stage(&options, options.first, options.camera)?;
    let mut app = App {
        scene: options.first,
        options,
        errands,
        stage,
        screen: None,
        shown: Vec::new(),
        layer_of: BTreeMap::new(),
        arrived: Vec::new(),
        flying: 0,
        settled: false,
        dirty: true,
        urgent: true,
        drawn_at: Clock::now(),
        pace: Pace::new(PICTURES_A_SECOND[0]),
        moved: false,
        hidden: false,
        pointer: PhysicalPosition::new(0.0, 0.0),
        held: None,
        dragged: 0.0,
        shift: false,
        last: Clock::now(),
        clock_s: 0.0,
        frames: 0,
        restarts: 0,
        script,
        waiting: Waiting::Nothing,
        outcome: Ok(()),
    };
    event_loop.run_app(&mut app).map_err(|e| RenderError::NoWindow(e.to_string()))?;
    app.outcome
}

fn stage(options: &WindowOptions, scene: usize, camera: Option<Camera>) -> Result<Stage, RenderError> {
    let scene = options.scenes.get(scene).ok_or_else(|| RenderError::NoWindow("the city has no scene".into()))?;
    let camera = match camera {
        Some(c) => c,
        None => scene.camera(&options.anchors)?,
    };
    let mut stage = Stage::new(scene, camera, &|id| options.layers.iter().any(|l| l == id), options.terrain_m, options.budget_bytes);
    stage.stream.fade_s = FADE_S;
    stage.stream.max_error_px = options.quality.error_px();
    stage.look.geoid_offset_m = options.geoid_offset_m;
    Ok(stage)
}

/// Tiles melt into each other over this time.
pub(crate) const FADE_S: f64 = 0.25;
/// Requests under way at once; as many threads fetch as the machine has processors.
const AT_ONCE: usize = 8;
const UPLOAD: Duration = Duration::from_millis(12);
/// A slower picture is no movement: where the adapter cannot keep this, moving pictures have fewer pixels.
/// Of the software adapter, and of a graphics card.
const PICTURES_A_SECOND: [f64; 2] = [24.0, 60.0];
const WHILE_LOADING: Duration = Duration::from_millis(300);
/// A script's clock: every frame is a thirtieth of a second, however long it takes.
const SCRIPT_STEP_S: f64 = 1.0 / 30.0;

/// An answer to a request.
struct Came {
    url: String,
    bytes: Result<Vec<u8>, String>,
    content: Option<Result<TileContent, String>>,
}

fn errands(fetch: Fetch, proxy: EventLoopProxy<Came>) -> mpsc::Sender<String> {
    let (sender, receiver) = mpsc::channel::<String>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).clamp(2, AT_ONCE) {
        let (receiver, fetch, proxy) = (receiver.clone(), fetch.clone(), proxy.clone());
        std::thread::spawn(move || {
            loop {
                let next = receiver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                let Ok(url) = next else { return };
                let bytes = fetch(&url);
                let glb = bytes.as_ref().ok().filter(|b| b.starts_with(b"glTF"));
                let content = glb.map(|b| decode_glb(b).map_err(|e| e.to_string()));
                if proxy.send_event(Came { url, bytes, content }).is_err() {
                    return;
                }
            }
        });
    }
    sender
}

#[derive(PartialEq)]
enum Waiting {
    Nothing,
    Settle,
    Frames(u32),
    /// A key is down for so many more seconds.
    Held(String, f64),
    Size([u32; 2], u32),
}

struct App {
    options: WindowOptions,
    errands: mpsc::Sender<String>,
    /// Of the options' scenes.
    scene: usize,
    stage: Stage,
    screen: Option<Screen>,
    shown: Vec<(TileHandle, f32)>,
    layer_of: BTreeMap<TileHandle, String>,
    arrived: Vec<Came>,
    flying: usize,
    settled: bool,
    dirty: bool,
    /// A hand did something since the last picture.
    urgent: bool,
    drawn_at: Clock,
    pace: Pace,
    /// The last picture was one of a movement: the next at rest is drawn whole.
    moved: bool,
    hidden: bool,
    pointer: PhysicalPosition<f64>,
    /// The button that is down.
    held: Option<MouseButton>,
    dragged: f64,
    shift: bool,
    last: Clock,
    clock_s: f64,
    frames: u64,
    restarts: u32,
    script: Option<Script>,
    waiting: Waiting,
    outcome: Result<(), RenderError>,
}

impl ApplicationHandler<Came> for App {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        if self.screen.is_some() {
            return;
        }
        let [w, h] = self.options.size;
        let attributes = Window::default_attributes().with_title(&self.options.title).with_inner_size(LogicalSize::new(w, h));
        let opened = event_loop
            .create_window(attributes)
            .map_err(|e| RenderError::NoWindow(e.to_string()))
            .and_then(|w| Screen::open(Arc::new(w), self.options.quality));
        match opened {
            Ok(screen) => {
                screen.window.request_redraw();
                // No more than the screen shows.
                let shown =
                    screen.window.current_monitor().and_then(|m| m.refresh_rate_millihertz()).map_or(f64::INFINITY, |m| f64::from(m) / 1e3);
                self.pace = Pace::new(PICTURES_A_SECOND[usize::from(!screen.renderer.is_software())].min(shown));
                self.screen = Some(screen);
                self.lay();
            }
            Err(e) => self.end(event_loop, Err(e)),
        }
    }
    fn user_event(&mut self, _: &ActiveEventLoop, came: Came) {
        self.flying = self.flying.saturating_sub(1);
        self.arrived.push(came);
        self.wake();
    }
    fn window_event(&mut self, event_loop: &ActiveEventLoop, _: WindowId, event: WindowEvent) {
        match event {
            WindowEvent::CloseRequested => self.end(event_loop, Ok(())),
            WindowEvent::Resized(size) => {
                if let Some(screen) = &mut self.screen {
                    screen.resize([size.width, size.height]);
                }
                self.wake();
            }
            WindowEvent::ScaleFactorChanged { .. } => self.wake(),
            WindowEvent::Occluded(hidden) => {
                self.hidden = hidden;
                self.wake();
            }
            WindowEvent::Focused(false) => self.stage.navigator.release_all(),
            WindowEvent::ModifiersChanged(m) => self.shift = m.state().shift_key(),
            WindowEvent::KeyboardInput { event, .. } => {
                let Some(name) = key_name(&event.logical_key) else { return };
                match event.state {
                    ElementState::Pressed if event.repeat => {}
                    ElementState::Pressed => self.key(&name),
                    ElementState::Released => self.stage.navigator.release(&name),
                }
                self.wake();
            }
            WindowEvent::CursorMoved { position, .. } => self.moved(position),
            WindowEvent::MouseInput { state, button, .. } => match state {
                ElementState::Pressed => (self.held, self.dragged) = (Some(button), 0.0),
                ElementState::Released => {
                    if self.held.take() == Some(MouseButton::Left) && self.dragged < 4.0 {
                        self.choose();
                    }
                }
            },
            WindowEvent::MouseWheel { delta, .. } => {
                let notches = match delta {
                    MouseScrollDelta::LineDelta(_, y) => f64::from(y),
                    // A finger's pixels are physical: the screen's scale makes them as long as they look.
                    MouseScrollDelta::PixelDelta(p) => p.y / (60.0 * self.screen.as_ref().map_or(1.0, |s| s.window.scale_factor())),
                };
                self.wheel(notches);
            }
            WindowEvent::PinchGesture { delta, .. } => self.wheel(delta * 6.0),
            WindowEvent::RedrawRequested => self.frame(event_loop),
            _ => {}
        }
    }
    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        let busy = self.dirty || !self.arrived.is_empty() || self.stage.navigator.moving() || self.script.is_some();
        if busy && !self.hidden {
            self.wake();
        }
        event_loop.set_control_flow(ControlFlow::Wait);
    }
}

/// As `KeyboardEvent.key` has it.
fn key_name(key: &Key) -> Option<String> {
    Some(match key {
        Key::Character(c) => c.to_string(),
        Key::Named(n) => match n {
            NamedKey::ArrowLeft => "ArrowLeft",
            NamedKey::ArrowRight => "ArrowRight",
            NamedKey::ArrowUp => "ArrowUp",
            NamedKey::ArrowDown => "ArrowDown",
            NamedKey::PageUp => "PageUp",
            NamedKey::PageDown => "PageDown",
            NamedKey::Home => "Home",
            NamedKey::Escape => "Escape",
            NamedKey::Shift => "Shift",
            _ => return None,
        }
        .into(),
        _ => return None,
    })
}

impl App {
    fn end(&mut self, event_loop: &ActiveEventLoop, outcome: Result<(), RenderError>) {
        self.outcome = outcome;
        self.screen = None;
        event_loop.exit();
    }
    /// What a hand did shows in the next picture.
    fn touched(&mut self) {
        (self.dirty, self.urgent) = (true, true);
        self.wake();
    }
    fn wake(&mut self) {
        if let Some(screen) = &self.screen {
            screen.window.request_redraw();
        }
    }
    fn handles(&self) -> Vec<TileHandle> {
        self.shown.iter().filter(|(_, fade)| *fade >= 0.0).map(|(h, _)| *h).collect()
    }
    fn key(&mut self, name: &str) {
        match self.stage.navigator.press(name, self.shift) {
            Answer::Unknown => return,
            Answer::Moved => {}
            Answer::Asked(action) => self.act(action),
        }
        self.touched();
        self.caption();
    }
    fn act(&mut self, action: Action) {
        let day = self.stage.look.day;
        match action {
            Action::Underground => {
                let next = self.stage.next_mode();
                self.stage.set_mode(next);
            }
            Action::Change(step) => {
                let next = if step > 0 {
                    self.options.changes.iter().find(|d| **d > day)
                } else {
                    self.options.changes.iter().rev().find(|d| **d < day)
                };
                self.stage.look.day = next.copied().unwrap_or(day);
            }
            Action::Years(step) => {
                let at = Instant::from_day(day);
                let moved = Instant::from_ymd(at.year() + step, 1, 1).day() + day - Instant::from_ymd(at.year(), 1, 1).day();
                self.stage.look.day = moved;
            }
            Action::Scene(n) => self.go_to(n - 1),
            // Panels are the page's.
            Action::Tool(_) => {}
            Action::Deselect => {
                if let Some(r) = self.screen.as_mut().map(|s| &mut s.renderer) {
                    r.select(None);
                }
            }
        }
    }
    /// Another scene: its layers, light and camera, with a short flight there.
    fn go_to(&mut self, scene: usize) {
        let Ok(mut next) = stage(&self.options, scene, None) else { return };
        let (from, to) = (self.stage.navigator.camera, next.navigator.camera);
        let below = self.stage.navigator.is_below() || next.navigator.is_below();
        if !below && self.stage.navigator.gait == Gait::Orbit {
            next.navigator.camera = from;
            next.navigator.fly_to(to, 1.2);
        }
        if let Some(screen) = &mut self.screen {
            self.layer_of.keys().for_each(|h| screen.renderer.release(*h));
        }
        self.layer_of.clear();
        self.shown.clear();
        self.stage = next;
        self.scene = scene;
        self.lay();
    }
    /// The scene's overlays, and no others.
    fn lay(&mut self) {
        let Some(screen) = &mut self.screen else { return };
        screen.renderer.set_pixel_ratio(screen.window.scale_factor() as f32);
        screen.renderer.clear_overlays();
        for overlay in self.options.scenes.get(self.scene).map_or(&[][..], |s| &s.overlays) {
            let laid = (self.options.source)(overlay)
                .and_then(|c| screen.renderer.set_overlay(overlay, &c, self.stage.navigator.camera.target[2]).map_err(|e| e.to_string()));
            if let Err(e) = laid {
                eprintln!("strata: {e}");
            }
        }
    }
    fn moved(&mut self, to: PhysicalPosition<f64>) {
        let (dx, dy) = (to.x - self.pointer.x, to.y - self.pointer.y);
        self.pointer = to;
        if let Some(button) = self.held {
            self.dragged += dx.abs() + dy.abs();
            self.drag((button == MouseButton::Left && !self.shift) || self.stage.navigator.gait != Gait::Orbit, dx, dy);
        }
    }
    fn drag(&mut self, turning: bool, dx: f64, dy: f64) {
        let Some(screen) = &self.screen else { return };
        let scale = screen.window.scale_factor();
        if turning {
            self.stage.navigator.turn(dx / scale, dy / scale);
        } else {
            self.stage.navigator.pan(dx, dy, screen.size());
        }
        self.touched();
    }
    fn wheel(&mut self, notches: f64) {
        let Some(screen) = &self.screen else { return };
        let view = self.stage.navigator.camera.view(screen.size());
        let under = screen.renderer.ground_under(&view, [self.pointer.x as f32, self.pointer.y as f32], &self.stage.look, &self.handles());
        let under = under.filter(|_| !self.stage.navigator.is_below());
        self.stage.navigator.zoom((-notches * 0.15).exp(), under);
        self.touched();
    }
    fn choose(&mut self) {
        let handles = self.handles();
        let Some(screen) = &mut self.screen else { return };
        let view = self.stage.navigator.camera.view(screen.size());
        let hit = screen.renderer.pick(&view, [self.pointer.x as f32, self.pointer.y as f32], &self.stage.look, &handles);
        screen.renderer.select(hit.as_ref().map(|(_, id, _)| id.as_str()));
        if let Some((tile, id, far)) = hit {
            println!("{} {id} {far:.1} m", self.layer_of.get(&tile).map_or("", String::as_str));
        }
        self.touched();
    }
    /// The title says the date, what is held and how one moves.
    fn caption(&self) {
        let Some(screen) = &self.screen else { return };
        let date = Instant::from_day(self.stage.look.day).to_string();
        let time = if self.stage.navigator.time_held { " · ←→" } else { "" };
        let gait = match self.stage.navigator.gait {
            Gait::Orbit => "",
            Gait::Walk => " · 步行 walk",
            Gait::Fly => " · 飞行 fly",
        };
        screen.window.set_title(&format!("{} · {}{time}{gait}", self.options.title, date.get(..10).unwrap_or(&date)));
    }

    fn frame(&mut self, event_loop: &ActiveEventLoop) {
        let Some(screen) = &mut self.screen else { return };
        let real = self.last.elapsed().as_secs_f64();
        self.last = Clock::now();
        self.clock_s += if self.script.is_some() { SCRIPT_STEP_S } else { real };
        let dt = if self.script.is_some() { SCRIPT_STEP_S } else { real };
        match screen.recover() {
            Ok(None) => {}
            Ok(Some(said)) => {
                eprintln!("strata: {said}");
                self.restarts += 1;
                self.layer_of.clear();
                self.shown.clear();
                self.stage.stream.forget();
                self.dirty = true;
                self.lay();
            }
            Err(e) => return self.end(event_loop, Err(e)),
        }
        let Some(screen) = &mut self.screen else { return };
        if screen.renderer.watch().out_of_memory() {
            let less = self.stage.stream.budget_bytes() / 2;
            if less < 16 << 20 {
                return self.end(event_loop, Err(RenderError::Memory));
            }
            eprintln!("strata: graphics memory is full; at most {} MiB of tiles are kept from now on", less >> 20);
            self.stage.stream.set_budget(less);
            if let Err(e) = screen.lower() {
                return self.end(event_loop, Err(e));
            }
            self.dirty = true;
        }
        self.upload(Duration::from_secs_f64(real));
        let handles = self.handles();
        let Some(screen) = &mut self.screen else { return };
        let renderer = &screen.renderer;
        let moved = self.stage.navigator.advance(dt, &|at| renderer.ground_m(at, &handles));
        let view = self.stage.navigator.camera.view(screen.size());
        self.stage.stream.set_beside(renderer.target_bytes());
        let update = self.stage.stream.update(&view, self.clock_s);
        for handle in &update.evict {
            screen.renderer.release(*handle);
            self.layer_of.remove(handle);
        }
        // What has come and waits for its upload counts: decoded tiles would pile up where pictures take long.
        for request in self.stage.stream.wanted(AT_ONCE.saturating_sub(self.flying + self.arrived.len())) {
            self.stage.stream.started(&request.url);
            self.flying += 1;
            let _ = self.errands.send(request.url);
        }
        let shown: Vec<(TileHandle, f32)> = update.draw.iter().map(|d| (d.handle, d.fade)).collect();
        let fading = shown.iter().any(|(_, fade)| *fade < 1.0);
        self.dirty |= moved || fading || shown != self.shown;
        self.settled = update.settled && self.flying == 0 && self.arrived.is_empty() && !fading;
        self.shown = shown;
        // While tiles come in, the picture is renewed a few times a second, not for every tile: a slow adapter would do
        // nothing else. A hand that moves the camera is answered at once.
        let counted = matches!(self.waiting, Waiting::Frames(_));
        let patient = !moved && !self.urgent && !self.settled && self.drawn_at.elapsed() < WHILE_LOADING;
        if (counted || (self.dirty && !patient)) && !self.hidden {
            self.drawn_at = Clock::now();
            self.urgent = false;
            if self.stage.look.mode == Mode::Below {
                self.stage.look.grid = (self.options.grid)(view.enu.origin_in_ecef);
            }
            self.stage.look.time_s = (self.clock_s % 3600.0) as f32;
            // A script's pictures are looked at.
            let moving = moved && self.script.is_none();
            if moving && self.moved {
                self.pace.took(real * 1e3);
            }
            self.moved = moving;
            screen.renderer.set_motion(moving.then(|| self.pace.share()));
            match screen.draw(&view, &self.stage.look, &self.shown) {
                Drawn::Yes => {
                    self.frames += 1;
                    self.dirty = fading || moving;
                }
                Drawn::Nothing => self.dirty = false,
                Drawn::Again => self.dirty = true,
            }
        }
        self.play(event_loop);
    }
    /// As many of the answers as fit into a part of a frame; a picture that takes long leaves them more.
    fn upload(&mut self, last_frame: Duration) {
        let Some(screen) = &mut self.screen else { return };
        let until = Clock::now() + (last_frame / 4).max(UPLOAD);
        self.arrived.reverse();
        while let Some(came) = self.arrived.pop() {
            let Some(ready) = self.stage.stream.provide(&came.url, came.bytes) else { continue };
            match came.content {
                Some(Ok(content)) => {
                    let handle = screen.renderer.upload(&content);
                    self.layer_of.insert(handle, ready.layer);
                    self.stage.stream.loaded(&ready.url, handle, screen.renderer.tile_bytes(handle));
                    self.dirty = true;
                }
                Some(Err(e)) => self.stage.stream.failed(&ready.url, e),
                None => self.stage.stream.failed(&ready.url, "it is no binary glTF"),
            }
            if Clock::now() >= until {
                break;
            }
        }
        self.arrived.reverse();
    }

    /// The next steps of the script, until one wants frames to pass.
    fn play(&mut self, event_loop: &ActiveEventLoop) {
        loop {
            let size = self.screen.as_ref().map(|s| s.window.inner_size()).unwrap_or_default();
            match std::mem::replace(&mut self.waiting, Waiting::Nothing) {
                Waiting::Nothing => {}
                Waiting::Settle if self.settled && !self.dirty && !self.stage.navigator.moving() => {}
                Waiting::Frames(0) => {}
                Waiting::Frames(n) => return self.waiting = Waiting::Frames(n - 1),
                Waiting::Held(key, s) if s <= 0.0 => self.stage.navigator.release(&key),
                Waiting::Held(key, s) => return self.waiting = Waiting::Held(key, s - SCRIPT_STEP_S),
                // Where no window manager answers, the wish is given up after a while and `say` tells.
                Waiting::Size(want, 0) => {
                    eprintln!("strata: the window stays {} × {}, not {} × {}", size.width, size.height, want[0], want[1])
                }
                Waiting::Size(want, n) if [size.width, size.height] != want => return self.waiting = Waiting::Size(want, n - 1),
                Waiting::Size(..) => {}
                Waiting::Settle => return self.waiting = Waiting::Settle,
            }
            let Some(script) = &mut self.script else { return };
            let Some(step) = script.pop_front() else { return self.end(event_loop, Ok(())) };
            match step {
                Step::Settle => (self.waiting, self.settled) = (Waiting::Settle, false),
                Step::Frames(n) => self.waiting = Waiting::Frames(n),
                Step::Key(k) => {
                    self.key(&k);
                    self.stage.navigator.release(&k);
                }
                Step::Hold(k, s) => {
                    self.key(&k);
                    self.waiting = Waiting::Held(k, s);
                }
                Step::Drag { turning, dx_px, dy_px } => self.drag(turning, dx_px, dy_px),
                Step::Wheel(n) => {
                    let [w, h] = self.screen.as_ref().map(Screen::size).unwrap_or_default();
                    self.pointer = PhysicalPosition::new(f64::from(w) / 2.0, f64::from(h) / 2.0);
                    self.wheel(n);
                }
                Step::Resize([w, h]) => {
                    if let Some(screen) = &self.screen {
                        let _ = screen.window.request_inner_size(PhysicalSize::new(w, h));
                    }
                    self.waiting = Waiting::Size([w, h], 200);
                }
                Step::Lose => {
                    self.dirty = true;
                    if let Some(screen) = &self.screen {
                        screen.renderer.device().destroy();
                    }
                    self.waiting = Waiting::Frames(2);
                }
                Step::Shot(path) => {
                    let Some(screen) = &self.screen else { return };
                    let picture = screen.renderer.read_rgba().map(|rgba| crate::Picture {
                        size: screen.renderer.size(),
                        rgba,
                        stats: Default::default(),
                        tiles: self.handles(),
                        missing: Vec::new(),
                    });
                    if let Err(e) = picture.and_then(|p| p.write_png(&path)) {
                        return self.end(event_loop, Err(e));
                    }
                }
                Step::Say => println!("{}", self.state()),
                Step::Close => return self.end(event_loop, Ok(())),
            }
        }
    }
    fn state(&self) -> serde_json::Value {
        let c = &self.stage.navigator.camera;
        let window = self.screen.as_ref().map(|s| (s.window.inner_size(), s.window.scale_factor()));
        serde_json::json!({
            "camera": [c.target[0], c.target[1], c.target[2], c.distance_m, c.heading_deg, c.pitch_deg],
            "eye": self.stage.navigator.eye(),
            "ground_m": self.screen.as_ref().and_then(|s| {
                let eye = self.stage.navigator.eye();
                s.renderer.ground_m([eye[0], eye[1]], &self.handles())
            }),
            "size": window.map(|(s, _)| [s.width, s.height]),
            "scale": window.map(|(_, s)| s),
            "mode": self.stage.look.mode,
            "day": self.stage.look.day,
            "frames": self.frames,
            "drawn": self.shown.len(),
            "restarts": self.restarts,
            "missing": self.stage.stream.failures().len(),
            "adapter": self.screen.as_ref().map(|s| s.renderer.adapter().to_owned()),
        })
    }
}
