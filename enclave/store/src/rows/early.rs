//! Deliveries that came too early: of a connection by sequence, of a group by arrival.

use rusqlite::{OptionalExtension, params};
use vettid_wire::id::DeliveryId;
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
    pub fn early(&self, conversation: &[u8; 16], place: u64) -> Result<Option<Early>, StoreError> {
        let sql = "SELECT delivery, body FROM early WHERE conversation = ?1 AND place = ?2
                   ORDER BY delivery LIMIT 1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![conversation, column::integer(place)], |row| {
                Ok(Early {
                    delivery: DeliveryId(row.get(0)?),
                    body: row.get(1)?,
                })
            })
            .optional()?)
    }

    /// Every delivery that waits, in order, with its place.
    pub fn all_early(&self, conversation: &[u8; 16]) -> Result<Vec<(u64, Early)>, StoreError> {
        let sql = "SELECT delivery, body, place FROM early WHERE conversation = ?1
                   ORDER BY place, delivery";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([conversation], |row| {
            let early = Early {
                delivery: DeliveryId(row.get(0)?),
                body: row.get(1)?,
            };
            Ok((column::unsigned(row, 2)?, early))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many deliveries wait in a conversation.
    pub fn count_early(&self, conversation: &[u8; 16]) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM early WHERE conversation = ?1")?
            .query_row([conversation], |row| column::unsigned32(row, 0))?)
    }
}

impl Change<'_> {
    /// Lets a delivery wait. One that waits there already stays.
    pub fn insert_early(
        &self,
        conversation: &[u8; 16],
        place: u64,
        early: &Early,
        at: UnixMillis,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO early (conversation, place, delivery, at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                conversation,
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
        conversation: &[u8; 16],
        place: u64,
        delivery: &DeliveryId,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM early WHERE conversation = ?1 AND place = ?2 AND delivery = ?3",
            )?
            .execute(params![conversation, column::integer(place), delivery.0])?;
        Ok(())
    }

    /// Forgets what waits in a conversation.
    pub fn remove_early(&self, conversation: &[u8; 16]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM early WHERE conversation = ?1")?
            .execute([conversation])?;
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
