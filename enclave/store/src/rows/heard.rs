//! What was applied last in connections: sequences and their marks.

use rusqlite::params;
use vettid_wire::id::ConnectionId;

use super::column;
use crate::{Change, StoreError, View};

/// Sequences of one connection whose marks are known.
pub const HEARD: u64 = 256;

impl View<'_> {
    /// Whether this mark was applied under this sequence.
    pub fn is_heard(
        &self,
        connection: &ConnectionId,
        sequence: u64,
        mark: &[u8; 8],
    ) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM heard WHERE connection = ?1 AND sequence = ?2 AND mark = ?3";
        let values = params![connection.0, column::integer(sequence), mark];
        Ok(self.connection.prepare_cached(sql)?.exists(values)?)
    }
}

impl Change<'_> {
    /// Says that a mark was applied under a sequence; the oldest of the connection goes for that.
    pub fn insert_heard(
        &self,
        connection: &ConnectionId,
        sequence: u64,
        mark: &[u8; 8],
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO heard (connection, sequence, mark) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET mark = ?3",
            )?
            .execute(params![connection.0, column::integer(sequence), mark])?;
        self.connection
            .prepare_cached("DELETE FROM heard WHERE connection = ?1 AND sequence <= ?2")?
            .execute(params![
                connection.0,
                column::integer(sequence.saturating_sub(HEARD))
            ])?;
        Ok(())
    }

    /// Forgets what was applied in a connection.
    pub fn remove_heard(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM heard WHERE connection = ?1")?
            .execute([connection.0])?;
        Ok(())
    }
}
