//! State of MLS: what OpenMLS stores, by the conversation that it belongs to.

use rusqlite::{OptionalExtension, params};
use vettid_wire::operation::message::Conversation;
use vettid_wire::{Secret, cbor};

use super::column;
use crate::{Change, StoreError, View};

/// Which value of MLS: the conversation it belongs to, its kind, and its key among its kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MlsKey<'a> {
    /// Connection or group.
    pub conversation: &'a Conversation,
    /// Kind of value.
    pub kind: u8,
    /// Which of its kind.
    pub key: &'a [u8],
}

impl View<'_> {
    /// A value.
    pub fn mls(&self, key: &MlsKey<'_>) -> Result<Option<Secret>, StoreError> {
        let sql = "SELECT value FROM mls WHERE conversation = ?1 AND kind = ?2 AND key = ?3";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(
                params![cbor::encode(key.conversation), key.kind, key.key],
                |row| column::read_secret(row, 0),
            )
            .optional()?)
    }
}

impl Change<'_> {
    /// Adds a value or replaces it.
    pub fn put_mls(&self, key: &MlsKey<'_>, value: &[u8]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO mls (conversation, kind, key, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET value = ?4",
            )?
            .execute(params![
                cbor::encode(key.conversation),
                key.kind,
                key.key,
                value
            ])?;
        Ok(())
    }

    /// Destroys a value.
    pub fn remove_mls_value(&self, key: &MlsKey<'_>) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM mls WHERE conversation = ?1 AND kind = ?2 AND key = ?3")?
            .execute(params![cbor::encode(key.conversation), key.kind, key.key])?;
        Ok(())
    }

    /// Destroys every value of one kind.
    pub fn remove_mls_kind(&self, conversation: &Conversation, kind: u8) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM mls WHERE conversation = ?1 AND kind = ?2")?
            .execute(params![cbor::encode(conversation), kind])?;
        Ok(())
    }

    /// Destroys every value of a conversation.
    pub fn remove_mls(&self, conversation: &Conversation) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM mls WHERE conversation = ?1")?
            .execute([cbor::encode(conversation)])?;
        Ok(())
    }
}
