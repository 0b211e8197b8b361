//! Where this vault is, and what it has signed about that.

use rusqlite::{OptionalExtension, params};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// The newest home record of this vault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Home {
    /// Its sequence.
    pub sequence: u64,
    /// Not used after this.
    pub expires: UnixMillis,
    /// Where its node is, as the vault encodes it.
    pub place: Vec<u8>,
    /// The signed record.
    pub record: Vec<u8>,
}

impl View<'_> {
    /// The newest home record; none before the vault was told where it is.
    pub fn home(&self) -> Result<Option<Home>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT sequence, expires, place, record FROM home")?
            .query_row([], |row| {
                Ok(Home {
                    sequence: column::unsigned(row, 0)?,
                    expires: column::read_time(row, 1)?,
                    place: row.get(2)?,
                    record: row.get(3)?,
                })
            })
            .optional()?)
    }
}

impl Change<'_> {
    /// Replaces the home record.
    pub fn put_home(&self, home: &Home) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO home (one, sequence, expires, place, record) VALUES (1, ?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET sequence = ?1, expires = ?2, place = ?3, record = ?4",
            )?
            .execute(params![
                column::integer(home.sequence),
                column::time(home.expires),
                home.place,
                home.record,
            ])?;
        Ok(())
    }
}
