//! Things that are registered by a document of their own rather than surveyed as features: devices of the sensor network
//! and what they measure. Kept for good; the audit row is in the transaction of the registration.

use crate::{Store, StoreError, audit};
use rusqlite::params;
use serde_json::{Value, json};
use strata_model::Instant;

#[derive(Debug, Clone, PartialEq)]
pub struct Registered {
    pub kind: String,
    pub id: String,
    pub document: Value,
}

pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS strata_registered (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (kind, id));
";

impl Store {
    /// Keeps all of them or none. An id that its kind has already is [`StoreError::Invalid`].
    pub fn register(&mut self, actor: &str, at: Instant, all: &[Registered]) -> Result<(), StoreError> {
        let Some(first) = all.first() else { return Ok(()) };
        let tx = self.write_transaction()?;
        for r in all {
            let known = tx.prepare_cached("SELECT 1 FROM strata_registered WHERE kind = ?1 AND id = ?2")?.exists([&r.kind, &r.id])?;
            if known {
                return Err(StoreError::invalid(format!("{} {}", r.kind, r.id), "there is one of this id already"));
            }
            tx.prepare_cached("INSERT INTO strata_registered (kind, id, document) VALUES (?1, ?2, ?3)")?.execute(params![
                r.kind,
                r.id,
                r.document.to_string()
            ])?;
        }
        let names: Vec<String> = all.iter().map(|r| format!("{}/{}", r.kind, r.id)).collect();
        audit::append(&tx, at, actor, "register", &format!("{}/{}", first.kind, first.id), &json!({ "registered": names }))?;
        tx.commit()
    }

    /// In the order in which they were registered.
    pub fn registered(&self) -> Result<Vec<Registered>, StoreError> {
        let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'strata_registered'";
        if !self.conn.prepare_cached(sql)?.exists([])? {
            return Ok(Vec::new()); // an older record, opened for reading only
        }
        let mut statement = self.conn.prepare_cached("SELECT kind, id, document FROM strata_registered ORDER BY seq")?;
        let mut rows = statement.query([])?;
        let mut out = Vec::new();
        while let Some(r) = rows.next()? {
            let text: String = r.get(2)?;
            let document = serde_json::from_str(&text).map_err(|e| StoreError::damaged(format!("a registered document: {e}")))?;
            out.push(Registered { kind: r.get(0)?, id: r.get(1)?, document });
        }
        Ok(out)
    }
}
