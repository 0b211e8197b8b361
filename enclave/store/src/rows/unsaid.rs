//! What is still to be sealed for connections, in order, because one record would not hold it all.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// A content that is still to be sealed for a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unsaid {
    /// Its place.
    pub number: u64,
    /// For which connection.
    pub connection: ConnectionId,
    /// Message whose receipt follows from it.
    pub message: Option<MessageId>,
    /// Useless after this.
    pub expires: UnixMillis,
    /// Number of its body.
    pub body: u64,
}

const COLUMNS: &str = "SELECT number, connection, message, expires, body FROM unsaid";

impl View<'_> {
    /// The oldest one whose connection is not held and has nothing to say again.
    pub fn next_unsaid(&self, now: UnixMillis) -> Result<Option<Unsaid>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE NOT EXISTS
               (SELECT 1 FROM channels AS c WHERE c.connection = unsaid.connection AND held > ?1)
             AND NOT EXISTS (SELECT 1 FROM outbox AS o
                             WHERE o.connection = unsaid.connection AND again IS NOT NULL)
             ORDER BY number LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([column::time(now)], read).optional()?)
    }

    /// Whether anything is still to be sealed for a connection, for the first time or again.
    pub fn is_behind(&self, connection: &ConnectionId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM unsaid WHERE connection = ?1 UNION ALL
                   SELECT 1 FROM outbox WHERE connection = ?1 AND again IS NOT NULL LIMIT 1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .exists([connection.0])?)
    }

    /// Everything that is to be sealed for a connection, oldest first.
    pub fn unsaid_on(&self, connection: &ConnectionId) -> Result<Vec<Unsaid>, StoreError> {
        let sql = format!("{COLUMNS} WHERE connection = ?1 ORDER BY number");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([connection.0], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those whose time is over, oldest first.
    pub fn unsaid_expired(&self, now: UnixMillis, at_most: u32) -> Result<Vec<Unsaid>, StoreError> {
        let sql = format!("{COLUMNS} WHERE expires <= ?1 ORDER BY number LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![column::time(now), at_most], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Lets a content be sealed for a connection later, behind what waits already.
    pub fn insert_unsaid(
        &self,
        connection: &ConnectionId,
        message: Option<&MessageId>,
        expires: UnixMillis,
        body: u64,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO unsaid (number, connection, message, expires, body)
                 SELECT 1 + coalesce(max(number), 0), ?1, ?2, ?3, ?4 FROM unsaid",
            )?
            .execute(params![
                connection.0,
                message.map(|id| id.0),
                column::time(expires),
                column::integer(body)
            ])?;
        Ok(())
    }

    /// Takes one out, and its body with the last entry that shares it.
    pub fn remove_unsaid(&self, unsaid: &Unsaid) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM unsaid WHERE number = ?1")?
            .execute([column::integer(unsaid.number)])?;
        self.release_body(unsaid.body)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Unsaid> {
    Ok(Unsaid {
        number: column::unsigned(row, 0)?,
        connection: ConnectionId(row.get(1)?),
        message: row.get::<_, Option<_>>(2)?.map(MessageId),
        expires: column::read_time(row, 3)?,
        body: column::unsigned(row, 4)?,
    })
}
