//! One vault's state: its SQLite database in memory, and the log that makes it durable.
//!
//! ```text
//!  transaction ──▶ changeset ──▶ record (sealed, numbered, chained) ──▶ host's log
//!                                                                          │
//!  database ◀── replay ◀── linked records ◀── chain ◀──────────────────────┤
//!      │                                                                   │
//!      └──▶ snapshot (sealed chunks) ──▶ host's objects ◀── checkpoint ────┘
//! ```
//!
//! | question | module |
//! |---|---|
//! | what tables are there, and who reads them? | [`rows`], `schema/` |
//! | what does one transaction leave behind? | [`Changeset`], [`Record`] |
//! | what may a lying host do to the log? | [`Chain`], [`Freshness`] |
//! | how does a vault come back? | [`Replay`] |
//! | what is known before the PIN? | [`Header`] |
//!
//! Nothing here has I/O, a clock or entropy of its own, and nothing opens a file. Every database of
//! a vault has the form that `sqlite3_deserialize` gives it; see [`Database`] for what is measured.

mod apply;
mod attempts;
mod chain;
mod changeset;
mod columns;
mod database;
mod error;
#[cfg(test)]
mod fixture;
mod freshness;
mod header;
mod header_key;
mod history;
mod message_search;
mod migrate;
mod patchset;
mod place;
mod record;
mod recorder;
mod replay;
pub mod rows;
mod search;
mod snapshot;
mod tail;
#[cfg(test)]
mod tests;

pub use apply::ReplayError;
pub use attempts::{Attempt, Attempts};
pub use chain::{Chain, ChainError, Linked};
pub use changeset::Changeset;
pub use database::{Change, Committed, Database, Room, View};
pub use error::StoreError;
pub use freshness::Freshness;
pub use header::{Device, Header, Lock, MalformedHeader};
pub use header_key::HeaderKey;
pub use record::{FRONT, Kind, Record, RecordError};
pub use replay::{Replay, RestoreError, Restored};
pub use search::{Indexer, Searchable};
pub use snapshot::{Snapshot, SnapshotError, SnapshotName, snapshot_due};
pub use tail::{Tail, TailError};
