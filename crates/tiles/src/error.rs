use strata_model::ModelError;

/// What can go wrong between model and bytes.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
pub enum TilesError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("the recipe is not readable: {reason}")]
    Recipe { reason: String },
    #[error("the vector tile is not readable at byte {offset}: {reason}")]
    Mvt { offset: usize, reason: &'static str },
    #[error("the picture could not be written: {reason}")]
    Png { reason: String },
}
