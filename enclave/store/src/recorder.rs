//! Which rows a transaction touches, and what they were before it: what its changeset is made of.
//!
//! SQLite's session extension does the same, but asks anew in each transaction what columns the
//! tables have, and prepares a statement for each of them to read what has become of a row. That is
//! most of what a small transaction costs. Here both are known from one transaction to the next.
//!
//! A row is read again when the transaction is about to end, so that it does not matter how it came to
//! be as it is: by how many statements, or by undoing a part.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::PreUpdateCase;
use rusqlite::types::{ToSqlOutput, ValueRef};
use vettid_crypto::WipedVec;

use crate::columns::{self, Column, equal};
use crate::patchset::{self, Patchset, Values};
use crate::{Changeset, StoreError};

/// Bytes that most rows of a database have room in, and most keys.
const ROW: usize = 256;
const KEY: usize = 64;

/// Records what transactions of one connection change.
pub(crate) struct Recorder(Arc<Mutex<State>>);

/// Records one transaction until it is dropped.
pub(crate) struct Recording<'a>(&'a Recorder);

#[derive(Default)]
struct State {
    /// Version of the schema that the tables are of.
    version: i64,
    tables: Vec<Table>,
    recording: bool,
    /// Something was changed that could not be recorded.
    lost: bool,
    /// Each row that was touched: which in their order, and what it was before.
    rows: BTreeMap<Key, (usize, Option<WipedVec>)>,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    /// Reads a row.
    select: String,
}

/// A table, and the key of a row in it.
#[derive(Eq, PartialEq)]
struct Key(usize, WipedVec);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.0.cmp(&other.0);
        order.then_with(|| self.1.as_slice().cmp(other.1.as_slice()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Recorder {
    /// Watches a connection from now on.
    #[expect(clippy::disallowed_methods, reason = "this is the recorder's hook")]
    pub(crate) fn of(connection: &mut Connection) -> Result<Self, StoreError> {
        let state = Arc::new(Mutex::new(State::default()));
        let watched = Arc::clone(&state);
        // Watched between transactions too: SQLite empties a table without telling of its rows where it
        // prepares the statement while nobody watches.
        connection.preupdate_hook(Some(
            move |_, database: &str, table: &str, case: &PreUpdateCase| {
                if database == "main" {
                    lock(&watched).note(table, case);
                }
            },
        ))?;
        Ok(Self(state))
    }

    /// Learns what tables there are, unless that is known.
    pub(crate) fn learn(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut version = connection.prepare_cached("PRAGMA main.schema_version")?;
        let version = version.query_row([], |row| row.get(0))?;
        let mut state = lock(&self.0);
        if state.version != version {
            state.tables = columns::tables(connection)?
                .into_iter()
                .map(|name| Table::of(connection, name))
                .collect::<Result<_, _>>()?;
            state.version = version;
        }
        Ok(())
    }

    /// Begins to record a transaction.
    pub(crate) fn record(&self, connection: &Connection) -> Result<Recording<'_>, StoreError> {
        self.learn(connection)?;
        lock(&self.0).recording = true;
        Ok(Recording(self))
    }
}

impl Recording<'_> {
    /// What the transaction has changed in effect, if anything. For its end: what is changed after this
    /// is not in it.
    pub(crate) fn changeset(
        &self,
        connection: &Connection,
    ) -> Result<Option<Changeset>, StoreError> {
        // What panics while it notes something is stopped before SQLite, and has noted nothing.
        let broken = self.0.0.is_poisoned();
        let mut state = lock(&self.0.0);
        state.recording = false;
        if state.lost || broken {
            return Err(StoreError::Unrecorded);
        }
        let mut rows: Vec<_> = std::mem::take(&mut state.rows).into_iter().collect();
        rows.sort_unstable_by_key(|(Key(table, _), (number, _))| (*table, *number));
        let mut written = Patchset::new();
        let mut begun = None;
        for (Key(number, key), (_, before)) in rows {
            let table = state.tables.get(number).ok_or(StoreError::Unrecorded)?;
            let now = table.read(connection, &key)?;
            let (before, now) = (before.as_deref(), now.as_deref());
            let (before, now) = (before.map(Vec::as_slice), now.map(Vec::as_slice));
            if before != now {
                if begun.replace(number) != Some(number) {
                    written.table(&table.name, &table.columns);
                }
                written.row(&table.columns, before, now);
            }
        }
        Changeset::of(written.into_bytes())
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.0);
        state.recording = false;
        state.lost = false;
        state.rows.clear();
    }
}

