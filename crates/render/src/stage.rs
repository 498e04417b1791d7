//! A scene made ready for drawing: the stream of its tiles, its look and its camera, the same for a still, a window and a
//! browser's canvas.

use crate::{Look, TileHandle, look::UTC_OFFSET_H};
use strata_model::{Instant, Theme};
use strata_scene::{Camera, Mode, Navigator, Scene, Stream};

pub struct Stage {
    pub stream: Stream<TileHandle>,
    pub look: Look,
    pub navigator: Navigator,
    /// Where parcels are not shown as data they are the ground that one walks on.
    drape: Option<String>,
    /// Layers under the ground, and whether the scene shows them on the surface.
    beneath: Vec<(String, bool)>,
    first_mode: Mode,
}

impl Stage {
    /// Of the scene's layers those that `known` accepts. `terrain_m`: ellipsoidal heights that the tints of the ground span.
    pub fn new(scene: &Scene, camera: Camera, known: &dyn Fn(&str) -> bool, terrain_m: Option<[f32; 2]>, budget_bytes: u64) -> Self {
        let mut stream = Stream::new(budget_bytes);
        let (mut drape, mut beneath) = (None, Vec::new());
        for layer in scene.layers.iter().filter(|l| known(&l.id)) {
            stream.add_tileset(&layer.id, &layer.tileset);
            // A picture of the relief is of bare ground.
            let parcel = layer.theme == Theme::Parcel && !scene.contours;
            if parcel {
                drape = Some(layer.id.clone());
            }
            if matches!(layer.theme, Theme::Pipe | Theme::PipePoint) {
                beneath.push((layer.id.clone(), layer.visible));
            }
            stream.set_visible(&layer.id, layer.visible || parcel);
        }
        let mut look = Look::of(scene, &camera, scene.time);
        if let Some(b) = terrain_m {
            look.terrain_m = b;
        }
        let mut navigator = Navigator::new(camera);
        if scene.mode == Mode::Below {
            navigator.begin_below();
        }
        Self { stream, look, navigator, drape, beneath, first_mode: scene.mode }
    }
    /// The light's clock; the shown day stays.
    pub fn set_clock(&mut self, instant: Instant) {
        let at = self.navigator.camera.target;
        let next = Look::at(instant, at[0], at[1], UTC_OFFSET_H);
        let old = self.look.clone();
        self.look = Look { sun: next.sun, leaves: next.leaves, snow: next.snow, hour: next.hour, ..old };
    }
    pub fn set_visible(&mut self, layer: &str, visible: bool) {
        if self.drape.as_deref() == Some(layer) {
            self.look.drape = visible;
        } else {
            self.stream.set_visible(layer, visible);
        }
    }
    /// How the underground is shown. What lies there is drawn in every mode but the surface's, where the scene decides.
    pub fn set_mode(&mut self, mode: Mode) {
        self.look.mode = mode;
        self.navigator.set_below(mode == Mode::Below);
        for (layer, shown) in &self.beneath {
            self.stream.set_visible(layer, mode != Mode::Surface || (*shown && self.first_mode == Mode::Surface));
        }
    }
    pub fn next_mode(&self) -> Mode {
        match self.look.mode {
            Mode::Surface => Mode::Xray,
            Mode::Xray => Mode::Cutaway,
            Mode::Cutaway => Mode::Below,
            Mode::Below => Mode::Surface,
        }
    }
}
