//! Deliveries that were taken, so that a repeat is told from a new one.

use rusqlite::params;
use vettid_wire::id::DeliveryId;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// Whether a delivery was taken.
    pub fn is_taken(&self, delivery: &DeliveryId) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM taken WHERE delivery = ?1")?
            .exists([delivery.0])?)
    }
}

impl Change<'_> {
    /// Says that a delivery was taken. Fails if it was before.
    pub fn take(&self, delivery: &DeliveryId, at: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO taken (delivery, at) VALUES (?1, ?2)")?
            .execute(params![delivery.0, column::time(at)])?;
        Ok(())
    }

    /// Forgets deliveries from before a time, the oldest first and `at_most` so many.
    pub fn forget_taken(&self, before: UnixMillis, at_most: u32) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM taken WHERE at < ?1 AND rowid IN
                 (SELECT rowid FROM taken ORDER BY rowid LIMIT ?2)",
            )?
            .execute(params![column::time(before), at_most])?;
        Ok(())
    }
}
