//! `node.db`: one SQLite file, one writing thread, a few reading connections.
//!
//! Everything durable on the host except objects goes through here, so one `fsync` covers the
//! appends of many vaults and the rows of the directory (spaces, invitations, audit) alike.
//!
//! ```text
//! changes ──▶ bounded queue ──▶ writer: collect all, one transaction, one fsync ──▶ settle each
//! reads   ──▶ one of READERS connections, on the blocking pool
//! ```
//!
//! | provided | not provided |
//! |---|---|
//! | a settled change is on disk (WAL, `synchronous=FULL`) | order between changes of different tasks |
//! | a batch that fails leaves nothing of itself | a queue without end: senders wait or are told *busy* |

pub(crate) mod column;
mod failure;
mod inspect;
mod queued;
mod reader;
mod writer;

pub use failure::{OpenError, ReadError, WriteError};
pub use inspect::Inspection;
pub(crate) use writer::{Change, Full};

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use reader::Readers;
use writer::Writer;

/// How long a statement waits for another process that holds the write lock.
const BUSY: Duration = Duration::from_secs(5);

/// Pages SQLite keeps in memory per connection, in KiB.
const CACHE_KIB: i64 = 8 * 1024;

/// Every schema step, in order; `user_version` counts those applied.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_node.sql"),
    include_str!("schema/0002_federation.sql"),
    include_str!("schema/0003_releases.sql"),
    include_str!("schema/0004_audited_peers.sql"),
];

/// The opened database. Cheap to clone; the last clone to go stops the writer.
#[derive(Clone)]
pub struct Database {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
}

/// What may differ between two databases of the same schema.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Ceiling on the file, in bytes; reached, it answers as a full disk does.
    pub max_bytes: Option<u64>,
}

impl Database {
    /// Opens or creates the file at `path`, migrates it and starts the writer.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        create_private(path)?;
        let mut writing = connect(path, OpenFlags::default())?;
        migrate(&mut writing)?;
        prepare_writer(&writing, options)?;
        let readers = Readers::new(PathBuf::from(path))?;
        Ok(Self {
            writer: Arc::new(Writer::start(writing)?),
            readers: Arc::new(readers),
        })
    }

    /// Runs `change` in the next batch and returns what it computed, once durable.
    ///
    /// `change` may run twice (alone, after a batch failed for another's sake), so it must
    /// decide from the database alone.
    pub async fn transact<T, F>(&self, change: F) -> Result<T, WriteError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.writer.transact(change).await
    }

    /// Runs `query` on a reading connection, off the async threads.
    pub async fn read<T, F>(&self, query: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.readers.read(query).await
    }

    /// Whether the newest batch could be written; false after a full disk or an I/O error.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writer.is_writable()
    }

    /// Tries a write that needs fresh pages, so that [`Self::is_writable`] can turn true again.
    pub async fn probe(&self) -> Result<(), WriteError> {
        self.transact(|connection| {
            connection.execute("INSERT INTO probe (filler) VALUES (zeroblob(65536))", [])?;
            connection.execute("DELETE FROM probe", [])?;
            Ok(())
        })
        .await
    }

    pub(crate) fn enqueue(&self, change: Box<dyn Change>) -> Result<(), Full> {
        self.writer.enqueue(change)
    }
}

/// Makes the file with mode 0600 if it is not there; SQLite gives its companions the same mode.
fn create_private(path: &Path) -> Result<(), OpenError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop).map_err(OpenError::File)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(64);
    // This SQLite is built with `STAT4`: without the planner's stability guarantee it prepares a
    // statement anew whenever a value is bound that its plan might depend on.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn prepare_writer(connection: &Connection, options: Options) -> Result<(), OpenError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoWriteAheadLog);
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // The writer checkpoints between batches, after answering; this is only the fallback.
    connection.pragma_update(None, "wal_autocheckpoint", 65_536)?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = column::integer(bytes) / page.max(1);
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    apply(&transaction)?;
    transaction.pragma_update(None, "user_version", u32::try_from(MIGRATIONS.len()).ok())?;
    transaction.commit()?;
    Ok(())
}

/// Makes the tables of this release from those of the release that has written the file.
fn apply(connection: &Connection) -> Result<(), OpenError> {
    for step in MIGRATIONS.iter().skip(applied(connection)?) {
        connection.execute_batch(step)?;
    }
    Ok(())
}

/// Schema of the file, unless a later release has written it.
fn applied(connection: &Connection) -> Result<usize, OpenError> {
    let applied: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = usize::try_from(applied).unwrap_or(usize::MAX);
    let known = MIGRATIONS.len();
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
