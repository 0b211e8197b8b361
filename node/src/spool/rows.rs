//! The table of the spool.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use vettid_wire::id::{DeliveryId, LaneId, SpaceId};
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

use super::turns::LANES_OF_SPACE;
use crate::database::column::{count, integer, number};
use crate::database::{Database, Full, ReadError, WriteError};

/// Deliveries that one space may have waiting: as many as fill a mailbox twice.
const SPACE_DELIVERIES: u64 = 2 * limits::MAILBOX_MESSAGES;

/// Bytes of them: as many as a vault's database may hold.
const SPACE_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes read at once, so that one lane does not fill the link.
const LOAD_BYTES: usize = 2 * 1024 * 1024;

/// The record must be there, the space too, and its quota not used up. Once half of that is used, a lane
/// may have as much as is left for all others: one alone gets half, more of them less each, and there is
/// always some for a lane that has little.
const INSERT: &str = "INSERT INTO spool (delivery, lane, space, expires, bytes)
    SELECT ?1, ?2, ?3, ?4, ?5 FROM space_use u
    WHERE u.space = ?3 AND u.spooled < ?7 AND u.spool_bytes + length(?5) <= ?8
      AND ?6 <= (SELECT coalesce(max(number), 0) FROM record WHERE space = ?3)
      AND (u.spooled < ?7 / 2 AND u.spool_bytes + length(?5) <= ?8 / 2
        OR (SELECT count(*) < ?7 - u.spooled
              AND coalesce(sum(length(l.bytes)), 0) < ?8 - u.spool_bytes
            FROM spool l WHERE l.lane = ?2))
    ON CONFLICT (delivery) DO NOTHING";

const LOAD: &str = "SELECT number, delivery, bytes FROM spool
    WHERE lane = ?1 AND number > ?2 AND expires > ?3 ORDER BY number LIMIT ?4";

/// Half of what is followed of a space are its newest, and the rest is drawn, so that each has its
/// turn in the end, however many of them wait for peers that are gone. Spaces take turns.
const LANES: &str = "SELECT space, lane, newest FROM (
        SELECT space, lane, newest,
            row_number() OVER (PARTITION BY space ORDER BY late > ?2 / 2, random()) AS place
        FROM (
            SELECT space, lane, max(number) AS newest,
                row_number() OVER (PARTITION BY space ORDER BY max(number) DESC) AS late
            FROM spool GROUP BY space, lane))
    WHERE place <= ?2 ORDER BY place LIMIT ?1";

/// A delivery to be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Keep {
    pub(crate) space: SpaceId,
    /// Record that it depends on.
    pub(crate) after: u64,
    pub(crate) lane: LaneId,
    pub(crate) delivery: DeliveryId,
    pub(crate) expires: UnixMillis,
    pub(crate) bytes: Bytes,
}

/// A stored delivery.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Spooled {
    /// Its place in the order of all.
    pub(crate) number: u64,
    pub(crate) delivery: DeliveryId,
    pub(crate) bytes: Bytes,
}

/// A lane with deliveries in the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Known {
    pub(crate) space: SpaceId,
    pub(crate) lane: LaneId,
    /// The newest of them.
    pub(crate) newest: u64,
}

/// What became of a delivery to be kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kept {
    /// It is durable, as the newest of its lane.
    Stored(SpaceId, LaneId, Spooled),
    /// It was there before, in this lane and place.
    Known(Known),
    /// It was not stored: its record is not there, this space has too many, or the disk failed. Its
    /// vault's outbox hands it over again.
    NotStored(SpaceId),
}

/// Reads and removes deliveries. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SpoolRows {
    database: Database,
}

impl SpoolRows {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Stores a delivery behind every record and delivery queued before; `told` is called once
    /// that is durable or has failed.
    pub(crate) fn keep(
        &self,
        keep: Keep,
        told: impl FnOnce(Kept) + Send + 'static,
    ) -> Result<(), Full> {
        let kept = keep.clone();
        self.database.queue(
            keep.bytes.len(),
            move |connection| keep_in(connection, &keep),
            move |place| told(kept.in_place(place)),
        )
    }

