use crate::{Geometry, Instant, ProposalId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happened to a case: one step that somebody took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseEvent {
    /// 1, 2, 3 … within the case.
    pub seq: u64,
    pub step: String,
    pub from: String,
    pub to: String,
    pub role: String,
    pub actor: String,
    pub at: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the step brought in; the case's definition says what.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// Anything that government walks through on the map: what it is about, and all that happened, in order. Its state is
/// what its events make of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub id: String,
    /// Id and edition of its definition: a case goes on under the rules that it began with.
    pub definition: String,
    pub edition: u32,
    pub title: String,
    pub opened: Instant,
    pub opened_by: String,
    pub start_state: String,
    /// Where it is, in the working frame.
    pub place: Option<Geometry>,
    pub proposal: Option<ProposalId>,
    pub events: Vec<CaseEvent>,
}

impl Case {
    pub fn state(&self) -> &str {
        self.events.last().map_or(&self.start_state, |e| &e.to)
    }
}
