//! Measures the renderer on this machine, over a recorded flight.

use crate::{Failure, serve, view::Preset};
use clap::{Args, Subcommand};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    sync::{Mutex, mpsc},
    time::Instant as Clock,
};
use strata_model::Scope;
use strata_render::{FrameStats, Pace, Quality, Renderer, Stage, TileHandle};
use strata_scene::{Flight, Scene, View};
use strata_server::CityState;
use strata_tiles::{TilesError, content::TileContent};

#[derive(Subcommand)]
pub enum Bench {
    /// Flies over the city: first picture, a flight that loads its tiles, the same flight again, the time slider.
    Render(Render),
}

#[derive(Args)]
pub struct Render {
    city: PathBuf,
    /// A scene of the program or of the city: its layers and its light.
    #[arg(long, default_value = "planner")]
    scene: String,
    /// Cameras at moments, `[{t_s, anchor | target, distance_m, heading_deg, pitch_deg}]`; a flight over the anchors of the
    /// synthetic cities when not given.
    #[arg(long)]
    path: Option<PathBuf>,
    #[arg(long, default_value = "1280x720")]
    size: String,
    #[arg(long, value_enum, default_value_t = Preset::Medium)]
    preset: Preset,
    /// Pictures of each flight, evenly spaced in its time: eight a second when not given.
    #[arg(long)]
    frames: Option<u32>,
    /// Every picture of the flights has all its pixels and exact shadows, as one at rest has.
    #[arg(long)]
    exact: bool,
    /// MiB of graphics memory in all: what is drawn into, and tiles in the rest of it.
    #[arg(long, default_value_t = 960)]
    budget_mib: u64,
}

const FLIGHT: &str = include_str!("../../../benches/flight.json");
/// Tiles that may come between two pictures.
const TILES_A_FRAME: usize = 8;

#[derive(Default, Clone)]
struct Frame {
    t_s: f64,
    select_ms: f64,
    load_ms: f64,
    /// Selection, drawing and waiting for the picture, in a row for the one before; not the loading of tiles.
    frame_ms: f64,
    /// Of the picture's width and height.
    share: f32,
    passes: Vec<(&'static str, f64)>,
    stats: FrameStats,
    tiles: usize,
    settled: bool,
}

struct Flown<'a> {
    state: &'a CityState,
    stage: Stage,
    renderer: Renderer,
    scope: Scope,
    bytes: u64,
    requests: u64,
    most_gpu_bytes: u64,
    pace: Option<Pace>,
    /// A picture is made ready while the last one is drawn, as in a window; else each is waited for, and its passes are timed.
    in_a_row: bool,
}

/// A slower picture is no movement: where the adapter cannot keep this, moving pictures have fewer pixels. Of the software
/// adapter, and of a graphics card.
const PICTURES_A_SECOND: [f64; 2] = [10.0, 60.0];

fn ms(since: Clock) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|v| v.parse().ok()).unwrap_or(f64::NAN)
}

