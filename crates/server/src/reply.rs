//! Answers on their way out: entity tags, revalidation, caching, and which media types a client takes.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use serde_json::Value;

pub const JSON: &str = "application/json";
pub const GEOJSON: &str = "application/geo+json";
pub const MVT: &str = "application/vnd.mapbox-vector-tile";
pub const GLB: &str = "model/gltf-binary";
pub const SUBTREE: &str = "application/octet-stream";
pub const HTML: &str = "text/html; charset=utf-8";
pub const OPENAPI: &str = "application/vnd.oai.openapi+json;version=3.0";

/// How long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Ask again each time; the entity tag makes it cheap.
    Revalidate,
    /// The name holds a hash of the content.
    Forever,
    Never,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub media_type: &'static str,
    pub body: Bytes,
    /// The body packed already, for answers that are kept.
    pub gzip: Option<Bytes>,
    pub keep: Keep,
    pub etag: Option<String>,
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    pub fn new(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let etag = Some(etag(&body));
        Self { status: 200, media_type, body, gzip: None, keep: Keep::Revalidate, etag, headers: Vec::new() }
    }
    /// Of content whose tag and packed form are known.
    pub fn kept(media_type: &'static str, body: Bytes, gzip: Option<Bytes>, etag: String) -> Self {
        Self { status: 200, media_type, body, gzip, keep: Keep::Revalidate, etag: Some(etag), headers: Vec::new() }
    }
    pub fn json(value: &Value) -> Self {
        Self::new(JSON, value.to_string())
    }
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
    pub fn never_kept(mut self) -> Self {
        self.keep = Keep::Never;
        self.etag = None;
        self
    }
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// `public`: the answer holds only what everyone may see.
    pub fn into_response(self, asked: &HeaderMap, public: bool) -> Response<Body> {
        let mut out = Response::new(Body::empty());
        *out.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = out.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("authorization, cookie"));
        let keep = match (self.keep, public) {
            (Keep::Never, _) => "no-store",
            (Keep::Revalidate, true) => "public, no-cache",
            (Keep::Revalidate, false) => "private, no-cache",
            (Keep::Forever, _) => "public, max-age=31536000, immutable",
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        for (name, value) in &self.headers {
            if let Ok(v) = HeaderValue::from_str(value) {
                headers.append(*name, v);
            }
        }
        if let Some(tag) = &self.etag {
            if let Ok(v) = HeaderValue::from_str(tag) {
                headers.insert(header::ETAG, v);
            }
            if self.status == 200 && matches(asked, tag) {
                *out.status_mut() = StatusCode::NOT_MODIFIED;
                return out;
            }
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        let body = match self.gzip.filter(|_| takes_gzip(asked)) {
            Some(packed) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
                packed
            }
            None => self.body,
        };
        *out.body_mut() = Body::from(body);
        out
    }
}

/// Strong: equal tags mean equal bytes (before packing; packed forms get a suffix of their own).
pub fn etag(body: &[u8]) -> String {
    format!("\"{}\"", &blake3::hash(body).to_hex()[..32])
}

/// Packed forms of one body have tags of their own.
pub const PACKINGS: [&str; 2] = ["gzip", "br"];

fn matches(asked: &HeaderMap, tag: &str) -> bool {
    let bare = tag.trim_matches('"');
    let same = |given: &str| {
        let given = given.trim().trim_start_matches("W/").trim_matches('"');
        given == "*" || given == bare || PACKINGS.iter().any(|p| given.strip_suffix(p).and_then(|g| g.strip_suffix('-')) == Some(bare))
    };
    asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).any(same)
}

pub fn takes_gzip(asked: &HeaderMap) -> bool {
    asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).any(|item| {
        let (name, q) = item.trim().split_once(';').unwrap_or((item.trim(), ""));
        matches!(name.trim(), "gzip" | "*") && !matches!(q.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// Does the client take this media type? Anything JSON is taken by whoever takes any JSON.
pub fn acceptable(asked: &HeaderMap, media_type: &str) -> bool {
    let mut any = false;
    let (kind, rest) = media_type.split_once('/').unwrap_or((media_type, ""));
    let json = rest.contains("json");
    let bare = media_type.split(';').next().unwrap_or_default();
    for item in asked.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')) {
        let mut pieces = item.split(';').map(str::trim);
        let range = pieces.next().unwrap_or_default();
        any |= !range.is_empty();
        if pieces.any(|p| matches!(p, "q=0" | "q=0.0" | "q=0.00" | "q=0.000")) {
            continue;
        }
        let (k, r) = range.split_once('/').unwrap_or((range, ""));
        let fits = range == "*/*"
            || (k == kind && (r == "*" || range == bare))
            || (json && k == "application" && (r == "*" || r.contains("json")))
            || (!json && range == "application/octet-stream");
        if fits {
            return true;
        }
    }
    !any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &'static str, value: &'static str) -> HeaderMap {
        [(header::HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn clients_get_what_they_take() {
        assert!(acceptable(&HeaderMap::new(), JSON));
        for accept in ["*/*", "application/json", "application/geo+json;q=0.5, text/html", "text/html, */*;q=0.1", "application/*"] {
            assert!(acceptable(&map("accept", accept), JSON), "{accept}");
        }
        assert!(acceptable(&map("accept", "image/avif,image/*,*/*;q=0.8"), MVT));
        for accept in ["image/x-nothing", "application/json;q=0", "text/html"] {
            assert!(!acceptable(&map("accept", accept), JSON), "{accept}");
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let reply = Reply::new(JSON, "{}");
        let tag: &'static str = reply.etag.clone().unwrap_or_default().leak();
        assert_eq!(reply.clone().into_response(&HeaderMap::new(), true).status(), 200);
        assert_eq!(reply.clone().into_response(&map("if-none-match", tag), true).status(), 304);
        let packed: &'static str = format!("\"other\", {}-gzip\"", &tag[..tag.len() - 1]).leak();
        assert_eq!(reply.clone().into_response(&map("if-none-match", packed), true).status(), 304);
        assert_eq!(reply.into_response(&map("if-none-match", "\"other\""), true).status(), 200);
    }
}
