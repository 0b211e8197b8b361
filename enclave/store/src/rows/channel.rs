//! Keys and counters of connections that have keys.

use rusqlite::{OptionalExtension, params};
use vettid_crypto::Zeroizing;
use vettid_wire::Secret;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// Keys and counters of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Channel {
    /// Which connection.
    pub connection: ConnectionId,
    /// Id of its MLS group.
    pub mls: [u8; 16],
    /// How often the group was replaced: what comes of an earlier one was said again.
    pub generation: u64,
    /// Seed of this vault's signature key in that group.
    pub signer: Secret,
    /// The other vault's signature key in it.
    pub peer: [u8; 32],
    /// How often the other vault's identity was rotated, as far as it has shown: it does not show less.
    pub rotations: u64,
    /// Key under which both sides ask for a new group when this one is lost.
    pub resume: Secret,
    /// Sequence of what was sealed last.
    pub sent: u64,
    /// Mark of that.
    pub marked: [u8; 8],
    /// Sequence of what was applied last, without gaps.
    pub received: u64,
    /// Mark of that: a number alone may stand for something else after either side was restored.
    pub heard: [u8; 8],
    /// Since when something is missing before what waits.
    pub gap: Option<UnixMillis>,
    /// Since when something was applied that the other side was not told of.
    pub owed: Option<UnixMillis>,
    /// When this vault renewed its keys last.
    pub healed: UnixMillis,
    /// Messages since then.
    pub worn: u64,
    /// Since when this owner waits for new keys on both sides.
    pub renewing: Option<UnixMillis>,
    /// When this vault asked for a new group last.
    pub asked: Option<UnixMillis>,
    /// When this vault took a step towards one for the other side last.
    pub served: Option<UnixMillis>,
    /// Time of the newest step towards a new group that this vault has stated.
    pub stated: UnixMillis,
    /// Time of the newest request for a new group that was taken from the other side.
    pub resumed: UnixMillis,
    /// Sequence of the home record that the other side was told last.
    pub told: u64,
    /// What a new group is awaited with, or was made with, as the vault encodes it.
    pub pending: Option<Secret>,
    /// Until when nothing that waits to be sealed is tried again, because it could not be.
    pub held: Option<UnixMillis>,
}

