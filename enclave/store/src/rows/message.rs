//! Messages of all conversations.
//!
//! Every change of a message takes the next number over all conversations, so that a device can ask
//! for what has changed since it was here. What is removed leaves a row that says so.

use rusqlite::{OptionalExtension, Row, params};
use vettid_wire::Secret;
use vettid_wire::attachment::Attachment;
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::operation::message::{Conversation, Failed, From, Message, Messages, Receipt};
use vettid_wire::time::UnixMillis;

use super::cleared::SHOWN;
use super::column;
use crate::{Change, StoreError, View};

/// What a message says.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Body {
    /// Text.
    #[n(0)]
    pub text: Secret,
    /// Files.
    #[n(1)]
    pub attachments: Vec<Attachment>,
}

/// A message to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// Its id here.
    pub id: MessageId,
    /// What its sender calls it, if another sender had that id before.
    pub said: Option<MessageId>,
    /// Where it belongs.
    pub conversation: Conversation,
    /// Vault that sent it; none for this one.
    pub sender: Option<VaultId>,
    /// When it was sent, by its sender's clock.
    pub sent: UnixMillis,
    /// When it came.
    pub received: Option<UnixMillis>,
    /// What it says.
    pub body: &'a Body,
    /// Message that it answers.
    pub reply_to: Option<MessageId>,
    /// How far it has come, if this vault sent it.
    pub receipt: Option<Receipt>,
    /// Disappears this long after it was read, ms.
    pub disappear_after: Option<u64>,
}

/// Where a kept message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Placed {
    /// Its place in the conversation.
    pub sequence: u64,
    /// Number of its newest change.
    pub change: u64,
}

const COLUMNS: &str = "SELECT id, conversation, sequence, change, sender, sent, received, body,
    edited, removed, reply_to, receipt, failed, disappear_after, disappears, read FROM messages";

