//! Proposals over HTTP: what-ifs that the keeper makes, reads, merges or drops. The store writes the audit row in
//! the transaction of each.

use crate::{Ask, CityState, Problem, Reply, Written, api::body, crs::DoorCrs, geojson};
use serde_json::{Value, json};
use strata_model::{Change, FeatureId, LayerId, Proposal};
use strata_store::Store;

pub fn list(state: &CityState, _: &Ask) -> Result<Reply, Problem> {
    let all: Vec<Value> = state.store().proposals()?.iter().map(summary).collect();
    Ok(Reply::json(&json!({ "proposals": all })))
}

fn summary(p: &Proposal) -> Value {
    let puts = p.changes.iter().filter(|(_, c)| matches!(c, Change::Put(_))).count();
    json!({ "id": p.id, "title": p.title, "base": p.base, "state": p.state, "puts": puts, "removes": p.changes.len() - puts })
}

fn whole(state: &CityState, p: &Proposal) -> Result<Value, Problem> {
    let snapshot = state.snapshot();
    let scope = strata_model::Scope::everything();
    let mut changes = Vec::new();
    for (id, change) in &p.changes {
        changes.push(match change {
            Change::Remove(fid) => json!({ "layer": id, "remove": fid }),
            Change::Put(f) => {
                let layer = snapshot.layer(id, &scope).ok_or_else(Problem::not_found)?;
                json!({ "layer": id, "put": geojson::feature(&layer, f, DoorCrs::Crs84, &state.frame)? })
            }
        });
    }
    let mut out = summary(p);
    out["changes"] = changes.into();
    Ok(out)
}

pub fn create(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        title: String,
        changes: Vec<ChangeForm>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ChangeForm {
        layer: String,
        put: Option<Value>,
        remove: Option<String>,
    }
    let form: Form = body(&ask.body)?;
    let title: String = form.title.chars().filter(|c| !c.is_control()).take(200).collect();
    let most = state.limits().proposal_changes;
    if title.trim().is_empty() {
        return Err(Problem::pointer("invalid-feature", "/title", "it is empty"));
    }
    if form.changes.is_empty() || form.changes.len() > most {
        return Err(Problem::pointer("invalid-feature", "/changes", format!("1 to {most} are wanted")));
    }
    let snapshot = state.snapshot();
    let mut changes: Vec<(LayerId, Change)> = Vec::with_capacity(form.changes.len());
    for (i, c) in form.changes.iter().enumerate() {
        let at = format!("/changes/{i}");
        let no_layer = || Problem::pointer("invalid-feature", format!("{at}/layer"), "there is no such layer");
        let id = LayerId::new(c.layer.as_str()).map_err(|_| no_layer())?;
        let layer = snapshot.layer(&id, &ask.actor.scope).ok_or_else(no_layer)?;
        let change = match (&c.put, &c.remove) {
            (Some(f), None) => Change::Put(geojson::feature_from(&layer, f, &state.frame, &format!("{at}/put"))?),
            (None, Some(fid)) => {
                let fid = FeatureId::new(fid.as_str());
                if snapshot.get(&id, &fid, None, &ask.actor.scope)?.is_none() {
                    return Err(Problem::pointer("invalid-feature", format!("{at}/remove"), "there is no such feature"));
                }
                Change::Remove(fid)
            }
            _ => return Err(Problem::pointer("invalid-json", at, "either `put` or `remove` is wanted")),
        };
        changes.push((id, change));
    }
    let made = store.create_proposal(&title, &ask.actor.name, state.now(), changes)?;
    let place = format!("{}/api/proposals/{}", state.base(), made.id);
    Ok(Reply::json(&whole(state, &made)?).status(201).header("location", place).never_kept().into())
}

pub fn get(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let p = state.store().proposal(ask.part("id"))?;
    whole(state, &p).map(|v| Reply::json(&v))
}

/// Checked again on today's city: every feature must still fit its layer.
pub fn merge(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    let proposal = store.proposal(ask.part("id"))?;
    let snapshot = state.snapshot();
    let scope = &ask.actor.scope;
    let commit = store.merge_proposal(&proposal.id, &ask.actor.name, state.now(), &mut |p, _| {
        for (id, change) in &p.changes {
            let layer = snapshot.layer(id, scope).ok_or_else(|| format!("there is no layer {id}"))?;
            if let Change::Put(f) = change {
                f.check(&layer).map_err(|e| format!("{id}/{}: {e}", f.id))?;
            }
        }
        Ok(())
    })?;
    let reply = Reply::json(&json!({ "id": proposal.id, "state": "merged", "version": commit.version })).never_kept();
    Ok(Written { reply, commit: Some((commit.version, proposal.changes)), after: None })
}

pub fn drop_one(state: &CityState, store: &mut Store, ask: &Ask) -> Result<Written, Problem> {
    let id = ask.part("id");
    store.drop_proposal(id, &ask.actor.name, state.now())?;
    Ok(Reply::json(&json!({ "id": id, "state": "dropped" })).never_kept().into())
}
