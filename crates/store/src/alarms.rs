//! Alarms: what a rule found in a stream, with its evidence. Raising, ending and acknowledging each leave an audit row in
//! their own transaction. A rule has at most one alarm on a stream that is not over, and at most one open case on what
//! its streams watch: an alarm comes into the world together with its case, or adds itself to the one that is open.

use crate::{NewCase, Store, StoreError, audit, case};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};
use strata_model::{Case, CaseEvent, Instant};

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
    /// Its case. An alarm that an older program raised has none.
    pub case: Option<String>,
    pub detail: Value,
}

/// Where an alarm is handled.
pub struct AlarmCase<'a> {
    /// What the stream watches. Alarms of one rule on one target share their open case.
    pub target: &'a str,
    /// Opened when there is none, or none that takes the alarm.
    pub case: NewCase<'a>,
    /// The event that the alarm is in a case; `None`: the case takes no more.
    pub event: &'a dyn Fn(&Alarm, &Case) -> Option<CaseEvent>,
}

pub(crate) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS strata_alarms (
  id INTEGER PRIMARY KEY, rule TEXT NOT NULL, stream TEXT NOT NULL, level INTEGER NOT NULL, confidence REAL NOT NULL,
  since_ms INTEGER NOT NULL, raised_ms INTEGER NOT NULL, over_ms INTEGER, detail TEXT NOT NULL,
  acknowledged_by TEXT, acknowledged_ms INTEGER, acknowledged_reason TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS strata_alarms_open ON strata_alarms (rule, stream) WHERE over_ms IS NULL;
CREATE TABLE IF NOT EXISTS strata_alarm_cases (alarm INTEGER PRIMARY KEY, rule TEXT NOT NULL, target TEXT NOT NULL, case_id TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS strata_alarm_cases_target ON strata_alarm_cases (rule, target, alarm);
CREATE INDEX IF NOT EXISTS strata_alarm_cases_case ON strata_alarm_cases (case_id);
";

/// Who acts when a rule does.
pub const RULES: &str = "rules";
const COLUMNS: &str = "id, rule, stream, level, confidence, since_ms, raised_ms, over_ms, detail, acknowledged_by, acknowledged_ms, \
                       acknowledged_reason, (SELECT case_id FROM strata_alarm_cases WHERE alarm = id)";

impl Store {
    /// The alarm, or the one that the rule has on the stream already.
    pub fn raise_alarm(&mut self, new: &NewAlarm, within: Option<&AlarmCase>, at: Instant) -> Result<Alarm, StoreError> {
        let srs_id = self.srs_id();
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
        if let Some(within) = within {
            put_in_case(&tx, srs_id, &find(&tx, id)?, within, at)?;
        }
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
        if let Some(k) = &alarm.acknowledged {
            return Err(StoreError::Acknowledged { id: alarm.id, by: k.actor.clone() });
        }
        acknowledge(&tx, &alarm, actor, reason, at)?;
        let alarm = find(&tx, id)?;
        tx.commit()?;
        Ok(alarm)
    }

    /// Those that the case holds, oldest first.
    pub fn alarms_of_case(&self, case: &str) -> Result<Vec<Alarm>, StoreError> {
        of_case(&self.conn, case)
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

fn put_in_case(tx: &Connection, srs_id: i32, alarm: &Alarm, within: &AlarmCase, at: Instant) -> Result<(), StoreError> {
    let last: Option<String> = tx
        .prepare_cached("SELECT case_id FROM strata_alarm_cases WHERE rule = ?1 AND target = ?2 ORDER BY alarm DESC LIMIT 1")?
        .query_row([&alarm.rule, within.target], |r| r.get(0))
        .optional()?;
    let taken = match &last {
        Some(id) => (within.event)(alarm, &case::read(tx, id)?).map(|event| (id.clone(), event)),
        None => None,
    };
    let (id, event) = match taken {
        Some(taken) => taken,
        None => {
            let id = case::open(tx, srs_id, &within.case, RULES, at)?;
            let event = (within.event)(alarm, &case::read(tx, &id)?);
            (id.clone(), event.ok_or_else(|| StoreError::Refused { id, reason: "a new case takes no alarm".into() })?)
        }
    };
    tx.execute("INSERT INTO strata_alarm_cases VALUES (?1, ?2, ?3, ?4)", params![alarm.id as i64, alarm.rule, within.target, id])?;
    case::add(tx, &id, &event, RULES, at)
}

fn acknowledge(tx: &Connection, alarm: &Alarm, actor: &str, reason: &str, at: Instant) -> Result<(), StoreError> {
    let id = alarm.id as i64;
    tx.execute(
        "UPDATE strata_alarms SET acknowledged_by = ?2, acknowledged_ms = ?3, acknowledged_reason = ?4 WHERE id = ?1",
        params![id, actor, at.0, reason],
    )?;
    let detail = json!({ "rule": alarm.rule, "datastream": alarm.stream, "reason": reason });
    audit::append(tx, at, actor, "alarm.acknowledge", &target(id), &detail)?;
    Ok(())
}

/// Every alarm of the case that nobody has acknowledged.
pub(crate) fn acknowledge_of(tx: &Connection, case: &str, actor: &str, reason: &str, at: Instant) -> Result<(), StoreError> {
    of_case(tx, case)?.iter().filter(|a| a.acknowledged.is_none()).try_for_each(|a| acknowledge(tx, a, actor, reason, at))
}

fn of_case(conn: &Connection, case: &str) -> Result<Vec<Alarm>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM strata_alarms WHERE id IN (SELECT alarm FROM strata_alarm_cases WHERE case_id = ?1) ORDER BY id");
    let mut statement = conn.prepare_cached(&sql)?;
    let mut rows = statement.query([case])?;
    let mut out = Vec::new();
    while let Some(r) = rows.next()? {
        out.push(alarm_of(r)?);
    }
    Ok(out)
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
        case: r.get(12)?,
        detail: serde_json::from_str(&text).map_err(|e| StoreError::damaged(format!("an alarm's detail: {e}")))?,
    })
}
