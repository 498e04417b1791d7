//! Taking a step, and what a case's events add up to.

use crate::{Calendar, CivicError, Clock, Definition, Need, Step, Takes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use strata_model::{Case, CaseEvent, Instant, Version};

/// What the house knows about the case's proposal at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Facts {
    pub proposal_open: bool,
    /// The record's newest version.
    pub head: Version,
    /// How many events the case had when its proposal was last changed.
    pub changed_after: u64,
    /// The program asks, and no person.
    pub automatic: bool,
}

/// A step that somebody wants to take.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepAsked {
    pub step: String,
    pub role: String,
    /// Number of events that the asker has seen: a step asked twice, or on an old screen, is refused.
    pub after: u64,
    #[serde(default)]
    pub reason: Option<String>,
    #[serde(default)]
    pub detail: Value,
}

fn last<'c>(definition: &Definition, case: &'c Case, takes: Takes) -> Option<&'c CaseEvent> {
    case.events.iter().rev().find(|e| step(definition, &e.step).is_some_and(|s| s.takes == Some(takes)))
}

/// What was said counts until the case is sent back: a new check on today's city asks nobody again.
fn said_since_rework<'c>(definition: &Definition, case: &'c Case) -> &'c [CaseEvent] {
    let back = case.events.iter().rposition(|e| step(definition, &e.step).is_some_and(|s| s.rework));
    &case.events[back.map_or(0, |i| i + 1)..]
}

/// Owners that the last check found touched, with what they said: `Some(true)` agreed, `Some(false)` objected.
pub fn parties(definition: &Definition, case: &Case) -> BTreeMap<String, Option<bool>> {
    let Some(check) = last(definition, case, Takes::Check) else { return BTreeMap::new() };
    let mut out: BTreeMap<String, Option<bool>> = texts(&check.detail["parties"]).map(|p| (p, None)).collect();
    for e in said_since_rework(definition, case) {
        let said = match step(definition, &e.step).and_then(|s| s.takes) {
            Some(Takes::Agreement) => true,
            Some(Takes::Objection) => false,
            _ => continue,
        };
        if let Some(party) = e.detail["party"].as_str().and_then(|p| out.get_mut(p)) {
            *party = Some(said);
        }
    }
    out
}

/// What steps of one kind have brought in, oldest first.
pub fn taken<'c>(definition: &'c Definition, case: &'c Case, kind: Takes) -> impl DoubleEndedIterator<Item = &'c Value> {
    let takes = move |e: &&CaseEvent| step(definition, &e.step).is_some_and(|s| s.takes == Some(kind));
    case.events.iter().filter(takes).map(|e| &e.detail)
}

/// Violations of the last check without an exception.
pub fn violations(definition: &Definition, case: &Case) -> BTreeSet<String> {
    let Some(check) = last(definition, case, Takes::Check) else { return BTreeSet::new() };
    let mut out: BTreeSet<String> = texts(&check.detail["violations"]).collect();
    for e in said_since_rework(definition, case) {
        if step(definition, &e.step).is_some_and(|s| s.takes == Some(Takes::Exception)) {
            e.detail["violation"].as_str().map(|v| out.remove(v));
        }
    }
    out
}

fn step<'d>(definition: &'d Definition, id: &str) -> Option<&'d Step> {
    definition.steps.iter().find(|s| s.id == id)
}

fn texts(v: &Value) -> impl Iterator<Item = String> + '_ {
    v.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// The event that a step would leave, or why it cannot be taken. Nothing is changed here.
