//! The two ends of appending: requests go in without waiting, outcomes come out in batches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
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
    settled: Arc<Settled>,
}

/// Collects outcomes, in the order in which appends of one space were queued.
pub struct Outcomes(Arc<Settled>);

/// Outcomes on their way. Holds at most a window.
#[derive(Default)]
struct Settled {
    ready: Mutex<VecDeque<Outcome>>,
    news: Arc<Notify>,
}

/// The log takes no append now; it comes back to be tried after the next outcome.
#[derive(Debug, Eq, PartialEq)]
pub struct NoRoom(pub Append);

impl Appender {
    /// Appends queued and not yet collected from [`Outcomes`].
    pub const WINDOW: usize = 1_024;

    pub(super) fn new(
        queue: impl Fn(Append, Settle) -> Result<(), NoRoom> + Send + Sync + 'static,
    ) -> (Self, Outcomes) {
        let settled = Arc::new(Settled::default());
        let window = Arc::new(Semaphore::new(Self::WINDOW));
        let outcomes = Outcomes(Arc::clone(&settled));
        (
            Self {
                queue: Arc::new(queue),
                window,
                settled,
            },
            outcomes,
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
            settled: Arc::clone(&self.settled),
        };
        (self.queue)(append, settle)
    }
}

impl Outcomes {
    /// Waits for outcomes and moves up to `limit` of them to `batch`. Cancel-safe.
    pub async fn collect(&mut self, batch: &mut Vec<Outcome>, limit: usize) {
        loop {
            if self.take(batch, limit) {
                return;
            }
            self.0.news.notified().await;
        }
    }

    /// The next outcome. Cancel-safe.
    pub async fn next(&mut self) -> Outcome {
        let mut batch = Vec::with_capacity(1);
        loop {
            self.collect(&mut batch, 1).await;
            if let Some(outcome) = batch.pop() {
                return outcome;
            }
        }
    }

    fn take(&self, batch: &mut Vec<Outcome>, limit: usize) -> bool {
        let mut ready = self.0.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let count = ready.len().min(limit);
        batch.extend(ready.drain(..count));
        count > 0
    }
}

/// The right, and the duty, to report one outcome.
pub(super) struct Settle {
    pub(super) space: SpaceId,
    number: u64,
    place: OwnedSemaphorePermit,
    settled: Arc<Settled>,
}

impl Settle {
    /// Reports the outcome; who collects it is woken by the returned signal, once per batch.
    pub(super) fn with(self, result: Result<(), AppendError>) -> Arc<Notify> {
        let Self {
            space,
            number,
            place,
            settled,
        } = self;
        let outcome = Outcome {
            space,
            number,
            result,
            _place: place,
        };
        settled
            .ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(outcome);
        Arc::clone(&settled.news)
    }
}
