//! What a vault needs from the world, and does not trust.

use std::time::Duration;

use vettid_wire::link::LogPage;
use vettid_wire::request::Head;
use vettid_wire::time::UnixMillis;

/// A record was not stored: somebody else writes this log, or it cannot be written.
///
/// What the vault holds is void. Its process wipes itself and ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a record was not stored")]
pub struct Lost;

/// The host cannot read or store this now. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the host cannot do this now")]
pub struct Unreadable;

/// One vault's log and chunks at its host, and its turn to hash.
///
/// A host may lie about everything; what it hands out is checked against keys that it does not have.
pub trait Host {
    /// Hands a record on, without waiting for it to be durable. Records come in order.
    fn append(&mut self, head: Head, checkpoint: bool, record: Vec<u8>);

    /// Waits until everything that was appended is durable.
    fn settle(&mut self) -> Result<(), Lost>;

    /// Reads a page of the log from this record on; zero means from the newest checkpoint.
    fn read_log(&mut self, from: u64) -> Result<LogPage, Unreadable>;

    /// Stores a chunk of a snapshot durably, or says so if that is not known within `patience`.
    fn put_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        bytes: Vec<u8>,
        patience: Duration,
    ) -> Result<(), Unreadable>;

    /// Reads a chunk of a snapshot of `count` chunks; none if the host does not have it. They are
    /// read in order, so that those behind it may be on their way already.
    fn get_chunk(
        &mut self,
        snapshot: u64,
        index: u32,
        count: u32,
    ) -> Result<Option<Vec<u8>>, Unreadable>;

    /// Says that records below this one, and snapshots of a lower number than this one, are no
    /// longer needed. A higher one may be under way.
    fn cut(&mut self, below: u64, snapshot: Option<u64>);

    /// Says that enrollment is finished.
    fn enrolled(&mut self);

    /// Waits for permission to use the memory of one password hash.
    fn take_kdf_slot(&mut self) -> Result<(), Lost>;

    /// Gives that permission back.
    fn release_kdf_slot(&mut self);

    /// Newest record of this vault that was durable since the enclave started, as its supervisor
    /// remembers it.
    fn newest_seen(&self) -> Option<Head>;
}

/// Time of day. Never goes back within one process.
///
/// The vault raises it by the latest time that it has on record, so that a clock that was set back
/// between two runs shortens no wait.
pub trait Clock {
    /// Now.
    fn now(&self) -> UnixMillis;
}
