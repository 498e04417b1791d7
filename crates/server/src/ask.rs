//! A request as the answers see it: who asks, which words stand in the address, what was sent.

use crate::{Actor, Problem, problem::short};
use std::collections::BTreeMap;

/// Names under which people put secrets into addresses. Addresses end up in logs and histories.
const SECRET_NAMES: [&str; 8] = ["token", "access_token", "id_token", "api_key", "apikey", "key", "authorization", "password"];

#[derive(Debug, Clone)]
pub struct Ask {
    pub actor: Actor,
    /// Path without the query.
    pub path: String,
    /// Captured parts of the path, decoded.
    pub parts: Vec<(String, String)>,
    pub query: Params,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Ask {
    /// A part of the path; the route's own pattern guarantees it.
    pub fn part(&self, name: &str) -> &str {
        self.parts.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
    }
}

/// The few headers that answers read.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    pub cookie: Option<String>,
    /// The last event that a reader of the stream has seen.
    pub last_event_id: Option<String>,
    /// Chosen by the client for a write that must happen once.
    pub idempotency_key: Option<String>,
    /// The answer may come packed.
    pub gzip: bool,
}

/// Query parameters, each at most once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(pub BTreeMap<String, String>);

impl Params {
    /// Refuses a secret in the address, a name given twice, and bytes that are not UTF-8.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut out = BTreeMap::new();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if SECRET_NAMES.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(Problem::new("invalid-request", "A token does not belong in an address; send it as `Authorization: Bearer`."));
            }
            if out.insert(name.clone(), value).is_some() {
                return Err(Problem::parameter("invalid-parameter", &name, "it stands twice"));
            }
        }
        Ok(Self(out))
    }
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
    pub fn only(&self, known: impl Fn(&str) -> bool) -> Result<(), Problem> {
        match self.0.keys().find(|k| !known(k)) {
            None => Ok(()),
            Some(name) => Err(Problem::parameter("unknown-parameter", name, "it is not known here")),
        }
    }
    /// A whole number between `min` and `max`; above `max` is `max` when `clamp`.
    pub fn number(&self, name: &str, min: usize, max: usize, clamp: bool) -> Result<Option<usize>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let bad = || Problem::parameter("invalid-parameter", name, format!("`{}` is not a whole number from {min} to {max}", short(text)));
        if text.is_empty() || text.len() > 18 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        match text.parse::<usize>() {
            Ok(v) if v < min => Err(bad()),
            Ok(v) if v > max && clamp => Ok(Some(max)),
            Ok(v) if v > max => Err(bad()),
            Ok(v) => Ok(Some(v)),
            Err(_) => Err(bad()),
        }
    }
    /// The query again, with some parameters set anew, in the order of their names.
    pub fn with(&self, changes: &[(&str, String)]) -> String {
        let mut all = self.0.clone();
        for (k, v) in changes {
            all.insert((*k).into(), v.clone());
        }
        all.iter().map(|(k, v)| format!("{}={}", encoded(k), encoded(v))).collect::<Vec<_>>().join("&")
    }
}

fn decoded(text: &str) -> Result<String, Problem> {
    let bad = || Problem::new("invalid-parameter", "The query is not percent-encoded UTF-8.");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'+' => out.push(b' '),
            b'%' => {
                let hex = text.get(i + 1..i + 3).ok_or_else(bad)?;
                out.push(u8::from_str_radix(hex, 16).map_err(|_| bad())?);
                i += 2;
            }
            b => out.push(b),
        }
        i += 1;
    }
    let text = String::from_utf8(out).map_err(|_| bad())?;
    if text.contains('\0') { Err(bad()) } else { Ok(text) }
}

/// Percent-encoding of everything but unreserved characters.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b',' | b':') {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_strictly() {
        let p = Params::parse("bbox=1,2,3,4&filter=name%20%3D%20%27%E9%95%BF%E6%98%A5%27&a=b+c").expect("sound");
        assert_eq!((p.get("filter"), p.get("a")), (Some("name = '长春'"), Some("b c")));
        assert_eq!(Params::parse(&p.with(&[])).as_ref(), Ok(&p));
        for (query, code) in [
            ("limit=1&limit=2", "invalid-parameter"),
            ("token=abc", "invalid-request"),
            ("ACCESS_TOKEN=abc", "invalid-request"),
            ("a=%ff", "invalid-parameter"),
            ("a=%4", "invalid-parameter"),
            ("a=%00", "invalid-parameter"),
        ] {
            assert_eq!(Params::parse(query).map_err(|p| p.code), Err(code), "{query}");
        }
    }

    #[test]
    fn numbers_are_whole_and_in_their_range() {
        let n = |q: &str| Params::parse(q).and_then(|p| p.number("limit", 1, 100, true));
        assert_eq!((n("limit=7"), n("limit=999999999"), n("x=1")), (Ok(Some(7)), Ok(Some(100)), Ok(None)));
        for bad in ["limit=0", "limit=-1", "limit=abc", "limit=", "limit=1.5", "limit=99999999999999999999999"] {
            assert!(n(bad).is_err(), "{bad}");
        }
    }
}
