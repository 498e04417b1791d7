//! Scene and tile content to pixels: the only room with wgpu.
//!
//! Content comes as [`strata_tiles::content::TileContent`], is uploaded once ([`Renderer::upload`]) and drawn from any
//! [`strata_scene::View`] under a [`Look`] (sun, date, mode). Facades are drawn from attributes in the shader; which
//! feature stands on the day of the look is decided in the vertex shader, so moving the time slider writes one uniform.
//!
//! Frames: tiles are moved in f64 into east-north-up axes at the camera's target with the **eye as origin**, then f32;
//! depth is reversed and infinite. Shadows fall in four cascades, snapped to their texels.
//!
//! Knows no store, no server, no files but the pictures that it is asked for.

mod clock;
mod crossings;
mod cull;
mod error;
mod features;
#[cfg(not(target_arch = "wasm32"))]
mod furniture;
mod gpu;
mod grain;
#[cfg(not(target_arch = "wasm32"))]
mod ink;
mod label;
pub mod legend;
mod look;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod occlusion;
mod overlay;
mod pace;
mod passes;
mod pick;
mod pipelines;
mod pit;
mod probe;
mod renderer;
mod section;
mod shadow;
#[cfg(not(target_arch = "wasm32"))]
mod shot;
mod stage;
mod sun;
mod targets;
mod tile;
#[cfg(not(target_arch = "wasm32"))]
mod typeface;
mod uniforms;
#[cfg(target_arch = "wasm32")]
mod web;
mod words;

pub use error::RenderError;
#[cfg(not(target_arch = "wasm32"))]
pub use furniture::{Faces, Layout, Plate, plate, scale_length_m, write_labels};
pub use label::{Kind, Label, about_width, place};
pub use look::{Look, Quality};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{Fetch, Script, Step, WindowOptions, window};
pub use overlay::{Gathered, OverlayHit, State};
pub use pace::Pace;
pub use pit::{FROST_M, PlanGrid};
pub use probe::{Extent, Probe, Snap};
pub use renderer::{FrameStats, Renderer, TileHandle};
#[cfg(not(target_arch = "wasm32"))]
pub use shot::{Picture, shot};
pub use stage::Stage;
pub use sun::{Sun, sun_at};
#[cfg(not(target_arch = "wasm32"))]
pub use typeface::Typeface;
#[cfg(target_arch = "wasm32")]
pub use web::Twin;
pub use words::Found;
