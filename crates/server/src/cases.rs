//! Cases over HTTP: opened, stepped through, read. What a step needs is decided by its definition (`civic`), inside the
//! store's transaction; what a check finds is never the client's word but run here, on the city with the proposal.

use crate::{Ask, CityState, Problem, Reply, Written, alarm, api::body, crs::DoorCrs, deliveries, geojson, problem::short};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use strata_civic::{Calendar, CaseView, CivicError, Definition, Does, Facts, StepAsked, Takes};
use strata_engine::{Snapshot, View};
use strata_model::survey::Delivery;
use strata_model::{Bounds3, Case, Change, Geometry, Instant, Layer, LayerId, Proposal, ProposalState, Query, Scope, Theme, Version};
use strata_pipes::Pipe;
use strata_store::{Effect, NewCase, Store, StoreError};

/// The city's time, for working days. Changchun is eight hours ahead of UTC, and no other city is served yet.
const UTC_OFFSET_H: i32 = 8;
/// Pipes this near to a planned one, m, have owners to be asked.
const OWNERS_WITHIN_M: f64 = 5.0;

fn definitions() -> Result<Vec<Definition>, Problem> {
    strata_civic::built_in()
        .map_err(|e| Problem { cause: Some(e.to_string()), ..Problem::new("internal", "A case definition is not sound.") })
}

fn definition(id: &str) -> Result<Definition, Problem> {
    let known = definitions()?.into_iter().find(|d| d.id == id);
    known.ok_or_else(|| Problem::pointer("invalid-parameter", "/definition", format!("`{}` is not known", short(id))))
}

fn calendar() -> Calendar {
    Calendar { utc_offset_h: UTC_OFFSET_H, ..Calendar::default() }
}

pub fn known(_: &CityState, _: &Ask) -> Result<Reply, Problem> {
    Ok(Reply::json(&json!({ "definitions": definitions()? })))
}

fn shown(state: &CityState, case: &Case, events: bool) -> Result<Value, Problem> {
    let d = definition(&case.definition)?;
    let view = CaseView::of(&d, case, &calendar(), state.now());
    let titles = d.state(case.state()).map(|s| json!({ "zh": s.title_zh, "en": s.title_en }));
    let place = case.place.as_ref().map(|g| geojson::geometry(g, DoorCrs::Crs84, &state.frame)).transpose()?;
    let mut out = json!({
        "id": case.id, "definition": case.definition, "edition": case.edition, "title": case.title,
        "opened": case.opened, "opened_by": case.opened_by, "proposal": case.proposal, "place": place,
        "state": case.state(), "state_title": titles, "events_count": case.events.len(), "view": view,
    });
    let mut alarms = strata_civic::taken(&d, case, Takes::Alarm);
    if let Some(mut newest) = alarms.next_back().cloned() {
        // All evidence stands in the events.
        newest.as_object_mut().map(|o| o.remove("evidence"));
        let ids: Vec<Value> = alarms.map(|a| a["alarm"].clone()).chain([newest["alarm"].clone()]).collect();
        out["alarms"] = ids.into();
        out["alarm"] = newest;
    }
    if let Some(report) = strata_civic::taken(&d, case, Takes::Report).next_back() {
        out["report"] = report.clone();
    }
    if events {
        out["events"] = json!(case.events);
    }
    Ok(out)
}

pub fn list(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let limit = ask.query.number("limit", 1, 500, true)?.unwrap_or(100);
    let offset = ask.query.number("offset", 0, 1_000_000_000, false)?.unwrap_or(0);
    let (definition, in_state) = (ask.query.get("definition"), ask.query.get("state"));
    if let Some(id) = definition.filter(|id| definitions().is_ok_and(|all| all.iter().all(|d| d.id != *id))) {
        return Err(Problem::parameter("invalid-parameter", "definition", format!("`{}` is not known", short(id))));
    }
    let cases = state.store().cases(definition, in_state, limit, offset)?;
    let all: Vec<Value> = cases.iter().map(|c| shown(state, c, false)).collect::<Result<_, _>>()?;
    Ok(Reply::json(&json!({ "cases": all })).never_kept())
}

/// Cases whose clock has run out, the one that fell due first at the top: of working days, or of minutes day and night.
pub(crate) fn overdue(state: &CityState, store: &Store) -> Result<Vec<Value>, Problem> {
    late(&store.cases(None, None, 100_000, 0)?, state.now())
}

