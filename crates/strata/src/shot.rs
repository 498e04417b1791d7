use crate::{Failure, plate, serve};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};
use strata_model::{Instant, Scope, Theme};
use strata_render::{Look, PlanGrid, Quality, Renderer};
use strata_scene::{Camera, Overlay, Scene, Stream, overlay::Source};
use strata_server::CityState;

#[derive(Args)]
pub struct Shot {
    city: PathBuf,
    /// A scene of the program or of the city's folder `scenes/`, or a path to one.
    scene: String,
    #[arg(short, long)]
    out: PathBuf,
    #[arg(long, default_value = "1920x1080")]
    size: String,
    /// Another instant than the scene's.
    #[arg(long)]
    at: Option<String>,
    /// `lon,lat,height,distance,heading,pitch` instead of the scene's camera.
    #[arg(long, allow_hyphen_values = true)]
    camera: Option<String>,
    /// A planning plate: names and values on the picture; around it title, legend, scale, north, time and light, sources,
    /// and that the data are synthetic when they are.
    #[arg(long)]
    frame: bool,
    /// Font for the words; Debian's Noto Sans CJK when not given.
    #[arg(long)]
    font: Option<PathBuf>,
}

const BUDGET_BYTES: u64 = 2 << 30;

pub fn run(command: &Shot) -> Result<ExitCode, Failure> {
    let size = command.size.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
    let Some(size) = size else { return Err(Failure::misuse(format!("`{}` is no size: 1920x1080", command.size))) };
    let state = serve::reading(&command.city)?;
    let text = match state.config.scenes.get(&command.scene) {
        Some(style) => style.to_string(),
        None => {
            std::fs::read_to_string(&command.scene).map_err(|e| Failure::misuse(format!("there is no scene `{}`: {e}", command.scene)))?
        }
    };
    let scene = Scene::parse(&text)?;
    let camera = match &command.camera {
        Some(text) => {
            let v: Vec<f64> = text.split(',').filter_map(|n| n.trim().parse().ok()).collect();
            let [lon, lat, h, distance, heading, pitch] = v[..] else {
                return Err(Failure::misuse("a camera is lon,lat,height,distance,heading,pitch"));
            };
            Camera::new([lon, lat, h], distance, heading, pitch)
        }
        None => scene.camera(&state.anchors)?,
    };
    let instant = command.at.as_deref().map(Instant::parse).transpose().map_err(Failure::misuse)?.unwrap_or(scene.time);
    let mut look = Look::of(&scene, &camera, instant);
    let plate = command
        .frame
        .then(|| plate::Sheet::open(command.font.as_deref(), size, plate::explains(&scene, plate::night(&look))))
        .transpose()?;
    let field = plate.as_ref().map_or(size, plate::Sheet::field_px);
    let view = camera.view(field);
    if let Some(b) = terrain_heights(&state) {
        look.terrain_m = b;
    }
    look.geoid_offset_m = state.frame.geoid_offset_m;
    look.grid = PlanGrid::at(&state.frame, view.enu.origin_in_ecef);
    let mut stream = Stream::new(BUDGET_BYTES);
    let scope = Scope::everything();
    let known: Vec<String> = state.engine.snapshot().layers(&scope).iter().map(|l| l.id.to_string()).collect();
    // Where parcels are not shown as data they are the ground that one walks on, but a picture of the relief is of bare ground.
    let ground = |theme: Theme| theme == Theme::Parcel && !scene.contours;
    for layer in scene.layers.iter().filter(|l| (l.visible || ground(l.theme)) && known.contains(&l.id)) {
        stream.add_tileset(&layer.id, &layer.tileset);
    }
    let mut renderer = pollster::block_on(Renderer::headless(field[0], field[1], Quality::High))?;
    for overlay in &scene.overlays {
        let collection = source(&state, overlay, &scope).map_err(Failure::misuse)?;
        renderer.set_overlay(overlay, &collection, camera.target[2])?;
    }
    let began = std::time::Instant::now();
    let mut picture = strata_render::shot(&mut renderer, &mut stream, &view, &look, &mut |url| {
        strata_server::content(&state, url, &scope).map(|c| c.bytes.to_vec()).map_err(|p| format!("{p:?}"))
    })?;
    if let Some(sheet) = &plate {
        sheet
            .finish(&plate::Shown { state: &state, scene: &scene, view: &view, look: &look, instant, renderer: &renderer }, &mut picture)?;
    }
    picture.write_png(&command.out)?;
    for (url, reason) in picture.missing.iter().take(5) {
        eprintln!("strata: {url} is missing: {reason}");
    }
    eprintln!(
        "{}: {} tiles, {} draws, {:.1} M triangles, {} MiB, {:.1} s on {}",
        command.out.display(),
        picture.tiles.len(),
        picture.stats.draws,
        picture.stats.triangles as f64 / 1e6,
        picture.stats.gpu_bytes >> 20,
        began.elapsed().as_secs_f64(),
        renderer.adapter()
    );
    Ok(ExitCode::SUCCESS)
}

/// The features of an overlay. A layer that this city has not is an empty one, as everywhere.
pub fn source(state: &CityState, overlay: &Overlay, scope: &Scope) -> Result<serde_json::Value, String> {
    match &overlay.source {
        Source::Geojson(collection) => Ok(collection.clone()),
        Source::Layer(layer) if !state.engine.snapshot().layers(scope).iter().any(|l| l.id.as_str() == layer) => {
            Ok(serde_json::json!({ "type": "FeatureCollection", "features": [] }))
        }
        Source::Layer(layer) => strata_server::features(state, layer, overlay.filter.as_deref(), scope)
            .map_err(|p| format!("the overlay `{}`: {p:?}", overlay.id)),
    }
}

/// Ellipsoidal heights that the tints of the ground span.
pub fn terrain_heights(state: &CityState) -> Option<[f32; 2]> {
    let (snapshot, scope) = (state.engine.snapshot(), Scope::everything());
    let terrain = snapshot.layers(&scope).into_iter().find(|l| l.theme == Theme::Terrain)?;
    let b = snapshot.bounds(&terrain.id, &scope)?;
    let offset = state.frame.geoid_offset_m;
    Some([(b.min[2] + offset) as f32, (b.max[2] + offset) as f32])
}
