//! The vault log: one chain of numbered, sealed records per space.
//!
//! A [`VaultLog`] keeps bytes it cannot read. What it owes the enclave is durability and one
//! fact: of two appends of the same number, at most one succeeds, whoever sends them.
//!
//! ```text
//! Appender ──append(space, n, bytes)──▶ log ──batch durable──▶ Outcomes: (space, n, Ok | why not)
//! ```
//!
//! Appends of one space may be queued one behind the other without waiting (n, n+1, n+2 …): each
//! succeeds only if its predecessor is there, so after a failed one all later ones fail too.

mod appender;
mod sqlite;

pub use appender::{Append, AppendError, Appender, NoRoom, Outcome, Outcomes};
pub use sqlite::SqliteLog;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use vettid_wire::id::SpaceId;

use crate::database::{ReadError, WriteError};

/// A boxed future, so that [`VaultLog`] can be used behind a pointer.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a host keeps the logs of all its spaces.
///
/// A log is not cancel-safe in one sense only: a dropped future may still have taken effect.
pub trait VaultLog: Send + Sync {
    /// A new pair of ends for appending; at most [`Appender::WINDOW`] of its appends are unsettled.
    fn appender(&self) -> (Appender, Outcomes);

    /// Records of `space`, at most `max_bytes` of them but at least one if there is any.
    fn read(
        &self,
        space: SpaceId,
        from: From,
        max_bytes: usize,
    ) -> Pending<'_, Result<Page, ReadError>>;

    /// Number of the newest record of `space`; zero if there is none.
    fn newest(&self, space: SpaceId) -> Pending<'_, Result<u64, ReadError>>;

    /// Removes the records of `space` below `number`, which must be a checkpoint in the log:
    /// otherwise nothing is removed.
    fn cut_below(&self, space: SpaceId, number: u64) -> Pending<'_, Result<(), WriteError>>;

    /// Removes everything of `space`. Nothing to remove is not an error.
    fn remove(&self, space: SpaceId) -> Pending<'_, Result<(), WriteError>>;

    /// Every space with records, and the number of its newest.
    fn list(&self) -> Pending<'_, Result<Vec<(SpaceId, u64)>, ReadError>>;
}

/// One sealed record as the host keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Position in the space's chain, from 1.
    pub number: u64,
    /// Whether a log may begin with it.
    pub checkpoint: bool,
    /// The record, opaque to the host.
    pub bytes: Bytes,
}

/// A run of records, and where the log ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Number of the newest record of the log; zero for an empty one.
    pub newest: u64,
    /// Records in order, without a gap.
    pub records: Vec<Record>,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum From {
    /// The newest record that a log may begin with.
    Checkpoint,
    /// A record by its number.
    Number(u64),
}

#[cfg(test)]
mod tests;