impl View<'_> {
    /// Keys and counters of a connection, if it has keys.
    pub fn channel(&self, connection: &ConnectionId) -> Result<Option<Channel>, StoreError> {
        let sql = "SELECT mls, generation, signer, peer, resume, sent, received, heard, gap, owed,
                     healed, worn, renewing, asked, served, stated, resumed, told, pending,
                     held, rotations, marked FROM channels WHERE connection = ?1";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([connection.0], |row| {
                Ok(Channel {
                    connection: *connection,
                    mls: row.get(0)?,
                    generation: column::unsigned(row, 1)?,
                    signer: column::read_secret(row, 2)?,
                    peer: row.get(3)?,
                    resume: column::read_secret(row, 4)?,
                    sent: column::unsigned(row, 5)?,
                    received: column::unsigned(row, 6)?,
                    heard: row.get(7)?,
                    gap: column::read_time_option(row, 8)?,
                    owed: column::read_time_option(row, 9)?,
                    healed: column::read_time(row, 10)?,
                    worn: column::unsigned(row, 11)?,
                    renewing: column::read_time_option(row, 12)?,
                    asked: column::read_time_option(row, 13)?,
                    served: column::read_time_option(row, 14)?,
                    stated: column::read_time(row, 15)?,
                    resumed: column::read_time(row, 16)?,
                    told: column::unsigned(row, 17)?,
                    pending: column::read_secret_option(row, 18)?,
                    held: column::read_time_option(row, 19)?,
                    rotations: column::unsigned(row, 20)?,
                    marked: row.get(21)?,
                })
            })
            .optional()?)
    }

    /// Connections where something has been missing since before a time.
    pub fn channels_with_gap(&self, before: UnixMillis) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT connection FROM channels WHERE gap < ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows =
            statement.query_map([column::time(before)], |row| row.get(0).map(ConnectionId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Connections in which what comes next waits already.
    pub fn channels_to_follow(&self) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT connection FROM channels AS c WHERE gap IS NOT NULL AND EXISTS
                     (SELECT 1 FROM early AS e
                      WHERE e.connection = c.connection AND e.place = c.received + 1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get(0).map(ConnectionId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Connections where something was applied before a time that the other side was not told of,
    /// the oldest first; without those where `piled` entries wait to be delivered.
    pub fn channels_owing(
        &self,
        before: UnixMillis,
        piled: u32,
        at_most: u32,
    ) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT connection FROM channels AS c WHERE owed < ?1 AND ?2 >
                     (SELECT count(*) FROM outbox WHERE outbox.connection = c.connection)
                   ORDER BY owed, connection LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![column::time(before), piled, at_most];
        let rows = statement.query_map(values, |row| row.get(0).map(ConnectionId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Connections in use whose keys were last renewed before a time or too many messages ago, and
    /// whose other side was not asked for new ones since that time.
    pub fn channels_worn(
        &self,
        before: UnixMillis,
        messages: u64,
        at_most: u32,
    ) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT connection FROM channels
                   WHERE (healed < ?1 AND worn > 0 OR worn >= ?2)
                   AND (renewing IS NULL OR renewing < ?1) ORDER BY healed LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![column::time(before), column::integer(messages), at_most];
        let rows = statement.query_map(values, |row| row.get(0).map(ConnectionId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Connections in use whose other side does not know the home record of this sequence; without
    /// those where `piled` entries wait to be delivered, or anything that says what begins like
    /// `saying` still waits.
    pub fn channels_untold(
        &self,
        sequence: u64,
        (saying, piled): (&[u8], u32),
        at_most: u32,
    ) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT connection FROM channels AS c JOIN connections ON id = connection
                   WHERE told < ?1 AND state = ?2 AND ?4 >
                     (SELECT count(*) FROM outbox AS o WHERE o.connection = c.connection)
                   AND NOT EXISTS
                     (SELECT 1 FROM outbox AS o WHERE o.connection = c.connection
                      AND substr(o.said, 1, length(?3)) = ?3)
                   AND NOT EXISTS
                     (SELECT 1 FROM unsaid AS u JOIN bodies AS b ON b.number = u.body
                      WHERE u.connection = c.connection AND substr(b.body, 1, length(?3)) = ?3)
                   LIMIT ?5";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![
            column::integer(sequence),
            column::number_of(&State::Active),
            saying,
            piled,
            at_most
        ];
        let rows = statement.query_map(values, |row| row.get(0).map(ConnectionId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Adds keys and counters of a connection, or replaces them.
    pub fn put_channel(&self, channel: &Channel) -> Result<(), StoreError> {
        let mut put = self.connection.prepare_cached(
            "INSERT INTO channels (connection, mls, generation, signer, peer, resume, sent, received,
               heard, gap, owed, healed, worn, renewing, asked, served, stated, resumed, told,
               pending, held, rotations, marked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
               ?18, ?19, ?20, ?21, ?22, ?23)
             ON CONFLICT DO UPDATE SET mls = ?2, generation = ?3, signer = ?4, peer = ?5,
               resume = ?6, sent = ?7, received = ?8, heard = ?9, gap = ?10, owed = ?11,
               healed = ?12, worn = ?13, renewing = ?14, asked = ?15, served = ?16, stated = ?17,
               resumed = ?18, told = ?19, pending = ?20, held = ?21, rotations = ?22, marked = ?23",
        )?;
        let pending = channel.pending.as_ref();
        let pending = pending.map(|pending| pending.expose(|bytes| Zeroizing::new(bytes.to_vec())));
        let pending = pending.as_deref();
        channel.signer.expose(|signer| {
            channel.resume.expose(|resume| {
                put.execute(params![
                    channel.connection.0,
                    channel.mls,
                    column::integer(channel.generation),
                    signer,
                    channel.peer,
                    resume,
                    column::integer(channel.sent),
                    column::integer(channel.received),
                    channel.heard,
                    channel.gap.map(column::time),
                    channel.owed.map(column::time),
                    column::time(channel.healed),
                    column::integer(channel.worn),
                    channel.renewing.map(column::time),
                    channel.asked.map(column::time),
                    channel.served.map(column::time),
                    column::time(channel.stated),
                    column::time(channel.resumed),
                    column::integer(channel.told),
                    pending,
                    channel.held.map(column::time),
                    column::integer(channel.rotations),
                    channel.marked,
                ])
            })
        })?;
        Ok(())
    }

    /// Destroys the keys of a connection, those of its MLS group included, and what waits for them.
    pub fn remove_channel(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.remove_mls(&Conversation::Connection(*connection))?;
        self.remove_early(connection)?;
        self.remove_heard(connection)?;
        self.connection
            .prepare_cached("DELETE FROM channels WHERE connection = ?1")?
            .execute([connection.0])?;
        Ok(())
    }
}
