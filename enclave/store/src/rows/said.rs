//! Messages by what their senders call them.

use rusqlite::{OptionalExtension, params};
use vettid_wire::cbor;
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::operation::message::Conversation;

use crate::{StoreError, View};

impl View<'_> {
    /// The message that a vault, or this one, calls by an id.
    pub fn message_of(
        &self,
        conversation: &Conversation,
        sender: Option<&VaultId>,
        said: &MessageId,
    ) -> Result<Option<MessageId>, StoreError> {
        let sql = "SELECT id FROM messages WHERE (id = ?3 AND said IS NULL OR said = ?3)
                   AND conversation = ?1 AND sender IS ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let sender = sender.map(|sender| sender.0);
        let values = params![cbor::encode(conversation), sender, said.0];
        let found = statement.query_row(values, |row| row.get(0).map(MessageId));
        Ok(found.optional()?)
    }

    /// The first message of a conversation that anybody calls by an id.
    pub fn message_of_any(
        &self,
        conversation: &Conversation,
        said: &MessageId,
    ) -> Result<Option<MessageId>, StoreError> {
        let sql = "SELECT id FROM messages WHERE (id = ?2 AND said IS NULL OR said = ?2)
                   AND conversation = ?1 ORDER BY sequence LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![cbor::encode(conversation), said.0];
        let found = statement.query_row(values, |row| row.get(0).map(MessageId));
        Ok(found.optional()?)
    }

    /// What the sender of a message calls it.
    pub fn said_as(&self, id: &MessageId) -> Result<MessageId, StoreError> {
        let said = self
            .connection
            .prepare_cached("SELECT said FROM messages WHERE id = ?1 AND said IS NOT NULL")?
            .query_row([id.0], |row| row.get(0).map(MessageId))
            .optional()?;
        Ok(said.unwrap_or(*id))
    }
}
