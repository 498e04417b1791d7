//! Cases: what government walks through, with every event, beside the record. What a step may do is decided by the
//! caller's function, inside the transaction; an event, the proposal's end and the audit rows come together or not at all.

use crate::{Store, StoreError, alarms, audit, proposal, row, spatial, store};
use rusqlite::{Connection, OptionalExtension, params};
use strata_model::{Case, CaseEvent, Commit, Geometry, Instant, Proposal, Version};

/// Put up when a record is opened for writing; a record of an older program gets them then.
pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS strata_cases (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, definition TEXT NOT NULL, edition INTEGER NOT NULL, title TEXT NOT NULL,
  opened TEXT NOT NULL, opened_by TEXT NOT NULL, start_state TEXT NOT NULL, state TEXT NOT NULL, proposal TEXT, place BLOB);
CREATE TABLE IF NOT EXISTS strata_case_events (
  case_id TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, event TEXT NOT NULL,
  PRIMARY KEY (case_id, seq)) WITHOUT ROWID;
";

/// What a step does besides its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Leave,
    /// Makes the proposal's changes a version; [`StoreError::Conflict`] when others changed its features meanwhile.
    Merge,
    Drop,
    /// Acknowledges the case's alarms that are not yet, with the event's actor and reason.
    Acknowledge,
}

/// A case to be opened.
#[derive(Debug, Clone)]
pub struct NewCase<'a> {
    pub definition: &'a str,
    pub edition: u32,
    pub title: &'a str,
    pub start_state: &'a str,
    pub place: Option<Geometry>,
    pub proposal: Option<&'a str>,
}

impl Store {
    pub fn open_case(&mut self, new: &NewCase, actor: &str, at: Instant) -> Result<Case, StoreError> {
        let srs_id = self.srs_id();
        let tx = self.write_transaction()?;
        let id = open(&tx, srs_id, new, actor, at)?;
        let kept = read(&tx, &id)?;
        tx.commit()?;
        Ok(kept)
    }

    pub fn case(&self, id: &str) -> Result<Case, StoreError> {
        self.reading(|| if has_cases(&self.conn)? { read(&self.conn, id) } else { Err(StoreError::not_found(format!("case {id}"))) })
    }

    /// Newest first; of one definition and in one state only, when they are given.
    pub fn cases(&self, definition: Option<&str>, state: Option<&str>, limit: usize, offset: usize) -> Result<Vec<Case>, StoreError> {
        self.reading(|| {
            if !has_cases(&self.conn)? {
                return Ok(Vec::new());
            }
            let mut statement = self.conn.prepare_cached(
                "SELECT id FROM strata_cases WHERE (?1 IS NULL OR definition = ?1) AND (?2 IS NULL OR state = ?2)
                 ORDER BY number DESC LIMIT ?3 OFFSET ?4",
            )?;
            let ids = statement.query_map(params![definition, state, limit as i64, offset as i64], |r| r.get::<_, String>(0))?;
            ids.collect::<Result<Vec<_>, _>>()?.iter().map(|id| read(&self.conn, id)).collect()
        })
    }

    /// Takes a step. `decide` sees the case, its open proposal and the newest version, and gives the event with what
    /// becomes of the proposal, or the reason against ([`StoreError::Refused`]); nobody writes between its word and the
    /// event. A merge gives its commit.
    pub fn step_case(
        &mut self,
        id: &str,
        actor: &str,
        at: Instant,
        decide: &mut dyn FnMut(&Case, Option<&Proposal>, Version) -> Result<(CaseEvent, Effect), StoreError>,
    ) -> Result<(Case, Option<Commit>), StoreError> {
        let srs_id = self.srs_id();
        let tx = self.write_transaction()?;
        let tables = store::by_id(store::tables(&tx)?);
        let case = read(&tx, id)?;
        let proposal = match &case.proposal {
            Some(p) => Some(proposal::read(&tx, &tables, p)?).filter(|p| p.state == strata_model::ProposalState::Open),
            None => None,
        };
        let (event, with) = decide(&case, proposal.as_ref(), store::head(&tx)?)?;
        add(&tx, id, &event, actor, at)?;
        let commit = match (with, &proposal) {
            (Effect::Leave, _) => {
                tx.commit()?;
                None
            }
            (Effect::Acknowledge, _) => {
                alarms::acknowledge_of(&tx, id, actor, event.reason.as_deref().unwrap_or_default(), at)?;
                tx.commit()?;
                None
            }
            (Effect::Drop, Some(p)) => {
                proposal::drop_in(&tx, p, actor, at)?;
                tx.commit()?;
                None
            }
            // Nothing is there to drop: an applicant may take back a case before it carries anything.
            (Effect::Drop, None) => {
                tx.commit()?;
                None
            }
            (Effect::Merge, Some(p)) => {
                proposal::unchanged_since(&tx, &tables, p)?;
                Some(proposal::merge_in(tx, srs_id, p, actor, at)?)
            }
            (Effect::Merge, None) => return Err(StoreError::Refused { id: id.into(), reason: "it carries no open proposal".into() }),
        };
        Ok((self.case(id)?, commit))
    }
}

