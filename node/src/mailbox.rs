//! Mailboxes: deliveries for closed vaults, sealed, until their vault has applied them.
//!
//! What the host sees is which space something is for, its size and how long it is kept. A delivery
//! id that is there already is stored once. Quotas are a space's own: a full mailbox is nobody
//! else's.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::time::sleep;
use vettid_wire::id::{DeliveryId, MailboxId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::federation::{Mail, MailOutcome};
use vettid_wire::time::UnixMillis;

use crate::database::column::{integer, number};
use crate::database::{Database, Full, ReadError, WriteError};

/// Bytes of one page: it must fit a frame of the link, with the items' own framing.
const PAGE_BYTES: usize = limits::LINK_FRAME - 64 * 1024;

/// Pause before a mailbox that could not be read is read again.
const READ_AGAIN: Duration = Duration::from_millis(500);

const INSERT: &str = "INSERT INTO mail (space, delivery, expires, bytes)
    SELECT ?1, ?2, ?3, ?4 FROM space_use u
    WHERE u.space = ?1 AND u.mails < ?5 AND u.mail_bytes + length(?4) <= ?6
    ON CONFLICT (space, delivery) DO NOTHING";

const READ: &str = "SELECT number, bytes FROM mail
    WHERE space = ?1 AND number > ?2 AND expires > ?3 ORDER BY number LIMIT ?4";

/// The record must be there before what it holds may be forgotten.
const DROP: &str = "DELETE FROM mail WHERE space = ?1 AND number > ?2 AND number <= ?3
    AND ?4 <= (SELECT coalesce(max(number), 0) FROM record WHERE space = ?1)";

/// Something for a mailbox.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Post {
    pub(crate) mailbox: MailboxId,
    pub(crate) delivery: DeliveryId,
    pub(crate) expires: UnixMillis,
    pub(crate) bytes: Vec<u8>,
}

/// Items of a space's mailbox that a record holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Applied {
    pub(crate) space: SpaceId,
    /// The record.
    pub(crate) after: u64,
    /// The last of them.
    pub(crate) through: u64,
    /// The one before the first of them.
    pub(crate) behind: u64,
}

/// The mailboxes of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mailboxes {
    database: Database,
}

impl Mailboxes {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Notes whose mailbox this is; what waits for the space stays.
    pub(crate) fn bind(&self, space: SpaceId, mailbox: MailboxId) -> Result<(), Full> {
        let bind = move |connection: &Connection| bind_in(connection, space, mailbox);
        self.database.queue(0, bind, |_| {})
    }

    /// The same when the queue is full: waits for a place in it.
    pub(crate) async fn bind_when_free(&self, space: SpaceId, mailbox: MailboxId) {
        let bind = move |connection: &Connection| bind_in(connection, space, mailbox);
        if let Err(error) = self.database.transact(bind).await {
            tracing::warn!(%error, "a mailbox is not noted until its vault is unlocked again");
        }
    }

    /// Stores something, in the order of the calls; `told` is called once it is durable.
    pub(crate) fn put(
        &self,
        post: Post,
        told: impl FnOnce(MailOutcome) + Send + 'static,
    ) -> Result<(), Full> {
        self.database.queue(
            post.bytes.len(),
            move |connection| put_in(connection, &post),
            |stored| told(stored.unwrap_or(MailOutcome::Failed)),
        )
    }

    /// A page of a space's mailbox: the oldest behind a number that have not expired. Everything
    /// put before the call is seen.
    pub(crate) async fn page(
        &self,
        space: SpaceId,
        behind: u64,
        now: UnixMillis,
    ) -> Result<Vec<Mail>, ReadError> {
        // Goes through the writer's queue; when it fails, so did what was put.
        if self.database.transact(|_| Ok(())).await == Err(WriteError::Closed) {
            return Err(ReadError::Closed);
        }
        self.database
            .read(move |connection| read_in(connection, space, behind, now))
            .await
    }

