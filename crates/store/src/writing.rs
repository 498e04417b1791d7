use crate::{
    StoreError, audit,
    row::{self, Encoded},
    rtree, spatial, store,
    table::{Table, check_redeclaration},
    tx::Tx,
};
use rusqlite::{Connection, OptionalExtension, Statement, params};
use std::{collections::BTreeMap, sync::Arc};
use strata_model::{Bounds2, Change, Commit, Feature, FeatureId, Instant, Layer, LayerId, Version};

/// A commit in the making: one transaction. Dropped, it leaves nothing.
///
/// A change that is refused (`invalid`, `not-found`) leaves the writing as it was; after any other error it can
/// only be dropped.
pub struct Writing<'a> {
    tx: Tx<'a>,
    srs_id: i32,
    version: Version,
    actor: String,
    message: String,
    at: Instant,
    key: Option<String>,
    tables: BTreeMap<LayerId, Arc<Table>>,
    works: BTreeMap<LayerId, Work>,
    broken: bool,
}

/// One layer's part of the writing.
struct Work {
    table: Arc<Table>,
    /// The layer was empty: its R-tree is made at the end, at once.
    bulk: bool,
    /// What a bulk filling puts into the R-tree; not to be used when a row was changed again.
    entries: Vec<(i64, Bounds2)>,
    entries_stale: bool,
    /// Net effect: features that this version holds anew or otherwise than the version before, and features it no longer holds.
    puts: u64,
    removes: u64,
    rows: i64,
    history: i64,
    extent: Bounds2,
    /// Something on the extent's edge went away.
    extent_shrunk: bool,
    type_name: String,
}

impl<'a> Writing<'a> {
    pub(crate) fn new(tx: Tx<'a>, srs_id: i32, actor: &str, message: &str, at: Instant) -> Result<Self, StoreError> {
        if row::instant_text(at).is_none() {
            return Err(StoreError::invalid("the time of the change", "it must lie in the years 0 to 9999"));
        }
        let version = Version(store::head(&tx)?.0 + 1);
        let tables = store::by_id(store::tables(&tx)?);
        let (actor, message) = (actor.into(), message.into());
        Ok(Self { tx, srs_id, version, actor, message, at, key: None, tables, works: BTreeMap::new(), broken: false })
    }

    /// The version that [`Self::commit`] will make.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Declares a layer, or declares it anew with more fields. A field can be neither dropped nor change its kind.
    pub fn layer(&mut self, layer: &Layer) -> Result<(), StoreError> {
        let result = self.declare(layer);
        self.note(result)
    }

    fn declare(&mut self, layer: &Layer) -> Result<(), StoreError> {
        let definition = serde_json::to_string(layer).map_err(|e| StoreError::invalid(format!("layer {}", layer.id), e.to_string()))?;
        let old = self.tables.get(&layer.id).cloned();
        if old.as_ref().is_some_and(|t| *t.layer == *layer) {
            return Ok(());
        }
        let table = Arc::new(Table::new(Arc::new(layer.clone()))?);
        match old {
            Some(old) => {
                check_redeclaration(&old.layer, layer)?;
                table.widen(&self.tx, &old.layer)?;
                self.tx.execute("UPDATE strata_layers SET definition = ?2 WHERE layer = ?1", params![layer.id.as_str(), definition])?;
                let work = open(&self.tx, &self.tables, &mut self.works, &layer.id)?;
                work.table = table.clone();
                if old.layer.geometry != layer.geometry {
                    work.type_name = row::type_name(layer.geometry).into();
                }
            }
            None => {
                table.create(&self.tx, self.srs_id)?;
                self.tx.execute("INSERT INTO strata_layers (layer, definition) VALUES (?1, ?2)", params![layer.id.as_str(), definition])?;
            }
        }
        self.tables.insert(layer.id.clone(), table);
        open(&self.tx, &self.tables, &mut self.works, &layer.id)?;
        Ok(())
    }

    /// Adds the feature or replaces the one of the same id; one that is as it was is no change.
    pub fn put(&mut self, layer: &LayerId, feature: &Feature) -> Result<(), StoreError> {
        let result = open(&self.tx, &self.tables, &mut self.works, layer).and_then(|work| {
            let new = Encoded::new(&work.table.layer, feature, self.srs_id)?;
            work.put(&self.tx, self.version, feature, &new)
        });
        self.note(result)
    }

