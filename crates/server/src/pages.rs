//! The viewer's files, read once at start so that no path of a request ever reaches the disk; and a plain page for
//! when no viewer is built.

use crate::{
    Ask, CityState, Problem, Reply, ServerError,
    reply::{self, HTML, Keep},
};
use bytes::Bytes;
use std::{collections::BTreeMap, io::Write, path::Path, sync::OnceLock};

pub(crate) const CSP: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                   connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(Default)]
pub struct Pages {
    /// By address: `/`, `/pipes`.
    pages: BTreeMap<String, Bytes>,
    assets: BTreeMap<String, Asset>,
}

struct Asset {
    bytes: Bytes,
    media_type: &'static str,
    etag: String,
    /// Packed once, when the first one asks for it; `None`: it is packed as it is.
    gzip: OnceLock<Option<Bytes>>,
}

impl Asset {
    fn new(name: &str, bytes: Bytes) -> Self {
        Self { etag: reply::etag(&bytes), bytes, media_type: media_type(name), gzip: OnceLock::new() }
    }
    fn gzip(&self) -> Option<Bytes> {
        let pack = || {
            let mut out = flate2::write::GzEncoder::new(Vec::with_capacity(self.bytes.len() / 2), flate2::Compression::default());
            out.write_all(&self.bytes).and_then(|()| out.finish()).ok().map(Bytes::from)
        };
        let worth = self.bytes.len() >= 1024 && !self.media_type.starts_with("font/") && !self.media_type.starts_with("image/png");
        self.gzip.get_or_init(|| worth.then(pack).flatten()).clone()
    }
}

impl Pages {
    pub fn load(dist: Option<&Path>) -> Result<Self, ServerError> {
        let Some(dist) = dist else { return Ok(Self::default()) };
        let index = dist.join("index.html");
        if !index.is_file() {
            return Ok(Self::default());
        }
        let read = |path: &Path| std::fs::read(path).map(Bytes::from).map_err(|source| ServerError::Io { path: path.into(), source });
        let mut out = Self::default();
        out.pages.insert("/".into(), read(&index)?);
        let pipes = dist.join("pipes.html");
        if pipes.is_file() {
            out.pages.insert("/pipes".into(), read(&pipes)?);
        }
        let folder = dist.join("assets");
        let io = |source| ServerError::Io { path: folder.clone(), source };
        if folder.is_dir() {
            for entry in std::fs::read_dir(&folder).map_err(io)? {
                let entry = entry.map_err(io)?;
                // A link could lead out of the folder.
                if entry.file_type().map_err(io)?.is_file()
                    && let Some(name) = entry.file_name().to_str()
                {
                    out.assets.insert(name.to_owned(), Asset::new(name, read(&entry.path())?));
                }
            }
        }
        Ok(out)
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, e)| e) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "html" => HTML,
        _ => "application/octet-stream",
    }
}

pub fn index(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let page = match state.pages.pages.get(ask.path.as_str()) {
        Some(page) => Reply::new(HTML, page.clone()),
        None => Reply::new(HTML, plain(state, ask)),
    };
    Ok(page.header("content-security-policy", CSP))
}

pub fn asset(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let asset = state.pages.assets.get(ask.part("file")).ok_or_else(Problem::not_found)?;
    let gzip = if ask.headers.gzip { asset.gzip() } else { None };
    // The build puts a hash of the content into each name.
    Ok(Reply { keep: Keep::Forever, ..Reply::kept(asset.media_type, asset.bytes.clone(), gzip, asset.etag.clone()) })
}

fn plain(state: &CityState, ask: &Ask) -> String {
    let rows: String = state
        .snapshot()
        .layers(&ask.actor.scope)
        .iter()
        .map(|l| {
            let (zh, en, id) = (escaped(&l.title_zh), escaped(&l.title_en), l.id.as_str());
            format!("<li>{zh} {en}: <a href=\"/ogc/collections/{id}\">{id}</a>, <a href=\"/tiles/{id}.json\">tiles</a></li>\n")
        })
        .collect();
    let name = escaped(&state.meta.name);
    let note = if state.meta.synthetic { "<p>合成数据 · synthetic data</p>" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>{name}</title></head><body>\n<h1>{name}</h1>\n{note}\n\
         <ul>\n{rows}</ul>\n<p><a href=\"/ogc\">OGC API</a> · <a href=\"/openapi.json\">OpenAPI</a> · <a href=\"/limits\">limits</a></p>\n</body></html>\n"
    )
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
