//! The two ends of appending: requests go in without waiting, outcomes come out in batches.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use vettid_wire::id::SpaceId;

use super::Record;
use crate::database::WriteError;

/// One record to be appended to one space.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Append {
    /// Whose log.
    pub space: SpaceId,
    /// The record; its number must be one more than the newest.
    pub record: Record,
}

/// Why a record was not appended. Nothing of it was kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The record's number is not one more than the newest: somebody else was first, or the
    /// append before it failed.
    #[error("another record has this number or its predecessor is missing")]
    Lost,
    /// The log could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What became of one append.
#[derive(Debug)]
pub struct Outcome {
    /// Whose log.
    pub space: SpaceId,
    /// Number of the record.
    pub number: u64,
    /// Durable, or why not.
    pub result: Result<(), AppendError>,
    /// Held so that what is settled but not yet collected still counts against the window.
    pub(super) _place: OwnedSemaphorePermit,
}

/// Queues appends. Cheap to clone; clones share one window.
#[derive(Clone)]
pub struct Appender {
    queue: Arc<dyn Fn(Append, Settle) -> Result<(), NoRoom> + Send + Sync>,
    window: Arc<Semaphore>,
    outcomes: mpsc::Sender<Outcome>,
}

/// Collects outcomes, in the order in which appends of one space were queued.
pub struct Outcomes(mpsc::Receiver<Outcome>);

/// The log takes no append now; it comes back to be tried after the next outcome.
#[derive(Debug, Eq, PartialEq)]
pub struct NoRoom(pub Append);

impl Appender {
    /// Appends queued and not yet collected from [`Outcomes`].
    pub const WINDOW: usize = 1_024;

    pub(super) fn new(
        queue: impl Fn(Append, Settle) -> Result<(), NoRoom> + Send + Sync + 'static,
    ) -> (Self, Outcomes) {
        let (outcomes, collected) = mpsc::channel(Self::WINDOW);
        let window = Arc::new(Semaphore::new(Self::WINDOW));
        (
            Self {
                queue: Arc::new(queue),
                window,
                outcomes,
            },
            Outcomes(collected),
        )
    }

    /// Queues `append`; its outcome follows unless [`NoRoom`] is returned.
    pub fn append(&self, append: Append) -> Result<(), NoRoom> {
        let Ok(place) = Arc::clone(&self.window).try_acquire_owned() else {
            return Err(NoRoom(append));
        };
        let settle = Settle {
            space: append.space,
            number: append.record.number,
            place,
            outcomes: self.outcomes.clone(),
        };
        (self.queue)(append, settle)
    }
}

impl Outcomes {
    /// Waits for outcomes and moves up to `limit` of them to `batch`. Cancel-safe.
    pub async fn collect(&mut self, batch: &mut Vec<Outcome>, limit: usize) -> usize {
        self.0.recv_many(batch, limit).await
    }

    /// The next outcome; none once the log is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Outcome> {
        self.0.recv().await
    }
}

/// The right, and the duty, to report one outcome.
pub(super) struct Settle {
    pub(super) space: SpaceId,
    number: u64,
    place: OwnedSemaphorePermit,
    outcomes: mpsc::Sender<Outcome>,
}

impl Settle {
    pub(super) fn with(self, result: Result<(), AppendError>) {
        let Self {
            space,
            number,
            place,
            outcomes,
        } = self;
        // The channel holds a whole window, so only a receiver that has gone refuses.
        let _ = outcomes.try_send(Outcome {
            space,
            number,
            result,
            _place: place,
        });
    }
}
