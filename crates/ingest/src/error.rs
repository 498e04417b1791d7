use std::path::{Path, PathBuf};

/// Why a file as a whole cannot be imported. `code` is stable and stands in answers and reports.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}{}", path.display(), place.as_deref().map(|p| format!(" ({p})")).unwrap_or_default())]
pub struct IngestError {
    pub path: PathBuf,
    /// `unsupported-media`, `dtd-forbidden`, `xml-limit`, `truncated`, `invalid-crs`, `unsafe-archive`, `archive-limit`,
    /// `invalid-content`, `io`, `sink`.
    pub code: &'static str,
    /// Line, row, byte or archive entry.
    pub place: Option<String>,
    pub reason: String,
}

impl IngestError {
    pub fn new(path: &Path, code: &'static str, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), code, place: None, reason: reason.into() }
    }
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
    pub fn unsupported(path: &Path) -> Self {
        Self::new(path, "unsupported-media", "no reader knows this kind of file")
    }
}
