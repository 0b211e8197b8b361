//! Identity keys of the vault, in the order of their succession.

use rusqlite::{OptionalExtension, params};
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// One identity key, retired or current.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Place in the succession, from 1.
    pub number: u32,
    /// Public half.
    pub public: VerifyingKey,
    /// When it became current.
    pub since: UnixMillis,
    /// What the key before it signed; absent for the first.
    pub statement: Option<Vec<u8>>,
}

impl View<'_> {
    /// The current identity key; none in a fresh database.
    pub fn identity_key(&self) -> Result<Option<SigningKey>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT seed FROM identities ORDER BY number DESC LIMIT 1")?
            .query_row([], |row| column::read_key(row, 0, SigningKey::from_seed))
            .optional()?)
    }

    /// Every identity key, oldest first.
    pub fn identities(&self) -> Result<Vec<Identity>, StoreError> {
        let sql = "SELECT number, public, since, statement FROM identities ORDER BY number";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Identity {
                number: column::unsigned32(row, 0)?,
                public: VerifyingKey(row.get(1)?),
                since: column::read_time(row, 2)?,
                statement: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Makes `key` the current identity and destroys the secret half of the one before.
    pub fn succeed_identity(
        &self,
        key: &SigningKey,
        statement: Option<&[u8]>,
        since: UnixMillis,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE identities SET seed = NULL WHERE seed IS NOT NULL")?
            .execute([])?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO identities (number, public, since, statement, seed)
             SELECT 1 + coalesce(max(number), 0), ?1, ?2, ?3, ?4 FROM identities",
        )?;
        let public = key.verifying_key().0;
        key.expose_seed(|seed| {
            insert.execute(params![public, column::time(since), statement, seed])
        })?;
        Ok(())
    }
}
