//! The one thread that writes: collects what is queued, commits it once, answers all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Notify, mpsc, oneshot};

use super::WriteError;

/// Changes waiting for the writer; the next sender waits or is told the queue is full.
const QUEUE: usize = 2_048;

/// Changes in one transaction. Bounds the time to the first answer of a batch.
const BATCH: usize = 512;

/// Bytes written between two checkpoints of the write-ahead log.
const CHECKPOINT_BYTES: usize = 16 * 1024 * 1024;

/// One thing to write. `apply` may run twice and must decide from the database alone.
pub(crate) trait Change: Send {
    /// Writes inside the batch's transaction. An error rolls the whole batch back.
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Estimate of what this adds to the write-ahead log, in bytes.
    fn weight(&self) -> usize;

    /// Told once, after the batch is durable or has failed. Whom it returns is woken at the end of
    /// the batch, not once for each of its changes.
    fn settle(self: Box<Self>, outcome: Result<(), WriteError>) -> Option<Arc<Notify>>;
}

/// The queue has no room.
#[derive(Debug)]
pub(crate) struct Full;

/// The sending side of the writer.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Change>>>,
    writable: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> std::io::Result<Self> {
        let (queue, incoming) = mpsc::channel(QUEUE);
        let writable = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&writable);
        let thread = thread::Builder::new()
            .name("node-db".to_owned())
            .spawn(move || write_batches(&connection, incoming, &shared))?;
        Ok(Self {
            queue: Some(queue),
            writable,
            thread: Some(thread),
        })
    }

    /// Writes nothing: of a database that is only looked at.
    pub(super) fn closed() -> Self {
        Self {
            queue: None,
            writable: Arc::new(AtomicBool::new(false)),
            thread: None,
        }
    }

    pub(super) fn enqueue(&self, change: Box<dyn Change>) -> Result<(), Full> {
        let Some(queue) = &self.queue else {
            return Err(Full);
        };
        queue.try_send(change).map_err(|_| Full)
    }

    pub(super) async fn transact<T, F>(&self, change: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(WriteError::Closed)?;
        let change = Box::new(Computation {
            change,
            computed: None,
            reply,
        });
        queue.send(change).await.map_err(|_| WriteError::Closed)?;
        outcome.await.map_err(|_| WriteError::Closed)?
    }

    pub(super) fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    /// Lets the writer finish what is queued.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to flush.
            let _ = thread.join();
        }
    }
}

fn write_batches(
    connection: &Connection,
    mut incoming: mpsc::Receiver<Box<dyn Change>>,
    writable: &AtomicBool,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut since_checkpoint = 0_usize;
    while incoming.blocking_recv_many(&mut batch, BATCH) > 0 {
        since_checkpoint += batch.iter().map(|change| change.weight()).sum::<usize>();
        let outcome = commit(connection, &mut batch);
        let alone = matches!(outcome, Err(WriteError::Failed)) && batch.len() > 1;
        let mut wake = None;
        for mut change in batch.drain(..) {
            let outcome = if alone {
                commit(connection, std::slice::from_mut(&mut change))
            } else {
                outcome
            };
            note(writable, outcome);
            wake = later(wake, change.settle(outcome));
        }
        later(wake, None);
        if since_checkpoint >= CHECKPOINT_BYTES {
            since_checkpoint = 0;
            checkpoint(connection);
        }
    }
    checkpoint(connection);
}

/// Keeps the signal for later while it stays the same; gives the one before when it does not.
fn later(waiting: Option<Arc<Notify>>, next: Option<Arc<Notify>>) -> Option<Arc<Notify>> {
    match (waiting, next) {
        (Some(waiting), Some(next)) if Arc::ptr_eq(&waiting, &next) => Some(next),
        (waiting, next) => {
            if let Some(waiting) = waiting {
                waiting.notify_one();
            }
            next
        }
    }
}

fn commit(connection: &Connection, batch: &mut [Box<dyn Change>]) -> Result<(), WriteError> {
    let attempt = || -> rusqlite::Result<()> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        for change in batch {
            change.apply(&transaction)?;
        }
        transaction.commit()
    };
    attempt().map_err(|error| {
        let kind = WriteError::from(&error);
        tracing::error!(%error, "node.db cannot be written");
        kind
    })
}

fn note(writable: &AtomicBool, outcome: Result<(), WriteError>) {
    writable.store(outcome.is_ok(), Ordering::Relaxed);
}

fn checkpoint(connection: &Connection) {
    let outcome = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = outcome {
        tracing::warn!(%error, "node.db cannot be checkpointed");
    }
}

/// A closure as a change, answering through a one-shot.
struct Computation<T, F> {
    change: F,
    computed: Option<T>,
    reply: oneshot::Sender<Result<T, WriteError>>,
}

impl<T, F> Change for Computation<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.computed = Some((self.change)(connection)?);
        Ok(())
    }

    fn weight(&self) -> usize {
        4 * 4_096
    }

    fn settle(self: Box<Self>, outcome: Result<(), WriteError>) -> Option<Arc<Notify>> {
        let Self {
            computed, reply, ..
        } = *self;
        // The asker may have given up; the change stands all the same.
        let _ = reply.send(outcome.and_then(|()| computed.ok_or(WriteError::Failed)));
        None
    }
}
