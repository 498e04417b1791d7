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
    #[error("the 3D content is not readable: {reason}")]
    Glb { reason: String },
    #[error("the 3D content cannot be written: {reason}")]
    Content { reason: String },
    #[error("the layer {layer} cannot be laid out in tiles: {reason}")]
    Plan { layer: String, reason: String },
}