impl View<'_> {
    /// One message.
    pub fn message(&self, id: &MessageId) -> Result<Option<Message>, StoreError> {
        let sql = format!("{COLUMNS} WHERE id = ?1 AND {SHOWN}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id.0], read).optional()?;
        found.map(|found| self.with_reactions(found)).transpose()
    }

    /// Whether there is a row of a message, also one that was emptied with its conversation.
    pub fn is_message(&self, id: &MessageId) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM messages WHERE id = ?1")?
            .exists([id.0])?)
    }

    /// Whether anything was said in a conversation.
    pub fn has_messages(&self, conversation: &Conversation) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM messages WHERE conversation = ?1 LIMIT 1")?
            .exists([cbor::encode(conversation)])?)
    }

    /// A page of a conversation, in the order of places.
    pub fn messages(
        &self,
        conversation: &Conversation,
        from: From,
        limit: Option<u32>,
    ) -> Result<Messages, StoreError> {
        let (shown, fetched) = column::page(limit);
        let (bound, order, border) = match from {
            From::Newest => ("<", "DESC", u64::MAX),
            From::Before(place) => ("<", "DESC", place),
            From::Behind(place) => (">", "ASC", place),
        };
        let sql = format!(
            "{COLUMNS} WHERE conversation = ?1 AND sequence {bound} ?2 AND sequence > ?4
             ORDER BY sequence {order} LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let values = params![
            cbor::encode(conversation),
            column::integer(border),
            fetched,
            column::integer(self.cleared_through(conversation)?),
        ];
        let mut page = self.page(statement.query_map(values, read)?, shown)?;
        if order == "DESC" {
            page.messages.reverse();
        }
        Ok(page)
    }

    /// A page of what has changed behind a number, in the order of the changes.
    pub fn message_changes(&self, behind: u64, limit: Option<u32>) -> Result<Messages, StoreError> {
        let (shown, fetched) = column::page(limit);
        let sql = format!("{COLUMNS} WHERE change > ?1 AND {SHOWN} ORDER BY change LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![column::integer(behind), fetched], read)?;
        self.with_cleared(self.page(rows, shown)?, (behind, shown))
    }

    /// Number of the newest change of a message; zero for none.
    pub fn newest_change(&self) -> Result<u64, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT max(coalesce((SELECT max(change) FROM messages), 0),
                            coalesce((SELECT max(change) FROM cleared), 0))",
            )?
            .query_row([], |row| column::unsigned(row, 0))?)
    }

    /// Messages of others in a conversation that were not read.
    pub fn count_unread(&self, conversation: &Conversation) -> Result<u32, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM messages WHERE conversation = ?1
             AND sender IS NOT NULL AND read IS NULL AND removed IS NULL AND {SHOWN}"
        );
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([cbor::encode(conversation)], |row| {
                column::unsigned32(row, 0)
            })?)
    }

    /// Messages of others up to a place that were not read, oldest first, and whether there are more.
    pub fn unread_through(
        &self,
        conversation: &Conversation,
        through: u64,
        at_most: usize,
    ) -> Result<(Vec<Message>, bool), StoreError> {
        let sql = format!(
            "{COLUMNS} WHERE conversation = ?1 AND sequence <= ?2
             AND sender IS NOT NULL AND read IS NULL AND removed IS NULL AND {SHOWN}
             ORDER BY sequence
             LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let (conversation, through) = (cbor::encode(conversation), column::integer(through));
        let fetched = i64::try_from(at_most.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![conversation, through, fetched], read)?;
        let mut found: Vec<_> = rows.collect::<Result<_, _>>()?;
        let more = found.len() > at_most;
        found.truncate(at_most);
        Ok((found, more))
    }

    /// Messages whose time to disappear has come.
    pub fn messages_to_disappear(
        &self,
        now: UnixMillis,
        at_most: u32,
    ) -> Result<Vec<MessageId>, StoreError> {
        let sql = "SELECT id FROM messages WHERE disappears <= ?1 AND removed IS NULL LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![column::time(now), at_most], |row| {
            row.get(0).map(MessageId)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Ids of every message with text.
    pub fn message_ids(&self) -> Result<Vec<MessageId>, StoreError> {
        let sql = "SELECT id FROM messages WHERE body IS NOT NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| row.get(0).map(MessageId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Keeps a message at the end of its conversation. Fails if the id is taken.
    pub fn insert_message(&self, message: &NewMessage<'_>) -> Result<Placed, StoreError> {
        let conversation = cbor::encode(&message.conversation);
        let sequence: u64 = self
            .connection
            .prepare_cached(
                "SELECT 1 + max(
                   coalesce((SELECT max(sequence) FROM messages WHERE conversation = ?1), 0),
                   coalesce((SELECT through FROM cleared WHERE conversation = ?1), 0))",
            )?
            .query_row([&conversation], |row| column::unsigned(row, 0))?;
        let change = self.newest_change()?.saturating_add(1);
        let body = Secret::new(cbor::encode(message.body));
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO messages (id, conversation, sequence, change, sender, sent, received, body,
               reply_to, receipt, disappear_after, said)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        body.expose(|body| {
            insert.execute(params![
                message.id.0,
                conversation,
                column::integer(sequence),
                column::integer(change),
                message.sender.map(|sender| sender.0),
                column::time(message.sent),
                message.received.map(column::time),
                body,
                message.reply_to.map(|id| id.0),
                message.receipt.as_ref().map(column::number_of),
                message.disappear_after.map(column::integer),
                message.said.map(|said| said.0),
            ])
        })?;
        if let Some(sender) = &message.sender {
            self.weigh_new(&conversation, sender, body.len())?;
        }
        Ok(Placed { sequence, change })
    }

    /// Replaces what a message says. Returns the number of the change.
    pub fn edit_message(
        &self,
        id: &MessageId,
        body: &Body,
        at: UnixMillis,
    ) -> Result<u64, StoreError> {
        let body = Secret::new(cbor::encode(body));
        self.weigh_anew(id, body.len())?;
        let mut update = self
            .connection
            .prepare_cached("UPDATE messages SET body = ?2, edited = ?3 WHERE id = ?1")?;
        body.expose(|body| update.execute(params![id.0, body, column::time(at)]))?;
        self.touch_message(id)
    }

    /// Destroys what a message says. Returns the number of the change.
    pub fn remove_message(&self, id: &MessageId, at: UnixMillis) -> Result<u64, StoreError> {
        self.weigh_anew(id, 0)?;
        self.connection
            .prepare_cached(
                "UPDATE messages SET body = NULL, removed = ?2, disappears = NULL WHERE id = ?1",
            )?
            .execute(params![id.0, column::time(at)])?;
        self.remove_reactions(id)?;
        self.remove_receipts(id)?;
        self.touch_message(id)
    }

    /// Says how far a message has come. It never goes back. One that comes after it was given up has not
    /// failed; that a change of one that has come before never will, stays said. The number of the change,
    /// if it is one.
    pub fn raise_receipt(
        &self,
        id: &MessageId,
        receipt: Receipt,
    ) -> Result<Option<u64>, StoreError> {
        let raised = self
            .connection
            .prepare_cached(
                "UPDATE messages SET receipt = ?2,
                   failed = CASE WHEN receipt < ?3 THEN NULL ELSE failed END
                 WHERE id = ?1 AND receipt < ?2",
            )?
            .execute(params![
                id.0,
                column::number_of(&receipt),
                column::number_of(&Receipt::Delivered)
            ])?;
        (raised > 0).then(|| self.touch_message(id)).transpose()
    }

    /// The same of a message to a group: that one member will never get it stays said.
    pub fn raise_least_receipt(
        &self,
        id: &MessageId,
        least: Receipt,
    ) -> Result<Option<u64>, StoreError> {
        let raised = self
            .connection
            .prepare_cached("UPDATE messages SET receipt = ?2 WHERE id = ?1 AND receipt < ?2")?
            .execute(params![id.0, column::number_of(&least)])?;
        (raised > 0).then(|| self.touch_message(id)).transpose()
    }

    /// Says that a message will not be delivered. Returns the number of the change.
    pub fn fail_message(&self, id: &MessageId, why: Failed) -> Result<u64, StoreError> {
        self.connection
            .prepare_cached("UPDATE messages SET failed = ?2 WHERE id = ?1")?
            .execute(params![id.0, column::number_of(&why)])?;
        self.touch_message(id)
    }

    /// Says that a message was read, and when it disappears. Returns the number of the change.
    pub fn mark_read(
        &self,
        id: &MessageId,
        at: UnixMillis,
        disappears: Option<UnixMillis>,
    ) -> Result<u64, StoreError> {
        self.connection
            .prepare_cached("UPDATE messages SET read = ?2, disappears = ?3 WHERE id = ?1")?
            .execute(params![
                id.0,
                column::time(at),
                disappears.map(column::time)
            ])?;
        self.touch_message(id)
    }

    /// Says when a message disappears. Returns the number of the change.
    pub fn set_disappears(&self, id: &MessageId, at: UnixMillis) -> Result<u64, StoreError> {
        self.connection
            .prepare_cached("UPDATE messages SET disappears = ?2 WHERE id = ?1")?
            .execute(params![id.0, column::time(at)])?;
        self.touch_message(id)
    }

    /// Gives a message the next number of a change, and returns the newest. What was emptied with its
    /// conversation gets none: it would be gone with the row, and given to another.
    pub fn touch_message(&self, id: &MessageId) -> Result<u64, StoreError> {
        let newest = self.newest_change()?;
        let next = newest.saturating_add(1);
        let sql = format!("UPDATE messages SET change = ?2 WHERE id = ?1 AND {SHOWN}");
        let touched = self
            .connection
            .prepare_cached(&sql)?
            .execute(params![id.0, column::integer(next)])?;
        Ok(if touched > 0 { next } else { newest })
    }
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    let body: Option<Body> = match column::is_null(row, 7)? {
        true => None,
        false => Some(column::read_wire(row, 7)?),
    };
    let (text, attachments) = body.map_or((None, Vec::new()), |body| {
        (Some(body.text), body.attachments)
    });
    let failed: Option<Failed> = match column::is_null(row, 12)? {
        true => None,
        false => Some(column::read_number_of(row, 12)?),
    };
    Ok(Message {
        id: MessageId(row.get(0)?),
        conversation: column::read_wire(row, 1)?,
        sequence: column::unsigned(row, 2)?,
        change: column::unsigned(row, 3)?,
        from: row.get::<_, Option<_>>(4)?.map(VaultId),
        sent: column::read_time(row, 5)?,
        received: column::read_time_option(row, 6)?,
        text,
        edited: column::read_time_option(row, 8)?,
        removed: column::read_time_option(row, 9)?,
        reply_to: row.get::<_, Option<_>>(10)?.map(MessageId),
        attachments,
        reactions: Vec::new(),
        reacted: 0,
        receipt: match column::is_null(row, 11)? {
            true => None,
            false => Some(column::read_number_of(row, 11)?),
        },
        failed,
        disappear_after: column::read_time_option(row, 13)?.map(|after| after.0),
        disappears: column::read_time_option(row, 14)?,
        read: column::read_time_option(row, 15)?,
    })
}