/// Nearest rank.
fn quantile(values: &[f64], q: f64) -> f64 {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    v.get(((q * v.len() as f64).ceil() as usize).clamp(1, v.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

fn rounded(v: f64) -> f64 {
    (v * 100.0).round() / 100.0
}

type Made = (Result<Vec<u8>, String>, Option<Result<TileContent, TilesError>>);

/// A tile made and read.
fn make(state: &CityState, scope: &Scope, url: &str) -> Made {
    let answer = strata_server::content(state, url, scope).map(|c| c.bytes.to_vec()).map_err(|p| format!("{p:?}"));
    let content = answer.as_ref().ok().filter(|b| b.starts_with(b"glTF")).map(|b| strata_tiles::decode_glb(b));
    (answer, content)
}

impl Flown<'_> {
    /// Up to `n` of the tiles that are wanted; milliseconds that they took.
    fn fetch(&mut self, n: usize) -> f64 {
        let began = Clock::now();
        let wanted = self.stage.stream.wanted(n);
        wanted.iter().for_each(|r| self.stage.stream.started(&r.url));
        // Made and read by several threads, as in a window; handed over in the order of asking.
        let (state, scope) = (self.state, &self.scope);
        let made: Vec<_> = std::thread::scope(|s| {
            let lanes: Vec<_> = wanted.iter().map(|r| s.spawn(move || make(state, scope, &r.url))).collect();
            lanes.into_iter().map(|l| l.join()).collect()
        });
        for (request, made) in wanted.iter().zip(made) {
            self.take(&request.url, made.unwrap_or_else(|_| (Err("making it failed".into()), None)));
        }
        ms(began)
    }
    fn take(&mut self, url: &str, (answer, content): Made) {
        self.requests += 1;
        self.bytes += answer.as_ref().map_or(0, |b| b.len() as u64);
        let Some(ready) = self.stage.stream.provide(url, answer) else { return };
        match content.unwrap_or_else(|| strata_tiles::decode_glb(&ready.bytes)) {
            Ok(content) => {
                let handle = self.renderer.upload(&content);
                self.stage.stream.loaded(&ready.url, handle, self.renderer.tile_bytes(handle));
            }
            Err(e) => self.stage.stream.failed(&ready.url, e.to_string()),
        }
    }
    /// From nothing to a first picture of the ground and to one that lacks nothing, milliseconds since `began`: each tile is
    /// taken when it comes, as a window takes it.
    fn begin(&mut self, view: &View, began: Clock) -> Result<[f64; 2], Failure> {
        let (state, scope) = (self.state, self.scope.clone());
        let (ask, asked) = mpsc::channel::<String>();
        let (tell, told) = mpsc::channel();
        let asked = Mutex::new(asked);
        let (asked, scope) = (&asked, &scope);
        std::thread::scope(|s| {
            // It goes with this closure, and the lanes end.
            let ask = ask;
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).clamp(2, TILES_A_FRAME) {
                let tell = tell.clone();
                s.spawn(move || {
                    loop {
                        let next = asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
                        let Ok(url) = next else { return };
                        let made = make(state, scope, &url);
                        if tell.send((url, made)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(tell);
            let (mut flying, mut first) = (0, None);
            loop {
                self.stage.stream.set_beside(self.renderer.target_bytes());
                let update = self.stage.stream.update(view, 0.0);
                update.evict.iter().for_each(|h| self.renderer.release(*h));
                if first.is_none() && !update.draw.is_empty() {
                    self.frame(0.0, view)?;
                    first = Some(ms(began));
                }
                if update.settled && flying == 0 {
                    self.frame(0.0, view)?;
                    let settled = ms(began);
                    return Ok([first.unwrap_or(settled), settled]);
                }
                for request in self.stage.stream.wanted(TILES_A_FRAME.saturating_sub(flying)) {
                    self.stage.stream.started(&request.url);
                    flying += 1;
                    let _ = ask.send(request.url);
                }
                if flying == 0 || self.requests > 1_000_000 {
                    return Err(Failure::from(anyhow::anyhow!("the first picture never came to rest")));
                }
                let one = told.recv().map_err(|_| Failure::from(anyhow::anyhow!("nothing comes any more")))?;
                for (url, made) in [one].into_iter().chain(told.try_iter()) {
                    flying -= 1;
                    self.take(&url, made);
                }
            }
        })
    }
    fn frame(&mut self, t_s: f64, view: &View) -> Result<Frame, Failure> {
        let began = Clock::now();
        self.stage.stream.set_beside(self.renderer.target_bytes());
        let update = self.stage.stream.update(view, t_s);
        let select_ms = ms(began);
        update.evict.iter().for_each(|h| self.renderer.release(*h));
        let tiles: Vec<(TileHandle, f32)> = update.draw.iter().map(|d| (d.handle, d.fade)).collect();
        let stats = self.renderer.draw_faded(view, &self.stage.look, &tiles);
        match self.in_a_row {
            true => self.renderer.keep_up()?,
            false => self.renderer.finish()?,
        }
        let frame_ms = ms(began);
        self.most_gpu_bytes = self.most_gpu_bytes.max(self.renderer.gpu_bytes() + self.renderer.target_bytes());
        let passes = if self.in_a_row { Vec::new() } else { self.renderer.pass_times() };
        Ok(Frame { t_s, select_ms, load_ms: 0.0, frame_ms, share: 1.0, passes, stats, tiles: tiles.len(), settled: update.settled })
    }
    fn fly(&mut self, flight: &Flight, frames: u32, size: [u32; 2], clock_s: f64) -> Result<Vec<Frame>, Failure> {
        let mut out = Vec::with_capacity(frames as usize);
        for i in 0..frames {
            let t_s = flight.duration_s() * f64::from(i) / f64::from(frames.max(2) - 1);
            let view = flight.at(t_s).view(size);
            // Selection says what is wanted; what came shows in the next picture.
            self.renderer.set_motion(self.pace.map(|p| p.share()));
            let mut frame = self.frame(clock_s + t_s, &view)?;
            if let Some(pace) = &mut self.pace {
                frame.share = pace.share();
                pace.took(frame.frame_ms);
            }
            frame.load_ms = self.fetch(TILES_A_FRAME);
            frame.t_s = t_s;
            out.push(frame);
        }
        self.renderer.set_motion(None);
        Ok(out)
    }
}

pub fn run(command: &Bench, json: bool) -> Result<ExitCode, Failure> {
    match command {
        Bench::Render(c) => render(c, json),
    }
}

fn render(command: &Render, json: bool) -> Result<ExitCode, Failure> {
    let size = command.size.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    let Some(size) = size else { return Err(Failure::misuse(format!("`{}` is no size: 1280x720", command.size))) };
    if command.frames.is_some_and(|n| !(2..=100_000).contains(&n)) {
        return Err(Failure::misuse("a flight wants between 2 and 100000 frames"));
    }
    let load_before = load();
    let began = Clock::now();
    let state = serve::reading(&command.city)?;
    let open_ms = ms(began);
    let style = state.config.scenes.get(&command.scene);
    let style = style.ok_or_else(|| Failure::misuse(format!("there is no scene `{}`", command.scene)))?;
    let scene = Scene::parse(&style.to_string())?;
    let text = match &command.path {
        Some(path) => std::fs::read_to_string(path).map_err(|e| Failure::misuse(format!("{}: {e}", path.display())))?,
        None => FLIGHT.to_owned(),
    };
    let named = command.path.as_ref().map_or_else(String::new, |p| format!("{}: ", p.display()));
    let flight = Flight::parse(&text, &state.anchors).map_err(|e| Failure::misuse(format!("{named}{e}")))?;
    let frames = command.frames.unwrap_or((flight.duration_s() * 8.0).round().clamp(2.0, 100_000.0) as u32);
    let scope = Scope::everything();
    let layers: Vec<String> = state.engine.snapshot().layers(&scope).iter().map(|l| l.id.to_string()).collect();
    let camera = flight.at(0.0);
    let known = |id: &str| layers.iter().any(|l| l == id);
    let mut stage = Stage::new(&scene, camera, &known, crate::shot::terrain_heights(&state), command.budget_mib.clamp(16, 65_536) << 20);
    stage.look.geoid_offset_m = state.frame.geoid_offset_m;
    stage.stream.max_error_px = Quality::from(command.preset).error_px();
    let renderer = pollster::block_on(Renderer::headless(size[0], size[1], Quality::from(command.preset)))?;
    let device_ms = ms(began) - open_ms;
    let mut flown = Flown { state: &state, stage, renderer, scope, bytes: 0, requests: 0, most_gpu_bytes: 0, pace: None, in_a_row: false };
    let wanted = PICTURES_A_SECOND[usize::from(!flown.renderer.is_software())];
    flown.pace = (!command.exact).then(|| Pace::new(wanted));
    flown.renderer.time_passes();

    // From nothing to a picture of the ground, and to one that lacks nothing.
    let view = camera.view(size);
    let [first_picture_ms, settled_ms] = flown.begin(&view, began)?;
    let (first_bytes, first_requests) = (flown.bytes, flown.requests);
    let cold = flown.fly(&flight, frames, size, 10.0)?;
    let (cold_bytes, cold_requests) = (flown.bytes - first_bytes, flown.requests - first_requests);
    let warm = flown.fly(&flight, frames, size, 1e4)?;
    let warm_requests = flown.requests - first_requests - cold_requests;
    let (warm_bytes, before) = (flown.bytes - first_bytes - cold_bytes, [flown.bytes, flown.requests]);
    flown.in_a_row = true;
    let row = flown.fly(&flight, frames, size, 2e4)?;
    flown.in_a_row = false;
    flown.renderer.finish()?;
    let (row_bytes, row_requests) = (flown.bytes - before[0], flown.requests - before[1]);

    // The time slider: the last camera, another day each picture.
    let view = flight.at(flight.duration_s()).view(size);
    let today = flown.stage.look.day;
    let mut slider = Vec::new();
    for step in 0..12 {
        flown.stage.look.day = today - step * 1500;
        slider.push(flown.frame(3e4, &view)?);
    }
    // The same picture at rest: all its pixels, exact shadows.
    flown.stage.look.day = today;
    let still = (0..3).map(|_| flown.frame(3e4, &view)).collect::<Result<Vec<_>, _>>()?;
    // The first writes the camera's too.
    let slider = &slider[1..];
    let report = serde_json::json!({
        "adapter": flown.renderer.adapter(), "city": command.city, "scene": command.scene, "size": size,
        "preset": format!("{:?}", Quality::from(command.preset)).to_lowercase(), "frames": frames, "exact": command.exact,
        "cpus": std::thread::available_parallelism().map_or(0, usize::from), "load_before": load_before, "load_after": load(),
        "debug_assertions": cfg!(debug_assertions),
        "first": {"city_open_ms": rounded(open_ms), "device_ms": rounded(device_ms), "picture_ms": rounded(first_picture_ms),
            "settled_ms": rounded(settled_ms), "bytes": first_bytes, "requests": first_requests},
        "loading_flight": summary(&cold, cold_bytes, cold_requests),
        "flight": summary(&warm, warm_bytes, warm_requests),
        "flight_in_a_row": summary(&row, row_bytes, row_requests),
        "time_slider": {"frame_ms": spread(slider.iter().map(|f| f.frame_ms)),
            "uniforms_written_a_frame": slider.iter().map(|f| f.stats.uniforms_written).max()},
        "still": {"frame_ms": spread(still.iter().map(|f| f.frame_ms))},
        "gpu_memory": {"most_bytes": flown.most_gpu_bytes, "targets_bytes": flown.renderer.target_bytes()},
        "missing": flown.stage.stream.failures().len(),
        "each": warm.iter().map(|f| serde_json::json!({"t_s": rounded(f.t_s), "frame_ms": rounded(f.frame_ms), "select_ms": rounded(f.select_ms),
            "passes_ms": f.passes.iter().map(|(n, v)| (*n, rounded(*v))).collect::<BTreeMap<_, _>>(),
            "share": f.share, "draws": f.stats.draws, "triangles": f.stats.triangles, "tiles": f.tiles, "settled": f.settled})).collect::<Vec<_>>(),
    });
    if json {
        println!("{report}")
    } else {
        table(&report)
    }
    Ok(ExitCode::SUCCESS)
}

fn spread(values: impl Iterator<Item = f64>) -> serde_json::Value {
    let v: Vec<f64> = values.collect();
    serde_json::json!({"median": rounded(quantile(&v, 0.5)), "p90": rounded(quantile(&v, 0.9)), "p99": rounded(quantile(&v, 0.99)),
        "most": rounded(quantile(&v, 1.0))})
}

fn summary(frames: &[Frame], bytes: u64, requests: u64) -> serde_json::Value {
    let mut passes: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, v) in frames.iter().flat_map(|f| &f.passes) {
        passes.entry(name).or_default().push(*v);
    }
    let total: f64 = frames.iter().map(|f| f.frame_ms).sum();
    serde_json::json!({
        "frames_a_second": rounded(frames.len() as f64 * 1e3 / total.max(1e-9)),
        "frame_ms": spread(frames.iter().map(|f| f.frame_ms)), "select_ms": spread(frames.iter().map(|f| f.select_ms)),
        "passes_ms": passes.into_iter().map(|(n, v)| (n, spread(v.into_iter()))).collect::<BTreeMap<_, _>>(),
        "share": spread(frames.iter().map(|f| f64::from(f.share))), "share_least": frames.iter().map(|f| f64::from(f.share)).fold(1.0, f64::min),
        "draws_most": frames.iter().map(|f| f.stats.draws).max(), "triangles_most": frames.iter().map(|f| f.stats.triangles).max(),
        "tiles_most": frames.iter().map(|f| f.tiles).max(), "bytes": bytes, "requests": requests,
        "load_ms": rounded(frames.iter().map(|f| f.load_ms).sum()), "unsettled_frames": frames.iter().filter(|f| !f.settled).count(),
    })
}

fn table(r: &serde_json::Value) {
    let mib = |v: &serde_json::Value| format!("{:.1} MiB", v.as_f64().unwrap_or(0.0) / 1048576.0);
    println!(
        "{} · {}×{} · {} · {} · {} CPUs · load {} → {}",
        r["adapter"].as_str().unwrap_or_default(),
        r["size"][0],
        r["size"][1],
        r["preset"].as_str().unwrap_or_default(),
        r["scene"].as_str().unwrap_or_default(),
        r["cpus"],
        r["load_before"],
        r["load_after"]
    );
    let f = &r["first"];
    println!(
        "first picture {} ms, settled {} ms (city open {} ms, device {} ms), {} in {} requests",
        f["picture_ms"],
        f["settled_ms"],
        f["city_open_ms"],
        f["device_ms"],
        mib(&f["bytes"]),
        f["requests"]
    );
    println!(
        "{:16} {:>8} {:>9} {:>9} {:>9} {:>6} {:>7} {:>11} {:>6} {:>11} {:>9}",
        "", "frames/s", "median ms", "p90", "p99", "share", "draws", "triangles", "tiles", "bytes", "load ms"
    );
    for (name, key) in [("flight, loading", "loading_flight"), ("flight again", "flight"), ("in a row", "flight_in_a_row")] {
        let s = &r[key];
        println!(
            "{name:16} {:>8} {:>9} {:>9} {:>9} {:>6} {:>7} {:>11} {:>6} {:>11} {:>9}",
            s["frames_a_second"],
            s["frame_ms"]["median"],
            s["frame_ms"]["p90"],
            s["frame_ms"]["p99"],
            s["share"]["median"],
            s["draws_most"],
            s["triangles_most"],
            s["tiles_most"],
            mib(&s["bytes"]),
            s["load_ms"]
        );
    }
    for (name, v) in r["flight"]["passes_ms"].as_object().into_iter().flatten() {
        println!("  pass {name:11} {:>17} {:>9} {:>9}", v["median"], v["p90"], v["p99"]);
    }
    let (slider, memory) = (&r["time_slider"], &r["gpu_memory"]);
    println!(
        "time slider      {:>18} ms a picture, {} uniform buffer written",
        slider["frame_ms"]["median"], slider["uniforms_written_a_frame"]
    );
    println!("at rest          {:>18} ms a picture", r["still"]["frame_ms"]["median"]);
    println!("graphics memory  {} at most, of that {} to draw into", mib(&memory["most_bytes"]), mib(&memory["targets_bytes"]));
}