fn late(cases: &[Case], now: Instant) -> Result<Vec<Value>, Problem> {
    let calendar = calendar();
    let mut out = Vec::new();
    for case in cases {
        let d = definition(&case.definition)?;
        let clock = CaseView::of(&d, case, &calendar, now).clock;
        let titles = d.state(case.state()).map(|s| json!({ "title_zh": s.title_zh, "title_en": s.title_en }));
        let (ran_out, due, days, minutes) = match (clock.due_at, clock.minutes_left, clock.due_day, clock.days_left) {
            (Some(at), Some(left), ..) if left < 0 => (at, at.to_string(), None, Some(-left)),
            (_, _, Some(day), Some(left)) if left < 0 => {
                let named: String = Instant(i64::from(day) * 86_400_000).to_string().chars().take(10).collect();
                (calendar.end_of(day), named, Some(-left), None)
            }
            _ => continue,
        };
        out.push((
            ran_out,
            json!({ "id": case.id, "title": case.title, "state": case.state(), "state_title": titles, "due": due,
                    "days_over": days, "minutes_over": minutes }),
        ));
    }
    out.sort_by_key(|(ran_out, _)| *ran_out);
    Ok(out.into_iter().map(|(_, v)| v).collect())
}

pub fn get(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let case = state.store().case(ask.part("id"))?;
    Ok(Reply::json(&shown(state, &case, true)?).never_kept())
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    definition: String,
    title: String,
    #[serde(default)]
    proposal: Option<String>,
    #[serde(default)]
    delivery: Option<Delivery>,
}

pub fn open(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    let form: Opening = body(&ask.body)?;
    let d = definition(&form.definition)?;
    let title: String = form.title.chars().filter(|c| !c.is_control()).take(200).collect();
    if title.trim().is_empty() {
        return Err(Problem::pointer("invalid-feature", "/title", "it is empty"));
    }
    if d.steps.iter().any(|s| s.takes == Some(Takes::Alarm)) {
        return Err(Problem::new("refused", "Cases of this kind are opened by an alarm."));
    }
    if d.delivery {
        let delivery =
            form.delivery.ok_or_else(|| Problem::pointer("invalid-parameter", "/delivery", "cases of this kind begin with one"))?;
        let case = deliveries::open(state, store, &d, title.trim(), &delivery, &ask.actor.name)?;
        return opened(state, &case);
    }
    if form.delivery.is_some() {
        return Err(Problem::pointer("invalid-parameter", "/delivery", "cases of this kind have none"));
    }
    if d.proposal && form.proposal.is_none() {
        return Err(Problem::pointer("invalid-parameter", "/proposal", "cases of this kind carry a proposal"));
    }
    let place = match &form.proposal {
        None => None,
        Some(id) => middle(&store.proposal(id)?),
    };
    let start = d.start().map_or("", |s| s.id.as_str());
    let new =
        NewCase { definition: &d.id, edition: d.edition, title: &title, start_state: start, place, proposal: form.proposal.as_deref() };
    let case = store.open_case(&new, &ask.actor.name, state.now())?;
    opened(state, &case)
}

fn opened(state: &CityState, case: &Case) -> Result<Written, Problem> {
    let place = format!("{}/api/cases/{}", state.base(), case.id);
    Ok(Reply::json(&shown(state, case, true)?).status(201).header("location", place).never_kept().into())
}

/// A point in the middle of what the proposal puts.
pub(crate) fn middle(p: &Proposal) -> Option<Geometry> {
    let mut all = Bounds3::EMPTY;
    for (_, change) in &p.changes {
        if let Change::Put(f) = change {
            f.geometry.bounds().iter().for_each(|b| all.merge(b));
        }
    }
    (!all.is_empty()).then(|| Geometry::Point(all.centre()))
}

pub fn step(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    let mut asked: StepAsked = body(&ask.body)?;
    let id = ask.part("id");
    let d = definition(&store.case(id)?.definition)?;
    let takes = d.steps.iter().find(|s| s.id == asked.step).and_then(|s| s.takes);
    if takes == Some(Takes::Check) {
        // The client asks for the check; what it finds is found here.
        let case = store.case(id)?;
        let Some(p) = case.proposal.as_deref() else { return Err(Problem::new("refused", "The case carries no proposal.")) };
        let others = others(store, &case)?;
        asked.detail = check(&state.snapshot(), &store.proposal(p)?, &others, state.now())?;
    }
    let (case, commit) = take(state, store, &d, id, &asked, &ask.actor.name)?;
    let reply = Reply::json(&shown(state, &case, true)?).never_kept();
    Ok(Written { reply, commit, after: None })
}

