use super::{Appended, BatchKey, Fate, Job, NewObservation, Observation, OnKept, Streams, check};
use crate::StoreError;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::sync::{Arc, PoisonError, RwLock, mpsc};

/// Observations in one transaction at most, so that nobody waits long for a large neighbour.
const GROUP: usize = 20_000;
/// Answers are kept as long as those of the record.
const KEPT_MS: i64 = 7 * 86_400_000;

/// Until the last sender is gone and the queue is empty.
pub(super) fn run(conn: Connection, streams: &RwLock<Streams>, queue: &mpsc::Receiver<Job>, on_kept: &OnKept) {
    // After a failed synchronisation nobody knows what the disk holds; nothing more is promised.
    let mut broken: Option<String> = None;
    while let Ok(first) = queue.recv() {
        let mut size = first.rows.len();
        let mut jobs = vec![first];
        while size < GROUP
            && let Ok(job) = queue.try_recv()
        {
            size += job.rows.len();
            jobs.push(job);
        }
        let done = match &broken {
            Some(reason) => Err((false, reason.clone())),
            None => group(&conn, streams, &jobs).map_err(|e| {
                let _ = conn.execute_batch("ROLLBACK");
                let code = e.sqlite_error_code();
                if code == Some(ErrorCode::SystemIoFailure) {
                    broken = Some(e.to_string());
                }
                (code == Some(ErrorCode::DiskFull), e.to_string())
            }),
        };
        match done {
            Ok((answers, added)) => {
                if !added.is_empty() {
                    on_kept(&added);
                }
                for (job, answer) in jobs.iter().zip(answers) {
                    let _ = job.reply.send(Ok(answer));
                }
            }
            Err((full, reason)) => {
                for job in &jobs {
                    let _ = job.reply.send(Err(StoreError::NotKept { full, reason: reason.clone() }));
                }
            }
        }
    }
}

fn group(conn: &Connection, streams: &RwLock<Streams>, jobs: &[Job]) -> rusqlite::Result<(Vec<Appended>, Vec<Observation>)> {
    let mut answers = Vec::with_capacity(jobs.len());
    let mut added = Vec::new();
    let mut fresh: Vec<(i64, Arc<str>)> = Vec::new();
    conn.execute_batch("BEGIN IMMEDIATE")?;
    for job in jobs {
        answers.push(match &job.key {
            None => Appended::Done(batch(conn, streams, &mut fresh, &job.rows, &mut added)?),
            Some(key) => once(conn, key, job.at.0, || batch(conn, streams, &mut fresh, &job.rows, &mut added))?,
        });
    }
    check::seal(conn, &added)?;
    conn.execute_batch("COMMIT")?;
    if !fresh.is_empty() {
        let mut known = streams.write().unwrap_or_else(PoisonError::into_inner);
        fresh.into_iter().for_each(|(number, id)| known.insert(number, id));
    }
    Ok((answers, added))
}

fn once(conn: &Connection, key: &BatchKey, at_ms: i64, keep: impl FnOnce() -> rusqlite::Result<Vec<Fate>>) -> rusqlite::Result<Appended> {
    let request = format!("{} {}", key.key, key.actor); // a key holds no space
    let earlier: Option<(String, String)> = conn
        .prepare_cached("SELECT fingerprint, kept FROM answers WHERE request = ?1")?
        .query_row([&request], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    if let Some((fingerprint, kept)) = earlier {
        return Ok(if fingerprint == key.fingerprint { Appended::Again(read(&kept)) } else { Appended::OtherRequest });
    }
    let fates = keep()?;
    conn.prepare_cached("DELETE FROM answers WHERE at_ms < ?1")?.execute([at_ms.saturating_sub(KEPT_MS)])?;
    conn.prepare_cached("INSERT INTO answers VALUES (?1, ?2, ?3, ?4)")?.execute(params![request, key.fingerprint, at_ms, text(&fates)])?;
    Ok(Appended::Done(fates))
}

fn text(fates: &[Fate]) -> String {
    let one = |f: &Fate| match f {
        Fate::New(id) => format!("n{id}"),
        Fate::Same(id) => format!("s{id}"),
        Fate::Other(id) => format!("o{id}"),
    };
    fates.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn read(text: &str) -> Vec<Fate> {
    let one = |t: &str| {
        let id = t.get(1..)?.parse().ok()?;
        Some(match t.as_bytes().first()? {
            b'n' => Fate::New(id),
            b's' => Fate::Same(id),
            _ => Fate::Other(id),
        })
    };
    text.split_whitespace().filter_map(one).collect()
}

fn batch(
    conn: &Connection,
    streams: &RwLock<Streams>,
    fresh: &mut Vec<(i64, Arc<str>)>,
    rows: &[NewObservation],
    added: &mut Vec<Observation>,
) -> rusqlite::Result<Vec<Fate>> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO observations (stream, at, until, result_at, result, parameters) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (stream, at) DO NOTHING",
    )?;
    let mut find = conn.prepare_cached("SELECT id, result, until FROM observations WHERE stream = ?1 AND at = ?2")?;
    let mut out = Vec::with_capacity(rows.len());
    for o in rows {
        let number = number(conn, streams, fresh, &o.stream)?;
        let until = o.until.map(|t| t.0);
        if insert.execute(params![number, o.at.0, until, o.result_at.map(|t| t.0), o.result, o.parameters])? == 1 {
            let id = conn.last_insert_rowid() as u64;
            let NewObservation { stream, at, until, result_at, result, parameters } = o.clone();
            added.push(Observation { id, stream, at, until, result_at, result, parameters });
            out.push(Fate::New(id));
        } else {
            let (id, result, end): (i64, f64, Option<i64>) = find.query_row([number, o.at.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
            let same = result == o.result && end == until;
            out.push(if same { Fate::Same(id as u64) } else { Fate::Other(id as u64) });
        }
    }
    Ok(out)
}

fn number(conn: &Connection, streams: &RwLock<Streams>, fresh: &mut Vec<(i64, Arc<str>)>, id: &Arc<str>) -> rusqlite::Result<i64> {
    if let Some(n) = streams.read().unwrap_or_else(PoisonError::into_inner).numbers.get(id) {
        return Ok(*n);
    }
    if let Some((n, _)) = fresh.iter().find(|(_, known)| known == id) {
        return Ok(*n);
    }
    conn.prepare_cached("INSERT INTO streams (id) VALUES (?1)")?.execute([id.as_ref()])?;
    let n = conn.last_insert_rowid();
    fresh.push((n, id.clone()));
    Ok(n)
}
