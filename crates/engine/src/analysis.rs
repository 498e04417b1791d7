//! What an analysis is: a pure function of a snapshot, perhaps with a proposal on it, with a name and described inputs.
//!
//! Crates of analyses (`pipes`, `planning`) publish a list of [`Analysis`]; the HTTP door offers each as an OGC API
//! process, the command line as a subcommand, the viewer as a tool. Inputs and answers are JSON. **Geometries in both
//! are GeoJSON geometry objects in the working frame** (`[east_m, north_m, height_m]`); the doors turn every object with
//! `type` and `coordinates` from and into the asker's system, so that no analysis knows another frame.

use crate::{EngineError, Snapshot};
use serde_json::Value;
use strata_model::{Instant, Scope};

/// What an analysis looks at, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The city, with the proposal laid over it when there is one.
    pub snapshot: &'a Snapshot,
    /// The same city without the proposal; without one, the same as `snapshot`.
    pub base: &'a Snapshot,
    /// Passed into every query: an analysis never knows more than its asker.
    pub scope: &'a Scope,
    /// The moment of the world that is asked about.
    pub at: Instant,
}

#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// An input is missing or has no usable value; `pointer` is a JSON pointer into the inputs.
    #[error("{pointer}: {reason}")]
    Input { pointer: String, reason: String },
    /// What was asked about is not in the city, or not for this asker: the same answer.
    #[error("{what} is not in the city")]
    Missing { what: String },
    /// More than one answer may hold.
    #[error("too much for one answer: {reason}")]
    TooLarge { reason: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl AnalysisError {
    pub fn input(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Input { pointer: pointer.into(), reason: reason.into() }
    }
    pub fn missing(what: impl Into<String>) -> Self {
        Self::Missing { what: what.into() }
    }
}

/// One analysis as its doors see it.
pub struct Analysis {
    /// The process id, the subcommand and the tool's name.
    pub id: &'static str,
    pub title_en: &'static str,
    pub title_zh: &'static str,
    /// What it answers, with its sources, in one or two sentences.
    pub about: &'static str,
    /// JSON Schema of the inputs: an object; geometries with `"format": "geojson-geometry"`.
    pub inputs: &'static str,
    /// JSON Schema of the answer: an object whose members are the process's outputs.
    pub outputs: &'static str,
    pub run: fn(&View, &Value) -> Result<Value, AnalysisError>,
}
