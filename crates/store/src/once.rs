//! Exactly once: the answer to a request is kept in the transaction of its write, under the key that the client chose.

use crate::{Store, StoreError, row, tx::Tx};
use rusqlite::{OptionalExtension, params};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use strata_model::Instant;

/// How long an answer is kept: a client that comes back later is a new one.
const KEPT_MS: i64 = 7 * 86_400_000;

/// A write as its client sees it: who, under which key, and a fingerprint of all that was asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub actor: &'a str,
    pub key: &'a str,
    pub fingerprint: &'a str,
}

/// What the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// Written now.
    Done(KeptAnswer),
    /// Written earlier by the same request; nothing was changed.
    Again(KeptAnswer),
    /// The key belongs to a request that asked for something else; nothing was changed.
    OtherRequest,
}

pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS strata_answers (
  actor TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, at_ms INTEGER NOT NULL,
  status INTEGER NOT NULL, location TEXT, body BLOB NOT NULL, PRIMARY KEY (actor, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS strata_answers_at ON strata_answers (at_ms);
";

impl Store {
    /// Runs `write`, whose changes through this store and whose answer become lasting together, unless this request
    /// has been answered before. A failure keeps nothing, so the client may try again under the same key.
    pub fn once<E: From<StoreError>>(
        &mut self,
        request: Request<'_>,
        at: Instant,
        write: impl FnOnce(&mut Self) -> Result<KeptAnswer, E>,
    ) -> Result<Once, E> {
        if row::instant_text(at).is_none() {
            return Err(StoreError::invalid("the time of the change", "it must lie in the years 0 to 9999").into());
        }
        let Request { actor, key, fingerprint } = request;
        self.begin_outer()?;
        // A panic inside must not leave the transaction open for the next writer.
        let done = catch_unwind(AssertUnwindSafe(|| -> Result<Once, E> {
            let found: Option<(String, KeptAnswer)> = self
                .conn
                .prepare_cached("SELECT fingerprint, status, location, body FROM strata_answers WHERE actor = ?1 AND key = ?2")
                .and_then(|mut s| {
                    s.query_row([actor, key], |r| Ok((r.get(0)?, KeptAnswer { status: r.get(1)?, location: r.get(2)?, body: r.get(3)? })))
                        .optional()
                })
                .map_err(StoreError::from)?;
            if let Some((earlier, answer)) = found {
                return Ok(if earlier == fingerprint { Once::Again(answer) } else { Once::OtherRequest });
            }
            let answer = write(self)?;
            let keep = || -> rusqlite::Result<()> {
                self.conn.prepare_cached("DELETE FROM strata_answers WHERE at_ms < ?1")?.execute([at.0.saturating_sub(KEPT_MS)])?;
                self.conn.prepare_cached("INSERT INTO strata_answers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
                    actor,
                    key,
                    fingerprint,
                    at.0,
                    answer.status,
                    answer.location,
                    answer.body
                ])?;
                Ok(())
            };
            keep().map_err(StoreError::from)?;
            Ok(Once::Done(answer))
        }));
        match done {
            Ok(Ok(once)) => {
                self.end_outer(matches!(once, Once::Done(_)))?;
                Ok(once)
            }
            Ok(Err(e)) => {
                self.end_outer(false)?;
                Err(e)
            }
            Err(panic) => {
                let _ = self.end_outer(false);
                resume_unwind(panic)
            }
        }
    }

    fn begin_outer(&mut self) -> Result<(), StoreError> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly);
        }
        Ok(self.conn.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn end_outer(&mut self, keep: bool) -> Result<(), StoreError> {
        let ended = if keep { self.conn.execute_batch("COMMIT") } else { Ok(()) };
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK")?;
        }
        if !keep || ended.is_err() {
            self.forget_catalog();
        }
        Ok(ended?)
    }

    pub(crate) fn write_transaction(&mut self) -> Result<Tx<'_>, StoreError> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly);
        }
        Tx::begin(&self.conn)
    }
}