/// Acknowledges an alarm's case with its alarms; `false`: there is nothing to acknowledge in its state.
pub(crate) fn acknowledge(state: &CityState, store: &mut Store, id: &str, reason: &str, actor: &str) -> Result<bool, Problem> {
    let case = store.case(id)?;
    let d = definition(&case.definition)?;
    let Some(step) = d.steps_from(case.state()).find(|s| s.does == Some(Does::Acknowledge)) else { return Ok(false) };
    let (step, role) = (step.id.clone(), step.role.clone());
    let asked = StepAsked { step, role, after: case.events.len() as u64, reason: Some(reason.into()), detail: Value::Null };
    take(state, store, &d, id, &asked, actor)?;
    Ok(true)
}

type Taken = (Case, Option<(Version, Vec<(LayerId, Change)>)>);

/// A step that a person takes, and the commit that it made, if any.
fn take(state: &CityState, store: &mut Store, d: &Definition, id: &str, asked: &StepAsked, actor: &str) -> Result<Taken, Problem> {
    let does = d.steps.iter().find(|s| s.id == asked.step).and_then(|s| s.does);
    let now = state.now();
    let snapshot = state.snapshot();
    let mut refused = None;
    let mut changes = None;
    let done = store.step_case(id, actor, now, &mut |case, proposal, head| {
        let facts = Facts { proposal_open: proposal.is_some(), head, changed_after: changed_after(d, case), automatic: false };
        match strata_civic::advance(d, case, asked, &facts, actor, now) {
            Err(e) => {
                let reason = e.to_string();
                refused = Some(e);
                Err(StoreError::Refused { id: id.into(), reason })
            }
            Ok(event) => {
                let with = match does {
                    None => Effect::Leave,
                    Some(Does::Drop) => Effect::Drop,
                    Some(Does::Acknowledge) => Effect::Acknowledge,
                    Some(Does::Merge) => {
                        if let Some(p) = proposal {
                            fits(&snapshot, p).map_err(|reason| StoreError::Refused { id: id.into(), reason })?;
                            changes = Some(p.changes.clone());
                        }
                        Effect::Merge
                    }
                };
                Ok((event, with))
            }
        }
    });
    let (case, commit) = match (done, refused) {
        (Ok(done), _) => done,
        (Err(_), Some(e)) => return Err(problem(&e)),
        (Err(e), None) => return Err(e.into()),
    };
    // Screens that show the alarm look again.
    let alarms = store.alarms_of_case(id)?;
    let newest = alarms.last().map(|a| a.id);
    alarms.iter().filter(|a| a.over_at.is_none() || Some(a.id) == newest).for_each(|a| alarm::tell(state, a));
    Ok((case, commit.zip(changes).map(|(c, changes)| (c.version, changes))))
}

/// A proposal changes only while the applicant holds the case: what was said before the case last came back is about
/// another one.
fn changed_after(d: &Definition, case: &Case) -> u64 {
    let back = case.events.iter().rev().find(|e| d.steps.iter().any(|s| s.id == e.step && s.rework && s.takes.is_none()));
    back.map_or(0, |e| e.seq)
}

fn fits(snapshot: &Snapshot, p: &Proposal) -> Result<(), String> {
    for (id, change) in &p.changes {
        let layer = snapshot.layer(id, &Scope::everything()).ok_or_else(|| format!("there is no layer {id}"))?;
        if let Change::Put(f) = change {
            f.check(&layer).map_err(|e| format!("{id}/{}: {e}", f.id))?;
        }
    }
    Ok(())
}

fn problem(e: &CivicError) -> Problem {
    match e {
        CivicError::Stale { .. } | CivicError::NotNow { .. } => Problem::new("conflict", format!("{e}.")),
        CivicError::NoStep { .. } => Problem::pointer("invalid-parameter", "/step", e.to_string()),
        CivicError::WrongRole { .. } => Problem::pointer("invalid-parameter", "/role", e.to_string()),
        CivicError::NoReason { .. } => Problem::pointer("invalid-parameter", "/reason", e.to_string()),
        CivicError::Needs { .. } => Problem::new("refused", format!("{e}.")),
        CivicError::Unreadable(_) | CivicError::Unsound { .. } => {
            Problem { cause: Some(e.to_string()), ..Problem::new("internal", "A case definition is not sound.") }
        }
    }
}

