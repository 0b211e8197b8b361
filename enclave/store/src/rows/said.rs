//! Messages by what their senders call them.

use rusqlite::{OptionalExtension, params};
use vettid_wire::cbor;
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::operation::message::Conversation;

use crate::{StoreError, View};

/// The sign keeps the index of conversations out of it: all messages of one would be read.
const MESSAGE_OF: &str = "SELECT id FROM messages
    WHERE (id = ?3 AND said IS NULL OR said = ?3) AND +conversation = ?1 AND sender IS ?2";

impl View<'_> {
    /// The message that a vault, or this one, calls by an id.
    pub fn message_of(
        &self,
        conversation: &Conversation,
        sender: Option<&VaultId>,
        said: &MessageId,
    ) -> Result<Option<MessageId>, StoreError> {
        let mut statement = self.connection.prepare_cached(MESSAGE_OF)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;

    #[test]
    fn message_is_found_without_reading_its_conversation() {
        let database = Database::template().expect("template");
        let sql = format!("EXPLAIN QUERY PLAN {MESSAGE_OF}");
        let mut statement = database.connection.prepare(&sql).expect("prepared");
        let nothing: [Option<u8>; 3] = [None; 3];
        let plan: Vec<String> = statement
            .query_map(nothing, |row| row.get(3))
            .and_then(Iterator::collect)
            .expect("planned");

        let searched: Vec<_> = plan
            .iter()
            .filter_map(|step| step.strip_prefix("SEARCH messages USING INDEX "))
            .collect();
        assert_eq!(
            searched,
            [
                "sqlite_autoindex_messages_1 (id=?)",
                "messages_by_said (said=?)"
            ]
        );
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")));
    }
}
