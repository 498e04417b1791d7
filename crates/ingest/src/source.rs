//! The door of the room: one file in, features out, one report.

use crate::Report;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use strata_model::{Crs, Feature, Instant, Layer, LayerId, WorkingFrame};

/// Where features go. A reader announces a layer before its first feature.
pub trait Sink {
    fn layer(&mut self, layer: &Arc<Layer>) -> Result<(), String>;
    /// Geometry already in the working frame, checked by `Feature::check`.
    fn feature(&mut self, layer: &LayerId, feature: Feature) -> Result<(), String>;
}

#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The city's frame: readers transform into it.
    pub frame: Arc<WorkingFrame>,
    /// CRS of the file when it says none itself, or to overrule a wrong one.
    pub source_crs: Option<Crs>,
    /// Put everything into this layer instead of the reader's own choice.
    pub layer: Option<LayerId>,
    /// Valid-from for features that say nothing of their own.
    pub valid_from: Option<Instant>,
    /// Force a reader: `citygml`, `cityjson`, `survey`, `epanet`, `swmm`, `vector`, `terrain`.
    pub reader: Option<Reader>,
    /// TOML that maps source layers and fields to layers.
    pub mapping: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    CityGml,
    CityJson,
    Survey,
    Epanet,
    Swmm,
    Vector,
    Terrain,
}

/// Reads one file or folder into `sink`. `Err` means that nothing of it can be used (not readable, wrong kind,
/// forbidden, no CRS); faults of single features stand in the report.
pub fn import(path: &Path, options: &ImportOptions, sink: &mut dyn Sink, report: &mut Report) -> Result<(), crate::IngestError> {
    let _ = (path, options, sink, report);
    Err(crate::IngestError::unsupported(path))
}
