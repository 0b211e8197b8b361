//! Replies that are kept to be repeated.

use rusqlite::{OptionalExtension, params};
use vettid_wire::Secret;
use vettid_wire::id::{DeviceId, RequestId};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// A request that was carried out, and what was replied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answered {
    /// Digest of the request: the same id with another digest is another request.
    pub digest: [u8; 32],
    /// What was replied, as the vault encodes it.
    pub reply: Secret,
    /// When.
    pub at: UnixMillis,
}

impl View<'_> {
    /// What was replied to a device's request.
    pub fn answered(
        &self,
        device: &DeviceId,
        id: &RequestId,
    ) -> Result<Option<Answered>, StoreError> {
        let Some(device) = self.device_number(device)? else {
            return Ok(None);
        };
        Ok(self
            .connection
            .prepare_cached("SELECT digest, reply, at FROM requests WHERE device = ?1 AND id = ?2")?
            .query_row(params![device, id.0], |row| {
                Ok(Answered {
                    digest: row.get(0)?,
                    reply: column::read_secret(row, 1)?,
                    at: column::read_time(row, 2)?,
                })
            })
            .optional()?)
    }
}

impl Change<'_> {
    /// Keeps a reply. Fails if one is kept for this request.
    pub fn insert_answered(
        &self,
        device: &DeviceId,
        id: &RequestId,
        answered: &Answered,
    ) -> Result<(), StoreError> {
        let device = self.number_device(device)?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO requests (device, id, digest, reply, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let at = column::time(answered.at);
        answered
            .reply
            .expose(|reply| insert.execute(params![device, id.0, answered.digest, reply, at]))?;
        Ok(())
    }

    /// Forgets replies from before a time, the oldest first and `at_most` so many: the work and the
    /// record of one transaction stay small.
    pub fn remove_answered(&self, before: UnixMillis, at_most: u32) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM requests WHERE at < ?1 AND rowid IN
                 (SELECT rowid FROM requests ORDER BY rowid LIMIT ?2)",
            )?
            .execute(params![column::time(before), at_most])?;
        Ok(())
    }
}
