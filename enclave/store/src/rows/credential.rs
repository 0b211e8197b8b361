//! The Protean Credential, as the vault keeps track of it.

use rusqlite::{OptionalExtension, Row, params};
use vettid_crypto::sealed_box::BoxSecret;
use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::{MacKey, SecretBytes};
use vettid_wire::id::DeviceId;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Attempt, Attempts, Change, StoreError, View};

/// State of the credential.
#[derive(Debug)]
pub struct Credential {
    /// Version of the current blob; grows by one at every use.
    pub version: u64,
    /// Public half of the credential key.
    pub public: VerifyingKey,
    /// Opens the current blob. The one before is gone.
    pub cek: BoxSecret,
    /// Authenticates the outer headers of all blobs that this vault made.
    pub mac_key: MacKey,
    /// SHA-256 of the current blob.
    pub digest: [u8; 32],
    /// The current blob, until the device that was sent it has shown that it has it.
    pub unconfirmed: Option<Unconfirmed>,
    /// Whether credential operations are frozen.
    pub frozen: bool,
    /// When a stale copy was presented last.
    pub alarm: Option<UnixMillis>,
    /// Wrong passwords.
    pub attempts: Attempts,
    /// A use that was charged and whose outcome is not on record.
    pub under_way: Option<Attempt>,
}

/// A blob that its device may have missed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unconfirmed {
    /// Who it was sent to.
    pub device: DeviceId,
    /// The blob.
    pub blob: Vec<u8>,
}

/// What one use of the credential replaces.
#[derive(Debug)]
pub struct NextCredential<'a> {
    /// New version.
    pub version: u64,
    /// Public half of the credential key; the same unless it was rotated.
    pub public: VerifyingKey,
    /// New key, which opens the new blob.
    pub cek: &'a BoxSecret,
    /// SHA-256 of the new blob.
    pub digest: [u8; 32],
    /// The new blob.
    pub blob: &'a [u8],
    /// Who it is sent to.
    pub device: DeviceId,
}

impl View<'_> {
    /// The credential; none before it was created.
    pub fn credential(&self) -> Result<Option<Credential>, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT version, public, cek, mac_key, digest, frozen, alarm, failed, not_before,
                        blob, (SELECT id FROM devices WHERE number = blob_device),
                        used, (SELECT id FROM devices WHERE number = used_by), used_for
                 FROM credential",
            )?
            .query_row([], read)
            .optional()?)
    }
}

impl Change<'_> {
    /// Stores the first credential. Once; a second time fails.
    pub fn insert_credential(
        &self,
        mac_key: &MacKey,
        first: &NextCredential<'_>,
    ) -> Result<(), StoreError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO credential (one, version, public, cek, mac_key, digest, failed, not_before)
             VALUES (1, 0, x'', x'', ?1, x'', 0, 0)",
        )?;
        mac_key.expose(|key| insert.execute([key]))?;
        self.replace_credential(first)
    }

    /// Replaces the blob and the key that opens it. The key before is destroyed.
    pub fn replace_credential(&self, next: &NextCredential<'_>) -> Result<(), StoreError> {
        let device = self.number_device(&next.device)?;
        let mut update = self.connection.prepare_cached(
            "UPDATE credential
             SET version = ?1, public = ?2, cek = ?3, digest = ?4, blob = ?5, blob_device = ?6",
        )?;
        let version = column::integer(next.version);
        next.cek.expose(|cek| {
            update.execute(params![
                version,
                next.public.0,
                cek,
                next.digest,
                next.blob,
                device
            ])
        })?;
        Ok(())
    }

    /// Notes that the device has the current blob: the copy here is no longer needed.
    pub fn confirm_credential(&self) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE credential SET blob = NULL, blob_device = NULL")?
            .execute([])?;
        Ok(())
    }

    /// Freezes or thaws credential operations, and sets the time of the last alarm.
    pub fn freeze_credential(
        &self,
        frozen: bool,
        alarm: Option<UnixMillis>,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE credential SET frozen = ?1, alarm = ?2")?
            .execute(params![column::flag(frozen), alarm.map(column::time)])?;
        Ok(())
    }

    /// Charges the account of wrong passwords for a use that begins.
    pub fn begin_use(&self, attempts: Attempts, attempt: &Attempt) -> Result<(), StoreError> {
        let device = self.number_device(&attempt.device)?;
        self.connection
            .prepare_cached(
                "UPDATE credential
                 SET failed = ?1, not_before = ?2, used = ?3, used_by = ?4, used_for = ?5",
            )?
            .execute(params![
                attempts.failed,
                column::time(attempts.not_before),
                column::time(attempt.at),
                device,
                attempt.operation,
            ])?;
        Ok(())
    }

    /// Sets the account of wrong passwords when the outcome of a use is put on record.
    pub fn end_use(&self, attempts: Attempts) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE credential
                 SET failed = ?1, not_before = ?2, used = NULL, used_by = NULL, used_for = NULL",
            )?
            .execute(params![attempts.failed, column::time(attempts.not_before)])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Credential> {
    let blob: Option<Vec<u8>> = row.get(9)?;
    let device: Option<[u8; 32]> = row.get(10)?;
    let used = column::read_time_option(row, 11)?;
    let (used_by, used_for): (Option<[u8; 32]>, Option<String>) = (row.get(12)?, row.get(13)?);
    let under_way = used
        .zip(used_by.zip(used_for))
        .map(|(at, (device, operation))| Attempt {
            at,
            device: DeviceId(device),
            operation,
        });
    Ok(Credential {
        version: column::unsigned(row, 0)?,
        public: VerifyingKey(row.get(1)?),
        cek: column::read_key(row, 2, BoxSecret::from_bytes)?,
        mac_key: column::read_key(row, 3, |bytes| MacKey::from_bytes(*bytes))?,
        digest: row.get(4)?,
        unconfirmed: blob.zip(device).map(|(blob, device)| Unconfirmed {
            device: DeviceId(device),
            blob,
        }),
        frozen: column::read_flag(row, 5)?,
        alarm: column::read_time_option(row, 6)?,
        attempts: Attempts {
            failed: column::unsigned32(row, 7)?,
            not_before: column::read_time(row, 8)?,
        },
        under_way,
    })
}
