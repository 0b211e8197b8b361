//! A closure as a change that keeps its place in the queue, for writes that depend on records.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::Notify;

use super::{Change, Database, Full, WriteError};

impl Database {
    /// Queues `change` behind everything queued before, without waiting. `told` is called on the
    /// writer's thread with what it computed once that is durable, or with nothing.
    ///
    /// `change` may run twice, so it must decide from the database alone. `weight` is the bytes
    /// that it writes.
    pub(crate) fn queue<T: Send + 'static>(
        &self,
        weight: usize,
        change: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        told: impl FnOnce(Option<T>) + Send + 'static,
    ) -> Result<(), Full> {
        let computed = None;
        self.enqueue(Box::new(Queued {
            change,
            weight: weight.saturating_add(2 * 4_096),
            told,
            computed,
        }))
    }
}

struct Queued<C, R, T> {
    change: C,
    weight: usize,
    told: T,
    computed: Option<R>,
}

impl<C, R, T> Change for Queued<C, R, T>
where
    C: FnMut(&Connection) -> rusqlite::Result<R> + Send,
    R: Send,
    T: FnOnce(Option<R>) + Send,
{
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.computed = Some((self.change)(connection)?);
        Ok(())
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn settle(self: Box<Self>, outcome: Result<(), WriteError>) -> Option<Arc<Notify>> {
        let Self { told, computed, .. } = *self;
        told(computed.filter(|_| outcome.is_ok()));
        None
    }
}
