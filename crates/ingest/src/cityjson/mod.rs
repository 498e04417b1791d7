//! CityJSON is told apart from GeoJSON, so that it gets a clear no instead of a wrong reading: its reader is not here yet.

use crate::{ImportOptions, IngestError, Report, Sink};
use std::path::Path;

pub(crate) fn recognises(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&head[..head.len().min(4096)]);
    head.contains("\"CityJSON\"") || head.contains("\"CityJSONFeature\"")
}

pub(crate) fn read(path: &Path, _: &ImportOptions, _: &mut dyn Sink, _: &mut Report) -> Result<(), IngestError> {
    Err(IngestError::new(path, "unsupported-media", "this is CityJSON, which Strata does not read yet"))
}
