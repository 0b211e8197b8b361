//! The vault log in `node.db`.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use tokio::sync::Notify;
use vettid_wire::id::SpaceId;

use super::appender::Settle;
use super::{
    Append, AppendError, Appender, From, NoRoom, Outcomes, Page, Pending, Record, VaultLog,
};
use crate::database::column::integer;
use crate::database::{Change, Database, Full, ReadError, WriteError};

/// The comparison and the write are one statement: two processes on one file cannot both win.
const APPEND: &str = "INSERT INTO record (space, number, checkpoint, bytes)
    SELECT ?1, ?2, ?3, ?4
    WHERE ?2 = 1 + (SELECT coalesce(max(number), 0) FROM record WHERE space = ?1)";

const READ: &str = "SELECT number, checkpoint, bytes FROM record
    WHERE space = ?1 AND number >= ?2 ORDER BY number";

const NEWEST: &str = "SELECT coalesce(max(number), 0) FROM record WHERE space = ?1";

const CHECKPOINT: &str =
    "SELECT coalesce(max(number), 0) FROM record WHERE space = ?1 AND checkpoint = 1";

const CUT: &str = "DELETE FROM record WHERE space = ?1 AND number < ?2
    AND EXISTS (SELECT 1 FROM record WHERE space = ?1 AND number = ?2 AND checkpoint = 1)";

/// [`VaultLog`] on the host's SQLite database, with group commit across spaces.
#[derive(Clone)]
pub struct SqliteLog {
    database: Database,
}

impl SqliteLog {
    /// A log in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

impl VaultLog for SqliteLog {
    fn appender(&self) -> (Appender, Outcomes) {
        let database = self.database.clone();
        Appender::new(move |append, settle| {
            let change = Box::new(Insertion {
                append: append.clone(),
                lost: false,
                settle,
            });
            database.enqueue(change).map_err(|Full| NoRoom(append))
        })
    }

    fn read(
        &self,
        space: SpaceId,
        from: From,
        max_bytes: usize,
    ) -> Pending<'_, Result<Page, ReadError>> {
        Box::pin(self.database.read(move |connection| {
            // One view of the file for all statements: a cut must not fall in between.
            let view = connection.unchecked_transaction()?;
            page(&view, space, from, max_bytes)
        }))
    }

    fn newest(&self, space: SpaceId) -> Pending<'_, Result<u64, ReadError>> {
        Box::pin(
            self.database
                .read(move |connection| number(connection, NEWEST, space)),
        )
    }

    fn cut_below(&self, space: SpaceId, number: u64) -> Pending<'_, Result<(), WriteError>> {
        Box::pin(self.database.transact(move |connection| {
            connection
                .prepare_cached(CUT)?
                .execute(params![space.0, integer(number)])
                .map(drop)
        }))
    }

    fn remove(&self, space: SpaceId) -> Pending<'_, Result<(), WriteError>> {
        Box::pin(self.database.transact(move |connection| {
            connection
                .execute("DELETE FROM record WHERE space = ?1", [space.0])
                .map(drop)
        }))
    }

    fn list(&self) -> Pending<'_, Result<Vec<(SpaceId, u64)>, ReadError>> {
        Box::pin(self.database.read(|connection| {
            connection
                .prepare("SELECT space, max(number) FROM record GROUP BY space ORDER BY space")?
                .query_map([], |row| Ok((SpaceId(row.get(0)?), unsigned(row, 1)?)))?
                .collect()
        }))
    }
}

fn page(
    connection: &Connection,
    space: SpaceId,
    from: From,
    max_bytes: usize,
) -> rusqlite::Result<Page> {
    let newest = number(connection, NEWEST, space)?;
    let from = match from {
        From::Checkpoint => number(connection, CHECKPOINT, space)?,
        From::Number(number) => number,
    };
    let Ok(from) = i64::try_from(from) else {
        return Ok(Page {
            newest,
            records: Vec::new(),
        });
    };
    let mut statement = connection.prepare_cached(READ)?;
    let mut rows = statement.query(params![space.0, from])?;
    let mut records = Vec::new();
    let mut total = 0_usize;
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(2)?.as_blob()?;
        total = total.saturating_add(bytes.len());
        if total > max_bytes && !records.is_empty() {
            break;
        }
        let bytes = Bytes::copy_from_slice(bytes);
        records.push(Record {
            number: unsigned(row, 0)?,
            checkpoint: row.get(1)?,
            bytes,
        });
    }
    Ok(Page { newest, records })
}

fn number(connection: &Connection, query: &str, space: SpaceId) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(query)?
        .query_row([space.0], |row| unsigned(row, 0))
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let signed: i64 = row.get(column)?;
    u64::try_from(signed).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error))
    })
}

/// One queued append.
struct Insertion {
    append: Append,
    lost: bool,
    settle: Settle,
}

impl Change for Insertion {
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let record = &self.append.record;
        let Ok(number) = i64::try_from(record.number) else {
            self.lost = true;
            return Ok(());
        };
        let inserted = connection.prepare_cached(APPEND)?.execute(params![
            self.append.space.0,
            number,
            record.checkpoint,
            &record.bytes[..],
        ])?;
        self.lost = inserted == 0;
        Ok(())
    }

    fn weight(&self) -> usize {
        // The record's own bytes and one page of the index.
        self.append.record.bytes.len().saturating_add(4_096)
    }

    fn settle(self: Box<Self>, outcome: Result<(), WriteError>) -> Option<Arc<Notify>> {
        let result = match outcome {
            Ok(()) if self.lost => Err(AppendError::Lost),
            Ok(()) => Ok(()),
            Err(error) => Err(AppendError::Write(error)),
        };
        Some(self.settle.with(result))
    }
}