    /// Removes a feature; one that the record does not hold is [`StoreError::NotFound`].
    pub fn remove(&mut self, layer: &LayerId, id: &FeatureId) -> Result<(), StoreError> {
        let result = open(&self.tx, &self.tables, &mut self.works, layer).and_then(|work| work.remove(&self.tx, self.version, id));
        self.note(result)
    }

    pub fn apply(&mut self, layer: &LayerId, change: &Change) -> Result<(), StoreError> {
        match change {
            Change::Put(feature) => self.put(layer, feature),
            Change::Remove(id) => self.remove(layer, id),
        }
    }

    /// If this actor has committed under this key before, [`Self::commit`] changes nothing and gives that commit.
    pub fn idempotency_key(&mut self, key: &str) {
        self.key = Some(key.to_owned());
    }

    /// Every commit is a new version, also one that changes no feature: the log tells of the attempt.
    /// When it returns, the change has reached the disk.
    pub fn commit(self) -> Result<Commit, StoreError> {
        let (commit, tx) = self.commit_as("commit", None)?;
        if let Some(tx) = tx {
            tx.commit()?;
        }
        Ok(commit)
    }

    /// All but the end of the transaction, which is `None` when the key was known.
    pub(crate) fn commit_as(mut self, action: &str, target: Option<&str>) -> Result<(Commit, Option<Tx<'a>>), StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        if let Some(key) = &self.key
            && let Some(earlier) = store::commit_by_key(&self.tx, &self.actor, key)?
        {
            self.tx.rollback()?;
            return Ok((earlier, None));
        }
        let mut layers = Vec::with_capacity(self.works.len());
        for (id, work) in &mut self.works {
            work.finish(&self.tx, self.at)?;
            layers.push((id.clone(), work.puts, work.removes));
        }
        let commit = Commit { version: self.version, at: self.at, actor: self.actor, message: self.message, layers };
        let at = row::instant_text(self.at).unwrap_or_default();
        let list = serde_json::to_string(&commit.layers).unwrap_or_default();
        self.tx.prepare_cached("INSERT INTO strata_commits VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            commit.version.0 as i64,
            at,
            commit.actor,
            commit.message,
            list,
            self.key
        ])?;
        let version = commit.version.0;
        let detail = serde_json::json!({ "version": version, "message": commit.message, "layers": commit.layers });
        let own = format!("version/{version}");
        audit::append(&self.tx, self.at, &commit.actor, action, target.unwrap_or(&own), &detail)?;
        Ok((commit, Some(self.tx)))
    }

    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(e) = &result {
            self.broken |= e.breaks_a_writing();
        }
        result
    }
}

fn open<'w>(
    tx: &Connection,
    tables: &BTreeMap<LayerId, Arc<Table>>,
    works: &'w mut BTreeMap<LayerId, Work>,
    id: &LayerId,
) -> Result<&'w mut Work, StoreError> {
    if !works.contains_key(id) {
        let table = tables.get(id).ok_or_else(|| StoreError::not_found(format!("layer {id}")))?;
        works.insert(id.clone(), Work::new(tx, table.clone())?);
    }
    works.get_mut(id).ok_or_else(|| StoreError::not_found(format!("layer {id}")))
}

impl Work {
    fn new(tx: &Connection, table: Arc<Table>) -> Result<Self, StoreError> {
        let id = table.layer.id.as_str();
        let bulk = tx.query_row(&format!("SELECT NOT EXISTS (SELECT 1 FROM {})", table.name), [], |r| r.get(0))?;
        let extent = tx.query_row("SELECT min_x, min_y, max_x, max_y FROM gpkg_contents WHERE table_name = ?1", [id], |r| {
            let (x0, y0, x1, y1): (Option<f64>, Option<f64>, Option<f64>, Option<f64>) = (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?);
            Ok(match (x0, y0, x1, y1) {
                (Some(x0), Some(y0), Some(x1), Some(y1)) => Bounds2 { min: [x0, y0], max: [x1, y1] },
                _ => Bounds2::EMPTY,
            })
        })?;
        let sql = "SELECT geometry_type_name FROM gpkg_geometry_columns WHERE table_name = ?1";
        let type_name = tx.query_row(sql, [id], |r| r.get(0))?;
        Ok(Self {
            table,
            bulk,
            entries: Vec::new(),
            entries_stale: false,
            puts: 0,
            removes: 0,
            rows: 0,
            history: 0,
            extent,
            extent_shrunk: false,
            type_name,
        })
    }

