//! The sensors of a synthetic city speak: each says something every fifteen seconds, and the truth about its faults is
//! written beside the city.

use crate::{Failure, city};
use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write,
    path::Path,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};
use strata_citygen::live::{fault, reading};
use strata_model::Instant;
use strata_server::CityState;

/// Each sensor speaks so often, seconds.
const PERIOD_S: i64 = 15;
/// The readings' own seed; the city's is in its truth.
const SEED: u64 = 42;

/// In a thread of its own, for as long as the city is served.
pub fn speak(state: &Arc<CityState>, dir: &Path) -> Result<(), Failure> {
    let truth = OpenOptions::new().create(true).append(true).open(dir.join("truth-live.jsonl"))?;
    let state = Arc::downgrade(state);
    thread::Builder::new().name("sensors".into()).spawn(move || {
        if let Err(e) = run(&state, truth) {
            tracing::error!(error = %format!("{:#}", e.error), "the synthetic sensors have stopped");
        }
    })?;
    Ok(())
}

fn run(state: &Weak<CityState>, mut truth: std::fs::File) -> Result<(), Failure> {
    let mut told: BTreeSet<(Arc<str>, i64)> = BTreeSet::new();
    let mut second = city::now().0 / 1000;
    loop {
        let Some(state) = state.upgrade() else { return Ok(()) };
        let streams = state.datastreams().map_err(|p| anyhow::anyhow!("{}", p.detail))?;
        let mut readings = Vec::new();
        for (i, (stream, quantity)) in streams.iter().enumerate() {
            // They take turns, so that every second some speak.
            if (second + i as i64).rem_euclid(PERIOD_S) != 0 {
                continue;
            }
            let at = Instant(second * 1000);
            if let Some(value) = reading(SEED, stream, quantity, at) {
                readings.push((stream.clone(), at, value));
            }
            if let Some(f) = fault(SEED, stream, quantity, at)
                && told.insert((stream.clone(), f.from.0))
            {
                serde_json::to_writer(&mut truth, &f)?;
                truth.write_all(b"\n")?;
            }
        }
        if !readings.is_empty() {
            state.keep_readings(&readings)?;
        }
        told.retain(|(_, from)| *from > second * 1000 - 86_400_000);
        drop(state);
        second += 1;
        let ahead = second * 1000 - city::now().0;
        if ahead > 0 {
            thread::sleep(Duration::from_millis(ahead as u64));
        } else {
            second = second.max(city::now().0 / 1000 - 5);
        }
    }
}
