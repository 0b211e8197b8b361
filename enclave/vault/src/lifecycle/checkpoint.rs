//! Snapshots: when the log has outgrown the database, and what a crash in between leaves.
//!
//! ```text
//!  chunks stored ──▶ checkpoint appended ──▶ durable ──▶ older records and snapshots cut
//!  (a crash here leaves chunks that         (a crash here leaves both checkpoints,
//!   nothing refers to)                       the newer one counts)
//! ```

use std::time::Duration;

use vettid_store::StoreError;

use super::{State, Unlocked};
use crate::Unreadable;
use crate::outside::Outside;
use crate::stop::Stop;

/// A log this many times as large as what makes a snapshot due does not wait for a quiet moment.
const PATIENCE: u64 = 4;
/// Bytes of a vault that gets the snapshot that is due before it is locked: a few dozen chunks.
const CLOSING: u64 = 16 * 1024 * 1024;
/// Time that the host has for each chunk of a snapshot, and before the owner's lock is answered: a
/// host that stores nothing must not hold that up.
const CHUNK: Duration = Duration::from_secs(10);
const CHUNK_OF_CLOSING: Duration = Duration::from_millis(250);
/// Bytes below which a log may always wait for one.
const FLOOR: u64 = 4 * 1024 * 1024;

/// Whether a snapshot has been due for so long that it cannot wait for a quiet moment.
pub(crate) fn overdue(state: &State) -> bool {
    let State::Unlocked(open) = state else {
        return false;
    };
    let tail = &open.gate.log.tail;
    // Asks the database for its size only when that can matter.
    tail.checkpoint_due(FLOOR * PATIENCE)
        && tail.checkpoint_due(open.database.bytes().unwrap_or(0).saturating_mul(PATIENCE))
}

/// Writes a snapshot. That the host cannot store it now is no failure: it is due again.
pub(crate) fn take(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    take_within(CHUNK, state, out)
}

fn take_within(patience: Duration, state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    match write_within(patience, open, out) {
        Err(Stop::Refused(_)) | Ok(()) => Ok(()),
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// Writes a snapshot if one is due.
pub(crate) fn take_if_due(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    match is_due(state, u64::MAX) {
        true => take(state, out),
        false => Ok(()),
    }
}

/// Whether a snapshot is due of a vault that has so many bytes at most.
fn is_due(state: &State, at_most: u64) -> bool {
    let State::Unlocked(open) = state else {
        return false;
    };
    let bytes = open.database.bytes().unwrap_or(u64::MAX);
    bytes <= at_most && open.gate.log.tail.checkpoint_due(bytes)
}

/// Writes a snapshot if one is due and the vault is small enough for its owner to wait: the next
/// unlock reads it several times faster than the records that it stands for.
pub(crate) fn before_closing(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    match is_due(state, CLOSING) {
        true => take_within(CHUNK_OF_CLOSING, state, out),
        false => Ok(()),
    }
}

/// Writes a snapshot and a checkpoint, and lets the host cut what is older.
pub(crate) fn write(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    write_within(CHUNK, open, out)
}

fn write_within(
    patience: Duration,
    open: &mut Unlocked,
    out: &mut Outside<'_>,
) -> Result<(), Stop> {
    let Unlocked {
        gate,
        key,
        database,
        ..
    } = open;
    let name = gate.log.tail.name_snapshot(out.entropy);
    let number = name.number();
    let Outside { host, entropy, .. } = &mut *out;
    let snapshot = database
        .write_snapshot(&name, key, &mut **entropy, |index, chunk| {
            host.put_chunk(number, index, chunk, patience)
                .map_err(NotStored::from)
        })
        .map_err(|error| match error {
            NotStored::Store(error) => Stop::from(error),
            NotStored::Host(error) => Stop::from(error),
        })?;
    gate.header.time_floor = gate.header.time_floor.max(out.now);
    gate.log.checkpoint(&gate.header, &snapshot, key, out)?;
    out.host.settle()?;
    if let Some(head) = gate.log.head() {
        out.host.cut(head.number, Some(number));
    }
    Ok(())
}

/// Why a snapshot was not stored.
enum NotStored {
    Host(Unreadable),
    Store(StoreError),
}

impl From<StoreError> for NotStored {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unreadable> for NotStored {
    fn from(error: Unreadable) -> Self {
        Self::Host(error)
    }
}