/// Other cases whose proposals are still open, with what they would put.
fn others(store: &Store, case: &Case) -> Result<Vec<(String, Proposal)>, Problem> {
    let mut out = Vec::new();
    for other in store.cases(None, None, 10_000, 0)? {
        if other.id == case.id {
            continue;
        }
        if let Some(p) = &other.proposal {
            let p = store.proposal(p)?;
            if p.state == ProposalState::Open {
                out.push((other.id, p));
            }
        }
    }
    Ok(out)
}

/// The proposal's pipes on today's city, together with those of other open cases: clearance and cover, whose owners are
/// near, and which other cases are in the way.
fn check(snapshot: &Snapshot, proposal: &Proposal, others: &[(String, Proposal)], at: Instant) -> Result<Value, Problem> {
    let scope = Scope::everything();
    let mut planned: Vec<(Arc<Layer>, Pipe)> = Vec::new();
    for (id, change) in &proposal.changes {
        let Some(layer) = snapshot.layer(id, &scope).filter(|l| l.theme == Theme::Pipe) else { continue };
        if let Change::Put(f) = change {
            planned.extend(Pipe::from_feature(&layer, f).into_iter().map(|p| (layer.clone(), p)));
        }
    }
    let mut around = Bounds3::EMPTY;
    planned.iter().flat_map(|(_, p)| &p.axis).for_each(|p| around.extend(p));
    let mut together = snapshot.with_proposal(proposal)?;
    let mut belongs: BTreeMap<String, &str> = BTreeMap::new();
    for (case, other) in others {
        together = together.with_proposal(other)?;
        for (_, change) in &other.changes {
            belongs.insert(change.id().to_string(), case);
        }
    }
    let mut findings = Vec::new();
    let mut violations = BTreeSet::new();
    let mut conflicts = BTreeSet::new();
    let view = View { snapshot: &together, base: snapshot, scope: &scope, at };
    let ids: Vec<&str> = planned.iter().map(|(_, p)| p.id.as_str()).collect();
    if !ids.is_empty() {
        for (analysis, inputs) in [("clearance", json!({ "pipes": ids })), ("cover", json!({ "pipes": ids }))] {
            let Some(a) = strata_pipes::ANALYSES.iter().find(|a| a.id == analysis) else { continue };
            let answer = (a.run)(&view, &inputs)?;
            for found in ["pairs", "surroundings", "pipes"].iter().filter_map(|k| answer[k].as_array()).flatten() {
                let verdict = found["verdict"].as_str().unwrap_or_default();
                if !matches!(verdict, "clash" | "violation" | "exception") {
                    continue;
                }
                let parts: Vec<&str> = ["a", "b", "pipe", "object"].iter().filter_map(|k| name(&found[k])).collect();
                violations.insert(format!("{analysis}:{}", parts.join("~")));
                conflicts.extend(parts.iter().filter_map(|p| belongs.get(*p)).map(|c| (*c).to_owned()));
                let mut row = found.as_object().cloned().unwrap_or_default();
                // Places stand in the working frame; the case's answer is about names and numbers.
                row.retain(|_, v| v.get("coordinates").is_none() && v.get(0).is_none_or(|first| first.get("coordinates").is_none()));
                row.insert("analysis".into(), analysis.into());
                findings.push(Value::Object(row));
            }
        }
    }
    findings.truncate(500);
    Ok(json!({
        "version": snapshot.version(), "pipes": ids.len(), "violations": violations, "findings": findings,
        "parties": owners(snapshot, &planned, at)?, "conflicts": conflicts,
    }))
}

/// A finding names its bodies by id, or by an object that has one.
fn name(v: &Value) -> Option<&str> {
    v.as_str().or_else(|| v["id"].as_str())
}

