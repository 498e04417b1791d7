use crate::{StoreError, Writing, alarms, case, once, registry, row, schema, spatial, table::Table};
use rusqlite::{Connection, OpenFlags, OptionalExtension, config::DbConfig, params};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    sync::Arc,
    time::Duration,
};
use strata_model::{Commit, Crs, Feature, FeatureId, FeatureVersion, Instant, Layer, LayerId, Version};

/// The record's file inside the city folder.
pub const RECORD: &str = "record.gpkg";
const BUSY: Duration = Duration::from_secs(5);

/// What a city is, decided when it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct CityMeta {
    pub name: String,
    /// The working frame; only its horizontal part stands in the GeoPackage's tables.
    pub crs: Crs,
    /// Ellipsoidal height = height in the city's datum + this.
    pub geoid_offset_m: f64,
    /// Made, not measured: every screen says so.
    pub synthetic: bool,
}

/// An open record. One process writes; others may read the same city with [`Store::open_read_only`].
pub struct Store {
    pub(crate) conn: Connection,
    meta: CityMeta,
    read_only: bool,
    catalog: RefCell<Option<Arc<Catalog>>>,
    /// Held for its lock, which ends with the process.
    _lock: Option<File>,
}

/// The layers as one version declares them.
pub(crate) struct Catalog {
    version: Version,
    pub tables: Vec<Arc<Table>>,
}

impl Catalog {
    pub fn table(&self, id: &LayerId) -> Result<&Arc<Table>, StoreError> {
        self.tables.iter().find(|t| t.layer.id == *id).ok_or_else(|| StoreError::not_found(format!("layer {id}")))
    }
}

impl Store {
    /// Makes `dir` (and the folders above it) and an empty record in it.
    pub fn create(dir: &Path, meta: &CityMeta) -> Result<Self, StoreError> {
        if !meta.geoid_offset_m.is_finite() {
            return Err(StoreError::invalid("geoid_offset_m", "it is not a finite number"));
        }
        let path = dir.join(RECORD);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        if path.exists() {
            return Err(StoreError::Exists { path: dir.into() });
        }
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        let lock = lock(dir)?;
        // Under another name until it is whole: a kill in between leaves no half city.
        let raw = dir.join("record.gpkg.new");
        if raw.exists() {
            std::fs::remove_file(&raw).map_err(io(&raw))?;
        }
        let mut conn = Connection::open(&raw)?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        schema::create(&mut conn, meta)?;
        conn.close().map_err(|(_, e)| e)?;
        if path.exists() {
            return Err(StoreError::Exists { path: dir.into() });
        }
        std::fs::rename(&raw, &path).map_err(io(&path))?;
        File::open(dir).and_then(|d| d.sync_all()).map_err(io(dir))?;
        Self::connect(dir, Some(lock))
    }

