//! Chunks of attachments: sealed by devices, stored here, fetched from node to node.
//!
//! ```text
//! device ──PUT──▶ store ──▶ object store ◀── serve_peer ◀── peer's host
//! device ◀─GET─── open ◀──┘      ▲
//!        ◀─────── Fetching ──────┘ (a copy is kept) ◀── /vettid/attachment/1 ── peer's host
//! ```
//!
//! Whoever knows an attachment's id may fetch its chunks; the id is 16 random bytes that only its
//! sender and those who got the message know. Hosts see ids, sizes and times.
//!
//! | provided | not provided |
//! |---|---|
//! | a chunk is whole or not there; copies of others' chunks go when unused | removal of an owner's own chunks before the space is removed |
//! | bounded memory: bodies under way share one allowance, of which copies have half at most | a check of content: chunks are sealed, their readers check |

mod fetch;
mod rows;

pub(crate) use fetch::{FetchError, Fetching};
pub(crate) use rows::{Chunk, Entered};

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vettid_federation::Responder;
use vettid_wire::id::{AttachmentId, SpaceId};
use vettid_wire::limits;

use crate::clock::unix_seconds;
use crate::database::{Database, ReadError, WriteError};
use crate::entropy::random;
use crate::federation::Joined;
use crate::metrics::Metrics;
use crate::object_store::{ObjectName, ObjectStore, StoreError};
use rows::{Begun, ChunkRows, Stored};

/// Sealed chunk, bytes: what seals it is added to the plaintext.
pub(crate) const CHUNK: u64 =
    limits::ATTACHMENT_CHUNK as u64 + vettid_crypto::seal::OVERHEAD as u64;

/// Bytes read from the object store at once.
const PIECE: u64 = 256 * 1024;

/// Bytes of bodies that may be in memory at once, in units of [`UNIT`].
const MEMORY: usize = 8 * 128;

/// The same of copies: whoever reads slowly what comes from elsewhere keeps nobody from storing.
const COPIES: usize = MEMORY / 2;

/// Bodies of one space under way at once.
const BODIES: usize = 2;

/// Times that copies make room for one chunk.
const ROUNDS: usize = 64;

/// Unit of the allowance for memory, bytes.
const UNIT: u64 = 64 * 1024;

/// The attachments of a node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Attachments {
    rows: ChunkRows,
    objects: Arc<dyn ObjectStore>,
    metrics: Arc<Metrics>,
    memory: Arc<Semaphore>,
    copies: Arc<Semaphore>,
    bodies: Arc<Mutex<HashMap<SpaceId, Arc<Semaphore>>>>,
    remote: Option<Joined>,
}

/// Why a chunk was not stored or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum AttachmentError {
    /// The object store failed.
    #[error(transparent)]
    Object(#[from] StoreError),
    /// The database cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An object has a name that is none.
    #[error("a chunk cannot be named")]
    Name,
}

/// The place for a chunk that is about to be written; free again when it is dropped.
pub(crate) struct Place {
    space: SpaceId,
    chunk: Chunk,
    stored: Stored,
    /// Frees the place, while nothing was written there.
    unused: Option<ChunkRows>,
}

impl Attachments {
    /// Chunks in `objects`, at most `quota` bytes of each space.
    pub(crate) fn new(
        database: Database,
        objects: Arc<dyn ObjectStore>,
        metrics: Arc<Metrics>,
        quota: u64,
    ) -> Self {
        Self {
            rows: ChunkRows::new(database, quota),
            objects,
            metrics,
            memory: Arc::new(Semaphore::new(MEMORY)),
            copies: Arc::new(Semaphore::new(COPIES)),
            bodies: Arc::default(),
            remote: None,
        }
    }

    /// The same, with other nodes to fetch from.
    pub(crate) fn with_remote(self, remote: Joined) -> Self {
        let remote = Some(remote);
        Self { remote, ..self }
    }

