//! How much others have said in a conversation.

use rusqlite::{OptionalExtension, params};
use vettid_wire::cbor;
use vettid_wire::id::MessageId;
use vettid_wire::operation::message::Conversation;

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// Bytes that others have said in a conversation and that are kept.
    pub fn weight(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        let weight = self
            .connection
            .prepare_cached("SELECT bytes FROM weights WHERE conversation = ?1")?
            .query_row([cbor::encode(conversation)], |row| column::unsigned(row, 0))
            .optional()?;
        Ok(weight.unwrap_or_default())
    }
}

impl Change<'_> {
    /// Another owner has said something with a body of this size.
    pub(super) fn weigh_new(&self, conversation: &[u8], size: usize) -> Result<(), StoreError> {
        self.weigh(conversation, size.saturating_add(MESSAGE), 0)
    }

    /// A message of another owner has a body of another size now.
    pub(super) fn weigh_anew(&self, id: &MessageId, more: usize) -> Result<(), StoreError> {
        let sql = "SELECT conversation, coalesce(length(body), 0) FROM messages
                   WHERE id = ?1 AND sender IS NOT NULL";
        let found: Option<(Vec<u8>, i64)> = self
            .connection
            .prepare_cached(sql)?
            .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            Some((conversation, less)) => self.weigh(&conversation, more, less),
            None => Ok(()),
        }
    }

    fn weigh(&self, conversation: &[u8], more: usize, less: i64) -> Result<(), StoreError> {
        let by = i64::try_from(more).unwrap_or(i64::MAX).saturating_sub(less);
        self.connection
            .prepare_cached(
                "INSERT INTO weights (conversation, bytes) VALUES (?1, max(0, ?2))
                 ON CONFLICT DO UPDATE SET bytes = max(0, bytes + ?2)",
            )?
            .execute(params![conversation, by])?;
        Ok(())
    }
}

/// Bytes that a message takes beside what it says.
const MESSAGE: usize = 256;