    /// The same as soon as it can be read: no items would say that there are no more. Nothing once it
    /// is not wanted any more, or can never be read again.
    pub(crate) async fn page_when_readable(
        &self,
        (space, behind): (SpaceId, u64),
        now: fn() -> UnixMillis,
        is_wanted: impl Fn() -> bool,
    ) -> Option<Vec<Mail>> {
        let mut has_warned = false;
        while is_wanted() {
            match self.page(space, behind, now()).await {
                Ok(items) => return Some(items),
                Err(ReadError::Closed) => return None,
                Err(error) if !has_warned => {
                    tracing::warn!(%error, "a mailbox cannot be read now");
                    has_warned = true;
                }
                Err(_) => {}
            }
            sleep(READ_AGAIN).await;
        }
        None
    }

    /// Forgets what was applied, behind its record and in the order of the calls.
    pub(crate) fn forget(&self, applied: Applied) -> Result<(), Full> {
        let forget = move |connection: &Connection| {
            connection
                .prepare_cached(DROP)?
                .execute(params![
                    applied.space.0,
                    integer(applied.behind),
                    integer(applied.through),
                    integer(applied.after)
                ])
                .map(drop)
        };
        self.database.queue(0, forget, |_| {})
    }

    /// Removes what has expired; how many there were.
    pub(crate) async fn sweep(&self, now: UnixMillis) -> Result<usize, WriteError> {
        self.database
            .transact(move |connection| {
                connection.execute("DELETE FROM mail WHERE expires <= ?1", [integer(now.0)])
            })
            .await
    }

    /// Items that wait, and their bytes.
    pub(crate) async fn count(&self) -> Result<(i64, i64), ReadError> {
        self.database
            .read(|connection| {
                connection.query_row(
                    "SELECT coalesce(sum(mails), 0), coalesce(sum(mail_bytes), 0) FROM space_use",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
            })
            .await
    }
}

fn bind_in(connection: &Connection, space: SpaceId, mailbox: MailboxId) -> rusqlite::Result<()> {
    let bound: Option<[u8; 16]> = connection
        .prepare_cached("SELECT id FROM mailbox WHERE space = ?1")?
        .query_row([space.0], |row| row.get(0))
        .optional()?;
    if bound == Some(mailbox.0) {
        return Ok(());
    }
    // A space that was removed meanwhile gets none.
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO mailbox (id, space) SELECT ?1, id FROM space WHERE id = ?2",
        )?
        .execute(params![mailbox.0, space.0])
        .map(drop)
}

fn put_in(connection: &Connection, post: &Post) -> rusqlite::Result<MailOutcome> {
    let space: Option<[u8; 16]> = connection
        .prepare_cached("SELECT space FROM mailbox WHERE id = ?1")?
        .query_row([post.mailbox.0], |row| row.get(0))
        .optional()?;
    let Some(space) = space else {
        return Ok(MailOutcome::Unknown);
    };
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        space,
        post.delivery.0,
        integer(post.expires.0),
        post.bytes,
        integer(limits::MAILBOX_MESSAGES),
        integer(limits::MAILBOX_BYTES),
    ])?;
    if inserted > 0 {
        return Ok(MailOutcome::Stored);
    }
    let there: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM mail WHERE space = ?1 AND delivery = ?2)")?
        .query_row(params![space, post.delivery.0], |row| row.get(0))?;
    Ok(if there {
        MailOutcome::Stored
    } else {
        MailOutcome::Full
    })
}

fn read_in(
    connection: &Connection,
    space: SpaceId,
    behind: u64,
    now: UnixMillis,
) -> rusqlite::Result<Vec<Mail>> {
    let limit = integer(limits::MAIL_PAGE as u64);
    let mut statement = connection.prepare_cached(READ)?;
    let mut rows = statement.query(params![space.0, integer(behind), integer(now.0), limit])?;
    let (mut page, mut total) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(1)?.as_blob()?;
        total = total.saturating_add(bytes.len());
        if total > PAGE_BYTES && !page.is_empty() {
            break;
        }
        page.push(Mail {
            number: number(row, 0)?,
            bytes: bytes.to_vec(),
        });
    }
    Ok(page)
}

#[cfg(test)]
mod tests;
