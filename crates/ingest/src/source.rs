//! The door of the room: one file in, features out, one report.

use crate::{IngestError, Report, citygml, cityjson, inp, output::Output, place, sniff, survey, terrain, vector};
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

impl Reader {
    /// The word of `--as`.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "citygml" => Self::CityGml,
            "cityjson" => Self::CityJson,
            "survey" => Self::Survey,
            "epanet" => Self::Epanet,
            "swmm" => Self::Swmm,
            "vector" => Self::Vector,
            "terrain" => Self::Terrain,
            _ => return None,
        })
    }
}

/// Reads one file or folder into `sink`. `Err` means that nothing of it can be used (not readable, wrong kind,
/// forbidden, no CRS); faults of single features stand in the report. The same file name may be imported into one
/// report many times; counts add up.
pub fn import(path: &Path, options: &ImportOptions, sink: &mut dyn Sink, report: &mut Report) -> Result<(), IngestError> {
    sniff::check_path(path)?;
    place::guard_gdal();
    let kind = match options.reader {
        // A forced reader does its own refusing; the kind only helps the vector reader to choose its driver.
        Some(_) => sniff::kind(path).ok(),
        None => Some(sniff::kind(path)?),
    };
    let Some(reader) = options.reader.or(kind.map(sniff::Kind::reader)) else {
        return Err(IngestError::unsupported(path));
    };
    report.files.push(path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned()));
    match reader {
        Reader::CityGml => return citygml::read(path, options, sink, report),
        Reader::CityJson => return cityjson::read(path, options, sink, report),
        _ => {}
    }
    let mut out = Output::new(path, options, sink, report);
    match reader {
        Reader::Vector => match kind.filter(|k| k.reader() == Reader::Vector) {
            Some(kind) => vector::read(kind, &mut out),
            None => vector::read_forced(&mut out),
        },
        Reader::Survey => survey::read(&mut out),
        Reader::Epanet => inp::read_epanet(&mut out),
        Reader::Swmm => inp::read_swmm(&mut out),
        Reader::Terrain => terrain::read(&mut out),
        Reader::CityGml | Reader::CityJson => Err(IngestError::unsupported(path)),
    }
}

/// What the report is worth: nothing taken is an error, and so is any refusal unless `partial` was asked for.
pub fn verdict(report: &Report, partial: bool) -> Result<(), IngestError> {
    let path = PathBuf::from(report.files.join(", "));
    let first = report.refused_shown.first();
    let of_first = first.map(|r| format!("; the first: {} {}", r.code, r.reason)).unwrap_or_default();
    let fault = |reason: String| {
        let e = IngestError::new(&path, "invalid-content", reason);
        Err(match first {
            Some(r) => e.at(r.place.clone()),
            None => e,
        })
    };
    if report.taken == 0 {
        return fault(format!("no feature could be taken of {} read{of_first}", report.read));
    }
    if report.refused > 0 && !partial {
        return fault(format!("{} of {} features are refused{of_first}", report.refused, report.read));
    }
    Ok(())
}
