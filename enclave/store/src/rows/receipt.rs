//! How far messages to a group have come, by member.

use rusqlite::params;
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::operation::message::Receipt;

use super::column;
use crate::{Change, StoreError, View};

impl View<'_> {
    /// The least that every recipient of a message has; none for a message without recipients.
    pub fn least_receipt(&self, message: &MessageId) -> Result<Option<Receipt>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT min(receipt) FROM receipts WHERE message = ?1")?
            .query_row([message.0], |row| match column::is_null(row, 0)? {
                true => Ok(None),
                false => column::read_number_of(row, 0).map(Some),
            })?)
    }
}

impl Change<'_> {
    /// Says how far a message has come at one recipient. It never goes back.
    pub fn raise_receipt_of(
        &self,
        message: &MessageId,
        vault: &VaultId,
        receipt: Receipt,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO receipts (message, vault, receipt) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET receipt = max(receipt, ?3)",
            )?
            .execute(params![message.0, vault.0, column::number_of(&receipt)])?;
        Ok(())
    }

    /// A recipient does not count any more.
    pub fn remove_receipt_of(
        &self,
        message: &MessageId,
        vault: &VaultId,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM receipts WHERE message = ?1 AND vault = ?2")?
            .execute(params![message.0, vault.0])?;
        Ok(())
    }

    /// Forgets the receipts of a message.
    pub fn remove_receipts(&self, message: &MessageId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM receipts WHERE message = ?1")?
            .execute([message.0])?;
        Ok(())
    }
}