/// Owners of the standing pipes near the planned ones; a pipe that the proposal replaces asks its own owner too.
fn owners(snapshot: &Snapshot, planned: &[(Arc<Layer>, Pipe)], at: Instant) -> Result<BTreeSet<String>, Problem> {
    let scope = Scope::everything();
    let mut out = BTreeSet::new();
    for (_, pipe) in planned {
        for w in pipe.axis.windows(2) {
            let mut b = Bounds3::EMPTY;
            w.iter().for_each(|p| b.extend(p));
            let near = b.plan().grown(OWNERS_WITHIN_M + pipe.section.half_width_m()).with_all_heights();
            for layer in snapshot.layers(&scope).into_iter().filter(|l| l.theme == Theme::Pipe) {
                let q = Query::all(layer.id.clone(), scope.clone()).at(at).within(near);
                for f in snapshot.query(&q)?.features {
                    out.extend(f.text(&layer, "owner").filter(|o| !o.is_empty()).map(str::to_owned));
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(id: &str, definition: &str, state: &str, opened: &str) -> Case {
        Case {
            id: id.into(),
            definition: definition.into(),
            edition: 1,
            title: id.into(),
            opened: Instant::parse(opened).expect("an instant"),
            opened_by: "keeper".into(),
            start_state: state.into(),
            place: None,
            proposal: None,
            events: Vec::new(),
        }
    }

    /// An alarm has 30 minutes to be acknowledged, an application a number of working days to be accepted.
    #[test]
    fn what_is_overdue_by_minutes_and_by_days() {
        let all = definitions().expect("definitions");
        let permit = all.iter().find(|d| d.id == "pipe-permit").expect("the permit");
        let draft = permit.states.iter().find(|s| s.clock_days.is_some_and(|n| n < 20) && !s.idle).expect("a state with a clock");
        let alarm = all.iter().find(|d| d.steps.iter().any(|s| s.takes == Some(Takes::Alarm))).expect("alarms");
        let cases = [
            case("fresh", &alarm.id, "open", "2026-06-10T08:00:00Z"),
            case("unheard", &alarm.id, "open", "2026-06-10T07:00:00Z"),
            case("waiting", &permit.id, &draft.id, "2026-05-06T00:00:00Z"),
            case("new", &permit.id, &draft.id, "2026-06-10T00:00:00Z"),
        ];
        let list = late(&cases, Instant::parse("2026-06-10T08:12:00Z").expect("an instant")).expect("a list");
        let ids: Vec<&str> = list.iter().filter_map(|c| c["id"].as_str()).collect();
        assert_eq!(ids, ["waiting", "unheard"], "{list:?}");
        assert_eq!(
            (&list[1]["due"], &list[1]["minutes_over"], &list[1]["days_over"]),
            (&json!("2026-06-10T07:30:00Z"), &json!(42), &Value::Null)
        );
        assert!(list[0]["days_over"].as_i64().is_some_and(|n| n > 0) && list[0]["minutes_over"].is_null(), "{list:?}");
    }

    /// Over a weekend an alarm runs up more hours than an application has working days, and yet it fell due later.
    #[test]
    fn what_fell_due_first_stands_first() {
        let all = definitions().expect("definitions");
        let permit = all.iter().find(|d| d.id == "pipe-permit").expect("the permit");
        let state = permit.states.iter().find(|s| s.clock_days.is_some_and(|n| n < 20) && !s.idle).expect("a state with a clock");
        let alarm = all.iter().find(|d| d.steps.iter().any(|s| s.takes == Some(Takes::Alarm))).expect("alarms");
        // A Monday morning in Changchun; the application was due on Friday, the alarm on Saturday afternoon.
        let monday = Instant::parse("2026-06-15T00:12:00Z").expect("an instant");
        let waiting = (1..40)
            .map(|d| case("waiting", &permit.id, &state.id, &Instant(monday.0 - d * 86_400_000).to_string()))
            .find(|c| late(std::slice::from_ref(c), monday).is_ok_and(|l| l.first().is_some_and(|l| l["due"] == "2026-06-12")))
            .expect("an opening that falls due on the Friday");
        let list = late(&[case("unheard", &alarm.id, "open", "2026-06-13T07:00:00Z"), waiting], monday).expect("a list");
        let shown: Vec<_> = list.iter().map(|c| (c["id"].as_str(), c["days_over"].as_i64(), c["minutes_over"].as_i64())).collect();
        assert_eq!(shown, [(Some("waiting"), Some(1), None), (Some("unheard"), None, Some(2442))]);
    }
}
