//! Conversions between columns and the types of the wire.

use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};
use vettid_wire::Secret;
use vettid_wire::cbor::{self, Wire};
use vettid_wire::time::UnixMillis;

/// A count or number for an integer column; none of ours comes near the end of its range.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A time for an integer column.
pub(crate) fn time(value: UnixMillis) -> i64 {
    integer(value.0)
}

/// A flag for a nullable column: NULL or 1.
pub(crate) fn flag(value: bool) -> Option<i64> {
    value.then_some(1)
}

/// The number that stands for an enumeration's value on the wire.
pub(crate) fn number_of(value: &impl Wire) -> i64 {
    cbor::decode::<u64>(&cbor::encode(value)).map_or(-1, integer)
}

/// Reads an unsigned integer.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Reads an unsigned integer of 32 bits.
pub(crate) fn unsigned32(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    let value: i64 = row.get(column)?;
    u32::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Reads a time.
pub(crate) fn read_time(row: &Row<'_>, column: usize) -> rusqlite::Result<UnixMillis> {
    unsigned(row, column).map(UnixMillis)
}

/// Reads a nullable time.
pub(crate) fn read_time_option(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<UnixMillis>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => read_time(row, column).map(Some),
    }
}

/// Reads a flag: NULL or 1.
pub(crate) fn read_flag(row: &Row<'_>, column: usize) -> rusqlite::Result<bool> {
    row.get::<_, Option<i64>>(column).map(|flag| flag.is_some())
}

/// Reads an enumeration's value.
pub(crate) fn read_number_of<T: Wire>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let number = unsigned(row, column)?;
    cbor::decode(&cbor::encode(&number)).map_err(|_| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            Type::Integer,
            FromSqlError::OutOfRange(integer(number)).into(),
        )
    })
}

/// Reads bytes that are wiped when they are no longer needed.
pub(crate) fn read_secret(row: &Row<'_>, column: usize) -> rusqlite::Result<Secret> {
    let bytes = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| wrong_type(column, error))?;
    Ok(Secret::new(bytes.to_vec()))
}

/// Whether a column holds nothing.
pub(crate) fn is_null(row: &Row<'_>, column: usize) -> rusqlite::Result<bool> {
    Ok(matches!(
        row.get_ref(column)?,
        rusqlite::types::ValueRef::Null
    ))
}

/// Reads nullable bytes that are wiped when they are no longer needed.
pub(crate) fn read_secret_option(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Secret>> {
    match is_null(row, column)? {
        true => Ok(None),
        false => read_secret(row, column).map(Some),
    }
}

/// Reads a structure of the wire.
pub(crate) fn read_wire<T: for<'b> cbor::minicbor::Decode<'b, ()>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let bytes = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| wrong_type(column, error))?;
    cbor::decode_exact(bytes).map_err(|_| wrong_type(column, FromSqlError::InvalidType))
}

/// Reads 32 secret bytes into the type of their role.
pub(crate) fn read_key<K>(
    row: &Row<'_>,
    column: usize,
    role: impl FnOnce(&[u8; 32]) -> K,
) -> rusqlite::Result<K> {
    let bytes = row
        .get_ref(column)?
        .as_blob()
        .map_err(|error| wrong_type(column, error))?;
    let bytes = bytes.try_into().map_err(|_| {
        let error = FromSqlError::InvalidBlobSize {
            expected_size: 32,
            blob_size: bytes.len(),
        };
        wrong_type(column, error)
    })?;
    Ok(role(bytes))
}

fn wrong_type(column: usize, error: FromSqlError) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, error.into())
}

/// How many rows a page asks for: one more than it shows, to know whether more follow.
pub(crate) fn page(limit: Option<u32>) -> (usize, i64) {
    let most = vettid_wire::limits::PAGE;
    let limit = limit.map_or(most, |limit| {
        usize::try_from(limit).unwrap_or(most).min(most)
    });
    (
        limit,
        i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::operation::item::Category;

    #[test]
    fn page_is_never_larger_than_the_limit() {
        assert_eq!(page(None), (200, 201));
        assert_eq!(page(Some(3)), (3, 4));
        assert_eq!(page(Some(u32::MAX)), (200, 201));
    }

    #[test]
    fn enumeration_is_stored_as_its_number_on_the_wire() {
        assert_eq!(number_of(&Category::ApiKey), 0);
        assert_eq!(number_of(&Category::Vehicle), 10);
    }

    #[test]
    fn values_that_no_type_has_are_malformed() {
        let connection = rusqlite::Connection::open_in_memory().expect("opens");
        let read = |sql: &str, f: &dyn Fn(&Row<'_>) -> rusqlite::Result<()>| {
            connection
                .query_row(sql, [], |row| f(row))
                .map_err(crate::StoreError::from)
        };
        let malformed = Err(crate::StoreError::Malformed);

        let category = |row: &Row<'_>| read_number_of::<Category>(row, 0).map(drop);
        assert_eq!(read("SELECT 10", &category), Ok(()));
        assert_eq!(read("SELECT 11", &category), malformed);
        assert_eq!(
            read("SELECT -1", &|row| unsigned(row, 0).map(drop)),
            malformed
        );
        assert_eq!(
            read("SELECT 1 << 32", &|row| unsigned32(row, 0).map(drop)),
            malformed
        );
        assert_eq!(
            read("SELECT x'01'", &|row| read_key(row, 0, drop_key)),
            malformed
        );
        assert_eq!(
            read("SELECT 'text'", &|row| read_secret(row, 0).map(drop)),
            malformed
        );
    }

    fn drop_key(_: &[u8; 32]) {}
}
