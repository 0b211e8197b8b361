//! Full-text search over messages, like that over items ([`crate::search`]): built when the owner
//! first searches messages, in an attached database in memory, stored nowhere.

use rusqlite::{OptionalExtension, params};
use vettid_wire::cbor;
use vettid_wire::id::MessageId;
use vettid_wire::operation::message::{Conversation, Cursor};
use vettid_wire::time::UnixMillis;

use crate::rows::cleared::SHOWN_ENTRY;
use crate::rows::column;
use crate::search::words;
use crate::{Change, Database, StoreError, View};

impl Database {
    /// Makes the index over messages, if there is none. [`Change::index_message`] keeps it current
    /// from then on.
    pub fn build_message_index(&mut self) -> Result<(), StoreError> {
        if self.messages_indexed {
            return Ok(());
        }
        self.connection
            .execute_batch("ATTACH DATABASE ':memory:' AS said")?;
        self.messages_indexed = true;
        let filled = self.fill_messages();
        if filled.is_err() {
            self.messages_indexed = false;
            self.connection.flush_prepared_statement_cache();
            self.connection.execute_batch("DETACH DATABASE said")?;
        }
        filled
    }

    fn fill_messages(&self) -> Result<(), StoreError> {
        self.connection.execute_batch(
            "PRAGMA said.page_size = 1024;
             CREATE TABLE said.entries (number INTEGER NOT NULL PRIMARY KEY,
               message BLOB NOT NULL UNIQUE, conversation BLOB NOT NULL,
               at INTEGER NOT NULL, sequence INTEGER NOT NULL) STRICT;
             CREATE VIRTUAL TABLE said.words USING fts5 (text, content = '',
               contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2')",
        )?;
        let transaction = self.connection.unchecked_transaction()?;
        let view = self.view();
        for id in view.message_ids()? {
            index(&view, &id)?;
        }
        Ok(transaction.commit()?)
    }
}

impl View<'_> {
    /// Messages that hold every word of `text`, newest first, behind where an earlier page ended;
    /// none without an index. What has disappeared by `now` is not found. Says whether there are more.
    pub fn search_messages(
        &self,
        text: &str,
        conversation: Option<&Conversation>,
        (after, limit): (Option<&Cursor>, Option<u32>),
        now: UnixMillis,
    ) -> Result<(Vec<MessageId>, bool), StoreError> {
        let words = words(text);
        if !self.messages_indexed || words.is_empty() {
            return Ok((Vec::new(), false));
        }
        let sql = format!(
            "SELECT message FROM said.words JOIN said.entries ON number = words.rowid
             WHERE words MATCH ?1 AND (?2 IS NULL OR entries.conversation = ?2)
               AND (?3 IS NULL OR (at, sequence, message) < (?3, ?4, ?5))
               AND message NOT IN (SELECT id FROM messages WHERE disappears <= ?7)
               AND {SHOWN_ENTRY}
             ORDER BY at DESC, sequence DESC, message DESC LIMIT ?6"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let (shown, fetched) = column::page(limit);
        let values = params![
            words,
            conversation.map(cbor::encode),
            after.map(|after| column::time(after.at)),
            after.map(|after| column::integer(after.sequence)),
            after.map(|after| after.id.0),
            fetched,
            column::time(now),
        ];
        let rows = statement.query_map(values, |row| row.get(0).map(MessageId))?;
        let mut found: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = found.len() > shown;
        found.truncate(shown);
        Ok((found, more))
    }
}

impl Change<'_> {
    /// Indexes a message anew, if there is an index; one without text is only taken out.
    pub fn index_message(&self, id: &MessageId) -> Result<(), StoreError> {
        if !self.messages_indexed {
            return Ok(());
        }
        let number: Option<i64> = self
            .connection
            .prepare_cached("DELETE FROM said.entries WHERE message = ?1 RETURNING number")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        if let Some(number) = number {
            self.connection
                .prepare_cached("DELETE FROM said.words WHERE rowid = ?1")?
                .execute([number])?;
        }
        index(self, id)
    }

    /// Takes everything before a place of a conversation out of the index, if there is one.
    pub(crate) fn unindex_messages(
        &self,
        conversation: &[u8],
        before: i64,
    ) -> Result<(), StoreError> {
        if !self.messages_indexed {
            return Ok(());
        }
        for sql in [
            "DELETE FROM said.words WHERE rowid IN
               (SELECT number FROM said.entries WHERE conversation = ?1 AND sequence < ?2)",
            "DELETE FROM said.entries WHERE conversation = ?1 AND sequence < ?2",
        ] {
            self.connection
                .prepare_cached(sql)?
                .execute(params![conversation, before])?;
        }
        Ok(())
    }
}

fn index(view: &View<'_>, id: &MessageId) -> Result<(), StoreError> {
    let Some(message) = view.message(id)? else {
        return Ok(());
    };
    let place = message.cursor();
    let Some(text) = message.text else {
        return Ok(());
    };
    let conversation = cbor::encode(&message.conversation);
    let number: i64 = view
        .connection
        .prepare_cached(
            "INSERT INTO said.entries (number, message, conversation, at, sequence)
             SELECT 1 + coalesce(max(number), 0), ?1, ?2, ?3, ?4 FROM said.entries
             RETURNING number",
        )?
        .query_row(
            params![
                id.0,
                conversation,
                column::time(place.at),
                column::integer(place.sequence),
            ],
            |row| row.get(0),
        )?;
    let mut insert = view
        .connection
        .prepare_cached("INSERT INTO said.words (rowid, text) VALUES (?1, ?2)")?;
    text.expose(|text| match std::str::from_utf8(text) {
        Ok(text) => insert.execute(params![number, text]).map(drop),
        Err(_) => Ok(()),
    })?;
    Ok(())
}
