//! The tables that every record has: those of the GeoPackage standard and Strata's own.

use crate::{CityMeta, StoreError, srs};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use strata_model::Crs;

/// Raised when a table changes in a way that an older program would spoil.
pub(crate) const SCHEMA: u32 = 1;
const APPLICATION_ID: i32 = 0x4750_4B47;
const USER_VERSION: i32 = 10_300;

const GEOPACKAGE: &str = "
CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL,
  definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL, m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name), CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
";

/// A row is added at the end or not at all. REPLACE fires no delete trigger, hence the third.
macro_rules! audit_guard {
    ($create:literal) => {
        concat!(
            $create,
            " strata_audit_no_update BEFORE UPDATE ON main.strata_audit
               BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;\n",
            $create,
            " strata_audit_no_delete BEFORE DELETE ON main.strata_audit
               BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;\n",
            $create,
            " strata_audit_at_end BEFORE INSERT ON main.strata_audit
               WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM strata_audit)
               BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;\n",
        )
    };
}
/// In the file, for every program that opens it.
const AUDIT_GUARD: &str = audit_guard!("CREATE TRIGGER");
/// For one connection on which the file's triggers are off.
pub(crate) const AUDIT_GUARD_HERE: &str = audit_guard!("CREATE TEMP TRIGGER");

const STRATA: &str = "
CREATE TABLE strata_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE strata_layers (
  position INTEGER PRIMARY KEY, layer TEXT NOT NULL UNIQUE, definition TEXT NOT NULL,
  current_rows INTEGER NOT NULL DEFAULT 0, history_rows INTEGER NOT NULL DEFAULT 0);
CREATE TABLE strata_commits (
  version INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, message TEXT NOT NULL, layers TEXT NOT NULL, idempotency_key TEXT);
CREATE UNIQUE INDEX strata_commits_key ON strata_commits (actor, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE strata_proposals (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, title TEXT NOT NULL, base INTEGER NOT NULL, state TEXT NOT NULL,
  actor TEXT NOT NULL, at TEXT NOT NULL, closed_by TEXT, closed_at TEXT, merged_as INTEGER);
CREATE TABLE strata_proposal_changes (
  proposal TEXT NOT NULL, seq INTEGER NOT NULL, layer TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
  geom BLOB, surface_kinds BLOB, valid_from TEXT, valid_to TEXT, attributes TEXT,
  PRIMARY KEY (proposal, seq)) WITHOUT ROWID;
CREATE TABLE strata_audit (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL,
  prev_hash TEXT NOT NULL, hash TEXT NOT NULL);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description)
  VALUES ('strata_commits', 'attributes', 'strata_commits', 'Log of the record: one row for each version');
";

/// Writes an empty record. `conn` is a new file outside WAL, so that it can be moved into place when it is whole.
pub(crate) fn create(conn: &mut Connection, meta: &CityMeta) -> Result<(), StoreError> {
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", USER_VERSION)?;
    let tx = conn.transaction()?;
    tx.execute_batch(GEOPACKAGE)?;
    for s in srs::rows(meta.crs.horizontal) {
        tx.execute(
            "INSERT INTO gpkg_spatial_ref_sys VALUES (?1, ?2, ?3, ?4, ?5, NULL)",
            params![s.name, s.id, s.organization, s.id, s.definition],
        )?;
    }
    tx.execute_batch(STRATA)?;
    tx.execute_batch(AUDIT_GUARD)?;
    let rows = [
        ("schema", SCHEMA.to_string()),
        ("name", meta.name.clone()),
        ("crs", meta.crs.to_string()),
        ("geoid_offset_m", meta.geoid_offset_m.to_string()),
        ("synthetic", meta.synthetic.to_string()),
    ];
    for (key, value) in rows {
        tx.execute("INSERT INTO strata_meta VALUES (?1, ?2)", params![key, value])?;
    }
    Ok(tx.commit()?)
}

/// Reads the city's meta data; refuses other files and newer schemas before anything is written.
pub(crate) fn read_meta(conn: &Connection, path: &Path) -> Result<CityMeta, StoreError> {
    let not = |reason: String| StoreError::NotARecord { path: path.into(), reason };
    let application: i32 = conn.pragma_query_value(None, "application_id", |r| r.get(0)).map_err(|e| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => not("it is no SQLite file".into()),
        _ => e.into(),
    })?;
    if application != APPLICATION_ID {
        return Err(not("it is no GeoPackage".into()));
    }
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_master WHERE type='table' AND name='strata_meta'", [], |r| r.get(0))?;
    if tables != 1 {
        return Err(not("it is a GeoPackage of another program".into()));
    }
    let get = |key: &str| -> Result<String, StoreError> {
        conn.query_row("SELECT value FROM strata_meta WHERE key = ?1", [key], |r| r.get(0))
            .optional()?
            .ok_or_else(|| not(format!("strata_meta has no `{key}`")))
    };
    let found = get("schema")?.parse().map_err(|_| not("its schema is not a number".into()))?;
    if found > SCHEMA {
        return Err(StoreError::SchemaNewer { path: path.into(), found, known: SCHEMA });
    }
    Ok(CityMeta {
        name: get("name")?,
        crs: Crs::parse(&get("crs")?).map_err(|e| not(e.to_string()))?,
        geoid_offset_m: get("geoid_offset_m")?.parse().map_err(|_| not("geoid_offset_m is not a number".into()))?,
        synthetic: get("synthetic")? == "true",
    })
}
