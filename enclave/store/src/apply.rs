//! Replay of changesets onto the state that they were made on.
//!
//! SQLite can apply changesets itself, but prepares every statement anew for each of them, silently
//! drops changes to tables or columns that it does not find, and, asked to merge a log into one
//! set first, loses a row that is removed and put again when all its columns are its key. So
//! changes are read one by one here and written with statements that are prepared once: several
//! times faster, and anything unexpected is an error.

use std::collections::BTreeMap;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::hooks::Action;
use rusqlite::session::{ChangesetItem, ChangesetIter};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode};

use crate::columns::{self, Column, equal};
use crate::{Changeset, StoreError};

/// Changesets do not belong to the state they were applied to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// A row is there that should not be, or is missing.
    #[error("changes conflict with the database")]
    Conflict,
    /// It names a table, or has columns, that this schema does not have; or it is no changeset.
    #[error("changes do not fit the schema")]
    Foreign,
    /// The database engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The tables of one schema, as far as replay must know them.
#[derive(Debug)]
pub(crate) struct Tables(BTreeMap<String, Table>);

#[derive(Debug)]
struct Table {
    columns: Vec<Column>,
    insert: String,
    delete: String,
    /// Statements by the columns that they change, one bit a column.
    updates: BTreeMap<u64, String>,
}

impl Tables {
    /// Reads what tables a database has.
    pub(crate) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let mut tables = BTreeMap::new();
        for name in columns::tables(connection)? {
            let table = Table::read(connection, &name)?;
            tables.insert(name, table);
        }
        Ok(Self(tables))
    }

    /// Applies one changeset. After an error the transaction around it must be rolled back.
    pub(crate) fn apply(
        &mut self,
        connection: &Connection,
        changeset: &Changeset,
    ) -> Result<(), ReplayError> {
        changeset.expose(|mut bytes| {
            let input: &mut dyn std::io::Read = &mut bytes;
            let mut changes =
                ChangesetIter::start_strm(&input).map_err(|_| ReplayError::Foreign)?;
            while let Some(change) = changes.next().map_err(|_| ReplayError::Foreign)? {
                self.apply_one(connection, change)?;
            }
            Ok(())
        })
    }

    fn apply_one(
        &mut self,
        connection: &Connection,
        change: &ChangesetItem,
    ) -> Result<(), ReplayError> {
        let operation = change.op().map_err(|_| ReplayError::Foreign)?;
        let table = self
            .0
            .get_mut(operation.table_name())
            .ok_or(ReplayError::Foreign)?;
        let key = change.pk().map_err(|_| ReplayError::Foreign)?;
        if !table
            .columns
            .iter()
            .map(|column| column.key)
            .eq(key.iter().map(|key| *key > 0))
        {
            return Err(ReplayError::Foreign);
        }
        let columns = 0..table.columns.len();
        let (sql, values): (&str, Vec<_>) = match operation.code() {
            Action::SQLITE_INSERT => {
                let values = columns.map(|column| change.new_value(column).ok());
                (&table.insert, values.collect())
            }
            Action::SQLITE_DELETE => {
                let values = columns.map(|column| change.old_value(column).ok());
                (&table.delete, values.collect())
            }
            Action::SQLITE_UPDATE => {
                let changed: Vec<_> = columns
                    .map(|column| change.new_value(column).ok())
                    .collect();
                let values = changed
                    .iter()
                    .enumerate()
                    .map(|(column, new)| new.map_or_else(|| change.old_value(column).ok(), Some));
                let values = values.collect();
                (table.update(&changed), values)
            }
            _ => return Err(ReplayError::Foreign),
        };
        run(connection, sql, &values)
    }
}

impl Table {
    fn read(connection: &Connection, name: &str) -> Result<Self, StoreError> {
        let columns = columns::of(connection, name)?;
        let places: Vec<_> = (1..=columns.len())
            .map(|place| format!("?{place}"))
            .collect();
        let insert = format!("INSERT INTO main.{name} VALUES ({})", places.join(", "));
        let delete = format!(
            "DELETE FROM main.{name} WHERE {}",
            equal(&columns, " AND ", |c| c.key)
        );
        Ok(Self {
            columns,
            insert,
            delete,
            updates: BTreeMap::new(),
        })
    }

    /// Statement that sets the columns with a new value.
    fn update(&mut self, changed: &[Option<ValueRef<'_>>]) -> &str {
        let mask = changed
            .iter()
            .rev()
            .fold(0, |mask, new| mask << 1 | u64::from(new.is_some()));
        let (columns, delete) = (&self.columns, &self.delete);
        self.updates.entry(mask).or_insert_with(|| {
            let mut new = changed.iter().map(Option::is_some);
            let set = equal(columns, ", ", |_| new.next().unwrap_or_default());
            // The two statements address the same row of the same table.
            delete.replacen("DELETE FROM", "UPDATE", 1).replacen(
                " WHERE",
                &format!(" SET {set} WHERE"),
                1,
            )
        })
    }
}

/// Runs a statement that must change exactly one row.
fn run(
    connection: &Connection,
    sql: &str,
    values: &[Option<ValueRef<'_>>],
) -> Result<(), ReplayError> {
    let mut statement = connection.prepare_cached(sql).map_err(StoreError::from)?;
    for (place, value) in (1..).zip(values) {
        if let Some(value) = value {
            statement
                .raw_bind_parameter::<usize, _>(place, ToSqlOutput::Borrowed(*value))
                .map_err(StoreError::from)?;
        }
    }
    match statement.raw_execute() {
        Ok(1) => Ok(()),
        Ok(_) => Err(ReplayError::Conflict),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(ReplayError::Conflict)
        }
        Err(error) => Err(StoreError::from(error).into()),
    }
}
