//! Proposals: changes on top of a version, kept beside the record until they are merged or dropped.

use crate::{
    Store, StoreError, Writing, audit,
    row::{self, Encoded},
    store,
    table::Table,
    tx::Tx,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::{collections::BTreeMap, sync::Arc};
use strata_model::{Change, Commit, Feature, FeatureId, Instant, Layer, LayerId, Proposal, ProposalState, Value, Version};

type Changes = BTreeMap<(LayerId, FeatureId), Change>;

impl Store {
    /// Keeps `changes` as an open proposal on today's version. Of two changes to one feature the later counts.
    /// Layers must be declared, features sound, and what is to be removed must be there. Gives it as it was kept.
    pub fn create_proposal(
        &mut self,
        title: &str,
        actor: &str,
        at: Instant,
        changes: Vec<(LayerId, Change)>,
    ) -> Result<Proposal, StoreError> {
        let srs_id = self.srs_id();
        let tx = self.write_transaction()?;
        let tables = store::by_id(store::tables(&tx)?);
        let changes = checked(&tx, &tables, srs_id, changes)?;
        let at_text = when(at)?;
        let id = new_id(at);
        let base = store::head(&tx)?;
        tx.execute(
            "INSERT INTO strata_proposals (id, title, base, state, actor, at) VALUES (?1, ?2, ?3, 'open', ?4, ?5)",
            params![id, title, base.0 as i64, actor, at_text],
        )?;
        write_changes(&tx, &tables, srs_id, &id, &changes)?;
        audit::append(&tx, at, actor, "proposal.create", &target(&id), &detail(title, base, &changes))?;
        let kept = read(&tx, &tables, &id)?;
        tx.commit()?;
        Ok(kept)
    }

    /// Changes are in the order of layer and feature id.
    pub fn proposal(&self, id: &str) -> Result<Proposal, StoreError> {
        self.reading(|| read(&self.conn, &store::by_id(self.catalog()?.tables.clone()), id))
    }

    /// Open, merged and dropped ones, oldest first.
    pub fn proposals(&self) -> Result<Vec<Proposal>, StoreError> {
        self.reading(|| {
            let tables = store::by_id(self.catalog()?.tables.clone());
            let mut statement = self.conn.prepare_cached("SELECT id FROM strata_proposals ORDER BY number")?;
            let ids = statement.query_map([], |r| r.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            ids.iter().map(|id| read(&self.conn, &tables, id)).collect()
        })
    }

    /// Replaces an open proposal's changes; its base becomes today's version, so this is also how a conflict is solved.
    pub fn amend_proposal(&mut self, id: &str, actor: &str, at: Instant, changes: Vec<(LayerId, Change)>) -> Result<Proposal, StoreError> {
        let srs_id = self.srs_id();
        let tx = self.write_transaction()?;
        let tables = store::by_id(store::tables(&tx)?);
        let old = open(&tx, &tables, id)?;
        let changes = checked(&tx, &tables, srs_id, changes)?;
        let base = store::head(&tx)?;
        tx.execute("UPDATE strata_proposals SET base = ?2 WHERE id = ?1", params![id, base.0 as i64])?;
        tx.execute("DELETE FROM strata_proposal_changes WHERE proposal = ?1", [id])?;
        write_changes(&tx, &tables, srs_id, id, &changes)?;
        audit::append(&tx, at, actor, "proposal.amend", &target(id), &detail(&old.title, base, &changes))?;
        let kept = read(&tx, &tables, id)?;
        tx.commit()?;
        Ok(kept)
    }

    /// Makes the proposal's changes a commit of their own. [`StoreError::Conflict`] names the features that others have
    /// changed since its base; then `check` judges it on today's version (inside the transaction: nobody commits
    /// between the check and the merge), and its refusal becomes [`StoreError::Refused`]. After an error it is still open.
    pub fn merge_proposal(
        &mut self,
        id: &str,
        actor: &str,
        at: Instant,
        check: &mut dyn FnMut(&Proposal, Version) -> Result<(), String>,
    ) -> Result<Commit, StoreError> {
        let srs_id = self.srs_id();
        let tx = self.write_transaction()?;
        let tables = store::by_id(store::tables(&tx)?);
        let proposal = open(&tx, &tables, id)?;
        unchanged_since(&tx, &tables, &proposal)?;
        check(&proposal, store::head(&tx)?).map_err(|reason| StoreError::Refused { id: id.into(), reason })?;
        merge_in(tx, srs_id, &proposal, actor, at)
    }

    /// Closes an open proposal without a trace in the layers; it can still be read.
    pub fn drop_proposal(&mut self, id: &str, actor: &str, at: Instant) -> Result<(), StoreError> {
        let tx = self.write_transaction()?;
        let tables = store::by_id(store::tables(&tx)?);
        let proposal = open(&tx, &tables, id)?;
        drop_in(&tx, &proposal, actor, at)?;
        tx.commit()
    }
}

/// Makes the changes a commit of their own, in the transaction that is open, and ends it.
pub(crate) fn merge_in(tx: Tx<'_>, srs_id: i32, proposal: &Proposal, actor: &str, at: Instant) -> Result<Commit, StoreError> {
    let id = &proposal.id;
    let mut writing = Writing::new(tx, srs_id, actor, &format!("merge of proposal {id}: {}", proposal.title), at)?;
    for (layer, change) in &proposal.changes {
        writing.apply(layer, change)?;
    }
    let (commit, tx) = writing.commit_as("proposal.merge", Some(&target(id)))?;
    if let Some(tx) = tx {
        close(&tx, id, "merged", actor, at, Some(commit.version))?;
        tx.commit()?;
    }
    Ok(commit)
}

/// Closes it, in the transaction that is open.
pub(crate) fn drop_in(conn: &Connection, proposal: &Proposal, actor: &str, at: Instant) -> Result<(), StoreError> {
    close(conn, &proposal.id, "dropped", actor, at, None)?;
    audit::append(conn, at, actor, "proposal.drop", &target(&proposal.id), &serde_json::json!({ "title": proposal.title }))?;
    Ok(())
}

/// Sorts by time as text; two made in one millisecond still differ.
pub(crate) fn new_id(at: Instant) -> String {
    let ms = u64::try_from(at.0).unwrap_or(0);
    let time = uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, (ms % 1000) as u32 * 1_000_000);
    uuid::Uuid::new_v7(time).to_string()
}

fn target(id: &str) -> String {
    format!("proposal/{id}")
}

pub(crate) fn when(at: Instant) -> Result<String, StoreError> {
    row::instant_text(at).ok_or_else(|| StoreError::invalid("the time of the change", "it must lie in the years 0 to 9999"))
}

fn detail(title: &str, base: Version, changes: &Changes) -> serde_json::Value {
    let puts = changes.values().filter(|c| matches!(c, Change::Put(_))).count();
    serde_json::json!({ "title": title, "base": base, "puts": puts, "removes": changes.len() - puts })
}

fn table<'t>(tables: &'t BTreeMap<LayerId, Arc<Table>>, id: &LayerId) -> Result<&'t Arc<Table>, StoreError> {
    tables.get(id).ok_or_else(|| StoreError::not_found(format!("layer {id}")))
}

