#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    #[error("the scene is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the flight is not a list of cameras at moments: {0}")]
    Flight(serde_json::Error),
    #[error("the scene's `{key}` is not usable: {reason}")]
    Scene { key: String, reason: String },
    #[error("the scene names the anchor `{name}`, which this city does not have")]
    UnknownAnchor { name: String },
    #[error("the tileset {url} is not usable: {reason}")]
    Tileset { url: String, reason: String },
}
