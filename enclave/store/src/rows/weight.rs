//! How much others have said, by conversation and sender.

use rusqlite::{OptionalExtension, params};
use vettid_wire::cbor;
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::operation::message::Conversation;

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// Bytes that others have said in a conversation and that are kept.
    pub fn weight(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM weights WHERE conversation = ?1")?
            .query_row([cbor::encode(conversation)], |row| column::unsigned(row, 0))?)
    }

    /// Those of all conversations, and in how many that is.
    pub fn weights(&self) -> Result<(u64, u64), StoreError> {
        let sql = "SELECT coalesce(sum(bytes), 0), count(DISTINCT conversation) FROM weights";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([], |row| {
            Ok((column::unsigned(row, 0)?, column::unsigned(row, 1)?))
        })?)
    }

    /// Those that one of them has said.
    pub fn weight_of(
        &self,
        conversation: &Conversation,
        sender: &VaultId,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT bytes FROM weights WHERE conversation = ?1 AND sender = ?2";
        let weight = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![cbor::encode(conversation), sender.0], |row| {
                column::unsigned(row, 0)
            })
            .optional()?;
        Ok(weight.unwrap_or_default())
    }
}

impl Change<'_> {
    /// Another owner has said something with a body of this size.
    pub(super) fn weigh_new(
        &self,
        conversation: &[u8],
        sender: &VaultId,
        size: usize,
    ) -> Result<(), StoreError> {
        let more = size.saturating_add(MESSAGE);
        self.weigh(conversation, &sender.0, signed(more))
    }

    /// A message of another owner has a body of another size now.
    pub(super) fn weigh_anew(&self, id: &MessageId, size: usize) -> Result<(), StoreError> {
        match self.weighed(id)? {
            Some(old) => {
                let by = signed(size).saturating_sub(old.body);
                self.weigh(&old.conversation, &old.sender, by)
            }
            None => Ok(()),
        }
    }

    /// A message of another owner leaves nothing, not even that it was there.
    pub(super) fn weigh_gone(&self, id: &MessageId) -> Result<(), StoreError> {
        match self.weighed(id)? {
            Some(old) => {
                let by = signed(MESSAGE).saturating_add(old.body).saturating_neg();
                self.weigh(&old.conversation, &old.sender, by)
            }
            None => Ok(()),
        }
    }

    /// What others have said before a place of a conversation leaves nothing.
    pub(super) fn weigh_cleared(&self, conversation: &[u8], before: i64) -> Result<(), StoreError> {
        let sql = "SELECT sender, sum(?3 + coalesce(length(body), 0)) FROM messages
                   WHERE conversation = ?1 AND sequence < ?2 AND sender IS NOT NULL GROUP BY sender";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![conversation, before, signed(MESSAGE)];
        let rows = statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let by_sender: Vec<([u8; 32], i64)> = rows.collect::<Result<_, _>>()?;
        for (sender, bytes) in by_sender {
            self.weigh(conversation, &sender, bytes.saturating_neg())?;
        }
        Ok(())
    }

    /// A message of another owner, as it is weighed.
    fn weighed(&self, id: &MessageId) -> Result<Option<Weighed>, StoreError> {
        let sql = "SELECT conversation, sender, coalesce(length(body), 0) FROM messages
                   WHERE id = ?1 AND sender IS NOT NULL";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([id.0], |row| {
                Ok(Weighed {
                    conversation: row.get(0)?,
                    sender: row.get(1)?,
                    body: row.get(2)?,
                })
            })
            .optional()?)
    }

    fn weigh(&self, conversation: &[u8], sender: &[u8; 32], by: i64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO weights (conversation, sender, bytes) VALUES (?1, ?2, max(0, ?3))
                 ON CONFLICT DO UPDATE SET bytes = max(0, bytes + ?3)",
            )?
            .execute(params![conversation, sender, by])?;
        Ok(())
    }
}

/// A message of another owner: where it was said, by whom, and the bytes of its body.
struct Weighed {
    conversation: Vec<u8>,
    sender: [u8; 32],
    body: i64,
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Bytes that a message takes beside what it says.
const MESSAGE: usize = 256;
