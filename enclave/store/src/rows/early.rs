//! Deliveries of a connection that came too early, by sequence.

use rusqlite::{OptionalExtension, params};
use vettid_wire::id::{ConnectionId, DeliveryId};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// A delivery that waits for the one before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Early {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Its body.
    pub body: Vec<u8>,
}

impl View<'_> {
    /// One delivery that waits at a place.
    pub fn early(
        &self,
        connection: &ConnectionId,
        place: u64,
    ) -> Result<Option<Early>, StoreError> {
        let sql = "SELECT delivery, body FROM early WHERE connection = ?1 AND place = ?2
                   ORDER BY delivery LIMIT 1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![connection.0, column::integer(place)], |row| {
                Ok(Early {
                    delivery: DeliveryId(row.get(0)?),
                    body: row.get(1)?,
                })
            })
            .optional()?)
    }

    /// How many deliveries wait in a connection, and how many bytes they have.
    pub fn count_early(&self, connection: &ConnectionId) -> Result<(u32, u64), StoreError> {
        let sql =
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM early WHERE connection = ?1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([connection.0], |row| {
                Ok((column::unsigned32(row, 0)?, column::unsigned(row, 1)?))
            })?)
    }
}

impl Change<'_> {
    /// Lets a delivery wait. One that waits there already stays.
    pub fn insert_early(
        &self,
        connection: &ConnectionId,
        place: u64,
        early: &Early,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO early (connection, place, delivery, at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                connection.0,
                column::integer(place),
                early.delivery.0,
                column::time(at),
                early.body,
            ])?;
        Ok(())
    }

    /// Takes one delivery out.
    pub fn remove_one_early(
        &self,
        connection: &ConnectionId,
        place: u64,
        delivery: &DeliveryId,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM early WHERE connection = ?1 AND place = ?2 AND delivery = ?3",
            )?
            .execute(params![connection.0, column::integer(place), delivery.0])?;
        Ok(())
    }

    /// Forgets what waits in a connection.
    pub fn remove_early(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM early WHERE connection = ?1")?
            .execute([connection.0])?;
        Ok(())
    }

    /// Forgets what has waited since before a time.
    pub fn forget_early(&self, before: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM early WHERE at < ?1")?
            .execute([column::time(before)])?;
        Ok(())
    }
}
