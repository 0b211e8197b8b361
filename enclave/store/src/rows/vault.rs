//! The vault that a database belongs to.

use rusqlite::{OptionalExtension, params};
use vettid_wire::id::VaultId;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// The vault that a database belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vault {
    /// Its id.
    pub id: VaultId,
    /// When it was set up.
    pub created: UnixMillis,
}

impl View<'_> {
    /// Which vault this is; none in a fresh database.
    pub fn vault(&self) -> Result<Option<Vault>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT id, created FROM vault")?
            .query_row([], |row| {
                Ok(Vault {
                    id: VaultId(row.get(0)?),
                    created: column::read_time(row, 1)?,
                })
            })
            .optional()?)
    }
}

impl Change<'_> {
    /// Says which vault this is. Once; a second time fails.
    pub fn insert_vault(&self, vault: &Vault) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO vault (one, id, created) VALUES (1, ?1, ?2)")?
            .execute(params![vault.id.0, column::time(vault.created)])?;
        Ok(())
    }
}
