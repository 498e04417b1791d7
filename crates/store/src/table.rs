//! A layer's two tables: `<layer>` holds what is so now, `<layer>_history` what has been replaced or removed.

use crate::{StoreError, row};
use rusqlite::{Connection, params};
use std::{collections::BTreeSet, sync::Arc};
use strata_model::{FieldKind, Layer};

const OWN_COLUMNS: [&str; 8] = ["fid", "id", "geom", "valid_from", "valid_to", "since", "until", "surface_kinds"];
const MAX_FIELDS: usize = 500;

/// The SQL of one layer, put together once.
#[derive(Debug)]
pub(crate) struct Table {
    pub layer: Arc<Layer>,
    pub name: String,
    pub history: String,
    pub rtree: String,
    /// `geom, surface_kinds, valid_from, valid_to, <attributes>`.
    pub columns: String,
    /// ?1 id, ?2 since, ?3… columns; skips an id that is there.
    pub insert: String,
    /// ?1 fid, ?2… minx, maxx, miny, maxy.
    pub index: String,
    /// ?1 fid.
    pub unindex: String,
    /// ?1 id → fid, since, columns.
    pub find: String,
    /// ?1 id, ?2 since, ?3… columns.
    pub update: String,
    /// ?1 id, ?2 until.
    pub retire: String,
    /// ?1 id.
    pub delete: String,
    /// ?1 id, ?2 until → fid, since, columns.
    pub retired_at: String,
}

impl Table {
    pub fn new(layer: Arc<Layer>) -> Result<Self, StoreError> {
        check(&layer)?;
        let name = quoted(layer.id.as_str());
        let history = quoted(&format!("{}_history", layer.id));
        let rtree = quoted(&format!("rtree_{}_geom", layer.id));
        let names: Vec<String> = layer.fields.iter().map(|f| quoted(&column(&f.name))).collect();
        let columns = names.iter().fold(row::FIXED.to_owned(), |all, n| all + ", " + n);
        let count = 4 + names.len();
        let marks = (3..3 + count).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ");
        let mut set = Vec::with_capacity(count);
        for (i, n) in ["geom", "surface_kinds", "valid_from", "valid_to"].into_iter().chain(names.iter().map(String::as_str)).enumerate() {
            set.push(format!("{n} = ?{}", i + 3));
        }
        Ok(Self {
            insert: format!("INSERT INTO {name} (id, since, {columns}) VALUES (?1, ?2, {marks}) ON CONFLICT (id) DO NOTHING"),
            index: format!("INSERT OR REPLACE INTO {rtree} VALUES (?1, ?2, ?3, ?4, ?5)"),
            unindex: format!("DELETE FROM {rtree} WHERE id = ?1"),
            find: format!("SELECT fid, since, {columns} FROM {name} WHERE id = ?1"),
            update: format!("UPDATE {name} SET since = ?2, {} WHERE id = ?1", set.join(", ")),
            retire: format!(
                "INSERT INTO {history} (id, since, until, {columns}) SELECT id, since, ?2, {columns} FROM {name} WHERE id = ?1"
            ),
            delete: format!("DELETE FROM {name} WHERE id = ?1"),
            retired_at: format!("SELECT fid, since, {columns} FROM {history} WHERE id = ?1 AND until = ?2"),
            layer,
            name,
            history,
            rtree,
            columns,
        })
    }

