//! Fetching a chunk from the node that stores it, and answering nodes that fetch from here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use vettid_federation::{AttachmentBody, Handle, Responder, handle};
use vettid_wire::home::HomeNode;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;

use super::{Attachments, CHUNK, Chunk, Place, Reading};
use crate::federation::Joined;

/// Time for a fetch to get its turn.
const TURN: Duration = Duration::from_secs(30);
/// Pauses of a reader for whom a copy is kept.
const PAUSES: Duration = Duration::from_millis(limits::TRANSFER_PAUSE);
/// Times that a broken fetch is taken up again where it broke.
const RESUMES: u32 = 3;

/// Why a chunk does not come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum FetchError {
    /// The node has no such chunk.
    #[error("the node that stores it has no such chunk")]
    Unknown,
    /// The node cannot be reached, or broke off.
    #[error("the node that stores it cannot be reached now")]
    Unreachable,
}

/// A chunk on its way from another node; what passes is kept as a copy.
pub(crate) struct Fetching {
    attachments: Attachments,
    remote: Handle,
    origin: HomeNode,
    chunk: Chunk,
    body: AttachmentBody,
    size: u64,
    at: u64,
    resumes: u32,
    copy: Kept,
    _turn: OwnedSemaphorePermit,
}

/// The copy that is being made, if any; it is given up by itself when its reader is slow.
#[derive(Default)]
struct Kept(Arc<Mutex<Option<Collected>>>);

/// What came so far of a chunk that is fetched from its beginning.
struct Collected {
    place: Place,
    bytes: Vec<u8>,
    _memory: [OwnedSemaphorePermit; 2],
}

impl Fetching {
    /// Asks the node that stores the chunk, when it is the turn of the space, whose copy it will be: few
    /// at once are for one owner, so that slow ones keep no others waiting.
    pub(crate) async fn begin(
        attachments: &Attachments,
        space: SpaceId,
        chunk: Chunk,
        origin: HomeNode,
        offset: u64,
    ) -> Result<Self, FetchError> {
        let remote = attachments.remote.as_ref().and_then(Joined::now);
        let remote = remote.ok_or(FetchError::Unreachable)?;
        let turn = timeout(TURN, attachments.body(space)).await;
        let turn = turn.ok().flatten().ok_or(FetchError::Unreachable)?;
        let asked = remote.fetch_attachment(origin.clone(), chunk.id, chunk.index, offset);
        let body = asked.await?;
        let size = offset.saturating_add(body.left());
        if size > CHUNK {
            return Err(FetchError::Unknown);
        }
        let copy = match offset {
            0 => Kept::begin(attachments, space, chunk, size).await,
            _ => Kept::default(),
        };
        Ok(Self {
            attachments: attachments.clone(),
            remote,
            origin,
            chunk,
            body,
            size,
            at: offset,
            resumes: RESUMES,
            copy,
            _turn: turn,
        })
    }

    /// Bytes of the whole chunk.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes still to come.
    pub(crate) const fn left(&self) -> u64 {
        self.size.saturating_sub(self.at)
    }

    /// The next piece as it comes; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        loop {
            if self.left() == 0 {
                self.keep();
                return Ok(None);
            }
            match self.body.next().await {
                Ok(Some(piece)) if piece.len() as u64 <= self.left() => {
                    self.at = self.at.saturating_add(piece.len() as u64);
                    self.copy.add(&piece);
                    if self.left() == 0 {
                        self.keep();
                    }
                    return Ok(Some(piece.into()));
                }
                // More than there is, or less.
                _ => self.resume().await?,
            }
        }
    }

    async fn resume(&mut self) -> Result<(), FetchError> {
        self.resumes = self.resumes.checked_sub(1).ok_or(FetchError::Unreachable)?;
        let Chunk { id, index, .. } = self.chunk;
        let origin = self.origin.clone();
        let body = self
            .remote
            .fetch_attachment(origin, id, index, self.at)
            .await?;
        if body.left() != self.left() {
            return Err(FetchError::Unknown);
        }
        self.body = body;
        Ok(())
    }

    /// Keeps the copy, beside the answer: whoever asked need not wait for it.
    fn keep(&mut self) {
        let Some(copy) = self.copy.lock().take() else {
            return;
        };
        let attachments = self.attachments.clone();
        tokio::spawn(async move {
            let Collected {
                place,
                bytes,
                _memory,
            } = copy;
            // Without a copy it is fetched again.
            let _ = attachments.store(place, bytes.into()).await;
        });
    }
}

impl Kept {
    /// A copy, unless the space or the memory has no room for it now.
    async fn begin(attachments: &Attachments, space: SpaceId, chunk: Chunk, size: u64) -> Self {
        let collected = Collected::begin(attachments, space, chunk, size).await;
        let is_begun = collected.is_some();
        let copy = Self(Arc::new(Mutex::new(collected)));
        if is_begun {
            let waiting = Arc::downgrade(&copy.0);
            let moving = Duration::from_secs(size / limits::TRANSFER_SLOWEST);
            let longest = PAUSES.saturating_add(moving);
            tokio::spawn(async move {
                sleep(longest).await;
                if let Some(copy) = waiting.upgrade() {
                    Self(copy).lock().take();
                }
            });
        }
        copy
    }

    fn add(&self, piece: &[u8]) {
        if let Some(copy) = &mut *self.lock() {
            copy.bytes.extend_from_slice(piece);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Collected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collected {
    /// Room for a copy, unless the space or the memory has none now.
    async fn begin(
        attachments: &Attachments,
        space: SpaceId,
        chunk: Chunk,
        size: u64,
    ) -> Option<Self> {
        let memory = attachments.spare_memory(size)?;
        let place = attachments.begin(space, chunk, size).await.ok()?.ok()?;
        Some(Self {
            place,
            bytes: Vec::with_capacity(usize::try_from(size).ok()?),
            _memory: memory,
        })
    }
}

/// Sends a chunk to a peer as fast as it takes it.
pub(super) async fn respond(mut reading: Reading, responder: Responder) {
    let Some(sending) = responder.found(reading.left()) else {
        return;
    };
    // A chunk that cannot be read to its end is taken up again by the peer.
    while let Ok(Some(piece)) = reading.next().await {
        if !sending.send(piece.into()).await {
            return;
        }
    }
}

impl From<handle::FetchError> for FetchError {
    fn from(error: handle::FetchError) -> Self {
        match error {
            handle::FetchError::None => Self::Unknown,
            handle::FetchError::Broken | handle::FetchError::Unreachable => Self::Unreachable,
        }
    }
}
