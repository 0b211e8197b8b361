//! The owner's feed.

use rusqlite::params;
use vettid_wire::cbor;
use vettid_wire::id::DeviceId;
use vettid_wire::operation::feed::{Entries, Entry, Kind, List};
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::UnixMillis;

use super::column;
use crate::{Change, StoreError, View};

/// Entries that are kept: years of what an owner needs to be told.
const KEPT: u64 = 5_000;

impl View<'_> {
    /// A page of the feed, oldest first.
    pub fn feed(&self, list: &List) -> Result<Entries, StoreError> {
        let (shown, fetched) = column::page(list.limit);
        let mut statement = self.connection.prepare_cached(
            "SELECT sequence, at, kind, (SELECT id FROM devices WHERE number = device), read,
               conversation
             FROM feed WHERE sequence > ?1 AND (read IS NULL OR ?2 IS NULL)
             ORDER BY sequence LIMIT ?3",
        )?;
        let after = column::integer(list.after);
        let rows =
            statement.query_map(params![after, column::flag(list.unread), fetched], |row| {
                Ok(Entry {
                    sequence: column::unsigned(row, 0)?,
                    at: column::read_time(row, 1)?,
                    kind: column::read_number_of(row, 2)?,
                    device: row.get::<_, Option<[u8; 32]>>(3)?.map(DeviceId),
                    read: column::read_time_option(row, 4)?,
                    conversation: match column::is_null(row, 5)? {
                        true => None,
                        false => Some(column::read_wire(row, 5)?),
                    },
                })
            })?;
        let mut entries: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = entries.len() > shown;
        entries.truncate(shown);
        Ok(Entries { entries, more })
    }

    /// Sequence of the newest entry; zero for an empty feed.
    pub fn newest_feed(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT coalesce(max(sequence), 0) FROM feed")?
            .query_row([], |row| column::unsigned(row, 0))?)
    }
}

impl Change<'_> {
    /// Adds an entry and returns its sequence. The oldest entry goes once there are 5,000.
    pub fn append_feed(
        &self,
        at: UnixMillis,
        kind: Kind,
        device: Option<&DeviceId>,
    ) -> Result<u64, StoreError> {
        self.append_feed_about(at, kind, device, None)
    }

    /// The same, for an entry about a connection or group.
    pub fn append_feed_about(
        &self,
        at: UnixMillis,
        kind: Kind,
        device: Option<&DeviceId>,
        conversation: Option<&Conversation>,
    ) -> Result<u64, StoreError> {
        let sequence = self.newest_feed()?.saturating_add(1);
        let device = device
            .map(|device| self.number_device(device))
            .transpose()?;
        self.connection
            .prepare_cached(
                "INSERT INTO feed (sequence, at, kind, device, conversation)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                column::integer(sequence),
                column::time(at),
                column::number_of(&kind),
                device,
                conversation.map(cbor::encode),
            ])?;
        self.connection
            .prepare_cached("DELETE FROM feed WHERE sequence <= ?1")?
            .execute([column::integer(sequence.saturating_sub(KEPT))])?;
        Ok(sequence)
    }

    /// Sequence of an entry of a kind about a connection or group that was not read, if there is one.
    pub fn unread_feed_about(
        &self,
        kind: Kind,
        conversation: &Conversation,
    ) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT max(sequence) FROM feed
                   WHERE conversation = ?1 AND kind = ?2 AND read IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![cbor::encode(conversation), column::number_of(&kind)];
        Ok(
            statement.query_row(values, |row| match column::is_null(row, 0)? {
                true => Ok(None),
                false => column::unsigned(row, 0).map(Some),
            })?,
        )
    }

    /// Marks every entry up to `through` as read.
    pub fn mark_feed_read(&self, through: u64, at: UnixMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE feed SET read = ?2 WHERE sequence <= ?1 AND read IS NULL")?
            .execute(params![column::integer(through), column::time(at)])?;
        Ok(())
    }
}
