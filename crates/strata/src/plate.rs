//! The plate around a picture: what the city's record says about what is shown.

use crate::Failure;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use strata_model::{Bounds3, Geometry, Instant, LayerId, Query, Scope, Theme};
use strata_render::{Faces, Kind, Label, Layout, Look, Picture, Plate, Renderer, Typeface, legend};
use strata_scene::{Mode, Scene, View};
use strata_server::CityState;

/// Regular and bold, where Debian has them.
const FONTS: [&str; 2] = ["/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc"];

/// Whether a scene has colours that want a legend.
pub fn explains(scene: &Scene, night: bool) -> bool {
    let shows = |theme: Theme| scene.layers.iter().any(|l| l.theme == theme && l.visible);
    !scene.overlays.is_empty()
        || night
        || scene.mode != Mode::Surface
        || scene.contours
        || scene.compare.is_some()
        || scene.is_cut()
        || shows(Theme::Parcel)
        || shows(Theme::Pipe)
}

/// Whether windows are lit.
pub fn night(look: &Look) -> bool {
    look.sun.elevation_deg < -2.0
}

/// All that a plate needs to know of its picture.
pub struct Shown<'a> {
    pub state: &'a CityState,
    pub scene: &'a Scene,
    pub view: &'a View,
    pub look: &'a Look,
    pub instant: Instant,
    pub renderer: &'a Renderer,
}

pub struct Sheet {
    faces: Faces,
    layout: Layout,
    /// Em of ordinary words on the picture, px.
    text_px: f32,
}

impl Sheet {
    pub fn open(font: Option<&Path>, size: [u32; 2], with_legend: bool) -> Result<Self, Failure> {
        let layout = Layout::new(size, with_legend).ok_or_else(|| Failure::misuse("a plate wants at least 320x200"))?;
        let paths = match font {
            Some(path) => [path.to_owned(), path.to_owned()],
            None => FONTS.map(PathBuf::from),
        };
        if font.is_none() && !paths.iter().all(|p| p.is_file()) {
            return Err(Failure::misuse("no font with Chinese glyphs: install fonts-noto-cjk or give --font"));
        }
        let [regular, bold] = paths;
        let face = |path: &Path| Ok::<_, Failure>(Typeface::parse(std::fs::read(path)?)?);
        let faces = Faces { regular: face(&regular)?, bold: face(&bold)? };
        Ok(Self { faces, layout, text_px: (size[1] as f32 / 54.0).min(size[0] as f32 / 96.0).max(10.5) })
    }
    pub fn field_px(&self) -> [u32; 2] {
        [self.layout.field_px[2], self.layout.field_px[3]]
    }
    /// Words onto the picture, then the sheet around it.
    pub fn finish(&self, shown: &Shown<'_>, picture: &mut Picture) -> Result<(), Failure> {
        let mut words =
            if shown.scene.labels { shown.renderer.words(shown.view, shown.look, &picture.tiles, self.text_px) } else { Vec::new() };
        if shown.scene.labels {
            words.extend(places(shown, self.text_px)?);
        }
        let width = |text: &str, size: f32| self.faces.regular.width(text, size);
        let seen = |l: &Label| l.far_m.is_none_or(|far_m| !shown.renderer.hides(shown.view, shown.look, &picture.tiles, l.at, far_m));
        let placed = strata_render::place(words, picture.size, &width, &seen);
        strata_render::write_labels(&mut picture.rgba, picture.size, &self.faces, &placed)?;
        let plate = self.plate(shown, &picture.tiles)?;
        // Better a word to the reader than a box on the plate.
        let written = placed.iter().map(|l| l.text.as_str()).chain(plate.notes.iter().map(String::as_str));
        let tofu: std::collections::BTreeSet<char> = written.flat_map(|t| self.faces.regular.missing(t)).collect();
        if !tofu.is_empty() {
            eprintln!("strata: the font has no glyph for {}", tofu.iter().collect::<String>());
        }
        picture.rgba = strata_render::plate(&self.layout, &picture.rgba, shown.view, &plate, &self.faces)?;
        picture.size = self.layout.sheet_px;
        Ok(())
    }
    fn plate(&self, shown: &Shown<'_>, tiles: &[strata_render::TileHandle]) -> Result<Plate, Failure> {
        let Shown { state, scene, view, look, .. } = shown;
        let snapshot = state.engine.snapshot();
        let target = state.frame.working_from_ecef(view.enu.origin_in_ecef)?;
        let found = shown.renderer.found(view, look, tiles);
        let mut sections: Vec<legend::Section> = shown.renderer.overlays().map(legend::overlay).collect();
        if look.drape {
            sections.push(legend::land_uses(&found.land_uses));
        }
        if scene.layers.iter().any(|l| l.theme == Theme::ControlLine && l.visible) {
            sections.push(legend::control_lines(&found.control_lines));
        }
        if !found.pipes.is_empty() {
            sections.push(legend::pipes(&found.pipes, look));
        }
        sections.push(legend::underground(look));
        if look.contours {
            let offset = state.frame.geoid_offset_m as f32;
            sections.extend(legend::terrain(look.terrain_m.map(|h| h - offset)));
        }
        if let Some(compared) = scene.compare {
            sections.push(legend::states([compared.year(), shown.instant.year()], changes(shown, compared)?));
        }
        if night(look) && look.mode == Mode::Surface {
            sections.push(legend::windows(look));
        }
        let local = Instant(shown.instant.0 + 8 * 3_600_000).to_string();
        let local = local.get(..16).unwrap_or(&local).replace('T', " ");
        let sun = look.sun;
        let light = if sun.elevation_deg > 0.5 {
            let shadow = 1.0 / sun.elevation_deg.to_radians().tan();
            format!("太阳 Sun {:.0}° ∠{:.1}° · 影长比 shadow {shadow:.2}", sun.azimuth_deg, sun.elevation_deg)
        } else {
            format!("太阳在地平线下 Sun {:.0}° below the horizon", -sun.elevation_deg)
        };
        let compared = scene.compare.map_or_else(String::new, |c| format!(" · 对比 against {}", &c.to_string()[..10]));
        let notes = vec![
            format!("{local} (UTC+8){compared}"),
            light,
            format!("记录 Record v{} · {} · 竖向 vertical ×1", snapshot.version().0, state.meta.crs),
        ];
        Ok(Plate {
            title_zh: scene.title.zh.clone(),
            title_en: scene.title.en.clone(),
            legend: sections,
            notes,
            synthetic: state.meta.synthetic,
            convergence_deg: state.frame.convergence_deg([target[0], target[1]])?,
        })
    }
}

