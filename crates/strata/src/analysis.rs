//! Analyses as subcommands: the same functions, inputs and answers as the processes of the HTTP door.

use crate::{Failure, city};
use clap::Args;
use serde_json::{Map, Value};
use std::{fs, path::PathBuf, process::ExitCode};
use strata_engine::{Analysis, View};
use strata_model::{Crs, Instant, Scope};
use strata_store::Store;

#[derive(Args)]
pub struct Run {
    /// Which analysis; none: lists them.
    analysis: Option<String>,
    city: Option<PathBuf>,
    /// Inputs as one JSON object, or `@FILE`.
    #[arg(long, default_value = "{}")]
    inputs: String,
    /// One input more: `--input by=owner`; what reads as JSON is JSON, else it is a text.
    #[arg(long = "input", value_name = "NAME=VALUE")]
    more: Vec<String>,
    /// A survey delivery (folder, zip, CSV or XLSX) as input `delivery`, for qc and compare-survey.
    #[arg(long)]
    delivery: Option<PathBuf>,
    /// System of its X and Y; the city's own when absent.
    #[arg(long, requires = "delivery")]
    delivery_crs: Option<String>,
    /// System of the geometries in inputs and answer (`EPSG:4551`); CRS84 when absent.
    #[arg(long)]
    crs: Option<String>,
    /// Moment of the world; now when absent.
    #[arg(long)]
    at: Option<String>,
    /// A proposal to lay over the city.
    #[arg(long)]
    proposal: Option<String>,
}

pub fn run(command: &Run, all: &[&'static Analysis]) -> Result<ExitCode, Failure> {
    let (Some(id), Some(dir)) = (&command.analysis, &command.city) else {
        all.iter().for_each(|a| println!("{:<14} {} {}", a.id, a.title_en, a.title_zh));
        return Ok(ExitCode::SUCCESS);
    };
    let known = || all.iter().map(|a| a.id).collect::<Vec<_>>().join(", ");
    let analysis = all.iter().find(|a| a.id == id).ok_or_else(|| Failure::misuse(format!("`{id}` is none of {}", known())))?;
    let text = match command.inputs.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|e| Failure::misuse(format!("{path}: {e}")))?,
        None => command.inputs.clone(),
    };
    let mut inputs: Map<String, Value> = serde_json::from_str(&text).map_err(|e| Failure::misuse(format!("--inputs: {e}")))?;
    for pair in &command.more {
        let (name, value) = pair.split_once('=').ok_or_else(|| Failure::misuse(format!("--input {pair}: NAME=VALUE is wanted")))?;
        inputs.insert(name.into(), serde_json::from_str(value).unwrap_or_else(|_| value.into()));
    }
    let city = city::open(dir)?;
    if let Some(path) = &command.delivery {
        let crs = command.delivery_crs.as_deref().map(Crs::parse).transpose().map_err(Failure::misuse)?;
        let delivery =
            strata_ingest::read_delivery(path, crs.as_ref(), &city.frame.crs).map_err(|e| Failure { exit: 3, error: e.into() })?;
        inputs.insert("delivery".into(), serde_json::to_value(delivery)?);
    }
    let base = city.engine.snapshot();
    let snapshot = match &command.proposal {
        None => base.clone(),
        Some(id) => base.with_proposal(&Store::open_read_only(dir)?.proposal(id)?)?,
    };
    let at = command.at.as_deref().map_or(Ok(city::now()), Instant::parse).map_err(Failure::misuse)?;
    let view = View { snapshot: &snapshot, base: &base, scope: &Scope::everything(), at };
    let answer = strata_server::perform(analysis, &view, inputs, command.crs.as_deref(), &city.frame).map_err(|p| {
        // What the asker got wrong is misuse; the rest is the city's.
        Failure { exit: if p.status < 500 { 2 } else { 4 }, error: anyhow::anyhow!("{}", p.detail) }
    })?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    // An analysis that found faults says so in `faults`: scripts see it in the exit code.
    let faults = answer.get("faults").and_then(Value::as_u64).unwrap_or(0);
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
