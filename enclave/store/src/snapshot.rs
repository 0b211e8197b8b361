//! Snapshots: the whole database in sealed chunks, beside the log.
//!
//! A chunk opens only as itself: space, snapshot, index, count and schema are the context of its
//! seal. Which snapshot is the right one is said by the checkpoint record, whose reference carries
//! a digest over the nonce and tag of every chunk. Under one key that nobody outside holds, nonce
//! and tag stand for the whole chunk, and hashing 40 bytes a chunk costs nothing.

use std::io::{self, Read};

use vettid_crypto::seal::{self, NotOpened};
use vettid_crypto::{Entropy, Label, VaultKey, digest};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::SpaceId;
use vettid_wire::limits;

use crate::database::LARGEST;
use crate::{Database, StoreError};

/// Log bytes below which no snapshot is worth its chunks.
const LOG_FLOOR: u64 = 1024 * 1024;

/// Whether a snapshot is due: when the log since the newest checkpoint is longer than a quarter of
/// the database.
///
/// Replaying a record takes about five times as long as loading the same bytes of a snapshot, so
/// that the log adds at most about as much time again. Over a vault's life, snapshots write at most
/// about four bytes for each byte of log.
#[must_use]
pub fn snapshot_due(log_bytes: u64, database_bytes: u64) -> bool {
    log_bytes > (database_bytes / 4).max(LOG_FLOOR)
}

/// A snapshot that is about to be written ([`crate::Tail::name_snapshot`]).
#[derive(Clone, Copy, Debug)]
pub struct SnapshotName {
    pub(crate) space: SpaceId,
    pub(crate) schema: u32,
    pub(crate) number: u64,
    pub(crate) last: u64,
}

impl SnapshotName {
    /// Number that the host stores its chunks under.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// A snapshot that was written, as a checkpoint refers to it.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Snapshot {
    /// Number that the host stores its chunks under.
    #[n(0)]
    pub number: u64,
    /// How many chunks there are.
    #[n(1)]
    pub chunks: u32,
    /// Digest over nonce and tag of every chunk.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub digest: [u8; 32],
    /// Plaintext bytes of all chunks.
    #[n(3)]
    pub size: u64,
    /// Last record that it holds.
    #[n(4)]
    pub last: u64,
}

/// A snapshot cannot be used. It is incomplete, altered or not the one that was referred to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The host does not have a chunk.
    #[error("chunk {0} is missing")]
    ChunkMissing(u32),
    /// A chunk does not open: altered, or of another snapshot, place or vault.
    #[error("chunk {0} does not open")]
    ChunkNotOpened(u32),
    /// Every chunk opens, but they are not the ones that the checkpoint refers to.
    #[error("chunks are not those of the checkpoint")]
    DigestMismatch,
    /// The chunks hold no database.
    #[error("snapshot holds no database")]
    NotADatabase,
    /// Larger than a vault may be, or size and number of chunks contradict each other.
    #[error("snapshot has an impossible size")]
    Size,
}

impl Database {
    /// Seals the database chunk by chunk and hands each to `sink` with its index.
    ///
    /// The database is read in place and cannot change meanwhile. Once every chunk is stored,
    /// [`crate::Tail::checkpoint`] makes the result count; until then it is nothing.
    pub fn write_snapshot<E: From<StoreError>>(
        &mut self,
        name: &SnapshotName,
        key: &VaultKey,
        entropy: &mut (impl Entropy + ?Sized),
        mut sink: impl FnMut(u32, Vec<u8>) -> Result<(), E>,
    ) -> Result<Snapshot, E> {
        self.compact()?;
        let image = self
            .connection
            .serialize(rusqlite::MAIN_DB)
            .map_err(StoreError::from)?;
        let chunks = chunks_of(image.len()).ok_or(StoreError::Full)?;
        let mut seals = Vec::new();
        for (index, plain) in (0..chunks).zip(image.chunks(limits::SNAPSHOT_CHUNK)) {
            let sealed = with_context(name, index, chunks, |context| {
                seal::seal(key, Label::SnapshotChunk, context, plain, entropy)
            });
            seals.extend_from_slice(&nonce_and_tag(&sealed));
            sink(index, sealed)?;
        }
        Ok(Snapshot {
            number: name.number,
            chunks,
            digest: digest_of(&seals),
            size: u64::try_from(image.len()).unwrap_or(u64::MAX),
            last: name.last,
        })
    }