impl State {
    /// Notes the row that is about to be changed.
    fn note(&mut self, table: &str, case: &PreUpdateCase) {
        if self.recording && self.touch(table, case).is_none() {
            self.lost = true;
        }
    }

    fn touch(&mut self, table: &str, case: &PreUpdateCase) -> Option<()> {
        let number = self.tables.iter().position(|known| known.name == table)?;
        let columns = &self.tables.get(number)?.columns;
        let (old, new, told) = match case {
            PreUpdateCase::Insert(new) => (None, Some(new), new.get_column_count()),
            PreUpdateCase::Delete(old) => (Some(old), None, old.get_column_count()),
            PreUpdateCase::Update {
                old_value_accessor: old,
                new_value_accessor: new,
            } => (Some(old), Some(new), old.get_column_count()),
            PreUpdateCase::Unknown => return None,
        };
        if usize::try_from(told) != Ok(columns.len()) {
            return None;
        }
        if let Some(old) = old {
            let next = self.rows.len();
            let key = written(
                columns,
                KEY,
                |c| c.key,
                |at| old.get_old_column_value(at).ok(),
            )?;
            if let Entry::Vacant(entry) = self.rows.entry(Key(number, key)) {
                let before = written(
                    columns,
                    ROW,
                    |_| true,
                    |at| old.get_old_column_value(at).ok(),
                )?;
                entry.insert((next, Some(before)));
            }
        }
        if let Some(new) = new {
            let next = self.rows.len();
            let key = written(
                columns,
                KEY,
                |c| c.key,
                |at| new.get_new_column_value(at).ok(),
            )?;
            // A row whose key was there is known already: what was there before was changed first.
            self.rows.entry(Key(number, key)).or_insert((next, None));
        }
        Some(())
    }
}

impl Table {
    fn of(connection: &Connection, name: String) -> Result<Self, StoreError> {
        let columns = columns::of(connection, &name)?;
        let key: Vec<_> = columns
            .iter()
            .filter(|column| column.key)
            .cloned()
            .collect();
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let select = format!(
            "SELECT {} FROM main.{name} WHERE {}",
            names.join(", "),
            equal(&key, " AND ", |_| true)
        );
        Ok(Self {
            name,
            columns,
            select,
        })
    }

    /// The row of this key, as it is now.
    fn read(&self, connection: &Connection, key: &[u8]) -> Result<Option<WipedVec>, StoreError> {
        let mut select = connection.prepare_cached(&self.select)?;
        for (place, value) in (1..).zip(Values(key)) {
            let value = patchset::value(value).ok_or(StoreError::Malformed)?;
            select.raw_bind_parameter::<usize, _>(place, ToSqlOutput::Borrowed(value))?;
        }
        let mut rows = select.raw_query();
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let mut bytes = WipedVec::new(Vec::with_capacity(ROW));
        for place in 0..self.columns.len() {
            patchset::append(&mut bytes, row.get_ref(place)?);
        }
        Ok(Some(bytes))
    }
}

/// The wanted columns of a row.
fn written<'v>(
    columns: &[Column],
    capacity: usize,
    wanted: impl Fn(&Column) -> bool,
    value: impl Fn(i32) -> Option<ValueRef<'v>>,
) -> Option<WipedVec> {
    let mut bytes = WipedVec::new(Vec::with_capacity(capacity));
    for (at, column) in (0..).zip(columns) {
        if wanted(column) {
            patchset::append(&mut bytes, value(at)?);
        }
    }
    Some(bytes)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder(..)")
    }
}

#[cfg(test)]
mod tests;