fn checked(
    conn: &Connection,
    tables: &BTreeMap<LayerId, Arc<Table>>,
    srs_id: i32,
    changes: Vec<(LayerId, Change)>,
) -> Result<Changes, StoreError> {
    let mut out = Changes::new();
    for (layer, change) in changes {
        let t = table(tables, &layer)?;
        match &change {
            Change::Put(feature) => {
                Encoded::new(&t.layer, feature, srs_id)?;
            }
            Change::Remove(id) => {
                if !conn.prepare_cached(&t.find)?.exists([id.as_str()])? {
                    return Err(StoreError::not_found(format!("feature {layer}/{id}")));
                }
            }
        }
        let id = change.id().clone();
        out.insert((layer, id), change);
    }
    Ok(out)
}

fn write_changes(
    conn: &Connection,
    tables: &BTreeMap<LayerId, Arc<Table>>,
    srs_id: i32,
    id: &str,
    changes: &Changes,
) -> Result<(), StoreError> {
    let mut insert = conn.prepare_cached(
        "INSERT INTO strata_proposal_changes (proposal, seq, layer, id, kind, geom, surface_kinds, valid_from, valid_to, attributes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (seq, ((layer, feature_id), change)) in changes.iter().enumerate() {
        let (layer_id, feature_id, seq) = (layer.as_str(), feature_id.as_str(), seq as i64);
        match change {
            Change::Put(feature) => {
                let t = table(tables, layer)?;
                let e = Encoded::new(&t.layer, feature, srs_id)?;
                // By name, so that a later declaration of the layer may add and reorder fields.
                let names = t.layer.fields.iter().map(|f| f.name.clone());
                let values: serde_json::Map<String, serde_json::Value> =
                    names.zip(&e.attributes).filter_map(|(n, v)| Some((n, serde_json::to_value(v).ok()?))).collect();
                let attributes = serde_json::Value::Object(values).to_string();
                insert.execute(params![id, seq, layer_id, feature_id, "put", e.geom, e.kinds, e.from, e.to, attributes])?;
            }
            Change::Remove(_) => {
                let none = None::<String>;
                insert.execute(params![id, seq, layer_id, feature_id, "remove", none, none, none, none, none])?;
            }
        }
    }
    Ok(())
}

