//! Observations: what sensors said, in a file of its own beside the record (`observations.db`).
//!
//! One thread writes. Whatever has queued up while the last group was on its way to the disk becomes the next group: one
//! transaction, one synchronisation, however many batches. [`Observations::append`] returns when its group is on the
//! disk (WAL, `synchronous=FULL`), so what is acknowledged survives a kill and a power cut: the window in which an
//! acknowledged observation can be lost is zero. A batch is kept whole or not at all.
//!
//! A stream has one observation at one time. The same one again is no fault and changes nothing; another result at the
//! same time is told as such and changes nothing either. Times are UTC milliseconds; results are finite numbers in the
//! stream's own unit.

mod check;
mod query;
mod writer;

pub(crate) use check::copy;
pub use check::{Checked, check_observations};
pub use query::{Bound, Column, Comparison, ObservationQuery, Order, Where};

use crate::{StoreError, store::lock_file};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc},
    thread::JoinHandle,
    time::Duration,
};
use strata_model::Instant;

/// The file inside the city folder.
pub const OBSERVATIONS: &str = "observations.db";
const SCHEMA: i32 = 1;
const BUSY: Duration = Duration::from_secs(5);
/// Batches that may wait for the writer; whoever brings one more waits with it.
const QUEUE: usize = 1024;

const TABLES: &str = "
CREATE TABLE streams (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE observations (
  id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, at INTEGER NOT NULL, until INTEGER, result_at INTEGER, result REAL NOT NULL, parameters TEXT);
CREATE UNIQUE INDEX observations_time ON observations (stream, at);
CREATE TABLE answers (request TEXT NOT NULL PRIMARY KEY, fingerprint TEXT NOT NULL, at_ms INTEGER NOT NULL, kept TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX answers_at ON answers (at_ms);
";

/// What is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewObservation {
    pub stream: Arc<str>,
    /// Phenomenon time, or its beginning.
    pub at: Instant,
    /// Its end, when it is a span.
    pub until: Option<Instant>,
    pub result_at: Option<Instant>,
    pub result: f64,
    /// A JSON object.
    pub parameters: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Grows with every observation that is kept.
    pub id: u64,
    pub stream: Arc<str>,
    pub at: Instant,
    pub until: Option<Instant>,
    pub result_at: Option<Instant>,
    pub result: f64,
    pub parameters: Option<String>,
}

/// What became of one observation of a batch; the number is the id of the one that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    New(u64),
    /// It was there already, just so.
    Same(u64),
    /// The stream has another result at this time.
    Other(u64),
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    Done(Vec<Fate>),
    /// The request under this key was kept before.
    Again(Vec<Fate>),
    /// The key belongs to a request with other content.
    OtherRequest,
}

/// A batch that is to be kept once, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchKey {
    pub actor: String,
    pub key: String,
    pub fingerprint: String,
}

/// Called in the writer's thread with what a group has added, when it is on the disk and before anyone is told.
pub type OnKept = Box<dyn Fn(&[Observation]) + Send>;

pub(crate) struct Job {
    rows: Vec<NewObservation>,
    key: Option<BatchKey>,
    at: Instant,
    reply: mpsc::SyncSender<Result<Appended, StoreError>>,
}

#[derive(Default)]
pub(crate) struct Streams {
    numbers: HashMap<Arc<str>, i64>,
    ids: HashMap<i64, Arc<str>>,
}

impl Streams {
    fn insert(&mut self, number: i64, id: Arc<str>) {
        self.numbers.insert(id.clone(), number);
        self.ids.insert(number, id);
    }
}

pub struct Observations {
    path: PathBuf,
    streams: Arc<RwLock<Streams>>,
    readers: Mutex<Vec<Connection>>,
    jobs: Option<mpsc::SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    _lock: File,
}

impl Observations {
    /// Opens, or makes, the observations of a city. A second one, in this or another process, gets [`StoreError::Locked`].
    pub fn open(dir: &Path, on_kept: OnKept) -> Result<Self, StoreError> {
        let lock = lock_file(dir, "observations.lock")?;
        let path = dir.join(OBSERVATIONS);
        let conn = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "wal_autocheckpoint", 4000)?;
        let found: i32 = conn.pragma_query_value(None, "user_version", |r| r.get(0))?;
        match found {
            0 => {
                conn.execute_batch(&format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {SCHEMA}; COMMIT"))?;
            }
            SCHEMA => {}
            newer => return Err(StoreError::SchemaNewer { path, found: newer as u32, known: SCHEMA as u32 }),
        }
        conn.execute_batch(check::SEALS)?;
        let mut streams = Streams::default();
        {
            let mut all = conn.prepare("SELECT number, id FROM streams")?;
            let mut rows = all.query([])?;
            while let Some(r) = rows.next()? {
                streams.insert(r.get(0)?, r.get::<_, String>(1)?.into());
            }
        }
        let streams = Arc::new(RwLock::new(streams));
        let (jobs, queue) = mpsc::sync_channel(QUEUE);
        let shared = streams.clone();
        let writer = std::thread::Builder::new()
            .name("observations".into())
            .spawn(move || writer::run(conn, &shared, &queue, &on_kept))
            .map_err(|source| StoreError::Io { path: path.clone(), source })?;
        Ok(Self { path, streams, readers: Mutex::default(), jobs: Some(jobs), writer: Some(writer), _lock: lock })
    }

