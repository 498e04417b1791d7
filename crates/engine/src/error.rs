use std::path::PathBuf;
use strata_model::{FieldKind, LayerId, ModelError, Version};

/// What can go wrong between the segments and the asker.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The answer for a layer that does not exist and for one that the scope hides: they are the same.
    #[error("there is no layer `{layer}`")]
    UnknownLayer { layer: LayerId },
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("layer `{layer}`, feature `{id}`: {count} attribute values for {fields} fields")]
    AttributeCount { layer: LayerId, id: String, count: usize, fields: usize },
    #[error("layer `{layer}`, feature `{id}`: the value of `{field}` is not of kind {kind:?}")]
    AttributeKind { layer: LayerId, id: String, field: String, kind: FieldKind },
    #[error("version {} of layer `{layer}` comes after {} already: versions must ascend", given.0, newest.0)]
    NotAscending { layer: LayerId, given: Version, newest: Version },
    #[error("layer `{layer}` holds more than {limit} rows")]
    TooManyRows { layer: LayerId, limit: u32 },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// A segment that cannot be trusted. It can be built again from the record.
    #[error("the segment {path} is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("the segment {path} cannot be written: {reason}")]
    Write { path: PathBuf, reason: String },
    /// The giver of the rows failed.
    #[error("the rows could not be read: {reason}")]
    Source { reason: String },
}

impl EngineError {
    /// For those who push rows into [`crate::Engine::build`] and fail on the way.
    pub fn source(reason: impl Into<String>) -> Self {
        Self::Source { reason: reason.into() }
    }
}

/// `map_err(io(path))`
pub(crate) fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> EngineError + '_ {
    move |source| EngineError::Io { path: path.to_owned(), source }
}
