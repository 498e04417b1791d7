/// What can be wrong with the words themselves.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
pub enum ModelError {
    #[error("the date or time `{text}` is not ISO 8601 (YYYY, YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ)")]
    Instant { text: String },
    #[error("the interval ends ({to}) before it begins ({from})")]
    Interval { from: String, to: String },
    #[error("the coordinate reference system `{name}` is not known")]
    UnknownCrs { name: String },
    #[error("coordinates {x}, {y} cannot be projected to {crs}")]
    Projection { x: f64, y: f64, crs: String },
    #[error("the WKB is not readable at byte {offset}: {reason}")]
    Wkb { offset: usize, reason: &'static str },
    #[error("the geometry is not valid: {reason}")]
    Geometry { reason: String },
    #[error("layer `{layer}` has no attribute `{name}`")]
    UnknownAttribute { layer: String, name: String },
    #[error("the filter is too complex: {reason}")]
    FilterTooComplex { reason: &'static str },
    #[error("the filter is not readable at character {at}: {reason}")]
    FilterSyntax { at: usize, reason: String },
}
