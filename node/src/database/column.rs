//! Numbers on their way into columns and out of them. SQLite's integers are signed; ours are not, and
//! never come near the end of either.

use rusqlite::Row;

/// A number for a column.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count of things in memory for a column or a limit.
pub(crate) fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The number in a column.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::unsigned_abs)
}
