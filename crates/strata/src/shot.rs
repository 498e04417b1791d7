use crate::{Failure, serve};
use clap::Args;
use std::{path::PathBuf, process::ExitCode};
use strata_model::{Geometry, Instant, LayerId, Query, Scope, Theme};
use strata_render::{Label, Look, Picture, Quality, Renderer, Typeface};
use strata_scene::{Camera, Scene, Stream, View};
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
    /// Adds names of places and a caption: title, time, and that the data are synthetic when they are.
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
    let view = camera.view(size);
    // China keeps one legal time.
    let mut look = Look::at(instant, camera.target[0], camera.target[1], 8.0);
    look.mode = scene.mode;
    look.cut_m = scene.cutaway_m.map(|v| v as f32);
    look.contours = scene.contours;
    look.compare = scene.compare.map(|c| c.day());
    if let Some(b) = terrain_heights(&state) {
        look.terrain_m = b;
    }
    let mut stream = Stream::new(BUDGET_BYTES);
    let scope = Scope::everything();
    let known: Vec<String> = state.engine.snapshot().layers(&scope).iter().map(|l| l.id.to_string()).collect();
    look.drape = scene.layers.iter().any(|l| l.theme == Theme::Parcel && l.visible);
    // Where parcels are not shown as data they are the ground that one walks on.
    for layer in scene.layers.iter().filter(|l| (l.visible || l.theme == Theme::Parcel) && known.contains(&l.id)) {
        stream.add_tileset(&layer.id, &layer.tileset);
    }
    let mut renderer = pollster::block_on(Renderer::headless(size[0], size[1], Quality::High))?;
    let began = std::time::Instant::now();
    let mut picture = strata_render::shot(&mut renderer, &mut stream, &view, &look, &mut |url| {
        strata_server::content(&state, url, &scope).map(|c| c.bytes.to_vec()).map_err(|p| format!("{p:?}"))
    })?;
    if command.frame {
        write_words(command, &state, &scene, &view, instant, &mut picture)?;
    }
    picture.write_png(&command.out)?;
    for (url, reason) in picture.missing.iter().take(5) {
        eprintln!("strata: {url} is missing: {reason}");
    }
    eprintln!(
        "{}: {} tiles, {} draws, {:.1} M triangles, {} MiB, {:.1} s on {}",
        command.out.display(),
        picture.tiles,
        picture.stats.draws,
        picture.stats.triangles as f64 / 1e6,
        picture.stats.gpu_bytes >> 20,
        began.elapsed().as_secs_f64(),
        renderer.adapter()
    );
    Ok(ExitCode::SUCCESS)
}

/// Ellipsoidal heights that the tints of the ground span.
fn terrain_heights(state: &CityState) -> Option<[f32; 2]> {
    let (snapshot, scope) = (state.engine.snapshot(), Scope::everything());
    let terrain = snapshot.layers(&scope).into_iter().find(|l| l.theme == Theme::Terrain)?;
    let b = snapshot.bounds(&terrain.id, &scope)?;
    let offset = state.frame.geoid_offset_m;
    Some([(b.min[2] + offset) as f32, (b.max[2] + offset) as f32])
}

const FONTS: [&str; 2] =
    ["/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "/usr/share/fonts/opentype/noto/NotoSansCJKsc-Regular.otf"];

fn write_words(
    command: &Shot,
    state: &CityState,
    scene: &Scene,
    view: &View,
    instant: Instant,
    picture: &mut Picture,
) -> Result<(), Failure> {
    let path = command.font.clone().or_else(|| FONTS.iter().map(PathBuf::from).find(|p| p.is_file()));
    let path = path.ok_or_else(|| Failure::misuse("no font with Chinese glyphs: install fonts-noto-cjk or give --font"))?;
    let face = Typeface::parse(std::fs::read(&path)?)?;
    let scope = Scope::everything();
    let snapshot = state.engine.snapshot();
    let unit = picture.size[1] as f32 / 1080.0;
    let mut names = Vec::new();
    if let (true, Some(layer)) = (scene.labels, snapshot.layer(&LayerId::new("places").map_err(Failure::misuse)?, &scope)) {
        for f in snapshot.query(&Query::all(layer.id.clone(), scope.clone()).at(instant))?.features {
            let Geometry::Point(p) = f.geometry else { continue };
            let (Some(zh), rank) = (f.text(&layer, "name_zh"), f.number(&layer, "rank").unwrap_or(5.0) as i64) else { continue };
            let Some((at, far)) = view.project(state.frame.ecef_from_working([p[0], p[1], p[2] + 25.0])?) else { continue };
            if f64::from(far) < view.distance_m * 4.0 {
                let size_px = unit * if rank <= 1 { 30.0 } else { 24.0 };
                names.push(Label { text: zh.into(), at, size_px, ink: [23, 32, 42], halo: [250, 250, 246], rank });
            }
        }
    }
    strata_render::labels(&mut picture.rgba, picture.size, &face, names);
    let local = Instant(instant.0 + 8 * 3_600_000).to_string();
    // Date and minute; midnight prints as a date alone.
    let local = local.get(..16).unwrap_or(&local).replace('T', " ");
    let left = format!("{}  {}  ·  {local} (UTC+8)", scene.title.zh, scene.title.en);
    let right = if state.meta.synthetic { "合成数据 Synthetic data" } else { "" };
    strata_render::caption(&mut picture.rgba, picture.size, &face, &left, right);
    Ok(())
}
