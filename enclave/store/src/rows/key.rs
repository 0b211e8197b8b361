//! Keys of the owner.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::id::KeyId;
use vettid_wire::operation::key::Key;

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// Every key without its private half, oldest first.
    pub fn keys(&self) -> Result<Vec<Key>, StoreError> {
        let sql = "SELECT id, label, algorithm, public, created, imported FROM keys
                   ORDER BY created, id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One key without its private half.
    pub fn key(&self, id: &KeyId) -> Result<Option<Key>, StoreError> {
        let sql = "SELECT id, label, algorithm, public, created, imported FROM keys WHERE id = ?1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([id.0], read)
            .optional()?)
    }

    /// The private half of a key, as it was sealed.
    pub fn sealed_key(&self, id: &KeyId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT sealed FROM keys WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?)
    }

    /// How many keys there are.
    pub fn count_keys(&self) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM keys")?
            .query_row([], |row| column::unsigned32(row, 0))?)
    }
}

impl Change<'_> {
    /// Adds a key with its sealed private half. Fails if the id is taken.
    pub fn insert_key(&self, key: &Key, sealed: &[u8]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO keys (id, label, algorithm, public, created, imported, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                key.id.0,
                key.label,
                column::number_of(&key.algorithm),
                key.public,
                column::time(key.created),
                column::flag(key.imported),
                sealed,
            ])?;
        Ok(())
    }

    /// Seals the private half of a key anew, after the credential's root changed.
    pub fn reseal_key(&self, id: &KeyId, sealed: &[u8]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE keys SET sealed = ?2 WHERE id = ?1")?
            .execute(params![id.0, sealed])?;
        Ok(())
    }

    /// Destroys a key. Says whether it was there.
    pub fn remove_key(&self, id: &KeyId) -> Result<bool, StoreError> {
        let removed = self
            .connection
            .prepare_cached("DELETE FROM keys WHERE id = ?1")?
            .execute([id.0])?;
        Ok(removed > 0)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key {
        id: KeyId(row.get(0)?),
        label: row.get(1)?,
        algorithm: column::read_number_of(row, 2)?,
        public: row.get(3)?,
        created: column::read_time(row, 4)?,
        imported: column::read_flag(row, 5)?,
    })
}
