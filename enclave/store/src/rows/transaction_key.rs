//! One-time keys.

use rusqlite::{OptionalExtension, Row, params};
use vettid_crypto::sealed_box::BoxSecret;
use vettid_wire::id::{DeviceId, TransactionKeyId};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// A one-time key that was not used yet.
#[derive(Debug)]
pub struct TransactionKey {
    /// Its id.
    pub id: TransactionKeyId,
    /// Opens what was sealed to it.
    pub secret: BoxSecret,
    /// Not usable after this.
    pub expires: UnixMillis,
}

impl View<'_> {
    /// Keys that a device may use at `now`, the ones that last longest at the end.
    pub fn transaction_keys(
        &self,
        device: &DeviceId,
        now: UnixMillis,
    ) -> Result<Vec<TransactionKey>, StoreError> {
        let Some(device) = self.device_number(device)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT id, secret, expires FROM transaction_keys
             WHERE device = ?1 AND expires > ?2 ORDER BY expires, id",
        )?;
        let rows = statement.query_map(params![device, column::time(now)], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many keys a device may use at `now`.
    pub fn count_transaction_keys(
        &self,
        device: &DeviceId,
        now: UnixMillis,
    ) -> Result<u32, StoreError> {
        let Some(device) = self.device_number(device)? else {
            return Ok(0);
        };
        let sql = "SELECT count(*) FROM transaction_keys WHERE device = ?1 AND expires > ?2";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![device, column::time(now)], |row| {
                column::unsigned32(row, 0)
            })?)
    }
}

impl Change<'_> {
    /// Adds a key to a device's pool.
    pub fn insert_transaction_key(
        &self,
        device: &DeviceId,
        key: &TransactionKey,
    ) -> Result<(), StoreError> {
        let device = self.number_device(device)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO transaction_keys (id, device, secret, expires) VALUES (?1, ?2, ?3, ?4)",
        )?;
        let expires = column::time(key.expires);
        key.secret
            .expose(|secret| insert.execute(params![key.id.0, device, secret, expires]))?;
        Ok(())
    }

    /// Takes a key out of a device's pool: it can never be used again. None if it was spent before,
    /// is another device's, or expired.
    pub fn spend_transaction_key(
        &self,
        device: &DeviceId,
        id: &TransactionKeyId,
        now: UnixMillis,
    ) -> Result<Option<TransactionKey>, StoreError> {
        let Some(device) = self.device_number(device)? else {
            return Ok(None);
        };
        Ok(self
            .connection
            .prepare_cached(
                "DELETE FROM transaction_keys WHERE id = ?1 AND device = ?2 AND expires > ?3
                 RETURNING id, secret, expires",
            )?
            .query_row(params![id.0, device, column::time(now)], read)
            .optional()?)
    }

    /// Destroys every key that expired by `now`.
    pub fn remove_expired_transaction_keys(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM transaction_keys WHERE expires <= ?1")?
            .execute([column::time(now)])?;
        Ok(())
    }

    /// Destroys every key of a device.
    pub fn remove_transaction_keys(&self, device: &DeviceId) -> Result<(), StoreError> {
        if let Some(device) = self.device_number(device)? {
            self.connection
                .prepare_cached("DELETE FROM transaction_keys WHERE device = ?1")?
                .execute([device])?;
        }
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<TransactionKey> {
    Ok(TransactionKey {
        id: TransactionKeyId(row.get(0)?),
        secret: column::read_key(row, 1, BoxSecret::from_bytes)?,
        expires: column::read_time(row, 2)?,
    })
}