    /// Waits until a space has few enough bodies under way: slow ones are not to take all memory.
    pub(crate) async fn body(&self, space: SpaceId) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
            bodies.retain(|_, places| Arc::strong_count(places) > 1);
            let places = bodies.entry(space);
            Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(BODIES))))
        };
        places.acquire_owned().await.ok()
    }

    /// Waits for memory for a body of `size` bytes.
    pub(crate) async fn memory(&self, size: u64) -> Option<OwnedSemaphorePermit> {
        let memory = Arc::clone(&self.memory);
        memory.acquire_many_owned(units(size)).await.ok()
    }

    /// Memory for a copy, if there is some now.
    fn spare_memory(&self, size: u64) -> Option<[OwnedSemaphorePermit; 2]> {
        let of = |share: &Arc<Semaphore>| {
            let share = Arc::clone(share);
            share.try_acquire_many_owned(units(size)).ok()
        };
        Some([of(&self.copies)?, of(&self.memory)?])
    }

    /// A place for a chunk of `size` bytes, or why there is none.
    pub(crate) async fn begin(
        &self,
        space: SpaceId,
        chunk: Chunk,
        size: u64,
    ) -> Result<Result<Place, Entered>, AttachmentError> {
        let name = format!("attachments/{space}/{:032x}", u128::from_be_bytes(random()));
        let object = ObjectName::parse(&name).map_err(|_| AttachmentError::Name)?;
        let stored = Stored { object, size };
        for _ in 0..ROUNDS {
            let begun = self
                .rows
                .begin(space, chunk, stored.clone(), unix_seconds());
            match begun.await? {
                Begun::Place => {
                    let unused = Some(self.rows.clone());
                    return Ok(Ok(Place {
                        space,
                        chunk,
                        stored,
                        unused,
                    }));
                }
                Begun::After(objects) => {
                    for object in objects {
                        self.remove(object).await?;
                    }
                }
                Begun::Not(entered) => return Ok(Err(entered)),
            }
        }
        Ok(Err(Entered::Full))
    }

    /// Stores a chunk, durably, even if nobody waits for it any more: whoever leaves in the middle
    /// must not leave an object that nothing counts.
    pub(crate) async fn store(
        &self,
        place: Place,
        bytes: Bytes,
    ) -> Result<Entered, AttachmentError> {
        let attachments = self.clone();
        let stored = tokio::spawn(async move { attachments.write(place, bytes).await });
        stored
            .await
            .unwrap_or(Err(AttachmentError::Object(StoreError::Failed)))
    }

    async fn write(&self, mut place: Place, bytes: Bytes) -> Result<Entered, AttachmentError> {
        place.unused = None;
        let (space, chunk, stored) = (place.space, place.chunk, place.stored.clone());
        let object = stored.object.clone();
        self.objects.put_if_absent(object.clone(), bytes).await?;
        let entered = self
            .rows
            .enter(space, chunk, stored, unix_seconds())
            .await?;
        if entered != Entered::New {
            // What cannot be removed now is swept.
            let _ = self.remove(object).await;
            return Ok(entered);
        }
        match chunk.source {
            None => self.metrics.attachments_stored.inc(),
            Some(_) => self.metrics.attachments_fetched.inc(),
        };
        Ok(entered)
    }

    /// Removes an object that no row names.
    async fn remove(&self, object: ObjectName) -> Result<(), AttachmentError> {
        self.objects.delete(object.clone()).await?;
        Ok(self.rows.removed(object).await?)
    }

    /// A chunk that is here, from a byte on.
    pub(crate) async fn open(
        &self,
        chunk: Chunk,
        offset: u64,
    ) -> Result<Option<Reading>, AttachmentError> {
        let Some(stored) = self.rows.find(chunk, unix_seconds()).await? else {
            return Ok(None);
        };
        let reading = Reading {
            objects: Arc::clone(&self.objects),
            size: stored.size,
            object: stored.object,
            at: offset.min(stored.size),
        };
        if !reading.is_there().await? {
            // An object that is lost is not promised any longer.
            self.rows.forget(chunk).await?;
            return Ok(None);
        }
        self.metrics.attachments_served.inc();
        Ok(Some(reading))
    }

    /// Answers a peer that asks for a chunk of an owner of this node.
    pub(crate) fn serve_peer(
        &self,
        id: AttachmentId,
        index: u32,
        offset: u64,
        responder: Responder,
    ) {
        let (attachments, source) = (self.clone(), None);
        let chunk = Chunk { id, index, source };
        tokio::spawn(async move {
            // Whoever is answered nothing is told that there is none.
            if let Ok(Some(reading)) = attachments.open(chunk, offset).await {
                fetch::respond(reading, responder).await;
            }
        });
    }

    /// Removes copies that nobody uses, and objects without a chunk.
    pub(crate) async fn sweep(&self, now: u64) {
        let Ok(due) = self.rows.sweep(now).await else {
            return;
        };
        for object in due {
            if self.remove(object).await.is_err() {
                return;
            }
        }
    }
}

fn units(size: u64) -> u32 {
    let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX);
    units.max(1)
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(rows) = self.unused.take() {
            rows.release(self.stored.object.clone());
        }
    }
}

/// A chunk that is read piece by piece.
pub(crate) struct Reading {
    objects: Arc<dyn ObjectStore>,
    object: ObjectName,
    size: u64,
    at: u64,
}

impl Reading {
    /// Bytes of the whole chunk.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes still to be read.
    pub(crate) const fn left(&self) -> u64 {
        self.size.saturating_sub(self.at)
    }

    /// The next piece; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let end = self.at.saturating_add(PIECE).min(self.size);
        if end <= self.at {
            return Ok(None);
        }
        let piece = self.read(self.at..end).await?.ok_or(StoreError::Failed)?;
        if piece.is_empty() {
            return Err(StoreError::Failed);
        }
        self.at = self.at.saturating_add(piece.len() as u64);
        Ok(Some(piece))
    }

    async fn is_there(&self) -> Result<bool, StoreError> {
        Ok(self.read(0..1).await?.is_some())
    }

    async fn read(&self, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        self.objects.get(self.object.clone(), Some(range)).await
    }
}

#[cfg(test)]
mod tests;
