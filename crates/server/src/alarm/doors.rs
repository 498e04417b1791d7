//! Alarms over HTTP.

use crate::{Ask, CityState, Problem, Reply, Written, api::body, cases, sta::Catalog, sta::moment};
use serde_json::{Value, json};
use strata_model::Scope;
use strata_store::{Alarm, Store};

const LEVELS: [&str; 4] = ["Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ"];

/// With the place of what the stream watches, as GeoJSON.
pub fn shown(state: &CityState, a: &Alarm) -> Value {
    let catalog = Catalog::of(state, &Scope::everything()).ok();
    let place = catalog.as_ref().and_then(|c| c.interest_of(&a.stream)).and_then(|e| e.body.get("feature").cloned());
    let grade = LEVELS.get(usize::from(a.level).wrapping_sub(1)).copied().unwrap_or("Ⅳ");
    let stage = match (&a.acknowledged, a.over_at) {
        (_, Some(_)) => "over",
        (Some(_), None) => "acknowledged",
        (None, None) => "open",
    };
    let mut out = json!({
        "id": a.id, "rule": a.rule, "datastream": a.stream, "level": a.level, "grade": grade, "confidence": a.confidence, "state": stage, "place": place,
        "since": moment(a.since), "raised_at": moment(a.raised_at), "over_at": a.over_at.map(moment),
        "case": a.case,
        "acknowledged": a.acknowledged.as_ref().map(|k| json!({ "by": k.actor, "at": moment(k.at), "reason": k.reason })),
    });
    if let (Some(out), Some(detail)) = (out.as_object_mut(), a.detail.as_object()) {
        out.extend(detail.clone());
    }
    out
}

/// Who acknowledged and why, and where it is handled, is for those who may.
fn shown_to(state: &CityState, a: &Alarm, ask: &Ask) -> Value {
    if ask.actor.keeper { shown(state, a) } else { open_to_all(shown(state, a)) }
}

fn open_to_all(mut out: Value) -> Value {
    if !out["acknowledged"].is_null() {
        out["acknowledged"] = json!({ "at": out["acknowledged"]["at"] });
    }
    out.as_object_mut().map(|o| o.remove("case"));
    out
}

/// To all who listen.
pub fn tell(state: &CityState, alarm: &Alarm) {
    state.hub.alarm(&alarm.stream, &open_to_all(shown(state, alarm)));
}

fn sees(state: &CityState, scope: &Scope) -> Result<impl Fn(&Alarm) -> bool, Problem> {
    let streams = Catalog::of(state, scope)?.streams();
    Ok(move |a: &Alarm| streams.as_ref().is_none_or(|s| s.contains(a.stream.as_str())))
}

/// Newest first; `state=open` those that are not over, `datastream`, `before` an id for the next page.
pub fn list(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let limit = ask.query.number("limit", 1, 1000, true)?.unwrap_or(100);
    let open = match ask.query.get("state") {
        None | Some("all") => None,
        Some("open") => Some(true),
        Some("over") => Some(false),
        Some(_) => return Err(Problem::parameter("invalid-parameter", "state", "open, over or all is wanted")),
    };
    let before = ask.query.number("before", 0, i64::MAX as usize, true)?.map(|n| n as u64);
    let sees = sees(state, &ask.actor.scope)?;
    let stream = ask.query.get("datastream");
    let mut page = Vec::new();
    let mut next = before;
    // Hidden ones leave no hole in the page.
    loop {
        let some = state.store().alarms(open, next, 1000)?;
        let Some(last) = some.last() else { break };
        next = Some(last.id);
        page.extend(some.into_iter().filter(|a| sees(a) && stream.is_none_or(|s| s == a.stream)));
        if page.len() > limit {
            break;
        }
    }
    let more = page.len() > limit;
    page.truncate(limit);
    let mut out = json!({ "alarms": page.iter().map(|a| shown_to(state, a, ask)).collect::<Vec<_>>() });
    if let Some(last) = page.last().filter(|_| more) {
        out["next"] = format!("{}/api/alarms?{}", state.base(), ask.query.with(&[("before", last.id.to_string())])).into();
    }
    Ok(Reply::json(&out).never_kept())
}

fn find(state: &CityState, store: &Store, ask: &Ask) -> Result<Alarm, Problem> {
    let id = ask.part("id").parse().map_err(|_| Problem::not_found())?;
    let alarm = store.alarm(id)?;
    if sees(state, &ask.actor.scope)?(&alarm) { Ok(alarm) } else { Err(Problem::not_found()) }
}

pub fn one(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let alarm = find(state, &state.store(), ask)?;
    Ok(Reply::json(&shown_to(state, &alarm, ask)).never_kept())
}

/// Someone has taken it in hand, and says why it needs no more than that, or what is being done. A case that waits for
/// this goes on by it.
pub fn acknowledge(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        reason: String,
    }
    let form: Form = body(&ask.body)?;
    let reason: String = form.reason.chars().filter(|c| !c.is_control()).take(500).collect();
    if reason.trim().is_empty() {
        return Err(Problem::pointer("invalid-feature", "/reason", "it is empty"));
    }
    let alarm = find(state, store, ask)?;
    let (actor, reason) = (&ask.actor.name, reason.trim());
    let with_case = match &alarm.case {
        Some(case) if alarm.acknowledged.is_none() => cases::acknowledge(state, store, case, reason, actor)?,
        _ => false,
    };
    let alarm = if with_case { store.alarm(alarm.id)? } else { store.acknowledge_alarm(alarm.id, actor, reason, state.now())? };
    if !with_case {
        tell(state, &alarm);
    }
    Ok(Reply::json(&shown(state, &alarm)).never_kept().into())
}