    /// Opens for reading and writing. A second one, in this or another process, gets [`StoreError::Locked`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        if !dir.join(RECORD).is_file() {
            return Err(StoreError::NoCity { path: dir.into() });
        }
        let lock = lock(dir)?;
        Self::connect(dir, Some(lock))
    }

    /// Opens for reading, beside a writer if there is one; every answer is of one whole version.
    pub fn open_read_only(dir: &Path) -> Result<Self, StoreError> {
        if !dir.join(RECORD).is_file() {
            return Err(StoreError::NoCity { path: dir.into() });
        }
        Self::connect(dir, None)
    }

    fn connect(dir: &Path, lock: Option<File>) -> Result<Self, StoreError> {
        let path = dir.join(RECORD);
        let read_only = lock.is_none();
        let access = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
        let conn = Connection::open_with_flags(&path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        conn.busy_timeout(BUSY)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        let meta = schema::read_meta(&conn, &path)?;
        spatial::register(&conn)?;
        conn.set_prepared_statement_cache_capacity(256);
        conn.pragma_update(None, "cache_size", -65_536)?; // KiB
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        if !read_only {
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            conn.pragma_update(None, "synchronous", "FULL")?;
            // The R-tree triggers are for others: SQLite 3.40 lets no trigger of an untrusted schema write to a virtual
            // table, and keeping the tree by hand is quicker. The audit's guard is put up again for this connection.
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
            conn.execute_batch(schema::AUDIT_GUARD_HERE)?;
            conn.execute_batch(case::TABLES)?;
            conn.execute_batch(once::TABLE)?;
            conn.execute_batch(registry::TABLE)?;
            conn.execute_batch(alarms::TABLE)?;
        }
        Ok(Self { conn, meta, read_only, catalog: RefCell::new(None), _lock: lock })
    }

    pub fn meta(&self) -> &CityMeta {
        &self.meta
    }

    pub(crate) fn srs_id(&self) -> i32 {
        i32::from(self.meta.crs.horizontal)
    }

    /// The newest version; 0 before the first commit.
    pub fn head(&self) -> Result<Version, StoreError> {
        head(&self.conn)
    }

    /// In the order of their first declaration.
    pub fn layers(&self) -> Result<Vec<Arc<Layer>>, StoreError> {
        self.reading(|| Ok(self.catalog()?.tables.iter().map(|t| t.layer.clone()).collect()))
    }

    /// Every commit, oldest first.
    pub fn log(&self) -> Result<Vec<Commit>, StoreError> {
        let mut statement = self.conn.prepare_cached("SELECT version, at, actor, message, layers FROM strata_commits ORDER BY version")?;
        let mut rows = statement.query([])?;
        let mut out = Vec::new();
        while let Some(r) = rows.next()? {
            out.push(commit_of(r)?);
        }
        Ok(out)
    }

    /// The commit that `actor` made under an idempotency key, if there is one.
    pub fn commit_by_key(&self, actor: &str, key: &str) -> Result<Option<Commit>, StoreError> {
        commit_by_key(&self.conn, actor, key)
    }

    /// Opens the transaction of a new version. Dropped without [`Writing::commit`] it leaves nothing.
    pub fn begin(&mut self, actor: &str, message: &str, at: Instant) -> Result<Writing<'_>, StoreError> {
        let srs_id = self.srs_id();
        let tx = self.write_transaction()?;
        Writing::new(tx, srs_id, actor, message, at)
    }

    /// Every version of every feature of a layer: first what has been superseded, in the order in which it was,
    /// then what is so now. Streams; holds one feature at a time. `f` ends it early with an error of its own.
    pub fn scan(&self, layer: &LayerId, f: &mut dyn FnMut(FeatureVersion) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.reading(|| {
            let catalog = self.catalog()?;
            let t = catalog.table(layer)?;
            let columns = &t.columns;
            for sql in [
                format!("SELECT id, since, until, {columns} FROM {} ORDER BY fid", t.history),
                format!("SELECT id, since, NULL, {columns} FROM {} ORDER BY fid", t.name),
            ] {
                let mut statement = self.conn.prepare(&sql)?;
                let mut rows = statement.query([])?;
                while let Some(r) = rows.next()? {
                    f(version_of(r, &t.layer)?)?;
                }
            }
            Ok(())
        })
    }

    /// The feature as `version` had it (`None`: as it is now). A version that is still to come is an error.
    pub fn get(&self, layer: &LayerId, id: &FeatureId, version: Option<Version>) -> Result<Option<Feature>, StoreError> {
        self.reading(|| {
            let head = self.head()?;
            let version = version.unwrap_or(head);
            if version > head {
                return Err(StoreError::not_found(format!("version {}", version.0)));
            }
            let catalog = self.catalog()?;
            self.feature_at(catalog.table(layer)?, id, version)
        })
    }

    pub(crate) fn feature_at(&self, t: &Table, id: &FeatureId, version: Version) -> Result<Option<Feature>, StoreError> {
        let columns = &t.columns;
        let v = version.0 as i64;
        let now = format!("SELECT {columns} FROM {} WHERE id = ?1 AND since <= ?2", t.name);
        let then = format!("SELECT {columns} FROM {} WHERE id = ?1 AND since <= ?2 AND until > ?2", t.history);
        for sql in [now, then] {
            let mut statement = self.conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params![id.as_str(), v])?;
            if let Some(r) = rows.next()? {
                return row::read(r, 0, &t.layer, id.clone()).map(Some);
            }
        }
        Ok(None)
    }

    /// Every version of one feature, oldest first; empty when the record never had it.
    pub fn history(&self, layer: &LayerId, id: &FeatureId) -> Result<Vec<FeatureVersion>, StoreError> {
        self.reading(|| {
            let catalog = self.catalog()?;
            let t = catalog.table(layer)?;
            let columns = &t.columns;
            let mut out = Vec::new();
            for sql in [
                format!("SELECT id, since, until, {columns} FROM {} WHERE id = ?1 ORDER BY until", t.history),
                format!("SELECT id, since, NULL, {columns} FROM {} WHERE id = ?1", t.name),
            ] {
                let mut statement = self.conn.prepare_cached(&sql)?;
                let mut rows = statement.query([id.as_str()])?;
                while let Some(r) = rows.next()? {
                    out.push(version_of(r, &t.layer)?);
                }
            }
            Ok(out)
        })
    }

    /// Runs `f` on one unchanging state of the record, also when another process commits meanwhile.
    pub(crate) fn reading<T>(&self, f: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if !self.conn.is_autocommit() {
            return f(); // inside of another reading
        }
        let _tx = self.conn.unchecked_transaction()?;
        f()
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// After a rollback the newest version may come again with other layers.
    pub(crate) fn forget_catalog(&self) {
        *self.catalog.borrow_mut() = None;
    }

    /// The layers of the newest version; read again only when there is a newer one.
    pub(crate) fn catalog(&self) -> Result<Arc<Catalog>, StoreError> {
        let version = self.head()?;
        let mut kept = self.catalog.borrow_mut();
        if let Some(c) = kept.as_ref().filter(|c| c.version == version) {
            return Ok(c.clone());
        }
        let fresh = Arc::new(Catalog { version, tables: tables(&self.conn)? });
        *kept = Some(fresh.clone());
        Ok(fresh)
    }
}

