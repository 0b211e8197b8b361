//! What goes to other vaults, in order, until it is known what became of it.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::Secret;
use vettid_wire::id::{ConnectionId, DeliveryId, MessageId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// Something that goes to another vault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// The same at every try.
    pub delivery: DeliveryId,
    /// For which vault.
    pub vault: VaultId,
    /// Connection that it is sealed for; none for a member of a group.
    pub connection: Option<ConnectionId>,
    /// Its sequence in that connection.
    pub sequence: Option<u64>,
    /// Message whose receipt follows from it.
    pub message: Option<MessageId>,
    /// Useless after this.
    pub expires: UnixMillis,
    /// What it says, to seal it anew when the keys were lost.
    pub said: Option<Secret>,
    /// Number of its body.
    pub body: u64,
}

/// An entry of the outbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Its place.
    pub number: u64,
    /// Whether the other node keeps it for a closed vault.
    pub stored: bool,
    /// Whether the other vault did not understand it: it is to be said again with new keys.
    pub refused: bool,
    /// Whether its connection has another group now, in which it is to be said again.
    pub again: bool,
    /// What it is.
    pub outgoing: Outgoing,
}

const COLUMNS: &str =
    "SELECT number, stored, refused, again, delivery, vault, connection, sequence, message,
    expires, said, body FROM outbox";

