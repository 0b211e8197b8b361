//! Conversations that their owner has emptied up to a place.
//!
//! What is before that place is not shown from then on; its rows go in parts, each of which one record
//! holds, also after a restart. One change says all of it to devices that were away.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::cbor;
use vettid_wire::operation::message::{Cleared, Conversation, Messages};

use super::column;
use crate::{Change, StoreError, View};

/// Condition that a row of a table is not of an emptied part of its conversation.
macro_rules! shown {
    ($rows:literal) => {
        concat!(
            $rows,
            ".sequence > coalesce((SELECT through FROM cleared WHERE cleared.conversation = ",
            $rows,
            ".conversation), 0)"
        )
    };
}

/// Whether a row of `messages` is shown.
pub(super) const SHOWN: &str = shown!("messages");

/// Whether a row of the search's `entries` is shown.
pub(crate) const SHOWN_ENTRY: &str = shown!("entries");

impl View<'_> {
    /// Up to which place a conversation was emptied; zero for none.
    pub(super) fn cleared_through(&self, conversation: &Conversation) -> Result<u64, StoreError> {
        let through = self
            .connection
            .prepare_cached("SELECT through FROM cleared WHERE conversation = ?1")?
            .query_row([cbor::encode(conversation)], |row| column::unsigned(row, 0));
        Ok(through.optional()?.unwrap_or_default())
    }

    /// A conversation of which rows are still to be deleted.
    pub fn clearing(&self) -> Result<Option<Cleared>, StoreError> {
        let sql =
            "SELECT conversation, through, change FROM cleared WHERE rest IS NOT NULL LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([], read).optional()?)
    }

    /// Adds to a page of changes what was emptied behind a number, in their order: as many in all as a
    /// page shows.
    pub(super) fn with_cleared(
        &self,
        mut page: Messages,
        (behind, shown): (u64, usize),
    ) -> Result<Messages, StoreError> {
        let last = page.messages.last().filter(|_| page.more);
        let through = last.map_or(u64::MAX, |last| last.change);
        let sql = "SELECT conversation, through, change FROM cleared
                   WHERE change > ?1 AND change <= ?2 ORDER BY change LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let fetched = i64::try_from(shown.saturating_add(1)).unwrap_or(i64::MAX);
        let values = params![column::integer(behind), column::integer(through), fetched];
        page.cleared = statement
            .query_map(values, read)?
            .collect::<Result<_, _>>()?;
        if page.cleared.len() > shown {
            page.cleared.truncate(shown);
            let end = page.cleared.last().map_or(0, |last| last.change);
            page.messages.retain(|message| message.change <= end);
            page.more = true;
        }
        Ok(page)
    }
}

impl Change<'_> {
    /// Empties a conversation up to a place, which is given the number of a change. Whether there was
    /// anything.
    pub fn clear_messages(
        &self,
        conversation: &Conversation,
        through: u64,
    ) -> Result<bool, StoreError> {
        let before = self.cleared_through(conversation)?;
        let encoded = cbor::encode(conversation);
        let newest: Option<u64> = self
            .connection
            .prepare_cached(
                "SELECT max(sequence) FROM messages
                 WHERE conversation = ?1 AND sequence > ?2 AND sequence <= ?3",
            )?
            .query_row(
                params![encoded, column::integer(before), column::integer(through)],
                |row| match column::is_null(row, 0)? {
                    true => Ok(None),
                    false => column::unsigned(row, 0).map(Some),
                },
            )?;
        let Some(newest) = newest else {
            return Ok(false);
        };
        let change = self.newest_change()?.saturating_add(1);
        self.connection
            .prepare_cached(
                "INSERT INTO cleared (conversation, through, change, rest) VALUES (?1, ?2, ?3, 1)
                 ON CONFLICT DO UPDATE SET through = ?2, change = ?3, rest = 1",
            )?
            .execute(params![
                encoded,
                column::integer(newest),
                column::integer(change)
            ])?;
        Ok(true)
    }

    /// Deletes messages of what was emptied, the oldest first, with all that is kept beside them, and gives
    /// their weight back: `at_most` so many rows in all, and one message at least.
    pub fn clear_some(&self, of: &Cleared, at_most: u32) -> Result<(), StoreError> {
        let conversation = cbor::encode(&of.conversation);
        let through = column::integer(of.through);
        let cut: Option<i64> = self
            .connection
            .prepare_cached(
                "SELECT sequence FROM (
                   SELECT sequence, row_number() OVER place AS number, sum(1
                     + (SELECT count(*) FROM receipts WHERE message = messages.id)
                     + (SELECT count(*) FROM reactions WHERE message = messages.id)
                   ) OVER place AS rows FROM messages
                   WHERE conversation = ?1 AND sequence <= ?2
                   WINDOW place AS (ORDER BY sequence) LIMIT ?3 + 1)
                 WHERE rows > ?3 AND number > 1 ORDER BY sequence LIMIT 1",
            )?
            .query_row(params![conversation, through, at_most], |row| row.get(0))
            .optional()?;
        // The first that stays.
        let cut = cut.unwrap_or_else(|| through.saturating_add(1));
        self.weigh_cleared(&conversation, cut)?;
        for table in ["reactions", "receipts"] {
            let sql = format!(
                "DELETE FROM {table} WHERE message IN
                   (SELECT id FROM messages WHERE conversation = ?1 AND sequence < ?2)"
            );
            self.connection
                .prepare_cached(&sql)?
                .execute(params![conversation, cut])?;
        }
        self.unindex_messages(&conversation, cut)?;
        self.connection
            .prepare_cached("DELETE FROM messages WHERE conversation = ?1 AND sequence < ?2")?
            .execute(params![conversation, cut])?;
        if cut > through {
            self.connection
                .prepare_cached("UPDATE cleared SET rest = NULL WHERE conversation = ?1")?
                .execute([conversation])?;
        }
        Ok(())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Cleared> {
    Ok(Cleared {
        conversation: column::read_wire(row, 0)?,
        through: column::unsigned(row, 1)?,
        change: column::unsigned(row, 2)?,
    })
}
