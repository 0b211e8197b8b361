//! Why the database did not do what was asked.

use rusqlite::ErrorCode;

/// Why a change is not durable. Nothing of it was kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The writer has stopped.
    #[error("the database is closed")]
    Closed,
    /// The disk or the operator's ceiling on the file is reached.
    #[error("the disk is full")]
    Full,
    /// Any other fault of the disk or the file.
    #[error("the database could not be written")]
    Failed,
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The database is shutting down.
    #[error("the database is closed")]
    Closed,
    /// A fault of the disk or the file.
    #[error("the database could not be read")]
    Failed,
}

/// Why the file could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system refused the file.
    #[error("node.db cannot be used: {0}")]
    File(std::io::Error),
    /// The file was written by a later release.
    #[error("node.db has schema {found}, this release knows {known}: use the newer release")]
    Newer {
        /// Schema of the file.
        found: usize,
        /// Newest schema of this program.
        known: usize,
    },
    /// The file system cannot hold a write-ahead log (a network share, for example).
    #[error("node.db cannot use a write-ahead log here: put the node folder on a local disk")]
    NoWriteAheadLog,
    /// SQLite refused.
    #[error("node.db cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The writing thread could not be started.
    #[error("no thread for the database: {0}")]
    Thread(#[from] std::io::Error),
}

impl From<&rusqlite::Error> for WriteError {
    fn from(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Failed,
        }
    }
}
