//! What goes wrong inside the database.

use rusqlite::ErrorCode;

/// Why the database did not do what was asked. Nothing was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refused for a reason that no caller can act on: its extended result code.
    #[error("database engine failed with code {0}")]
    Engine(i32),
    /// The database has reached [`vettid_wire::limits::DATABASE`].
    #[error("vault database is full")]
    Full,
    /// A stored row is not what its table promises.
    #[error("stored row is malformed")]
    Malformed,
    /// One transaction changes more than one log record holds.
    #[error("transaction changes {size} bytes; one record holds {max}")]
    TooLarge {
        /// Most bytes that one changeset may have.
        max: usize,
        /// Bytes that this one has.
        size: usize,
    },
    /// The transaction changed something that its log record would not have.
    #[error("a change could not be recorded: nothing of its transaction is kept")]
    Unrecorded,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sqlite;
        match error {
            Sqlite::SqliteFailure(failure, _) if failure.code == ErrorCode::DiskFull => Self::Full,
            Sqlite::SqliteFailure(failure, _) => Self::Engine(failure.extended_code),
            Sqlite::SqlInputError { error, .. } => Self::Engine(error.extended_code),
            Sqlite::FromSqlConversionFailure(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::InvalidColumnType(..)
            | Sqlite::QueryReturnedNoRows => Self::Malformed,
            _ => Self::Engine(rusqlite::ffi::SQLITE_MISUSE),
        }
    }
}