    /// The oldest deliveries of a lane behind a number that have not expired, in order; and
    /// whether there are no more of them.
    pub(crate) async fn load(
        &self,
        lane: LaneId,
        behind: u64,
        count: usize,
        now: UnixMillis,
    ) -> Result<(Vec<Spooled>, bool), ReadError> {
        self.database
            .read(move |connection| load_in(connection, lane, behind, count, now))
            .await
    }

    /// Lanes with deliveries, but no more of one space than are followed at once: its newest, and any
    /// of the others.
    pub(crate) async fn lanes(&self, limit: usize) -> Result<Vec<Known>, ReadError> {
        let bounds = [count(limit), count(LANES_OF_SPACE)];
        self.database
            .read(move |connection| {
                connection
                    .prepare(LANES)?
                    .query_map(bounds, known)?
                    .collect()
            })
            .await
    }

    /// Removes settled deliveries.
    pub(crate) async fn forget(&self, settled: Vec<DeliveryId>) -> Result<(), WriteError> {
        self.database
            .transact(move |connection| {
                let mut delete =
                    connection.prepare_cached("DELETE FROM spool WHERE delivery = ?1")?;
                settled
                    .iter()
                    .try_for_each(|delivery| delete.execute([delivery.0]).map(drop))
            })
            .await
    }

    /// Removes what has expired; how many there were.
    pub(crate) async fn sweep(&self, now: UnixMillis) -> Result<usize, WriteError> {
        self.database
            .transact(move |connection| {
                connection.execute("DELETE FROM spool WHERE expires <= ?1", [integer(now.0)])
            })
            .await
    }

    /// Deliveries that wait, and their bytes.
    pub(crate) async fn count(&self) -> Result<(i64, i64), ReadError> {
        self.database
            .read(|connection| {
                connection.query_row(
                    "SELECT coalesce(sum(spooled), 0), coalesce(sum(spool_bytes), 0)
                     FROM space_use",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
            })
            .await
    }
}

impl Keep {
    fn in_place(self, place: Option<Place>) -> Kept {
        match place {
            Some(Place::New(number)) => Kept::Stored(
                self.space,
                self.lane,
                Spooled {
                    number,
                    delivery: self.delivery,
                    bytes: self.bytes,
                },
            ),
            Some(Place::Known(known)) => Kept::Known(known),
            Some(Place::None) | None => Kept::NotStored(self.space),
        }
    }
}

enum Place {
    New(u64),
    Known(Known),
    None,
}

fn keep_in(connection: &Connection, keep: &Keep) -> rusqlite::Result<Place> {
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        keep.delivery.0,
        keep.lane.0,
        keep.space.0,
        integer(keep.expires.0),
        &keep.bytes[..],
        integer(keep.after),
        integer(SPACE_DELIVERIES),
        integer(SPACE_BYTES),
    ])?;
    if inserted > 0 {
        return Ok(Place::New(connection.last_insert_rowid().unsigned_abs()));
    }
    let known = connection
        .prepare_cached("SELECT space, lane, number FROM spool WHERE delivery = ?1")?
        .query_row([keep.delivery.0], known)
        .optional()?;
    Ok(known.map_or(Place::None, Place::Known))
}

fn load_in(
    connection: &Connection,
    lane: LaneId,
    behind: u64,
    most: usize,
    now: UnixMillis,
) -> rusqlite::Result<(Vec<Spooled>, bool)> {
    let limit = count(most);
    let mut statement = connection.prepare_cached(LOAD)?;
    let mut rows = statement.query(params![lane.0, integer(behind), integer(now.0), limit])?;
    let (mut found, mut total) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(2)?.as_blob()?;
        total = total.saturating_add(bytes.len());
        if total > LOAD_BYTES && !found.is_empty() {
            return Ok((found, false));
        }
        found.push(Spooled {
            number: number(row, 0)?,
            delivery: DeliveryId(row.get(1)?),
            bytes: Bytes::copy_from_slice(bytes),
        });
    }
    let all = found.len() < most;
    Ok((found, all))
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        space: SpaceId(row.get(0)?),
        lane: LaneId(row.get(1)?),
        newest: number(row, 2)?,
    })
}

#[cfg(test)]
mod tests;