/// One lock file for each city; the system drops the lock when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    lock_file(dir, "lock")
}

pub(crate) fn lock_file(dir: &Path, name: &str) -> Result<File, StoreError> {
    let path = dir.join(name);
    let io = |source| StoreError::Io { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: dir.into() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

pub(crate) fn head(conn: &Connection) -> Result<Version, StoreError> {
    let v: i64 = conn.prepare_cached("SELECT coalesce(max(version), 0) FROM strata_commits")?.query_row([], |r| r.get(0))?;
    Ok(Version(v as u64))
}

pub(crate) fn tables(conn: &Connection) -> Result<Vec<Arc<Table>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT definition FROM strata_layers ORDER BY position")?;
    let mut rows = statement.query([])?;
    let mut out = Vec::new();
    while let Some(r) = rows.next()? {
        let text: String = r.get(0)?;
        let layer: Layer = serde_json::from_str(&text).map_err(|e| StoreError::damaged(format!("a layer's declaration: {e}")))?;
        out.push(Arc::new(Table::new(Arc::new(layer))?));
    }
    Ok(out)
}

pub(crate) fn commit_by_key(conn: &Connection, actor: &str, key: &str) -> Result<Option<Commit>, StoreError> {
    let sql = "SELECT version, at, actor, message, layers FROM strata_commits WHERE actor = ?1 AND idempotency_key = ?2";
    conn.prepare_cached(sql)?.query_row([actor, key], |r| Ok(commit_of(r))).optional()?.transpose()
}

fn commit_of(r: &rusqlite::Row<'_>) -> Result<Commit, StoreError> {
    let (at, layers): (String, String) = (r.get(1)?, r.get(4)?);
    Ok(Commit {
        version: Version(r.get::<_, i64>(0)? as u64),
        at: Instant::parse(&at)?,
        actor: r.get(2)?,
        message: r.get(3)?,
        layers: serde_json::from_str(&layers).map_err(|e| StoreError::damaged(format!("a commit's layers: {e}")))?,
    })
}

/// From columns id, since, until, then those of [`row::read`].
pub(crate) fn version_of(r: &rusqlite::Row<'_>, layer: &Layer) -> Result<FeatureVersion, StoreError> {
    let id = FeatureId::new(row::text(r, 0)?.unwrap_or_default());
    let until: Option<i64> = r.get(2)?;
    Ok(FeatureVersion {
        feature: row::read(r, 3, layer, id)?,
        since: Version(r.get::<_, i64>(1)? as u64),
        until: until.map(|v| Version(v as u64)),
    })
}

/// Declarations by id, for those who look up many.
pub(crate) fn by_id(tables: Vec<Arc<Table>>) -> BTreeMap<LayerId, Arc<Table>> {
    tables.into_iter().map(|t| (t.layer.id.clone(), t)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn city() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let meta = CityMeta { name: "t".into(), crs: Crs::CHANGCHUN, geoid_offset_m: 0.0, synthetic: true };
        let mut store = Store::create(dir.path(), &meta).unwrap();
        for i in 0..5 {
            store.audit("anna", "export", "pipes", serde_json::json!({ "n": i }), Instant(i * 1000)).unwrap();
        }
        (dir, store)
    }

    #[test]
    fn the_file_says_what_it_is_and_is_safe() {
        let (dir, store) = city();
        let bytes = std::fs::read(dir.path().join(RECORD)).unwrap();
        assert_eq!((&bytes[68..72], &bytes[60..64]), (&b"GPKG"[..], &10_300_u32.to_be_bytes()[..]));
        let pragma = |name| store.conn.pragma_query_value(None, name, |r| r.get::<_, rusqlite::types::Value>(0)).unwrap();
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        assert_eq!(pragma("synchronous"), 2.into());
        assert_eq!(pragma("trusted_schema"), 0.into());
    }

    #[test]
    fn audit_rows_cannot_be_changed_by_sql() {
        let (dir, store) = city();
        let other = Connection::open(dir.path().join(RECORD)).unwrap();
        for conn in [&store.conn, &other] {
            for sql in [
                "UPDATE strata_audit SET actor = 'boris' WHERE seq = 2",
                "DELETE FROM strata_audit WHERE seq = 5",
                "DELETE FROM strata_audit",
                "INSERT OR REPLACE INTO strata_audit SELECT seq, at, 'boris', action, target, detail, prev_hash, hash FROM strata_audit WHERE seq = 2",
                "INSERT INTO strata_audit SELECT 9, at, actor, action, target, detail, prev_hash, hash FROM strata_audit WHERE seq = 5",
            ] {
                let e = conn.execute(sql, []).unwrap_err();
                assert!(e.to_string().contains("append-only"), "{sql}: {e}");
            }
        }
        assert_eq!(store.verify_audit().unwrap(), 5);
    }

    #[test]
    fn verify_names_the_first_bad_row() {
        for (sql, first) in [
            ("UPDATE strata_audit SET actor = 'boris' WHERE seq = 3", 3),
            ("UPDATE strata_audit SET detail = '{\"n\":9}' WHERE seq IN (2, 4)", 2),
            ("UPDATE strata_audit SET target = 'pipe', action = 'exports' WHERE seq = 1", 1),
            ("DELETE FROM strata_audit WHERE seq = 4", 4),
            ("DELETE FROM strata_audit WHERE seq = 1", 1),
            ("UPDATE strata_audit SET hash = prev_hash WHERE seq = 5", 5),
            ("UPDATE strata_audit SET seq = 6 WHERE seq = 5", 5),
            ("UPDATE strata_audit SET at = x'00' WHERE seq = 2", 2),
        ] {
            let (dir, store) = city();
            drop(store);
            let raw = Connection::open(dir.path().join(RECORD)).unwrap();
            raw.execute_batch("DROP TRIGGER strata_audit_no_update; DROP TRIGGER strata_audit_no_delete;").unwrap();
            assert!(raw.execute(sql, []).unwrap() > 0);
            drop(raw);
            match Store::open(dir.path()).unwrap().verify_audit() {
                Err(StoreError::AuditBroken { seq, .. }) => assert_eq!(seq, first, "{sql}"),
                other => panic!("{sql}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_full_disk_is_told_as_such_and_costs_nothing() {
        let (_dir, mut store) = city();
        let text = include_str!("../tests/layer.json");
        let layer: Layer = serde_json::from_str(text).unwrap();
        let point = |i: usize| Feature {
            id: format!("p{i}").as_str().into(),
            geometry: strata_model::Geometry::Point([i as f64, 1.0, 2.0]),
            valid: strata_model::Interval::ALWAYS,
            attributes: vec!["x".repeat(500).into()],
        };
        let mut w = store.begin("anna", "", Instant(0)).unwrap();
        w.layer(&layer).unwrap();
        w.put(&layer.id, &point(0)).unwrap();
        w.commit().unwrap();
        let pages: i64 = store.conn.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
        store.conn.pragma_update_and_check(None, "max_page_count", pages + 20, |_| Ok(())).unwrap();
        let mut w = store.begin("anna", "", Instant(0)).unwrap();
        let error = (1..10_000).find_map(|i| w.put(&layer.id, &point(i)).err()).unwrap();
        assert_eq!(error.code(), "storage-full");
        assert_eq!(w.commit().unwrap_err().code(), "storage-failed", "a broken writing cannot be committed");
        store.conn.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
        assert_eq!(store.head().unwrap(), Version(1));
        let mut w = store.begin("anna", "", Instant(0)).unwrap();
        w.put(&layer.id, &point(1)).unwrap();
        assert_eq!(w.commit().unwrap().version, Version(2));
    }
}
