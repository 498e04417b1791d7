//! Are the observations what was kept, and a copy of them while they are written.
//!
//! SQLite's own check finds a broken page or index, and says nothing of a number that has changed in its place. So each
//! group of the writer leaves a seal: the SHA-256 of its rows, in the transaction of the rows.

use super::{OBSERVATIONS, Observation, connect};
use crate::StoreError;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension,
    backup::{Backup, StepResult},
    params,
};
use sha2::{Digest, Sha256};
use std::path::Path;

/// A file that an older program made gets it when it is opened for writing; what that program kept has no seal.
pub(super) const SEALS: &str =
    "CREATE TABLE IF NOT EXISTS seals (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL, hash BLOB NOT NULL);";

/// What a check has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    pub observations: u64,
    /// Those of an older program, whose content nothing vouches for.
    pub unsealed: u64,
}

/// Over the lengths and bytes of all columns, so that no two rows read alike.
struct Seal(Sha256);

impl Seal {
    fn row(&mut self, stream: &str, numbers: [Option<i64>; 4], result: f64, parameters: Option<&str>) {
        for text in [Some(stream), parameters] {
            self.0.update(text.map_or(-1, |t| t.len() as i64).to_le_bytes());
            self.0.update(text.unwrap_or_default());
        }
        for n in numbers {
            self.0.update([u8::from(n.is_some())]);
            self.0.update(n.unwrap_or_default().to_le_bytes());
        }
        self.0.update(result.to_bits().to_le_bytes());
    }
}

/// In the transaction of what was added.
pub(super) fn seal(conn: &Connection, added: &[Observation]) -> rusqlite::Result<()> {
    let (Some(first), Some(last)) = (added.first(), added.last()) else { return Ok(()) };
    let mut seal = Seal(Sha256::new());
    for o in added {
        let numbers = [Some(o.id as i64), Some(o.at.0), o.until.map(|t| t.0), o.result_at.map(|t| t.0)];
        seal.row(&o.stream, numbers, o.result, o.parameters.as_deref());
    }
    conn.prepare_cached("INSERT INTO seals VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        first.id as i64,
        last.id as i64,
        added.len() as i64,
        seal.0.finalize().as_slice()
    ])?;
    Ok(())
}

/// Pages, index and every sealed row of a city's observations, also while they are written; `None`: it has none.
/// The first fault found, as [`StoreError::Damaged`].
pub fn check_observations(dir: &Path) -> Result<Option<Checked>, StoreError> {
    let path = dir.join(OBSERVATIONS);
    if !path.is_file() {
        return Ok(None);
    }
    check(&path).map(Some).map_err(|e| match e {
        StoreError::Damaged { reason } => StoreError::damaged(format!("the observations: {reason}")),
        StoreError::StorageFailed { source } => StoreError::damaged(format!("the observations: {source}")),
        other => other,
    })
}

fn check(path: &Path) -> Result<Checked, StoreError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.execute_batch("BEGIN")?; // one state of the file, whatever is written meanwhile
    let pages: String = conn.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if pages != "ok" {
        return Err(StoreError::damaged(pages));
    }
    let sealed = conn.prepare("SELECT 1 FROM sqlite_master WHERE name = 'seals'")?.exists([])?;
    let count = |sql: &str| -> Result<u64, StoreError> { Ok(conn.query_row(sql, [], |r| r.get::<_, i64>(0))? as u64) };
    let observations = count("SELECT count(*) FROM observations")?;
    let mut out = Checked { observations, unsealed: observations };
    if !sealed {
        return Ok(out);
    }
    let mut seals = conn.prepare("SELECT first, last, count, hash FROM seals ORDER BY first")?;
    let mut rows = conn.prepare(
        "SELECT o.id, s.id, o.at, o.until, o.result_at, o.result, o.parameters FROM observations o LEFT JOIN streams s ON s.number = o.stream
         WHERE o.id BETWEEN ?1 AND ?2 ORDER BY o.id",
    )?;
    let mut all = seals.query([])?;
    // A seal begins where the one before it has ended.
    let mut next: Option<i64> = None;
    while let Some(s) = all.next()? {
        let (first, last, wanted): (i64, i64, i64) = (s.get(0)?, s.get(1)?, s.get(2)?);
        let hash: Vec<u8> = s.get(3)?;
        if next.is_some_and(|n| n != first) || last < first {
            return Err(StoreError::damaged(format!("a seal before observation {first} is missing")));
        }
        next = Some(last + 1);
        let (mut seal, mut found) = (Seal(Sha256::new()), 0_i64);
        let mut within = rows.query([first, last])?;
        while let Some(r) = within.next()? {
            let stream: Option<String> = r.get(1)?;
            let parameters: Option<String> = r.get(6)?;
            seal.row(stream.as_deref().unwrap_or_default(), [r.get(0)?, r.get(2)?, r.get(3)?, r.get(4)?], r.get(5)?, parameters.as_deref());
            found += 1;
        }
        if found != wanted || seal.0.finalize().as_slice() != hash {
            return Err(StoreError::damaged(format!(
                "observations {first} to {last} are not what was kept ({found} of {wanted} are there)"
            )));
        }
        out.unsealed = out.unsealed.saturating_sub(found as u64);
    }
    let last: Option<i64> = conn.query_row("SELECT max(id) FROM observations", [], |r| r.get(0)).optional()?.flatten();
    match (next, last) {
        (Some(next), Some(last)) if last >= next => Err(StoreError::damaged(format!("observations {next} to {last} have no seal"))),
        _ => Ok(out),
    }
}

/// The observations as they are now, into a file that does not exist yet, and checked there.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    copy.pragma_update(None, "synchronous", "FULL")?;
    // All pages in one step: one read transaction, which no writer can make begin anew.
    let done = Backup::new(&source, &mut copy)?.step(-1)?;
    if done != StepResult::Done {
        return Err(StoreError::NotKept { full: false, reason: "the file was held by another program for too long".into() });
    }
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?; // one file, no -wal beside it
    copy.close().map_err(|(_, e)| e)?;
    check(to)?;
    Ok(())
}
