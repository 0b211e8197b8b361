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

/// Something that has come: its delivery, and a tag of what it is. The id alone is known to both hosts
/// of a delivery, and whoever is told it by one of them could use it first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Came {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Begin of a digest of what was delivered.
    pub tag: [u8; 8],
}

impl View<'_> {
    /// Whether something was taken in a conversation.
    pub fn is_taken(&self, conversation: &Conversation, came: &Came) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM taken WHERE conversation = ?1 AND delivery = ?2 AND tag = ?3";
        let values = params![cbor::encode(conversation), came.delivery.0, came.tag];
        Ok(self.connection.prepare_cached(sql)?.exists(values)?)
    }
}

impl Change<'_> {
    /// Says that something was taken in a conversation; the oldest there may go for that. Fails if it
    /// was before.
    pub fn take(
        &self,
        conversation: &Conversation,
        came: &Came,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        let conversation = cbor::encode(conversation);
        let place = self
            .connection
            .prepare_cached(
                "INSERT INTO taken (conversation, delivery, tag, at, place)
                 SELECT ?1, ?2, ?3, ?4, 1 + coalesce(max(place), 0) FROM taken
                 WHERE conversation = ?1 RETURNING place",
            )?
            .query_row(
                params![conversation, came.delivery.0, came.tag, column::time(at)],
                |row| column::unsigned(row, 0),
            )?;
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
