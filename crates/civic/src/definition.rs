//! Definitions of cases: data that is judged before it is used.

use crate::CivicError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub id: String,
    /// A case goes on under the edition that it began with.
    pub edition: u32,
    pub title_zh: String,
    pub title_en: String,
    /// Its cases carry a proposal.
    #[serde(default)]
    pub proposal: bool,
    /// Its cases begin with a survey delivery, whose difference from the stock is their proposal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delivery: bool,
    #[serde(rename = "role")]
    pub roles: Vec<Role>,
    #[serde(rename = "state")]
    pub states: Vec<State>,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    /// The program itself has it, and no person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub automatic: bool,
}

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Done,
    Refused,
    Cancelled,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    /// Where a case begins: one state has it.
    #[serde(default)]
    pub start: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Working days that a case may stay here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_days: Option<u32>,
    /// Minutes that it may stay here, day and night; instead of working days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_minutes: Option<u32>,
    /// The office waits for somebody outside: its clock stands still.
    #[serde(default)]
    pub idle: bool,
}

/// What must hold before a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The case carries an open proposal.
    Proposal,
    /// Its proposal was checked since it was last changed.
    Checked,
    /// That check ran on today's city, and every violation in it has a justified exception.
    Passed,
    /// Every party has agreed since the case was last sent back.
    Countersigned,
    /// An as-built survey stands behind the proposal.
    Surveyed,
}

/// What a step brings into the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// `detail`: the check's result: `version`, `violations` (ids), `parties` (owners touched), `conflicts` (other cases).
    Check,
    /// `detail.party`: which owner agrees.
    Agreement,
    /// `detail.party`: which owner objects.
    Objection,
    /// `detail.violation` and `detail.approval`: which violation is excepted, and by which document.
    Exception,
    /// `detail`: the notice of excavation.
    Notice,
    /// `detail`: the difference of the as-built survey from the design.
    AsBuilt,
    /// `detail`: an alarm with its rule, window, evidence and confidence.
    Alarm,
    /// `detail`: what the quality rules found in a delivery, and how it differs from the stock.
    Report,
}

/// What a step does besides its event, in its own transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Makes the proposal a version.
    Merge,
    /// Closes the proposal without a trace.
    Drop,
    /// The alarms that the case holds are acknowledged, with the step's reason.
    Acknowledge,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub id: String,
    pub title_zh: String,
    pub title_en: String,
    pub from: Vec<String>,
    /// Without it the case stays where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub role: String,
    #[serde(default)]
    pub needs: Vec<Need>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<Takes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub does: Option<Does>,
    /// A reason must be given.
    #[serde(default)]
    pub reason: bool,
    /// Goes back on purpose. A circle without such a step is a fault of the definition.
    #[serde(default)]
    pub rework: bool,
}

/// The definitions that come with the program.
pub fn built_in() -> Result<Vec<Definition>, CivicError> {
    [
        include_str!("../../../data/systems/pipes/permit.toml"),
        include_str!("../../../data/systems/pipes/alarm.toml"),
        include_str!("../../../data/systems/pipes/delivery.toml"),
    ]
    .into_iter()
    .map(Definition::parse)
    .collect()
}

impl Definition {
    /// Reads and judges.
    pub fn parse(text: &str) -> Result<Self, CivicError> {
        let out: Self = toml::from_str(text).map_err(|e| CivicError::Unreadable(e.to_string()))?;
        out.judge()?;
        Ok(out)
    }

    pub fn state(&self, id: &str) -> Option<&State> {
        self.states.iter().find(|s| s.id == id)
    }

    pub fn start(&self) -> Option<&State> {
        self.states.iter().find(|s| s.start)
    }

    pub fn role(&self, id: &str) -> Option<&Role> {
        self.roles.iter().find(|r| r.id == id)
    }

