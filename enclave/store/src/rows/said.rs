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

    /// Who sent a message, none for this vault, and what the sender calls it.
    pub fn said_as(
        &self,
        id: &MessageId,
    ) -> Result<Option<(Option<VaultId>, MessageId)>, StoreError> {
        let said = self
            .connection
            .prepare_cached("SELECT sender, coalesce(said, id) FROM messages WHERE id = ?1")?
            .query_row([id.0], |row| {
                let sender: Option<[u8; 32]> = row.get(0)?;
                Ok((sender.map(VaultId), MessageId(row.get(1)?)))
            })
            .optional()?;
        Ok(said)
    }
}
