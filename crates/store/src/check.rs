//! Is the record sound, and a copy of it while it is in use.

use crate::{OBSERVATIONS, RECORD, Store, StoreError, audit::to_sql, observations, schema};
use rusqlite::{Connection, OpenFlags, backup::Backup};
use std::{fs::File, path::Path, time::Duration};

const BACKUP_PAGES: i32 = 16 * 1024;

impl Store {
    /// Everything that can be checked without another source: SQLite's pages, the audit chain, one audit row for each
    /// commit, versions without a gap, every layer's row counts, versions in order, and its R-tree.
    /// The first fault found, as [`StoreError::Damaged`] or [`StoreError::AuditBroken`].
    pub fn integrity(&self) -> Result<(), StoreError> {
        self.reading(|| {
            let pages: String = self.conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
            if pages != "ok" {
                return Err(StoreError::damaged(pages));
            }
            self.verify_audit()?;
            let head = to_sql(self.head()?.0);
            let number = |sql: &str| -> Result<i64, StoreError> { Ok(self.conn.query_row(sql, [], |r| r.get(0))?) };
            let expect = |what: String, sql: &str, wanted: i64| match number(sql)? {
                n if n == wanted => Ok(()),
                n => Err(StoreError::damaged(format!("{what}: {n} where {wanted} should be"))),
            };
            expect("commits".into(), "SELECT count(*) FROM strata_commits WHERE version >= 1", head)?;
            let audited = "SELECT count(*) FROM strata_audit WHERE action IN ('commit', 'proposal.merge')";
            expect("audit rows of commits".into(), audited, head)?;
            for t in &self.catalog()?.tables {
                let (id, name, history, rtree) = (&t.layer.id, &t.name, &t.history, &t.rtree);
                let counts = "SELECT current_rows, history_rows FROM strata_layers WHERE layer = ?1";
                let (rows, past): (i64, i64) = self.conn.query_row(counts, [id.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))?;
                expect(format!("features of {id}"), &format!("SELECT count(*) FROM {name}"), rows)?;
                expect(format!("superseded rows of {id}"), &format!("SELECT count(*) FROM {history}"), past)?;
                expect(format!("R-tree entries of {id}"), &format!("SELECT count(*) FROM {rtree}"), rows)?;
                let late = format!("SELECT count(*) FROM {name} WHERE since < 1 OR since > {head}");
                expect(format!("features of {id} from a version that is not there"), &late, 0)?;
                let order = format!("SELECT count(*) FROM {history} WHERE since < 1 OR since >= until OR until > {head}");
                expect(format!("superseded rows of {id} whose versions are not in order"), &order, 0)?;
                let stray = format!(
                    "SELECT count(*) FROM {name} JOIN {rtree} ON {rtree}.id = {name}.fid
                    WHERE minx > ST_MinX(geom) OR maxx < ST_MaxX(geom) OR miny > ST_MinY(geom) OR maxy < ST_MaxY(geom)"
                );
                expect(format!("features of {id} outside of their R-tree entry"), &stray, 0)?;
            }
            Ok(())
        })
    }

    /// Copies the city as it is now, record and observations, into the new folder `to`, which [`Store::open`] can open. Both
    /// stay in use; the copies are checked, and take their names only when they are whole, the record's last. Observations
    /// are copied after the record, so that none of which it speaks is missing.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let io = |source| StoreError::Io { path: to.into(), source };
        if to.join(RECORD).exists() {
            return Err(StoreError::Exists { path: to.into() });
        }
        std::fs::create_dir_all(to).map_err(io)?;
        let (raw, raw_observations) = (to.join("record.gpkg.new"), to.join("observations.db.new"));
        for left in [&raw, &raw_observations].into_iter().filter(|p| p.exists()) {
            std::fs::remove_file(left).map_err(io)?;
        }
        let mut copy = Connection::open_with_flags(&raw, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        copy.pragma_update(None, "synchronous", "FULL")?;
        Backup::new(&self.conn, &mut copy)?.run_to_completion(BACKUP_PAGES, Duration::ZERO, None)?;
        let pages: String = copy.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
        if pages != "ok" {
            return Err(StoreError::damaged(format!("the copy: {pages}")));
        }
        schema::read_meta(&copy, &raw)?;
        copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?; // one file, no -wal beside it
        copy.close().map_err(|(_, e)| e)?;
        let live = self.conn.path().map(|p| Path::new(p).with_file_name(OBSERVATIONS)).filter(|p| p.is_file());
        if let Some(live) = live {
            observations::copy(&live, &raw_observations)?;
            std::fs::rename(&raw_observations, to.join(OBSERVATIONS)).map_err(io)?;
        }
        std::fs::rename(&raw, to.join(RECORD)).map_err(io)?;
        File::open(to).and_then(|d| d.sync_all()).map_err(io)
    }
}