    /// Keeps a batch, whole or not at all, and returns when it is on the disk. `at`: now, for the age of `key`.
    pub fn append(&self, rows: Vec<NewObservation>, key: Option<BatchKey>, at: Instant) -> Result<Appended, StoreError> {
        for (i, o) in rows.iter().enumerate() {
            if !o.result.is_finite() {
                return Err(StoreError::invalid(format!("observation {i}"), "its result is not a finite number"));
            }
            if o.until.is_some_and(|u| u < o.at) {
                return Err(StoreError::invalid(format!("observation {i}"), "it ends before it begins"));
            }
        }
        let gone = || StoreError::NotKept { full: false, reason: "the writer has stopped".into() };
        let (reply, answer) = mpsc::sync_channel(1);
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { rows, key, at, reply }).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// In the order that the query asks for, then by id.
    pub fn query(&self, query: &ObservationQuery) -> Result<Vec<Observation>, StoreError> {
        let Some((sql, values)) = query.sql("id, stream, at, until, result_at, result, parameters", &self.streams(), true) else {
            return Ok(Vec::new());
        };
        self.reading(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(&values))?;
            let streams = self.streams();
            let mut out = Vec::new();
            while let Some(r) = rows.next()? {
                out.push(observation(r, &streams)?);
            }
            Ok(out)
        })
    }

    /// How many the query's filter finds, whatever its limit.
    pub fn count(&self, query: &ObservationQuery) -> Result<u64, StoreError> {
        let Some((sql, values)) = query.sql("count(*)", &self.streams(), false) else { return Ok(0) };
        self.reading(|conn| Ok(conn.prepare_cached(&sql)?.query_row(rusqlite::params_from_iter(&values), |r| r.get::<_, i64>(0))? as u64))
    }

    /// First and last time of a stream.
    pub fn extent(&self, stream: &str) -> Result<Option<(Instant, Instant)>, StoreError> {
        let Some(number) = self.streams().numbers.get(stream).copied() else { return Ok(None) };
        self.reading(|conn| {
            // Two questions, each of which ends at the first entry of the index.
            let end = |sql| conn.prepare_cached(sql)?.query_row([number], |r| r.get::<_, i64>(0)).optional();
            let first = end("SELECT at FROM observations WHERE stream = ?1 ORDER BY at LIMIT 1")?;
            let last = end("SELECT at FROM observations WHERE stream = ?1 ORDER BY at DESC LIMIT 1")?;
            Ok(first.zip(last).map(|(a, b)| (Instant(a), Instant(b))))
        })
    }

    /// Every stream that has ever said something, with the time of its last word.
    pub fn last_seen(&self) -> Result<Vec<(Arc<str>, Instant)>, StoreError> {
        let ids: Vec<Arc<str>> = self.streams().numbers.keys().cloned().collect();
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some((_, last)) = self.extent(&id)? {
                out.push((id, last));
            }
        }
        Ok(out)
    }

    fn streams(&self) -> std::sync::RwLockReadGuard<'_, Streams> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading<T>(&self, f: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.readers().pop();
        let conn = match kept {
            Some(c) => c,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let out = f(&conn);
        self.readers().push(conn);
        out
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Observations {
    fn drop(&mut self) {
        self.jobs = None; // the writer finishes what is in the queue
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cache_size", -16_384)?; // KiB
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

fn observation(r: &rusqlite::Row<'_>, streams: &Streams) -> Result<Observation, StoreError> {
    let number: i64 = r.get(1)?;
    let stream = streams.ids.get(&number).cloned().ok_or_else(|| StoreError::damaged(format!("there is no stream {number}")))?;
    Ok(Observation {
        id: r.get::<_, i64>(0)? as u64,
        stream,
        at: Instant(r.get(2)?),
        until: r.get::<_, Option<i64>>(3)?.map(Instant),
        result_at: r.get::<_, Option<i64>>(4)?.map(Instant),
        result: r.get(5)?,
        parameters: r.get(6)?,
    })
}