    /// Replaces the content by a snapshot, fetching chunk by chunk.
    pub(crate) fn read_snapshot(
        &mut self,
        name: &SnapshotName,
        snapshot: &Snapshot,
        key: &VaultKey,
        fetch: &mut dyn FnMut(u64, u32) -> Option<Vec<u8>>,
    ) -> Result<(), SnapshotError> {
        let size = usize::try_from(snapshot.size).map_err(|_| SnapshotError::Size)?;
        if size == 0 || chunks_of(size) != Some(snapshot.chunks) {
            return Err(SnapshotError::Size);
        }
        let (seals, failed) = (Vec::new(), None);
        let mut reader = ChunkReader {
            name,
            snapshot,
            key,
            fetch,
            next: 0,
            seals,
            failed,
        };
        let loaded = self.load(&mut reader, size);
        if let Some(error) = reader.failed {
            return Err(error);
        }
        if digest_of(&reader.seals) != snapshot.digest {
            return Err(SnapshotError::DigestMismatch);
        }
        loaded.map_err(|_| SnapshotError::NotADatabase)
    }
}

/// The plaintext of a snapshot, opened chunk by chunk into the place where it is read to.
struct ChunkReader<'a> {
    name: &'a SnapshotName,
    snapshot: &'a Snapshot,
    key: &'a VaultKey,
    fetch: &'a mut dyn FnMut(u64, u32) -> Option<Vec<u8>>,
    next: u32,
    seals: Vec<u8>,
    failed: Option<SnapshotError>,
}

impl ChunkReader<'_> {
    fn open_next(&mut self, out: &mut [u8]) -> Result<usize, SnapshotError> {
        let index = self.next;
        let sealed =
            (self.fetch)(self.snapshot.number, index).ok_or(SnapshotError::ChunkMissing(index))?;
        let length = with_context(self.name, index, self.snapshot.chunks, |context| {
            seal::open_into(self.key, Label::SnapshotChunk, context, &sealed, out)
        })
        .map_err(|NotOpened| SnapshotError::ChunkNotOpened(index))?;
        self.seals.extend_from_slice(&nonce_and_tag(&sealed));
        self.next = index.saturating_add(1);
        Ok(length)
    }
}

impl Read for ChunkReader<'_> {
    /// Reads one chunk. Whoever reads has room for all that is left: a chunk that does not fit is
    /// none of this snapshot.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.next >= self.snapshot.chunks {
            return Ok(0);
        }
        self.open_next(out).map_err(|error| {
            self.failed = Some(error);
            io::Error::other(error)
        })
    }
}

fn chunks_of(size: usize) -> Option<u32> {
    let within = size <= LARGEST;
    u32::try_from(size.div_ceil(limits::SNAPSHOT_CHUNK))
        .ok()
        .filter(|_| within)
}

fn with_context<T>(
    name: &SnapshotName,
    index: u32,
    chunks: u32,
    f: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    f(&[
        &name.space.0,
        &name.number.to_be_bytes(),
        &name.schema.to_be_bytes(),
        &index.to_be_bytes(),
        &chunks.to_be_bytes(),
    ])
}

/// First and last bytes of a sealed chunk: its nonce and its tag.
fn nonce_and_tag(sealed: &[u8]) -> Vec<u8> {
    let (nonce, rest) = sealed.split_at(sealed.len().min(24));
    let (_, tag) = rest.split_at(rest.len().saturating_sub(16));
    [nonce, tag].concat()
}

fn digest_of(seals: &[u8]) -> [u8; 32] {
    digest::labeled(Label::SnapshotDigest, &[seals])
}