    fn put(&mut self, tx: &Connection, version: Version, feature: &Feature, new: &Encoded) -> Result<(), StoreError> {
        let id = feature.id.as_str();
        let v = version.0 as i64;
        let t = self.table.clone();
        let inserted = {
            let mut insert = tx.prepare_cached(&t.insert)?;
            bind(&mut insert, id, v, new)?;
            insert.raw_execute()? == 1
        };
        if !inserted {
            let (fid, since, same) = {
                let mut find = tx.prepare_cached(&t.find)?;
                let mut rows = find.query([id])?;
                let r = rows.next()?.ok_or_else(|| StoreError::damaged(format!("the index of layer {} is wrong", t.layer.id)))?;
                let same = new.same(r, 2)?;
                if !same {
                    self.note_gone(r.get_ref(2)?.as_blob().unwrap_or_default());
                }
                (r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, same)
            };
            if same {
                return Ok(());
            }
            if since < v {
                tx.prepare_cached(&t.retire)?.execute(params![id, v])?;
                self.history += 1;
                self.puts += 1;
                self.update(tx, id, v, new)?;
            } else if let Some(earlier) = self.take_back(tx, id, v, new)? {
                self.puts -= 1;
                self.update(tx, id, earlier, new)?;
            } else {
                self.update(tx, id, v, new)?;
            }
            self.entries_stale = true;
            self.index(tx, fid, new.bounds)?;
        } else {
            self.index(tx, tx.last_insert_rowid(), new.bounds)?;
            self.rows += 1;
            let removed_before = self.removes > 0 && self.retired(tx, id, v)?;
            self.removes -= u64::from(removed_before);
            match if removed_before { self.take_back(tx, id, v, new)? } else { None } {
                Some(earlier) => self.update(tx, id, earlier, new)?,
                None => self.puts += 1,
            }
        }
        self.extent.extend(new.bounds.min);
        self.extent.extend(new.bounds.max);
        let kind = row::type_name_of(&feature.geometry);
        if self.type_name != kind && self.type_name != "GEOMETRY" {
            self.type_name = "GEOMETRY".into();
        }
        if kind == "TIN" && self.type_name == "GEOMETRY" {
            t.note_tin(tx)?;
        }
        Ok(())
    }

    fn update(&self, tx: &Connection, id: &str, since: i64, new: &Encoded) -> Result<(), StoreError> {
        let mut update = tx.prepare_cached(&self.table.update)?;
        bind(&mut update, id, since, new)?;
        update.raw_execute()?;
        Ok(())
    }

    fn index(&mut self, tx: &Connection, fid: i64, b: Bounds2) -> Result<(), StoreError> {
        if self.bulk {
            self.entries.push((fid, b));
        } else {
            tx.prepare_cached(&self.table.index)?.execute(params![fid, b.min[0], b.max[0], b.min[1], b.max[1]])?;
        }
        Ok(())
    }

    fn retired(&self, tx: &Connection, id: &str, version: i64) -> Result<bool, StoreError> {
        Ok(tx.prepare_cached(&self.table.retired_at)?.exists(params![id, version])?)
    }

    /// If this version retired just what is put now, the retirement is undone: the feature is as it was, since the version returned.
    fn take_back(&mut self, tx: &Connection, id: &str, version: i64, new: &Encoded) -> Result<Option<i64>, StoreError> {
        let found = {
            let mut find = tx.prepare_cached(&self.table.retired_at)?;
            let mut rows = find.query(params![id, version])?;
            match rows.next()? {
                Some(r) if new.same(r, 2)? => Some((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)),
                _ => None,
            }
        };
        let Some((fid, since)) = found else { return Ok(None) };
        tx.prepare_cached(&format!("DELETE FROM {} WHERE fid = ?1", self.table.history))?.execute([fid])?;
        self.history -= 1;
        Ok(Some(since))
    }