impl View<'_> {
    /// Entries that are still to be delivered, behind a place, oldest first.
    pub fn outbox(&self, behind: u64, at_most: u32) -> Result<Vec<Entry>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE number > ?1 AND stored IS NULL AND refused IS NULL
             AND again IS NULL ORDER BY number LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![column::integer(behind), at_most], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The entry of a delivery.
    pub fn outgoing(&self, delivery: &DeliveryId) -> Result<Option<Entry>, StoreError> {
        let sql = format!("{COLUMNS} WHERE delivery = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([delivery.0], read).optional()?)
    }

    /// Every entry of a connection, oldest first.
    pub fn outgoing_on(&self, connection: &ConnectionId) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("{COLUMNS} WHERE connection = ?1 ORDER BY number");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([connection.0], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Entries of a connection with a sequence up to this one, oldest first.
    pub fn outgoing_through(
        &self,
        connection: &ConnectionId,
        sequence: u64,
    ) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("{COLUMNS} WHERE connection = ?1 AND sequence <= ?2 ORDER BY number");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![connection.0, column::integer(sequence)], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Entries that the other node has kept since before a time, oldest first.
    pub fn outbox_stored(
        &self,
        before: UnixMillis,
        at_most: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("{COLUMNS} WHERE stored < ?1 ORDER BY number LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![column::time(before), at_most], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Entries whose time is over, oldest first.
    pub fn outbox_expired(&self, now: UnixMillis, at_most: u32) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("{COLUMNS} WHERE expires <= ?1 ORDER BY number LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![column::time(now), at_most], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Entries for vaults that are in no group any more and have no active connection: nobody says where
    /// they are.
    pub fn outbox_homeless(&self, at_most: u32) -> Result<Vec<Entry>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE connection IS NULL AND vault IN
               (SELECT vault FROM (SELECT DISTINCT vault FROM outbox WHERE connection IS NULL) AS it
                WHERE NOT EXISTS (SELECT 1 FROM group_members AS m WHERE m.vault = it.vault)
                AND NOT EXISTS (SELECT 1 FROM connections AS c
                                WHERE c.vault = it.vault AND c.state = ?1))
             ORDER BY number LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values = params![column::number_of(&State::Active), at_most];
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Connections with something that the other vault did not understand.
    pub fn connections_refused(&self, at_most: u32) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT DISTINCT connection FROM outbox
                   WHERE refused IS NOT NULL AND connection IS NOT NULL LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([at_most], |row| row.get(0).map(ConnectionId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Messages of a connection that were not delivered yet.
    pub fn count_waiting(&self, connection: &ConnectionId) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM outbox
                   WHERE connection = ?1 AND message IS NOT NULL AND stored IS NULL";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([connection.0], |row| column::unsigned32(row, 0))?)
    }

    /// How many entries there are.
    pub fn count_outbox(&self) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM outbox")?
            .query_row([], |row| column::unsigned32(row, 0))?)
    }

    /// How many entries there are of a connection.
    pub fn count_outbox_on(&self, connection: &ConnectionId) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM outbox WHERE connection = ?1")?
            .query_row([connection.0], |row| column::unsigned32(row, 0))?)
    }

    /// How many entries there are that are said in groups.
    pub fn count_outbox_in_groups(&self) -> Result<u32, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT count(*) FROM outbox WHERE connection IS NULL")?
            .query_row([], |row| column::unsigned32(row, 0))?)
    }

    /// How many of these there are for one member.
    pub fn count_outbox_for(&self, member: &VaultId) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM outbox WHERE connection IS NULL AND vault = ?1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([member.0], |row| column::unsigned32(row, 0))?)
    }

    /// The oldest entry that is to be said again and whose connection is not held.
    pub fn next_again(&self, now: UnixMillis) -> Result<Option<Entry>, StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE again IS NOT NULL AND NOT EXISTS
               (SELECT 1 FROM channels AS c WHERE c.connection = outbox.connection AND held > ?1)
             ORDER BY number LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([column::time(now)], read).optional()?)
    }

    /// A body.
    pub fn body(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT body FROM bodies WHERE number = ?1")?
            .query_row([column::integer(number)], |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// Adds a body and returns its number.
    pub fn insert_body(&self, body: &[u8]) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO bodies (number, body)
                 SELECT 1 + coalesce(max(number), 0), ?1 FROM bodies RETURNING number",
            )?
            .query_row([body], |row| column::unsigned(row, 0))?)
    }

    /// Adds an entry at the end and returns its place.
    pub fn insert_outgoing(&self, outgoing: &Outgoing) -> Result<u64, StoreError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO outbox (number, delivery, vault, connection, sequence, message, expires,
               said, body)
             SELECT 1 + coalesce(max(number), 0), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM outbox
             RETURNING number",
        )?;
        let mut write = |said: Option<&[u8]>| {
            insert.query_row(
                params![
                    outgoing.delivery.0,
                    outgoing.vault.0,
                    outgoing.connection.map(|id| id.0),
                    outgoing.sequence.map(column::integer),
                    outgoing.message.map(|id| id.0),
                    column::time(outgoing.expires),
                    said,
                    column::integer(outgoing.body),
                ],
                |row| column::unsigned(row, 0),
            )
        };
        Ok(match &outgoing.said {
            Some(said) => said.expose(|said| write(Some(said)))?,
            None => write(None)?,
        })
    }

    /// Says that the other node keeps it for a closed vault, since when this vault was told last.
    pub fn mark_stored(&self, number: u64, at: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE outbox SET stored = ?2 WHERE number = ?1")?
            .execute(params![column::integer(number), column::time(at)])?;
        Ok(())
    }

    /// Says that everything with a sequence is to be said again in a connection.
    pub fn mark_again(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE outbox SET again = 1, sequence = NULL, stored = NULL, refused = NULL
                 WHERE connection = ?1 AND sequence IS NOT NULL",
            )?
            .execute([connection.0])?;
        Ok(())
    }

    /// Says that the other vault did not understand it.
    pub fn mark_refused(&self, number: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE outbox SET refused = 1 WHERE number = ?1")?
            .execute([column::integer(number)])?;
        Ok(())
    }

    /// Forgets what an entry says; it stays, sealed.
    pub fn forget_said(&self, number: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE outbox SET said = NULL WHERE number = ?1")?
            .execute([column::integer(number)])?;
        Ok(())
    }

    /// Takes an entry out, and its body with the last entry that shares it.
    pub fn remove_outgoing(&self, entry: &Entry) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM outbox WHERE number = ?1")?
            .execute([column::integer(entry.number)])?;
        self.release_body(entry.outgoing.body)
    }

    /// Forgets a body that nothing refers to.
    pub fn release_body(&self, number: u64) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM bodies WHERE number = ?1
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE body = ?1)
                 AND NOT EXISTS (SELECT 1 FROM unsaid WHERE body = ?1)",
            )?
            .execute([column::integer(number)])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        number: column::unsigned(row, 0)?,
        stored: column::read_flag(row, 1)?,
        refused: column::read_flag(row, 2)?,
        again: column::read_flag(row, 3)?,
        outgoing: Outgoing {
            delivery: DeliveryId(row.get(4)?),
            vault: VaultId(row.get(5)?),
            connection: row.get::<_, Option<_>>(6)?.map(ConnectionId),
            sequence: match column::is_null(row, 7)? {
                true => None,
                false => Some(column::unsigned(row, 7)?),
            },
            message: row.get::<_, Option<_>>(8)?.map(MessageId),
            expires: column::read_time(row, 9)?,
            said: column::read_secret_option(row, 10)?,
            body: column::unsigned(row, 11)?,
        },
    })
}
