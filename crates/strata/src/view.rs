use crate::{Failure, serve};
use clap::{Args, ValueEnum};
use std::{collections::BTreeSet, path::PathBuf, process::ExitCode, sync::Arc};
use strata_model::{Instant, Query, Scope, Theme};
use strata_render::{PlanGrid, Quality, WindowOptions};
use strata_scene::{Camera, Scene};
use strata_server::CityState;

#[derive(Args)]
pub struct View {
    city: PathBuf,
    /// A scene of the program or of the city's folder `scenes/`, or a path to one. Keys 1–9 take the first nine.
    #[arg(default_value = "planner")]
    scene: String,
    /// Logical pixels.
    #[arg(long, default_value = "1280x720")]
    size: String,
    #[arg(long, value_enum, default_value_t = Preset::Medium)]
    quality: Preset,
    /// `lon,lat,height,distance,heading,pitch` instead of the scene's camera.
    #[arg(long, allow_hyphen_values = true)]
    camera: Option<String>,
    /// Another instant than the scene's.
    #[arg(long)]
    at: Option<String>,
    /// Steps that the window plays before it closes, one a line: settle, frames, key, hold, drag, wheel, resize, lose,
    /// shot, say, close.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Draws so many frames once nothing is missing, and closes.
    #[arg(long, conflicts_with = "script")]
    frames: Option<u32>,
    /// Writes the last picture to a PNG before it closes.
    #[arg(long, conflicts_with = "script")]
    screenshot: Option<PathBuf>,
    /// MiB of graphics memory in all: what is drawn into, and tiles in the rest of it.
    #[arg(long, default_value_t = 960)]
    budget_mib: u64,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Preset {
    Low,
    Medium,
    High,
}

impl From<Preset> for Quality {
    fn from(p: Preset) -> Self {
        match p {
            Preset::Low => Self::Low,
            Preset::Medium => Self::Medium,
            Preset::High => Self::High,
        }
    }
}

pub fn run(command: &View) -> Result<ExitCode, Failure> {
    let size = command.size.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    let Some(size) = size else { return Err(Failure::misuse(format!("`{}` is no size: 1280x720", command.size))) };
    let script = match (&command.script, command.frames, &command.screenshot) {
        (Some(path), ..) => Some(std::fs::read_to_string(path).map_err(|e| Failure::misuse(format!("{}: {e}", path.display())))?),
        (None, None, None) => None,
        (None, frames, picture) => {
            let shot = picture.as_ref().map_or(String::new(), |p| format!("shot {}\n", p.display()));
            Some(format!("settle\nframes {}\n{shot}close\n", frames.unwrap_or(1)))
        }
    };
    let state = serve::reading(&command.city)?;
    let mut scenes = Vec::new();
    let mut first = None;
    for (name, style) in &state.config.scenes {
        if *name == command.scene {
            first = Some(scenes.len());
        }
        scenes.push(Scene::parse(&style.to_string())?);
    }
    let first = match first {
        Some(n) => n,
        None => {
            let text = std::fs::read_to_string(&command.scene)
                .map_err(|e| Failure::misuse(format!("there is no scene `{}`: {e}", command.scene)))?;
            scenes.push(Scene::parse(&text)?);
            scenes.len() - 1
        }
    };
    if let Some(text) = &command.at {
        scenes[first].time = Instant::parse(text).map_err(Failure::misuse)?;
    }
    let camera = match &command.camera {
        Some(text) => {
            let v: Vec<f64> = text.split(',').filter_map(|n| n.trim().parse().ok()).collect();
            let [lon, lat, h, distance, heading, pitch] = v[..] else {
                return Err(Failure::misuse("a camera is lon,lat,height,distance,heading,pitch"));
            };
            Some(Camera::new([lon, lat, h], distance, heading, pitch))
        }
        None => None,
    };
    let scope = Scope::everything();
    let layers = state.engine.snapshot().layers(&scope).iter().map(|l| l.id.to_string()).collect();
    let synthetic = if state.meta.synthetic { " · 合成数据 synthetic" } else { "" };
    let (fetch_from, grid_from, source_from) = (state.clone(), state.clone(), state.clone());
    strata_render::window(WindowOptions {
        title: format!("Strata · {}{synthetic}", state.meta.name),
        size,
        quality: command.quality.into(),
        budget_bytes: command.budget_mib.clamp(64, 65_536) << 20,
        scenes,
        first,
        camera,
        anchors: state.anchors.clone(),
        layers,
        terrain_m: crate::shot::terrain_heights(&state),
        geoid_offset_m: state.frame.geoid_offset_m,
        grid: Box::new(move |ecef| PlanGrid::at(&grid_from.frame, ecef)),
        changes: changes(&state, &scope)?,
        fetch: Arc::new(move |url| {
            let scope = Scope::everything();
            strata_server::content(&fetch_from, url, &scope).map(|c| c.bytes.to_vec()).map_err(|p| format!("{p:?}"))
        }),
        source: Box::new(move |overlay| crate::shot::source(&source_from, overlay, &Scope::everything())),
        script,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Days on which a building came or went.
fn changes(state: &CityState, scope: &Scope) -> Result<Vec<i32>, Failure> {
    let snapshot = state.engine.snapshot();
    let mut days = BTreeSet::new();
    for layer in snapshot.layers(scope).into_iter().filter(|l| l.theme == Theme::Building) {
        for f in snapshot.query(&Query::all(layer.id.clone(), scope.clone()))?.features {
            days.extend([f.valid.from, f.valid.to].into_iter().filter(|t| *t != Instant::MIN && *t != Instant::MAX).map(Instant::day));
        }
    }
    Ok(days.into_iter().collect())
}