    fn remove(&mut self, tx: &Connection, version: Version, id: &FeatureId) -> Result<(), StoreError> {
        let v = version.0 as i64;
        let t = self.table.clone();
        let found: Option<(i64, i64, Vec<u8>)> = tx
            .prepare_cached(&t.find)?
            .query_row([id.as_str()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2).unwrap_or_default())))
            .optional()?;
        let Some((fid, since, geom)) = found else { return Err(StoreError::not_found(format!("feature {}/{id}", t.layer.id))) };
        if since < v {
            tx.prepare_cached(&t.retire)?.execute(params![id.as_str(), v])?;
            self.history += 1;
            self.removes += 1;
        } else {
            self.puts -= 1;
            self.removes += u64::from(self.retired(tx, id.as_str(), v)?);
        }
        tx.prepare_cached(&t.delete)?.execute([id.as_str()])?;
        self.entries_stale = true;
        if !self.bulk {
            tx.prepare_cached(&t.unindex)?.execute([fid])?;
        }
        self.rows -= 1;
        self.note_gone(&geom);
        Ok(())
    }

    fn note_gone(&mut self, geom: &[u8]) {
        let inside = |b: Bounds2| (0..2).all(|k| self.extent.min[k] < b.min[k] && b.max[k] < self.extent.max[k]);
        self.extent_shrunk |= !spatial::bounds(geom).is_some_and(inside);
    }

    fn finish(&mut self, tx: &Connection, at: Instant) -> Result<(), StoreError> {
        let t = &self.table;
        if self.bulk {
            if self.entries_stale {
                self.entries = read_entries(tx, t)?;
            }
            rtree::fill(tx, t, &self.entries)?;
        }
        if self.extent_shrunk {
            let sql = format!("SELECT min(ST_MinX(geom)), min(ST_MinY(geom)), max(ST_MaxX(geom)), max(ST_MaxY(geom)) FROM {}", t.name);
            let found = tx.query_row(&sql, [], |r| Ok((r.get::<_, Option<f64>>(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?;
            self.extent = match found {
                (Some(x0), Some(y0), Some(x1), Some(y1)) => Bounds2 { min: [x0, y0], max: [x1, y1] },
                _ => Bounds2::EMPTY,
            };
        }
        let id = t.layer.id.as_str();
        let bound = |v: f64| v.is_finite().then_some(v);
        let [min_x, min_y] = self.extent.min.map(bound);
        let [max_x, max_y] = self.extent.max.map(bound);
        tx.prepare_cached(
            "UPDATE gpkg_contents SET min_x = ?2, min_y = ?3, max_x = ?4, max_y = ?5, last_change = ?6, description = ?7 WHERE table_name = ?1",
        )?
        .execute(params![id, min_x, min_y, max_x, max_y, date_time(at), t.description()])?;
        tx.prepare_cached("UPDATE gpkg_geometry_columns SET geometry_type_name = ?2 WHERE table_name = ?1")?
            .execute(params![id, self.type_name])?;
        tx.prepare_cached("UPDATE strata_layers SET current_rows = current_rows + ?2, history_rows = history_rows + ?3 WHERE layer = ?1")?
            .execute(params![id, self.rows, self.history])?;
        Ok(())
    }
}

fn read_entries(tx: &Connection, t: &Table) -> Result<Vec<(i64, Bounds2)>, StoreError> {
    let mut statement = tx.prepare(&format!("SELECT fid, geom FROM {}", t.name))?;
    let mut rows = statement.query([])?;
    let mut out = Vec::new();
    while let Some(r) = rows.next()? {
        if let Some(b) = r.get_ref(1)?.as_blob().ok().and_then(spatial::bounds) {
            out.push((r.get(0)?, b));
        }
    }
    Ok(out)
}

fn bind(statement: &mut Statement<'_>, id: &str, since: i64, new: &Encoded) -> Result<(), StoreError> {
    statement.raw_bind_parameter(1, id)?;
    statement.raw_bind_parameter(2, since)?;
    for (i, value) in new.values().enumerate() {
        statement.raw_bind_parameter(i + 3, value)?;
    }
    Ok(())
}

/// The only form that the GeoPackage standard takes: date, time and milliseconds.
fn date_time(at: Instant) -> String {
    let text = at.to_string();
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap_or((&text, "00:00:00"));
    let millis = if clock.contains('.') { "" } else { ".000" };
    format!("{date}T{clock}{millis}Z")
}
