//! The audit chain: what was done, without content.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::id::DeviceId;
use vettid_wire::operation::audit::{Event, EventBody, Events, Query};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// Newest event of the chain.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ChainHead {
    /// Its sequence; zero for an empty chain.
    pub sequence: u64,
    /// Its hash; zeros for an empty chain.
    pub hash: [u8; 32],
    /// When it was.
    pub at: UnixMillis,
}

/// What an event says; the chain gives it its place.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// When.
    pub at: UnixMillis,
    /// Operation, as in the table.
    pub operation: &'a str,
    /// Device that asked; absent for the vault itself.
    pub device: Option<&'a DeviceId>,
    /// Id of what it was about.
    pub subject: Option<&'a [u8]>,
    /// Whether it was done, or refused.
    pub done: bool,
}

/// Result of checking the whole chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checked {
    /// Events that follow from each other.
    pub events: u64,
    /// First event that does not.
    pub broken_at: Option<u64>,
    /// Newest event.
    pub head: ChainHead,
}

const COLUMNS: &str =
    "SELECT sequence, at, operation, (SELECT id FROM devices WHERE number = device),
    subject, refused, hash FROM audit";

impl View<'_> {
    /// A page of events, oldest first.
    pub fn audit(&self, query: &Query) -> Result<Events, StoreError> {
        let (shown, fetched) = column::page(query.limit);
        let mut statement = self.connection.prepare_cached(&format!(
            "{COLUMNS} WHERE sequence > ?1 AND (operation = ?2 OR ?2 IS NULL)
             ORDER BY sequence LIMIT ?3"
        ))?;
        let rows = statement.query_map(
            params![column::integer(query.after), query.operation, fetched],
            read,
        )?;
        let mut events: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = events.len() > shown;
        events.truncate(shown);
        Ok(Events { events, more })
    }

    /// Newest event.
    pub fn audit_head(&self) -> Result<ChainHead, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT sequence, hash, at FROM audit ORDER BY sequence DESC LIMIT 1")?
            .query_row([], |row| {
                Ok(ChainHead {
                    sequence: column::unsigned(row, 0)?,
                    hash: row.get(1)?,
                    at: column::read_time(row, 2)?,
                })
            })
            .optional()?
            .unwrap_or_default())
    }

    /// Checks that every event follows from the one before it, from the first to the newest.
    pub fn check_audit(&self) -> Result<Checked, StoreError> {
        let head = self.audit_head()?;
        let mut statement = self
            .connection
            .prepare_cached(&format!("{COLUMNS} ORDER BY sequence"))?;
        let mut rows = statement.query([])?;
        let (mut events, mut previous) = (0_u64, [0; 32]);
        while let Some(row) = rows.next()? {
            let event = read(row)?;
            let place = events.saturating_add(1);
            if event.body.sequence != place || event.hash != event.body.hash(&previous) {
                return Ok(Checked {
                    events,
                    broken_at: Some(place),
                    head,
                });
            }
            (events, previous) = (place, event.hash);
        }
        Ok(Checked {
            events,
            broken_at: None,
            head,
        })
    }
}

impl Change<'_> {
    /// Adds an event behind the newest one.
    pub fn append_audit(&self, event: &NewEvent<'_>) -> Result<(), StoreError> {
        let head = self.audit_head()?;
        let body = EventBody {
            sequence: head.sequence.saturating_add(1),
            at: event.at,
            operation: event.operation.to_owned(),
            device: event.device.copied(),
            subject: event.subject.map(<[u8]>::to_vec),
            done: event.done,
        };
        let device = event
            .device
            .map(|device| self.number_device(device))
            .transpose()?;
        self.connection
            .prepare_cached(
                "INSERT INTO audit (sequence, at, operation, device, subject, refused, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                column::integer(body.sequence),
                column::time(body.at),
                body.operation,
                device,
                body.subject,
                column::flag(!body.done),
                body.hash(&head.hash),
            ])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        body: EventBody {
            sequence: column::unsigned(row, 0)?,
            at: column::read_time(row, 1)?,
            operation: row.get(2)?,
            device: row.get::<_, Option<[u8; 32]>>(3)?.map(DeviceId),
            subject: row.get(4)?,
            done: !column::read_flag(row, 5)?,
        },
        hash: row.get(6)?,
    })
}
