//! Deliveries that were taken, so that a repeat is told from a new one.

use rusqlite::params;
use vettid_wire::cbor;
use vettid_wire::id::DeliveryId;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// Deliveries of one conversation that are known: as many as a mailbox holds and is then sent once
/// more.
pub const TAKEN: u64 = 10_000;

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
    /// Says that a delivery was taken; the oldest one of its conversation may go for that. Fails if
    /// it was before.
    pub fn take(
        &self,
        delivery: &DeliveryId,
        conversation: &Conversation,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let conversation = cbor::encode(conversation);
        let place = self
            .connection
            .prepare_cached(
                "INSERT INTO taken (delivery, at, conversation, place)
                 SELECT ?1, ?2, ?3, 1 + coalesce(max(place), 0) FROM taken WHERE conversation = ?3
                 RETURNING place",
            )?
            .query_row(params![delivery.0, column::time(at), conversation], |row| {
                column::unsigned(row, 0)
            })?;
        self.connection
            .prepare_cached("DELETE FROM taken WHERE conversation = ?1 AND place <= ?2")?
            .execute(params![
                conversation,
                column::integer(place.saturating_sub(TAKEN))
            ])?;
        Ok(())
    }

    /// Forgets deliveries from before a time, the oldest first and `at_most` so many. Returns how
    /// many those were.
    pub fn forget_taken(&self, before: UnixMillis, at_most: u32) -> Result<usize, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "DELETE FROM taken WHERE at < ?1 AND rowid IN
                 (SELECT rowid FROM taken ORDER BY rowid LIMIT ?2)",
            )?
            .execute(params![column::time(before), at_most])?)
    }
}