pub fn advance(
    definition: &Definition,
    case: &Case,
    asked: &StepAsked,
    facts: &Facts,
    actor: &str,
    now: Instant,
) -> Result<CaseEvent, CivicError> {
    let found = case.events.len() as u64;
    let step = step(definition, &asked.step).ok_or_else(|| CivicError::NoStep { step: asked.step.clone() })?;
    if asked.after != found {
        return Err(CivicError::Stale { asked: asked.after, found });
    }
    let state = case.state();
    if !step.from.iter().any(|s| s == state) {
        return Err(CivicError::NotNow { step: step.id.clone(), state: state.into() });
    }
    let automatic = definition.role(&step.role).is_some_and(|r| r.automatic);
    if asked.role != step.role || automatic != facts.automatic {
        return Err(CivicError::WrongRole { step: step.id.clone(), needed: step.role.clone(), given: asked.role.clone() });
    }
    let reason = asked.reason.as_deref().map(str::trim).filter(|r| !r.is_empty());
    if step.reason && reason.is_none() {
        return Err(CivicError::NoReason { step: step.id.clone() });
    }
    let wants = |what: &str| Err(CivicError::Needs { step: step.id.clone(), what: what.into() });
    for need in &step.needs {
        let check = last(definition, case, Takes::Check).filter(|e| e.seq > facts.changed_after);
        match need {
            Need::Proposal if !facts.proposal_open => return wants("an open proposal"),
            Need::Checked | Need::Passed | Need::Countersigned if check.is_none() => {
                return wants("a check of the proposal as it now is");
            }
            Need::Passed => {
                if check.and_then(|e| e.detail["version"].as_u64()) != Some(facts.head.0) {
                    return wants("a check on today's city, which has changed since");
                }
                let open = violations(definition, case);
                if !open.is_empty() {
                    return wants(&format!("an exception for {}", open.into_iter().collect::<Vec<_>>().join(", ")));
                }
            }
            Need::Countersigned => {
                let silent: Vec<String> =
                    parties(definition, case).into_iter().filter(|(_, said)| *said != Some(true)).map(|(p, _)| p).collect();
                if !silent.is_empty() {
                    return wants(&format!("the agreement of {}", silent.join(", ")));
                }
            }
            Need::Surveyed if last(definition, case, Takes::AsBuilt).is_none() => return wants("an as-built survey"),
            Need::Proposal | Need::Checked | Need::Surveyed => {}
        }
    }
    let text = |name: &str| asked.detail[name].as_str().map(str::trim).filter(|t| !t.is_empty());
    match step.takes {
        Some(Takes::Agreement | Takes::Objection) => {
            let party = text("party").unwrap_or_default();
            if !parties(definition, case).contains_key(party) {
                return wants("`detail.party`: one of the owners whom the check found touched");
            }
        }
        Some(Takes::Exception) => {
            if !text("violation").is_some_and(|v| violations(definition, case).contains(v)) {
                return wants("`detail.violation`: one of the violations that the check found");
            }
            if text("approval").is_none() {
                return wants("`detail.approval`: the document that allows it");
            }
        }
        Some(Takes::Notice) if text("duty_contact").is_none() => return wants("`detail.duty_contact`: who can be reached"),
        Some(Takes::Check | Takes::AsBuilt | Takes::Alarm | Takes::Report) if !asked.detail.is_object() => return wants("its result"),
        _ => {}
    }
    Ok(CaseEvent {
        seq: found + 1,
        step: step.id.clone(),
        from: state.into(),
        to: step.to.clone().unwrap_or_else(|| state.into()),
        role: asked.role.clone(),
        actor: actor.into(),
        at: now,
        reason: reason.map(str::to_owned),
        detail: asked.detail.clone(),
    })
}

/// What a screen shows of a case besides its events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseView {
    pub state: String,
    pub clock: Clock,
    /// Steps that its state offers to people, each with its role; what they need is judged when they are taken.
    pub steps: Vec<(String, String)>,
    pub parties: BTreeMap<String, Option<bool>>,
    pub violations: BTreeSet<String>,
    /// How often it went back.
    pub reworked: usize,
}

impl CaseView {
    pub fn of(definition: &Definition, case: &Case, calendar: &Calendar, now: Instant) -> Self {
        let reworked = case.events.iter().filter(|e| step(definition, &e.step).is_some_and(|s| s.rework)).count();
        Self {
            state: case.state().into(),
            clock: Clock::of(definition, case, calendar, now),
            steps: definition
                .steps_from(case.state())
                .filter(|s| definition.role(&s.role).is_none_or(|r| !r.automatic))
                .map(|s| (s.id.clone(), s.role.clone()))
                .collect(),
            parties: parties(definition, case),
            violations: violations(definition, case),
            reworked,
        }
    }
}
