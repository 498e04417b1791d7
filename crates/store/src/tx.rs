use crate::StoreError;
use rusqlite::Connection;
use std::ops::Deref;

/// A write transaction, or a savepoint when [`Store::once`](crate::Store::once) has opened the transaction around it.
/// Dropped without [`Tx::commit`] it leaves nothing.
pub(crate) struct Tx<'a> {
    conn: &'a Connection,
    nested: bool,
    open: bool,
}

impl<'a> Tx<'a> {
    pub fn begin(conn: &'a Connection) -> Result<Self, StoreError> {
        let nested = !conn.is_autocommit();
        conn.execute_batch(if nested { "SAVEPOINT strata" } else { "BEGIN IMMEDIATE" })?;
        Ok(Self { conn, nested, open: true })
    }
    /// Of a savepoint: the outer transaction has it, and decides whether it lasts.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.conn.execute_batch(if self.nested { "RELEASE strata" } else { "COMMIT" })?;
        self.open = false;
        Ok(())
    }
    pub fn rollback(mut self) -> Result<(), StoreError> {
        self.open = false;
        Ok(self.undo()?)
    }
    fn undo(&self) -> rusqlite::Result<()> {
        // A full disk has rolled back already.
        if self.conn.is_autocommit() {
            return Ok(());
        }
        self.conn.execute_batch(if self.nested { "ROLLBACK TO strata; RELEASE strata" } else { "ROLLBACK" })
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if self.open {
            let _ = self.undo();
        }
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.conn
    }
}