pub(crate) fn read(conn: &Connection, tables: &BTreeMap<LayerId, Arc<Table>>, id: &str) -> Result<Proposal, StoreError> {
    let found: Option<(String, i64, String)> = conn
        .prepare_cached("SELECT title, base, state FROM strata_proposals WHERE id = ?1")?
        .query_row([id], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
        .optional()?;
    let (title, base, state) = found.ok_or_else(|| StoreError::not_found(format!("proposal {id}")))?;
    let state = match state.as_str() {
        "open" => ProposalState::Open,
        "merged" => ProposalState::Merged,
        "dropped" => ProposalState::Dropped,
        other => return Err(StoreError::damaged(format!("proposal {id} has the state `{other}`"))),
    };
    let mut statement = conn.prepare_cached(
        "SELECT layer, id, kind, attributes, geom, surface_kinds, valid_from, valid_to FROM strata_proposal_changes WHERE proposal = ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([id])?;
    let mut changes = Vec::new();
    while let Some(r) = rows.next()? {
        let layer = LayerId::new(r.get::<_, String>(0)?).map_err(StoreError::damaged)?;
        let feature_id = FeatureId::new(row::text(r, 1)?.unwrap_or_default());
        let change = if row::text(r, 2)? == Some("remove") {
            Change::Remove(feature_id)
        } else {
            let declared = &table(tables, &layer)?.layer;
            let bare = Layer { fields: Vec::new(), ..declared.as_ref().clone() };
            let attributes = attributes(declared, row::text(r, 3)?.unwrap_or_default())?;
            Change::Put(Feature { attributes, ..row::read(r, 4, &bare, feature_id)? })
        };
        changes.push((layer, change));
    }
    Ok(Proposal { id: id.into(), title, base: Version(base as u64), state, changes })
}

fn attributes(layer: &Layer, text: &str) -> Result<Vec<Value>, StoreError> {
    let mut values: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|e| StoreError::damaged(format!("attributes of a proposal: {e}")))?;
    Ok(layer.fields.iter().map(|f| values.remove(&f.name).unwrap_or_default()).collect())
}

pub(crate) fn open(conn: &Connection, tables: &BTreeMap<LayerId, Arc<Table>>, id: &str) -> Result<Proposal, StoreError> {
    let proposal = read(conn, tables, id)?;
    match proposal.state {
        ProposalState::Open => Ok(proposal),
        state => Err(StoreError::Closed { id: id.into(), state }),
    }
}

fn close(conn: &Connection, id: &str, state: &str, actor: &str, at: Instant, merged_as: Option<Version>) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE strata_proposals SET state = ?2, closed_by = ?3, closed_at = ?4, merged_as = ?5 WHERE id = ?1",
        params![id, state, actor, when(at)?, merged_as.map(|v| v.0 as i64)],
    )?;
    Ok(())
}

/// [`StoreError::Conflict`] names the features of the proposal that a commit after its base has added, changed or removed.
pub(crate) fn unchanged_since(conn: &Connection, tables: &BTreeMap<LayerId, Arc<Table>>, proposal: &Proposal) -> Result<(), StoreError> {
    let mut features = Vec::new();
    for (layer, change) in &proposal.changes {
        let t = table(tables, layer)?;
        let sql = format!(
            "SELECT 1 FROM {} WHERE id = ?1 AND since > ?2 UNION ALL SELECT 1 FROM {} WHERE id = ?1 AND until > ?2",
            t.name, t.history
        );
        if conn.prepare_cached(&sql)?.exists(params![change.id().as_str(), proposal.base.0 as i64])? {
            features.push((layer.clone(), change.id().clone()));
        }
    }
    if features.is_empty() { Ok(()) } else { Err(StoreError::Conflict { features }) }
}
