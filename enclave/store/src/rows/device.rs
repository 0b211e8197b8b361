//! Short numbers of devices.

use rusqlite::{OptionalExtension, params};
use vettid_wire::id::DeviceId;

use crate::{Change, StoreError, View};

impl View<'_> {
    /// Number of a device, if it has one yet.
    pub(crate) fn device_number(&self, id: &DeviceId) -> Result<Option<i64>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT number FROM devices WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?)
    }
}

impl Change<'_> {
    /// Number of a device; gives it one at first.
    pub(crate) fn number_device(&self, id: &DeviceId) -> Result<i64, StoreError> {
        if let Some(number) = self.device_number(id)? {
            return Ok(number);
        }
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO devices (number, id)
                 SELECT 1 + coalesce(max(number), 0), ?1 FROM devices RETURNING number",
            )?
            .query_row(params![id.0], |row| row.get(0))?)
    }
}