fn target(id: &str) -> String {
    format!("case/{id}")
}

pub(crate) fn open(tx: &Connection, srs_id: i32, new: &NewCase, actor: &str, at: Instant) -> Result<String, StoreError> {
    if let Some(id) = new.proposal {
        proposal::open(tx, &store::by_id(store::tables(tx)?), id)?;
        let other: Option<String> = tx.query_row("SELECT id FROM strata_cases WHERE proposal = ?1", [id], |r| r.get(0)).optional()?;
        if let Some(other) = other {
            return Err(StoreError::Refused { id: id.into(), reason: format!("the case {other} carries it already") });
        }
    }
    let id = proposal::new_id(at);
    let opened = proposal::when(at)?;
    let place = new.place.as_ref().map(|g| spatial::encode(g, srs_id).0);
    tx.execute(
        "INSERT INTO strata_cases (id, definition, edition, title, opened, opened_by, start_state, state, proposal, place)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)",
        params![id, new.definition, new.edition, new.title, opened, actor, new.start_state, new.proposal, place],
    )?;
    let detail = serde_json::json!({ "definition": new.definition, "edition": new.edition, "title": new.title, "proposal": new.proposal });
    audit::append(tx, at, actor, "case.open", &target(&id), &detail)?;
    Ok(id)
}

/// The event with its audit row.
pub(crate) fn add(tx: &Connection, id: &str, event: &CaseEvent, actor: &str, at: Instant) -> Result<(), StoreError> {
    let text = serde_json::to_string(event).map_err(|e| StoreError::invalid("the event", e.to_string()))?;
    tx.execute(
        "INSERT INTO strata_case_events (case_id, seq, at, event) VALUES (?1, ?2, ?3, ?4)",
        params![id, event.seq as i64, proposal::when(at)?, text],
    )?;
    tx.execute("UPDATE strata_cases SET state = ?2 WHERE id = ?1", params![id, event.to])?;
    let detail = serde_json::json!({ "step": event.step, "from": event.from, "to": event.to, "role": event.role, "reason": event.reason });
    audit::append(tx, at, actor, "case.step", &target(id), &detail)?;
    Ok(())
}

/// A record that an older program made and that nobody opened for writing since has no cases.
fn has_cases(conn: &Connection) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT 1 FROM sqlite_master WHERE name = 'strata_cases'")?.exists([])?)
}

pub(crate) fn read(conn: &Connection, id: &str) -> Result<Case, StoreError> {
    let damaged = |what: &str| StoreError::damaged(format!("case {id}: {what}"));
    let mut statement = conn.prepare_cached(
        "SELECT definition, edition, title, opened, opened_by, start_state, proposal, place FROM strata_cases WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let r = rows.next()?.ok_or_else(|| StoreError::not_found(format!("case {id}")))?;
    let place: Option<Vec<u8>> = r.get(7)?;
    let mut case = Case {
        id: id.into(),
        definition: r.get(0)?,
        edition: r.get(1)?,
        title: r.get(2)?,
        opened: Instant::parse(&r.get::<_, String>(3)?).map_err(|_| damaged("the day of its opening"))?,
        opened_by: r.get(4)?,
        start_state: r.get(5)?,
        proposal: r.get(6)?,
        place: place.map(|blob| spatial::decode(&blob, None)).transpose()?,
        events: Vec::new(),
    };
    let mut events = conn.prepare_cached("SELECT event FROM strata_case_events WHERE case_id = ?1 ORDER BY seq")?;
    let mut rows = events.query([id])?;
    while let Some(r) = rows.next()? {
        let text = row::text(r, 0)?.unwrap_or_default();
        let event: CaseEvent = serde_json::from_str(text).map_err(|e| damaged(&e.to_string()))?;
        if event.seq != case.events.len() as u64 + 1 || event.from != case.state() {
            return Err(damaged("its events do not follow each other"));
        }
        case.events.push(event);
    }
    Ok(case)
}
