//! Reading connections, lent out one at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::inspect::MadeIndex;
use super::{OpenError, ReadError, connect};

/// Reads that run at the same time; more wait. Reads are unlocks of closed vaults.
const READERS: usize = 4;

/// The idle connections and the permits to take one.
pub(super) struct Readers {
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    // Behind the connections: it removes what one of them has made.
    _index: Option<MadeIndex>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let idle = (0..READERS)
            .map(|_| connect(&path, flags))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Arc::new(Mutex::new(idle)),
            _index: None,
        })
    }

    /// Reads on one connection alone.
    pub(super) fn of(connection: Connection, index: Option<MadeIndex>) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(1)),
            idle: Arc::new(Mutex::new(vec![connection])),
            _index: index,
        }
    }

    pub(super) async fn read<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| ReadError::Closed)?;
        let idle = Arc::clone(&self.idle);
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = taken.ok_or(ReadError::Failed)?;
            let answer = query(&connection);
            idle.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            answer.map_err(|error| {
                tracing::error!(%error, "node.db cannot be read");
                ReadError::Failed
            })
        });
        read.await.map_err(|_| ReadError::Failed)?
    }
}
