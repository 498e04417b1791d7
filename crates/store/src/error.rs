use rusqlite::ErrorCode;
use std::path::PathBuf;
use strata_model::{FeatureId, LayerId, ModelError, ProposalState};

/// What can go wrong with the record. [`StoreError::code`] is stable, the sentences are not.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path} holds a city already")]
    Exists { path: PathBuf },
    #[error("{path} holds no city (there is no record.gpkg)")]
    NoCity { path: PathBuf },
    #[error("{path} is not a record of a city: {reason}")]
    NotARecord { path: PathBuf, reason: String },
    #[error("the record in {path} has schema {found}, this program knows schemas up to {known}: use a newer program")]
    SchemaNewer { path: PathBuf, found: u32, known: u32 },
    #[error("another process is writing to the city {path}")]
    Locked { path: PathBuf },
    #[error("the record is busy: another program has held it for too long")]
    Busy { source: rusqlite::Error },
    #[error("the record is opened for reading only")]
    ReadOnly,
    #[error("the disk is full; nothing of this change was kept")]
    StorageFull { source: rusqlite::Error },
    #[error("the record cannot be read or written: {source}")]
    StorageFailed { source: rusqlite::Error },
    #[error("the observations were not kept: {reason}")]
    NotKept { full: bool, reason: String },
    #[error("an earlier step of this change failed, so it cannot be committed")]
    Broken,
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the record is damaged: {reason}")]
    Damaged { reason: String },
    #[error("the audit log is not sound from row {seq} on: {reason}")]
    AuditBroken { seq: u64, reason: &'static str },
    #[error("changed since the proposal was made: {}", names(features))]
    Conflict { features: Vec<(LayerId, FeatureId)> },
    #[error("proposal {id} is {} already", state_word(*state))]
    Closed { id: String, state: ProposalState },
    #[error("proposal {id} does not pass today's check: {reason}")]
    Refused { id: String, reason: String },
    #[error("alarm {id} has been acknowledged by {by}")]
    Acknowledged { id: u64, by: String },
    #[error("there is no {what}")]
    NotFound { what: String },
    #[error("{what} is not acceptable: {reason}")]
    Invalid { what: String, reason: String },
    #[error("layer {layer} cannot be declared anew: {reason}")]
    LayerChanged { layer: LayerId, reason: String },
    /// For callers that end a scan early with a reason of their own.
    #[error("{reason}")]
    Stopped { reason: String },
}

impl StoreError {
    /// Stable name of the kind of failure, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "exists",
            Self::NoCity { .. } => "no-city",
            Self::NotARecord { .. } => "not-a-record",
            Self::SchemaNewer { .. } => "schema-newer",
            Self::Locked { .. } | Self::Busy { .. } => "locked",
            Self::ReadOnly => "read-only",
            Self::StorageFull { .. } => "storage-full",
            Self::NotKept { full: true, .. } => "storage-full",
            Self::StorageFailed { .. } | Self::NotKept { .. } | Self::Broken => "storage-failed",
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => "storage-full",
            Self::Io { .. } => "storage-failed",
            Self::Damaged { .. } => "damaged",
            Self::AuditBroken { .. } => "audit-broken",
            Self::Conflict { .. } => "conflict",
            Self::Closed { .. } => "proposal-closed",
            Self::Refused { .. } => "refused",
            Self::Acknowledged { .. } => "acknowledged",
            Self::NotFound { .. } => "not-found",
            Self::Invalid { .. } => "invalid",
            Self::LayerChanged { .. } => "layer-changed",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// For a scan's callback that has to stop: `reason` is what its own sink said.
    pub fn sink(reason: impl Into<String>) -> Self {
        Self::Stopped { reason: reason.into() }
    }

    pub(crate) fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }
    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged { reason: reason.into() }
    }
    /// After these the transaction may hold half a step and must not be committed.
    pub(crate) fn breaks_a_writing(&self) -> bool {
        !matches!(self, Self::Invalid { .. } | Self::NotFound { .. } | Self::LayerChanged { .. })
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::StorageFull { source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { source },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { reason: source.to_string() },
            _ => Self::StorageFailed { source },
        }
    }
}

/// Stored bytes that the model cannot read are damage; what a caller hands in is reported as `Invalid` where it comes in.
impl From<ModelError> for StoreError {
    fn from(e: ModelError) -> Self {
        Self::Damaged { reason: e.to_string() }
    }
}

fn names(features: &[(LayerId, FeatureId)]) -> String {
    let mut out: Vec<String> = features.iter().take(20).map(|(l, id)| format!("{l}/{id}")).collect();
    if features.len() > out.len() {
        out.push(format!("and {} more", features.len() - out.len()));
    }
    out.join(", ")
}

fn state_word(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Open => "open",
        ProposalState::Merged => "merged",
        ProposalState::Dropped => "dropped",
    }
}
