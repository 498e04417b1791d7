//! A scene file becomes a [`Scene`]; a [`Camera`] becomes a [`View`]; a [`Stream`] says which tiles to draw,
//! which to fetch next and which to let go.
//!
//! A scene is a MapLibre Style Spec v8 document: the flat map draws it as it is. What only three dimensions know
//! stands in `metadata` under `strata:` keys (see [`Scene::parse`]). No GPU, no network, no clock: whoever owns
//! the loop fetches what [`Stream::wanted`] names and hands it back.

mod camera;
pub mod cluster;
mod error;
mod flight;
pub mod measure;
mod navigate;
pub mod overlay;
mod scene;
mod select;
mod tree;

pub use camera::{Camera, FARTHEST_M, NEAREST_M, View};
pub use error::SceneError;
pub use flight::Flight;
pub use navigate::{Action, Answer, Gait, Ground, Navigator, Tool};
pub use overlay::{Overlay, OverlayData, OverlayKind};
pub use scene::{Anchor, CameraSpec, Mode, Scene, SceneLayer, SectionBox, Title};
pub use select::{Drawn, Ready, Request, RequestKind, Stream, Update};
