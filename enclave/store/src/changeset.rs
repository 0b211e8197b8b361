//! What one transaction changed, as SQLite's session extension records it, and its replay.
//!
//! Changesets here are *patchsets*: a deleted row leaves its primary key, an updated one its key
//! and new values. A full changeset would also carry every old value, which only serves to undo or
//! to merge; a record is replayed onto exactly the state it was made on, which the chain proves.
//! So nothing is lost, records are up to half the size, and what an owner overwrote or destroyed is
//! not written down once more.
//!
//! Replay aborts at the first conflict: a row that is already there or is missing means that the
//! chain was not the one this state came from. It groups records: SQLite prepares its statements
//! per table and call, which for single records takes longer than the rows themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::session::{Changegroup, ConflictAction, Session};
use vettid_crypto::{Zeroizing, seal};
use vettid_wire::limits;

use crate::StoreError;

/// Most bytes of one changeset: sealed, it fits a record.
const MAX: usize = limits::RECORD - seal::OVERHEAD;
/// Bytes of changesets that are applied together; bounds what replay holds beside the database.
const GROUP: usize = 4 * 1024 * 1024;

/// What one transaction changed. Plaintext: wiped on drop, never printed.
pub struct Changeset(Zeroizing<Vec<u8>>);

impl Changeset {
    /// What a session recorded, if it recorded anything.
    pub(crate) fn capture(session: &mut Session<'_>) -> Result<Option<Self>, StoreError> {
        if session.is_empty() {
            return Ok(None);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        session.patchset_strm(&mut *bytes)?;
        match bytes.len() {
            0 => Ok(None),
            size if size > MAX => Err(StoreError::TooLarge { max: MAX, size }),
            _ => Ok(Some(Self(bytes))),
        }
    }

    /// Takes over what a record was opened to.
    pub(crate) fn from_plaintext(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Lends the bytes, to seal them.
    pub(crate) fn expose<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&self.0)
    }

    /// Bytes of it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Changeset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changeset(..)")
    }
}

/// Changesets do not belong to the state they were applied to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// A row was there that should not be, or was missing; or the bytes are no changeset.
    #[error("changes conflict with the database")]
    Conflict,
    /// It changes a table that this schema does not have. SQLite would drop this silently.
    #[error("changes name an unknown table")]
    UnknownTable,
}

/// Changesets in order, gathered to be applied together.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pending: Vec<Changeset>,
    size: usize,
}

impl Group {
    /// Adds the next changeset, and applies the group once it is large.
    pub(crate) fn push(
        &mut self,
        changeset: Changeset,
        connection: &Connection,
    ) -> Result<(), ReplayError> {
        self.size = self.size.saturating_add(changeset.size());
        self.pending.push(changeset);
        if self.size >= GROUP {
            self.flush(connection)
        } else {
            Ok(())
        }
    }

    /// Applies what is gathered.
    pub(crate) fn flush(&mut self, connection: &Connection) -> Result<(), ReplayError> {
        self.size = 0;
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let unknown = Arc::new(AtomicBool::new(false));
        let applied = apply(connection, &pending, &unknown);
        if unknown.load(Ordering::Relaxed) {
            return Err(ReplayError::UnknownTable);
        }
        applied.map_err(|_| ReplayError::Conflict)
    }
}

fn apply(
    connection: &Connection,
    changesets: &[Changeset],
    unknown: &Arc<AtomicBool>,
) -> rusqlite::Result<()> {
    let mut group = Changegroup::new()?;
    for changeset in changesets {
        group.add_stream(&mut &changeset.0[..])?;
    }
    let tables = tables(connection)?;
    let seen = Arc::clone(unknown);
    let known = move |table: &str| {
        let known = tables.contains(table);
        seen.fetch_or(!known, Ordering::Relaxed);
        known
    };
    connection.apply(&group.output()?, Some(known), |_, _| {
        ConflictAction::SQLITE_CHANGESET_ABORT
    })
}

fn tables(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?
        .query_map([], |row| row.get(0))?
        .collect()
}