/// Names of places, hovering over them.
fn places(shown: &Shown<'_>, text_px: f32) -> Result<Vec<Label>, Failure> {
    let scope = Scope::everything();
    let snapshot = shown.state.engine.snapshot();
    let mut out = Vec::new();
    let id = LayerId::new("places").map_err(Failure::misuse)?;
    let Some(layer) = snapshot.layer(&id, &scope).filter(|_| shown.look.mode == Mode::Surface) else { return Ok(out) };
    for f in snapshot.query(&Query::all(layer.id.clone(), scope.clone()).at(shown.instant))?.features {
        let Geometry::Point(p) = f.geometry else { continue };
        let (Some(zh), rank) = (f.text(&layer, "name_zh"), f.number(&layer, "rank").unwrap_or(5.0) as i64) else { continue };
        let Some((at, far)) = shown.view.project(shown.state.frame.ecef_from_working([p[0], p[1], p[2] + 25.0])?) else { continue };
        if f64::from(far) < shown.view.distance_m * 4.0 {
            let size_px = text_px * if rank <= 1 { 1.5 } else { 1.2 };
            let label = Label { apart_px: 1.0, ..Label::new(Kind::Place, zh, at, size_px, rank) };
            out.push(if night(shown.look) { Label { ink: [232, 237, 242], halo: [16, 20, 28], ..label } } else { label });
        }
    }
    Ok(out)
}

/// Buildings of the whole record that were added, changed and removed between another date and the picture's. Changed: the same
/// building stands at both dates with another height, use or outline.
fn changes(shown: &Shown<'_>, compared: Instant) -> Result<[usize; 3], Failure> {
    let scope = Scope::everything();
    let snapshot = shown.state.engine.snapshot();
    let mut counts = [0; 3];
    for layer in snapshot.layers(&scope).iter().filter(|l| l.theme == Theme::Building) {
        let at = |t: Instant| {
            let all = snapshot.query(&Query::all(layer.id.clone(), scope.clone()).at(t))?.features;
            let face = |f: &strata_model::Feature| {
                let b: Option<Bounds3> = f.geometry.bounds();
                format!("{:?} {:?} {b:?}", f.number(layer, "height_m"), f.text(layer, "use"))
            };
            Ok::<_, Failure>(all.iter().map(|f| (f.id.as_str().to_owned(), face(f))).collect::<BTreeMap<_, _>>())
        };
        let (was, now) = (at(compared)?, at(shown.instant)?);
        counts[0] += now.keys().filter(|k| !was.contains_key(*k)).count();
        counts[1] += now.iter().filter(|(k, v)| was.get(*k).is_some_and(|w| w != *v)).count();
        counts[2] += was.keys().filter(|k| !now.contains_key(*k)).count();
    }
    Ok(counts)
}