    /// Both tables, the R-tree with the standard's triggers, and the GeoPackage's rows about them.
    pub fn create(&self, conn: &Connection, srs_id: i32) -> Result<(), StoreError> {
        let (name, history, rtree) = (&self.name, &self.history, &self.rtree);
        let attributes: String = self.layer.fields.iter().map(|f| format!(", {} {}", quoted(&column(&f.name)), sql_type(f.kind))).collect();
        let index = |suffix: &str| quoted(&format!("strata_{}_{suffix}", self.layer.id));
        conn.execute_batch(&format!(
            "CREATE TABLE {name} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, id TEXT NOT NULL UNIQUE, geom GEOMETRY,
               valid_from TEXT, valid_to TEXT, since INTEGER NOT NULL, surface_kinds BLOB{attributes});
             CREATE INDEX {since} ON {name} (since);
             CREATE TABLE {history} (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, id TEXT NOT NULL, since INTEGER NOT NULL,
               until INTEGER NOT NULL, geom BLOB, valid_from TEXT, valid_to TEXT, surface_kinds BLOB{attributes});
             CREATE UNIQUE INDEX {by_id} ON {history} (id, until);
             CREATE INDEX {by_until} ON {history} (until);
             CREATE VIRTUAL TABLE {rtree} USING rtree(id, minx, maxx, miny, maxy);",
            since = index("since"),
            by_id = index("history_id"),
            by_until = index("history_until"),
        ))?;
        let table = self.layer.id.as_str();
        conn.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES (?1, 'features', ?1, ?2, ?3)",
            params![table, self.description(), srs_id],
        )?;
        conn.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?1, 'geom', ?2, ?3, 1, 0)",
            params![table, row::type_name(self.layer.geometry), srs_id],
        )?;
        conn.execute(
            "INSERT INTO gpkg_extensions VALUES (?1, 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only')",
            params![table],
        )?;
        if self.layer.geometry == strata_model::GeometryKind::Tin {
            self.note_tin(conn)?;
        }
        self.create_triggers(conn)
    }

    pub fn description(&self) -> String {
        [self.layer.title_zh.as_str(), self.layer.title_en.as_str()].join(" · ").trim_matches([' ', '·']).to_owned()
    }

    /// TIN is one of the standard's optional geometry types.
    pub fn note_tin(&self, conn: &Connection) -> Result<(), StoreError> {
        conn.execute(
            "INSERT OR IGNORE INTO gpkg_extensions VALUES (?1, 'geom', 'gpkg_geom_TIN', 'http://www.geopackage.org/spec120/#extension_geometry_types', 'read-write')",
            params![self.layer.id.as_str()],
        )?;
        Ok(())
    }

    /// For QGIS and GDAL; the store's own connection keeps the R-tree by itself.
    fn create_triggers(&self, conn: &Connection) -> Result<(), StoreError> {
        let (t, r) = (&self.name, &self.rtree);
        let trigger = |suffix: &str| quoted(&format!("rtree_{}_geom_{suffix}", self.layer.id));
        let new = "(NEW.fid, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom))";
        let there = "(NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))";
        let gone = "(NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))";
        Ok(conn.execute_batch(&format!(
            "CREATE TRIGGER {insert} AFTER INSERT ON {t} WHEN {there} BEGIN INSERT OR REPLACE INTO {r} VALUES {new}; END;
             CREATE TRIGGER {update1} AFTER UPDATE OF geom ON {t} WHEN OLD.fid = NEW.fid AND {there}
               BEGIN INSERT OR REPLACE INTO {r} VALUES {new}; END;
             CREATE TRIGGER {update2} AFTER UPDATE OF geom ON {t} WHEN OLD.fid = NEW.fid AND {gone} BEGIN DELETE FROM {r} WHERE id = OLD.fid; END;
             CREATE TRIGGER {update3} AFTER UPDATE ON {t} WHEN OLD.fid != NEW.fid AND {there}
               BEGIN DELETE FROM {r} WHERE id = OLD.fid; INSERT OR REPLACE INTO {r} VALUES {new}; END;
             CREATE TRIGGER {update4} AFTER UPDATE ON {t} WHEN OLD.fid != NEW.fid AND {gone}
               BEGIN DELETE FROM {r} WHERE id IN (OLD.fid, NEW.fid); END;
             CREATE TRIGGER {delete} AFTER DELETE ON {t} WHEN OLD.geom NOT NULL BEGIN DELETE FROM {r} WHERE id = OLD.fid; END;",
            insert = trigger("insert"),
            update1 = trigger("update1"),
            update2 = trigger("update2"),
            update3 = trigger("update3"),
            update4 = trigger("update4"),
            delete = trigger("delete"),
        ))?)
    }

    /// Adds the columns that `self` has and `old` has not.
    pub fn widen(&self, conn: &Connection, old: &Layer) -> Result<(), StoreError> {
        for field in &self.layer.fields {
            if old.field(&field.name).is_none() {
                let column = format!("{} {}", quoted(&column(&field.name)), sql_type(field.kind));
                conn.execute_batch(&format!(
                    "ALTER TABLE {} ADD COLUMN {column}; ALTER TABLE {} ADD COLUMN {column};",
                    self.name, self.history
                ))?;
            }
        }
        Ok(())
    }
}

/// A new declaration may add fields, reorder them, retitle and reclassify; it may not lose or change one.
pub(crate) fn check_redeclaration(old: &Layer, new: &Layer) -> Result<(), StoreError> {
    let changed = |reason: String| Err(StoreError::LayerChanged { layer: old.id.clone(), reason });
    for field in &old.fields {
        match new.field(&field.name) {
            None => return changed(format!("field `{}` is missing", field.name)),
            Some(f) if f.kind != field.kind => {
                return changed(format!("field `{}` was {:?} and would be {:?}", field.name, field.kind, f.kind));
            }
            Some(_) => {}
        }
    }
    if old.geometry != new.geometry && new.geometry != strata_model::GeometryKind::Any {
        return changed(format!("its geometry was {:?} and would be {:?}", old.geometry, new.geometry));
    }
    Ok(())
}

fn check(layer: &Layer) -> Result<(), StoreError> {
    let bad = |reason: String| Err(StoreError::invalid(format!("layer {}", layer.id), reason));
    let id = layer.id.as_str();
    if ["gpkg_", "rtree_", "sqlite_", "strata_"].iter().any(|p| id.starts_with(p)) || id.ends_with("_history") {
        return bad("its id is kept for the record's own tables".into());
    }
    if layer.fields.len() > MAX_FIELDS {
        return bad(format!("it has {} fields, more than {MAX_FIELDS}", layer.fields.len()));
    }
    let mut seen = BTreeSet::new();
    for f in &layer.fields {
        if f.name.is_empty() || f.name.len() > 200 || f.name.chars().any(char::is_control) {
            return bad(format!("`{}` is not a field name (1 to 200 bytes, no control characters)", f.name.escape_default()));
        }
        if !seen.insert(column(&f.name).to_ascii_lowercase()) {
            return bad(format!("two fields are called `{}` when case does not count", f.name));
        }
    }
    Ok(())
}

/// A field that is called like one of the record's own columns gets a prefix in the table.
fn column(field: &str) -> String {
    if OWN_COLUMNS.iter().any(|c| c.eq_ignore_ascii_case(field)) { format!("attr_{field}") } else { field.to_owned() }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn sql_type(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Bool => "BOOLEAN",
        FieldKind::Int => "INTEGER",
        FieldKind::Float => "REAL",
        FieldKind::Text => "TEXT",
    }
}
