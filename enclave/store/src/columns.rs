//! What tables a database has, and their columns.

use rusqlite::Connection;

use crate::StoreError;

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is of the primary key.
    pub(crate) key: bool,
}

/// Names of the tables in `main`, SQLite's own left out.
pub(crate) fn tables(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut names = connection.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    let names = names.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Columns of a table, in its order.
pub(crate) fn of(connection: &Connection, table: &str) -> Result<Vec<Column>, StoreError> {
    let mut columns =
        connection.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY cid")?;
    let columns = columns.query_map([table], |row| {
        Ok(Column {
            name: row.get(0)?,
            key: row.get::<_, i64>(1)? > 0,
        })
    })?;
    Ok(columns.collect::<Result<_, _>>()?)
}

/// `column = ?place` for the columns that are wanted.
pub(crate) fn equal(
    columns: &[Column],
    between: &str,
    mut wanted: impl FnMut(&Column) -> bool,
) -> String {
    let terms: Vec<_> = (1..)
        .zip(columns)
        .filter(|(_, column)| wanted(column))
        .map(|(place, column): (usize, _)| format!("{} = ?{place}", column.name))
        .collect();
    terms.join(between)
}
