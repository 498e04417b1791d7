//! Who asks. Every request has an actor from the first day: the city's keeper, who holds the token, or nobody
//! in particular, who sees what is public.

use crate::{Limits, Problem};
use axum::http::{HeaderMap, Method, header};
use std::{collections::HashMap, sync::Mutex};
use strata_model::{Instant, Scope};

#[derive(Debug, Clone, PartialEq)]
pub struct Actor {
    pub name: String,
    pub scope: Scope,
    /// May write and read the audit log.
    pub keeper: bool,
}

impl Actor {
    pub fn nobody() -> Self {
        Self { name: "anonymous".into(), scope: Scope::public(), keeper: false }
    }
    pub fn keeper() -> Self {
        Self { name: "keeper".into(), scope: Scope::everything(), keeper: true }
    }
    pub fn must_be_keeper(&self) -> Result<(), Problem> {
        if self.keeper { Ok(()) } else { Err(unauthenticated()) }
    }
}

pub fn unauthenticated() -> Problem {
    Problem::new("unauthenticated", "This needs the city's token.").header("www-authenticate", "Bearer")
}

/// The token's keeper and the open sessions. Only hashes are kept.
pub struct Door {
    token: blake3::Hash,
    /// Over https the cookie's name binds it to this host; browsers refuse that name on plain http.
    secure: bool,
    sessions: Mutex<HashMap<blake3::Hash, Instant>>,
    failures: Mutex<Vec<Instant>>,
}

const MAX_SESSIONS: usize = 1024;

impl Door {
    pub fn new(token: &str, secure: bool) -> Self {
        Self { token: blake3::hash(token.as_bytes()), secure, sessions: Mutex::default(), failures: Mutex::default() }
    }
    fn cookie_name(&self) -> &'static str {
        if self.secure { "__Host-strata" } else { "strata-session" }
    }

    /// A wrong token is an error, no token is nobody. A session that has ended is nobody too.
    pub fn actor(&self, headers: &HeaderMap, now: Instant, limits: &Limits) -> Result<Actor, Problem> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(|v| v.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            return match token {
                // Hashes are compared in constant time.
                Some((_, token)) if blake3::hash(token.trim().as_bytes()) == self.token => Ok(Actor::keeper()),
                _ => Err(Problem::new("invalid-token", "The token is not the city's.")
                    .header("www-authenticate", "Bearer error=\"invalid_token\"")),
            };
        }
        match self.session(headers, now, limits) {
            true => Ok(Actor::keeper()),
            false => Ok(Actor::nobody()),
        }
    }
    fn session(&self, headers: &HeaderMap, now: Instant, limits: &Limits) -> bool {
        let Some(id) = cookie(headers, self.cookie_name()) else { return false };
        let sessions = lock(&self.sessions);
        sessions.get(&blake3::hash(id.as_bytes())).is_some_and(|begun| now.0 - begun.0 < limits.session_s as i64 * 1000)
    }
    pub fn by_cookie(&self, headers: &HeaderMap) -> bool {
        !headers.contains_key(header::AUTHORIZATION) && cookie(headers, self.cookie_name()).is_some()
    }

    /// Opens a session for the right token; gives the `Set-Cookie` value. Too many wrong ones close the door for
    /// a minute.
    pub fn sign_in(&self, token: &str, now: Instant, limits: &Limits) -> Result<String, Problem> {
        {
            let mut failures = lock(&self.failures);
            failures.retain(|t| now.0 - t.0 < 60_000);
            if failures.len() >= limits.sign_in_failures {
                return Err(Problem::new("too-many-attempts", "Wait a minute.").header("retry-after", "60"));
            }
            if blake3::hash(token.as_bytes()) != self.token {
                failures.push(now);
                return Err(Problem::new("invalid-token", "The token is not the city's.").header("www-authenticate", "Bearer"));
            }
        }
        let id = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, begun| now.0 - begun.0 < limits.session_s as i64 * 1000);
        if sessions.len() >= MAX_SESSIONS
            && let Some(oldest) = sessions.iter().min_by_key(|(_, t)| **t).map(|(k, _)| *k)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(blake3::hash(id.as_bytes()), now);
        Ok(self.cookie(&id, limits.session_s))
    }
    /// For doors that know a password and no header.
    pub fn by_password(&self, password: &str, now: Instant, limits: &Limits) -> Result<Actor, Problem> {
        let mut failures = lock(&self.failures);
        failures.retain(|t| now.0 - t.0 < 60_000);
        if failures.len() >= limits.sign_in_failures {
            return Err(Problem::new("too-many-attempts", "Wait a minute."));
        }
        if blake3::hash(password.as_bytes()) == self.token {
            return Ok(Actor::keeper());
        }
        failures.push(now);
        Err(Problem::new("invalid-token", "The token is not the city's."))
    }
    /// `cookies`: the request's `Cookie` header.
    pub fn sign_out(&self, cookies: &str) -> String {
        if let Some(id) = named(cookies, self.cookie_name()) {
            lock(&self.sessions).remove(&blake3::hash(id.as_bytes()));
        }
        self.cookie("", 0)
    }
    fn cookie(&self, id: &str, max_age_s: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}={id}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}", self.cookie_name())
    }
}

/// A write that rides on a cookie must come from our own pages.
pub fn same_site(method: &Method, headers: &HeaderMap, own: &str) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let foreign = || Problem::new("csrf-failed", "The request came from another site.");
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site, "same-origin" | "none")
    {
        return Err(foreign());
    }
    match text("origin") {
        Some(origin) => {
            let host = origin.split_once("://").map_or("", |(_, h)| h);
            let ours = origin == own || text("host").is_some_and(|h| h == host);
            if ours { Ok(()) } else { Err(foreign()) }
        }
        None => Ok(()),
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).find_map(|v| named(v, name))
}

fn named<'a>(cookies: &'a str, name: &str) -> Option<&'a str> {
    cookies.split(';').find_map(|pair| {
        let (k, v) = pair.trim().split_once('=')?;
        (k == name).then_some(v)
    })
}

/// A poisoned lock only means that another request panicked; the data behind it is whole.
pub fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
