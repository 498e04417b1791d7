/// Why nothing can be drawn.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("no graphics adapter, not even a software one (Mesa's lavapipe is in mesa-vulkan-drivers): {0}")]
    NoAdapter(String),
    #[error("the graphics device was refused: {0}")]
    NoDevice(String),
    #[error("a picture of {width} × {height} is not possible here (at most {most})")]
    Size { width: u32, height: u32, most: u32 },
    #[error("the graphics device failed: {0}")]
    Device(String),
    #[error("no window can be opened: {0} (an X display is needed: DISPLAY; a picture with no window comes from `strata shot`)")]
    NoWindow(String),
    #[error("the graphics memory is full even with the smallest picture: close other programs or take --quality low")]
    Memory,
    #[error("line {line} of the script: {reason}")]
    Script { line: usize, reason: String },
    #[error("the tile {url} is not usable: {reason}")]
    Tile { url: String, reason: String },
    #[error("the font is not readable: {0}")]
    Font(String),
    #[error("the picture cannot be written: {0}")]
    Picture(#[from] std::io::Error),
    #[error(transparent)]
    Scene(#[from] strata_scene::SceneError),
}
