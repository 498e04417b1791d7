//! Alarms: what a rule found in a stream, with its evidence. Raising, ending and acknowledging each leave an audit row in
//! their own transaction. A rule has at most one alarm on a stream that is not over.

use crate::{Store, StoreError, audit};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};
use strata_model::Instant;

#[derive(Debug, Clone, PartialEq)]
pub struct NewAlarm {
    pub rule: String,
    pub stream: String,
    /// 1 (gravest) to 4.
    pub level: u8,
    pub confidence: f64,
    /// When the evidence begins.
    pub since: Instant,
    /// Rule and evidence, as they were when it was raised.
    pub detail: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Acknowledged {
    pub actor: String,
    pub at: Instant,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    pub id: u64,
    pub rule: String,
    pub stream: String,
    pub level: u8,
    pub confidence: f64,
    pub since: Instant,
    pub raised_at: Instant,
    pub over_at: Option<Instant>,
    pub acknowledged: Option<Acknowledged>,
    pub detail: Value,
}

pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS strata_alarms (
  id INTEGER PRIMARY KEY, rule TEXT NOT NULL, stream TEXT NOT NULL, level INTEGER NOT NULL, confidence REAL NOT NULL,
  since_ms INTEGER NOT NULL, raised_ms INTEGER NOT NULL, over_ms INTEGER, detail TEXT NOT NULL,
  acknowledged_by TEXT, acknowledged_ms INTEGER, acknowledged_reason TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS strata_alarms_open ON strata_alarms (rule, stream) WHERE over_ms IS NULL;
";

/// Who acts when a rule does.
const RULES: &str = "rules";
const COLUMNS: &str =
    "id, rule, stream, level, confidence, since_ms, raised_ms, over_ms, detail, acknowledged_by, acknowledged_ms, acknowledged_reason";

impl Store {
    /// The alarm, or the one that the rule has on the stream already.
    pub fn raise_alarm(&mut self, new: &NewAlarm, at: Instant) -> Result<Alarm, StoreError> {
        let tx = self.write_transaction()?;
        if let Some(open) = open(&tx, &new.rule, &new.stream)? {
            return Ok(open);
        }
        tx.prepare_cached(
            "INSERT INTO strata_alarms (rule, stream, level, confidence, since_ms, raised_ms, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![new.rule, new.stream, new.level, new.confidence, new.since.0, at.0, new.detail.to_string()])?;
        let id = tx.last_insert_rowid();
        let detail = json!({ "rule": new.rule, "datastream": new.stream, "level": new.level });
        audit::append(&tx, at, RULES, "alarm.raise", &target(id), &detail)?;
        let alarm = find(&tx, id)?;
        tx.commit()?;
        Ok(alarm)
    }

    /// `None`: the rule has no alarm on the stream that is not over.
    pub fn end_alarm(&mut self, rule: &str, stream: &str, at: Instant) -> Result<Option<Alarm>, StoreError> {
        let tx = self.write_transaction()?;
        let Some(alarm) = open(&tx, rule, stream)? else { return Ok(None) };
        let id = alarm.id as i64;
        tx.execute("UPDATE strata_alarms SET over_ms = ?2 WHERE id = ?1", params![id, at.0])?;
        audit::append(&tx, at, RULES, "alarm.over", &target(id), &json!({ "rule": rule, "datastream": stream }))?;
        let alarm = find(&tx, id)?;
        tx.commit()?;
        Ok(Some(alarm))
    }

    /// Once; an alarm that was acknowledged before is [`StoreError::Refused`].
    pub fn acknowledge_alarm(&mut self, id: u64, actor: &str, reason: &str, at: Instant) -> Result<Alarm, StoreError> {
        let tx = self.write_transaction()?;
        let id = audit::to_sql(id);
        let alarm = find(&tx, id)?;
        if let Some(k) = alarm.acknowledged {
            return Err(StoreError::Acknowledged { id: alarm.id, by: k.actor });
        }
        tx.execute(
            "UPDATE strata_alarms SET acknowledged_by = ?2, acknowledged_ms = ?3, acknowledged_reason = ?4 WHERE id = ?1",
            params![id, actor, at.0, reason],
        )?;
        audit::append(
            &tx,
            at,
            actor,
            "alarm.acknowledge",
            &target(id),
            &json!({ "rule": alarm.rule, "datastream": alarm.stream, "reason": reason }),
        )?;
        let alarm = find(&tx, id)?;
        tx.commit()?;
        Ok(alarm)
    }

    pub fn alarm(&self, id: u64) -> Result<Alarm, StoreError> {
        find(&self.conn, audit::to_sql(id))
    }

    /// Newest first. `open`: only those that are not over (`true`) or are (`false`); `before`: older than this one.
    pub fn alarms(&self, open: Option<bool>, before: Option<u64>, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        let which = match open {
            None => "",
            Some(true) => " AND over_ms IS NULL",
            Some(false) => " AND over_ms IS NOT NULL",
        };
        let sql = format!("SELECT {COLUMNS} FROM strata_alarms WHERE id < ?1{which} ORDER BY id DESC LIMIT ?2");
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params![before.map_or(i64::MAX, audit::to_sql), audit::to_sql(limit as u64)])?;
        let mut out = Vec::new();
        while let Some(r) = rows.next()? {
            out.push(alarm_of(r)?);
        }
        Ok(out)
    }
}

fn target(id: i64) -> String {
    format!("alarm/{id}")
}

fn find(conn: &Connection, id: i64) -> Result<Alarm, StoreError> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM strata_alarms WHERE id = ?1"))?
        .query_row([id], |r| Ok(alarm_of(r)))
        .optional()?
        .ok_or_else(|| StoreError::not_found(format!("alarm {id}")))?
}

fn open(conn: &Connection, rule: &str, stream: &str) -> Result<Option<Alarm>, StoreError> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM strata_alarms WHERE rule = ?1 AND stream = ?2 AND over_ms IS NULL"))?
        .query_row([rule, stream], |r| Ok(alarm_of(r)))
        .optional()?
        .transpose()
}

fn alarm_of(r: &Row<'_>) -> Result<Alarm, StoreError> {
    let time = |i: usize| r.get::<_, Option<i64>>(i).map(|t| t.map(Instant));
    let text: String = r.get(8)?;
    let acknowledged = match (r.get::<_, Option<String>>(9)?, time(10)?, r.get::<_, Option<String>>(11)?) {
        (Some(actor), Some(at), Some(reason)) => Some(Acknowledged { actor, at, reason }),
        _ => None,
    };
    Ok(Alarm {
        id: r.get::<_, i64>(0)? as u64,
        rule: r.get(1)?,
        stream: r.get(2)?,
        level: r.get(3)?,
        confidence: r.get(4)?,
        since: Instant(r.get(5)?),
        raised_at: Instant(r.get(6)?),
        over_at: time(7)?,
        acknowledged,
        detail: serde_json::from_str(&text).map_err(|e| StoreError::damaged(format!("an alarm's detail: {e}")))?,
    })
}
