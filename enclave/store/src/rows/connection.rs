//! Connections with other owners.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::id::{ConnectionId, VaultId};
use vettid_wire::operation::connection::{Ended, List, Settings, State};
use vettid_wire::operation::invitation::Card;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// A connection without what is counted elsewhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// How far it has come.
    pub state: State,
    /// Vault at the other end.
    pub vault: VaultId,
    /// Whether this vault has invited the other.
    pub inviter: bool,
    /// When it began.
    pub created: UnixMillis,
    /// When something was sent or received last.
    pub active: UnixMillis,
    /// What the other owner shows.
    pub card: Card,
    /// Digits to compare.
    pub safety_code: Option<String>,
    /// When they were.
    pub verified: Option<UnixMillis>,
    /// What this owner has set.
    pub settings: Settings,
    /// Where the other vault was, as the vault encodes it.
    pub home: Vec<u8>,
    /// How far an agreement on keys has come, as the vault encodes it.
    pub progress: Option<Secret>,
    /// Digest of the token of the link that this owner has used; none where this vault has invited.
    pub token: Option<[u8; 32]>,
    /// How it has ended, if it has.
    pub ended: Option<Ended>,
}

const COLUMNS: &str = "SELECT id, state, vault, inviter, created, active, card, safety_code,
    verified, alias, favorite, archived, muted, no_read_receipts, home, progress, token,
    ended FROM connections";

impl View<'_> {
    /// One connection.
    pub fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        let sql = format!("{COLUMNS} WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id.0], read).optional()?;
        found.map(|found| self.with_tags(found)).transpose()
    }

    /// A page of connections, newest activity first, and whether more follow.
    pub fn connections(&self, list: &List) -> Result<(Vec<Connection>, bool), StoreError> {
        let (shown, fetched) = column::page(list.limit);
        let sql = format!(
            "{COLUMNS} WHERE (archived IS NOT NULL) = ?1 AND (?2 IS NULL OR state = ?2)
               AND (?3 IS NULL OR EXISTS (SELECT 1 FROM connection_tags
                                          WHERE connection = id AND tag = ?3))
               AND (?4 IS NULL OR (active, id) < (?4, ?5))
             ORDER BY active DESC, id DESC LIMIT ?6"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                list.archived,
                list.state.as_ref().map(column::number_of),
                list.tag,
                list.after.map(|after| column::time(after.active)),
                list.after.map(|after| after.id.0),
                fetched,
            ],
            read,
        )?;
        let mut found: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = found.len() > shown;
        found.truncate(shown);
        let found = found.into_iter().map(|found| self.with_tags(found));
        Ok((found.collect::<Result<_, _>>()?, more))
    }

    /// Every connection with a vault, newest first.
    pub fn connections_with(
        &self,
        vault: &VaultId,
    ) -> Result<Vec<(ConnectionId, State)>, StoreError> {
        let sql = "SELECT id, state FROM connections WHERE vault = ?1 ORDER BY created DESC, id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([vault.0], |row| {
            Ok((ConnectionId(row.get(0)?), column::read_number_of(row, 1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The connection that was begun with a link, by the digest of its token.
    pub fn connection_of_token(
        &self,
        token: &[u8; 32],
    ) -> Result<Option<ConnectionId>, StoreError> {
        let sql = "SELECT id FROM connections WHERE token = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([token], |row| row.get(0).map(ConnectionId));
        Ok(found.optional()?)
    }

    /// Ids of all connections in a state that began before a time.
    pub fn connections_in(
        &self,
        state: State,
        before: UnixMillis,
    ) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT id FROM connections WHERE state = ?1 AND created < ?2 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(
            params![column::number_of(&state), column::time(before)],
            |row| row.get(0).map(ConnectionId),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many connections are kept that have not ended.
    pub fn count_connections(&self) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM connections WHERE state NOT IN (?1, ?2)";
        Ok(self.connection.prepare_cached(sql)?.query_row(
            params![
                column::number_of(&State::Declined),
                column::number_of(&State::Revoked)
            ],
            |row| column::unsigned32(row, 0),
        )?)
    }

    fn with_tags(&self, mut found: Connection) -> Result<Connection, StoreError> {
        let sql = "SELECT tag FROM connection_tags WHERE connection = ?1 ORDER BY tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([found.id.0], |row| row.get(0))?;
        found.settings.tags = rows.collect::<Result<_, _>>()?;
        Ok(found)
    }
}

impl Change<'_> {
    /// Adds a connection, or replaces all of it but its tags.
    pub fn put_connection(&self, connection: &Connection) -> Result<(), StoreError> {
        let settings = &connection.settings;
        let mut put = self.connection.prepare_cached(
            "INSERT INTO connections (id, state, vault, inviter, created, active, card,
               safety_code, verified, alias, favorite, archived, muted, no_read_receipts, home,
               progress, token, ended)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
               ?18)
             ON CONFLICT DO UPDATE SET state = ?2, vault = ?3, inviter = ?4, created = ?5,
               active = ?6, card = ?7, safety_code = ?8, verified = ?9, alias = ?10,
               favorite = ?11, archived = ?12, muted = ?13, no_read_receipts = ?14, home = ?15,
               progress = ?16, token = ?17, ended = ?18",
        )?;
        let mut write = |progress: Option<&[u8]>| {
            put.execute(params![
                connection.id.0,
                column::number_of(&connection.state),
                connection.vault.0,
                column::flag(connection.inviter),
                column::time(connection.created),
                column::time(connection.active),
                cbor::encode(&connection.card),
                connection.safety_code,
                connection.verified.map(column::time),
                settings.alias,
                column::flag(settings.favorite),
                column::flag(settings.archived),
                column::flag(settings.muted),
                column::flag(settings.no_read_receipts),
                connection.home,
                progress,
                connection.token,
                connection.ended.as_ref().map(column::number_of),
            ])
        };
        match &connection.progress {
            Some(progress) => progress.expose(|progress| write(Some(progress)))?,
            None => write(None)?,
        };
        Ok(())
    }

    /// Replaces the tags of a connection.
    pub fn set_connection_tags(
        &self,
        id: &ConnectionId,
        tags: &[String],
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM connection_tags WHERE connection = ?1")?
            .execute([id.0])?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO connection_tags (connection, tag) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        for tag in tags {
            insert.execute(params![id.0, tag])?;
        }
        Ok(())
    }

    /// Says that something was sent or received.
    pub fn touch_connection(&self, id: &ConnectionId, at: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE connections SET active = ?2 WHERE id = ?1")?
            .execute(params![id.0, column::time(at)])?;
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Connection> {
    Ok(Connection {
        id: ConnectionId(row.get(0)?),
        state: column::read_number_of(row, 1)?,
        vault: VaultId(row.get(2)?),
        inviter: column::read_flag(row, 3)?,
        created: column::read_time(row, 4)?,
        active: column::read_time(row, 5)?,
        card: column::read_wire(row, 6)?,
        safety_code: row.get(7)?,
        verified: column::read_time_option(row, 8)?,
        settings: Settings {
            alias: row.get(9)?,
            tags: Vec::new(),
            favorite: column::read_flag(row, 10)?,
            archived: column::read_flag(row, 11)?,
            muted: column::read_flag(row, 12)?,
            no_read_receipts: column::read_flag(row, 13)?,
        },
        home: row.get(14)?,
        progress: column::read_secret_option(row, 15)?,
        token: row.get(16)?,
        ended: match column::is_null(row, 17)? {
            true => None,
            false => Some(column::read_number_of(row, 17)?),
        },
    })
}
