//! The audit log: a chain of SHA-256 over every row and the hash before it. A row is written in the
//! transaction of what it tells of, so that neither exists without the other.

use crate::{Store, StoreError, row};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use strata_model::Instant;

/// What the first row has for the hash before it.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// 1, 2, 3 … without a gap.
    pub seq: u64,
    pub at: Instant,
    pub actor: String,
    pub action: String,
    pub target: String,
    pub detail: serde_json::Value,
    /// Hexadecimal SHA-256.
    pub prev_hash: String,
    pub hash: String,
}

/// Hash over the lengths and bytes of all columns, so that no two rows read alike.
fn hash(prev: &str, seq: i64, columns: [&str; 5]) -> String {
    let mut h = Sha256::new();
    h.update(prev.as_bytes());
    h.update(seq.to_le_bytes());
    for c in columns {
        h.update((c.len() as u64).to_le_bytes());
        h.update(c.as_bytes());
    }
    h.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Appends a row; the caller's transaction is open.
pub(crate) fn append(
    conn: &Connection,
    at: Instant,
    actor: &str,
    action: &str,
    target: &str,
    detail: &serde_json::Value,
) -> Result<u64, StoreError> {
    let (last, prev) = head(conn)?;
    let seq = last + 1;
    let at = row::instant_text(at).ok_or_else(|| StoreError::invalid("the time of the change", "it must lie in the years 0 to 9999"))?;
    let detail = detail.to_string();
    let hash = hash(&prev, seq, [&at, actor, action, target, &detail]);
    conn.prepare_cached("INSERT INTO strata_audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![seq, at, actor, action, target, detail, prev, hash])?;
    Ok(seq as u64)
}

fn head(conn: &Connection) -> Result<(i64, String), StoreError> {
    Ok(conn
        .prepare_cached("SELECT seq, hash FROM strata_audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?
        .unwrap_or_else(|| (0, GENESIS.into())))
}

impl Store {
    /// Notes something that changes no feature: a sign-in, an export, a refusal.
    pub fn audit(&mut self, actor: &str, action: &str, target: &str, detail: serde_json::Value, at: Instant) -> Result<(), StoreError> {
        let tx = self.write_transaction()?;
        append(&tx, at, actor, action, target, &detail)?;
        tx.commit()
    }

    /// At most `limit` rows after row `after`, oldest first.
    pub fn audit_rows(&self, after: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        let sql = "SELECT seq, at, actor, action, target, detail, prev_hash, hash FROM strata_audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut statement = self.conn.prepare_cached(sql)?;
        let mut rows = statement.query(params![to_sql(after), to_sql(limit as u64)])?;
        let mut out = Vec::new();
        while let Some(r) = rows.next()? {
            let at: String = r.get(1)?;
            let detail: String = r.get(5)?;
            out.push(AuditRow {
                seq: r.get::<_, i64>(0)? as u64,
                at: Instant::parse(&at)?,
                actor: r.get(2)?,
                action: r.get(3)?,
                target: r.get(4)?,
                detail: serde_json::from_str(&detail).map_err(|e| StoreError::damaged(format!("audit detail: {e}")))?,
                prev_hash: r.get(6)?,
                hash: r.get(7)?,
            });
        }
        Ok(out)
    }

    /// Number and hash of the newest row. Kept elsewhere, the pair shows later whether rows were cut off the end.
    pub fn audit_head(&self) -> Result<(u64, String), StoreError> {
        head(&self.conn).map(|(seq, hash)| (seq as u64, hash))
    }

    /// Walks the whole chain; the number of rows, or [`StoreError::AuditBroken`] with the first bad one.
    pub fn verify_audit(&self) -> Result<u64, StoreError> {
        let sql = "SELECT seq, at, actor, action, target, detail, prev_hash, hash FROM strata_audit ORDER BY seq";
        let mut statement = self.conn.prepare(sql)?;
        let mut rows = statement.query([])?;
        let (mut expected, mut prev) = (1_i64, GENESIS.to_owned());
        while let Some(r) = rows.next()? {
            let bad = |reason| Err(StoreError::AuditBroken { seq: expected as u64, reason });
            if r.get::<_, i64>(0)? != expected {
                return bad("the row is missing");
            }
            let mut columns = [""; 7];
            for (i, c) in columns.iter_mut().enumerate() {
                match row::text(r, i + 1) {
                    Ok(Some(t)) => *c = t,
                    _ => return bad("a column is not a text"),
                }
            }
            let [at, actor, action, target, detail, prev_hash, own] = columns;
            if prev_hash != prev {
                return bad("it does not follow the row before it");
            }
            if hash(&prev, expected, [at, actor, action, target, detail]) != own {
                return bad("its content does not match its hash");
            }
            prev = own.to_owned();
            expected += 1;
        }
        Ok(expected as u64 - 1)
    }
}

/// SQL numbers are signed.
pub(crate) fn to_sql(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
