//! Writes: the store is locked, the answer is kept with the change when the client gave a key, and the engine takes up
//! the commit before the next write begins.

use crate::{Ask, CityState, Problem, Reply, Written, reply::JSON, sta};
use axum::http::HeaderMap;
use strata_store::{KeptAnswer, Once, Request, Store};

/// The request's `Idempotency-Key`, with or without the quotes of a structured field.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut all = headers.get_all("idempotency-key").iter();
    let Some(value) = all.next() else { return Ok(None) };
    let text = value.to_str().ok().map(|t| t.trim().trim_matches('"'));
    match text {
        Some(t) if (1..=255).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_graphic()) && all.next().is_none() => Ok(Some(t.into())),
        _ => Err(Problem::new("invalid-request", "`Idempotency-Key` is one text of 1 to 255 visible ASCII characters.")),
    }
}

/// All that decides what a write does.
pub fn fingerprint(ask: &Ask) -> String {
    let mut h = blake3::Hasher::new();
    for part in [ask.path.as_bytes(), ask.query.with(&[]).as_bytes(), &ask.body] {
        h.update(&(part.len() as u64).to_le_bytes());
        h.update(part);
    }
    h.finalize().to_hex().to_string()
}

pub fn once(state: &CityState, ask: &Ask, write: fn(&CityState, &mut Store, &Ask) -> Result<Written, Problem>) -> Result<Reply, Problem> {
    let mut store = state.store();
    let (mut commit, mut after) = (None, None);
    let reply = match &ask.headers.idempotency_key {
        None => {
            let written = write(state, &mut store, ask)?;
            (commit, after) = (written.commit, written.after);
            written.reply
        }
        Some(key) => {
            let fingerprint = fingerprint(ask);
            let request = Request { actor: &ask.actor.name, key, fingerprint: &fingerprint };
            let done = store.once(request, state.now(), |store| {
                let written = write(state, store, ask)?;
                (commit, after) = (written.commit, written.after);
                let location = written.reply.headers.iter().find(|(k, _)| *k == "location").map(|(_, v)| v.clone());
                Ok::<_, Problem>(KeptAnswer { status: written.reply.status, location, body: written.reply.body.to_vec() })
            })?;
            match done {
                Once::Done(kept) => told(kept),
                Once::Again(kept) => told(kept).header("idempotency-replayed", "true"),
                Once::OtherRequest => return Err(Problem::new("key-reuse", "Take a new `Idempotency-Key` for a new request.")),
            }
        }
    };
    let made = commit.as_ref().map(|(v, _)| *v);
    // The store is still locked, so that commits reach the engine in their order.
    if let Some((version, changes)) = commit
        && let Err(e) = state.engine.apply(version, &changes)
    {
        // The record has it; the engine is behind until it is brought up to the record. `/readyz` says so.
        tracing::error!(version = version.0, error = %e, "the engine did not take a commit");
    }
    if let Some(version) = made {
        state.hub.version(version, state.now());
        sta::look_again(state);
    }
    if let Some(after) = after {
        after(state, &store);
    }
    drop(store);
    Ok(reply)
}

fn told(kept: KeptAnswer) -> Reply {
    let reply = Reply::new(JSON, kept.body).status(kept.status).never_kept();
    match kept.location {
        Some(place) => reply.header("location", place),
        None => reply,
    }
}
