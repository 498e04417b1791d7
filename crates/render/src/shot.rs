//! A still picture of a scene: tiles are fetched until nothing is missing, then it is drawn once.

use crate::{FrameStats, Look, RenderError, Renderer, TileHandle};
use std::path::Path;
use strata_scene::{RequestKind, Stream, View};
use strata_tiles::decode_glb;

/// What was drawn, and from what.
#[derive(Debug, Clone)]
pub struct Picture {
    pub size: [u32; 2],
    /// Rows from the top, RGBA, sRGB.
    pub rgba: Vec<u8>,
    pub stats: FrameStats,
    pub tiles: Vec<TileHandle>,
    /// Addresses that did not come, with the reason: the picture is whole without them only where they are empty.
    pub missing: Vec<(String, String)>,
}

/// Fetches through `fetch` (address → bytes) until the stream is settled, and draws.
pub fn shot(
    renderer: &mut Renderer,
    stream: &mut Stream<TileHandle>,
    view: &View,
    look: &Look,
    fetch: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Picture, RenderError> {
    stream.fade_s = 0.0;
    // Every round brings at least one answer, so a tree of any depth ends; the bound is for a tileset that never does.
    for _ in 0..10_000 {
        let update = stream.update(view, 0.0);
        update.evict.iter().for_each(|h| renderer.release(*h));
        let wanted = stream.wanted(64);
        if wanted.is_empty() {
            let handles: Vec<TileHandle> = update.draw.iter().map(|d| d.handle).collect();
            let stats = renderer.draw(view, look, &handles);
            return Ok(Picture {
                size: renderer.size(),
                rgba: renderer.read_rgba()?,
                stats,
                tiles: handles,
                missing: stream.failures().iter().map(|(u, r)| (u.clone(), r.clone())).collect(),
            });
        }
        for request in wanted {
            stream.started(&request.url);
            let Some(ready) = stream.provide(&request.url, fetch(&request.url)) else { continue };
            debug_assert_eq!(request.kind, RequestKind::Content);
            match decode_glb(&ready.bytes) {
                Ok(content) => {
                    let handle = renderer.upload(&content);
                    stream.loaded(&ready.url, handle, renderer.tile_bytes(handle));
                }
                Err(e) => stream.failed(&ready.url, e.to_string()),
            }
        }
    }
    Err(RenderError::Device("the scene never came to rest".into()))
}

impl Picture {
    /// Written aside and renamed: a half picture is never found.
    pub fn write_png(&self, path: &Path) -> Result<(), RenderError> {
        let aside = path.with_extension("half");
        {
            let file = std::io::BufWriter::new(std::fs::File::create(&aside)?);
            let mut encoder = png::Encoder::new(file, self.size[0], self.size[1]);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_depth(png::BitDepth::Eight);
            let io = |e: png::EncodingError| std::io::Error::other(e);
            let mut writer = encoder.write_header().map_err(io)?;
            // Every picture is opaque.
            let rgb: Vec<u8> = self.rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
            writer.write_image_data(&rgb).map_err(io)?;
            writer.finish().map_err(io)?;
        }
        Ok(std::fs::rename(aside, path)?)
    }
}