    /// Steps that are open in a state.
    pub fn steps_from<'a>(&'a self, state: &'a str) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(move |s| s.from.iter().any(|f| f == state))
    }

    /// One start; names that exist, once each; every state can be reached and leads to an end; nobody leaves an end; a
    /// case can go in circles only through a step of rework.
    pub fn judge(&self) -> Result<(), CivicError> {
        let unsound = |reason: String| Err(CivicError::Unsound { definition: self.id.clone(), reason });
        let mut seen = BTreeSet::new();
        for (kind, id) in (self.states.iter().map(|s| ("state", &s.id)))
            .chain(self.steps.iter().map(|s| ("step", &s.id)))
            .chain(self.roles.iter().map(|r| ("role", &r.id)))
        {
            if id.is_empty() || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
                return unsound(format!("the {kind} `{id}` has no usable id"));
            }
            if !seen.insert((kind, id)) {
                return unsound(format!("the {kind} `{id}` stands twice"));
            }
        }
        let [start] = self.states.iter().filter(|s| s.start).collect::<Vec<_>>()[..] else {
            return unsound("exactly one state is the start".into());
        };
        if let Some(two) = self.states.iter().find(|s| s.clock_days.is_some() && s.clock_minutes.is_some()) {
            return unsound(format!("the state `{}` has two clocks", two.id));
        }
        let mut onward: BTreeMap<&str, Vec<(&str, bool)>> = BTreeMap::new();
        for step in &self.steps {
            if !self.roles.iter().any(|r| r.id == step.role) {
                return unsound(format!("the step `{}` is taken by the unknown role `{}`", step.id, step.role));
            }
            if let Some(unknown) = step.from.iter().chain(&step.to).find(|s| self.state(s).is_none()) {
                return unsound(format!("the step `{}` names the unknown state `{unknown}`", step.id));
            }
            if let Some(end) = step.from.iter().find(|s| self.state(s).is_some_and(|s| s.end.is_some())) {
                return unsound(format!("the step `{}` leaves the end `{end}`", step.id));
            }
            let about_proposal =
                matches!(step.does, Some(Does::Merge | Does::Drop)) || step.needs.iter().any(|n| !matches!(n, Need::Countersigned));
            if about_proposal && !self.proposal {
                return unsound(format!("the step `{}` is about a proposal, and its cases carry none", step.id));
            }
            for from in &step.from {
                onward.entry(from).or_default().extend(step.to.as_deref().map(|to| (to, step.rework)));
            }
        }
        let reach = |from: &str, edges: &BTreeMap<&str, Vec<(&str, bool)>>| {
            let mut seen = BTreeSet::from([from.to_owned()]);
            let mut line = VecDeque::from([from.to_owned()]);
            while let Some(at) = line.pop_front() {
                for (to, _) in edges.get(at.as_str()).into_iter().flatten() {
                    if seen.insert((*to).to_owned()) {
                        line.push_back((*to).to_owned());
                    }
                }
            }
            seen
        };
        let reached = reach(&start.id, &onward);
        for state in &self.states {
            if !reached.contains(&state.id) {
                return unsound(format!("no case ever comes to `{}`", state.id));
            }
            let ends = |id: &String| self.state(id).is_some_and(|s| s.end.is_some());
            if !reach(&state.id, &onward).iter().any(ends) {
                return unsound(format!("a case in `{}` can never end", state.id));
            }
        }
        // What remains without rework must run forward only. Being returned waits for the applicant: it ends the forward
        // run, and what leads on from a state that only rework comes to belongs to the rework.
        let forward: BTreeMap<&str, Vec<&str>> = onward
            .iter()
            .filter(|(from, _)| **from == start.id || onward.values().flatten().any(|(to, rework)| to == *from && !rework))
            .map(|(from, tos)| (*from, tos.iter().filter(|(_, rework)| !rework).map(|(to, _)| *to).collect()))
            .collect();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        loop {
            let next = forward
                .iter()
                .find(|(from, tos)| !done.contains(**from) && tos.iter().all(|to| done.contains(to) || !forward.contains_key(to)));
            let Some((from, _)) = next else { break };
            done.insert(from);
        }
        match forward.keys().find(|from| !done.contains(**from)) {
            Some(at) => unsound(format!("a case can go in circles through `{at}` without a step of rework")),
            None => Ok(()),
        }
    }
}
