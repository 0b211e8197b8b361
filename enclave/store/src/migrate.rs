//! Schema versions. SQLite's `user_version` counts the scripts that a database has seen.
//!
//! Schema changes never travel in changesets. A database of an older version is therefore replayed
//! to its end under that version, migrated in memory, and followed by a checkpoint before anything
//! else is written ([`crate::TailError::CheckpointDue`]). A crash in between repeats the migration.

use rusqlite::Connection;

use crate::StoreError;

/// Scripts that lead from nothing to the newest schema, one a version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema(pub(crate) &'static [&'static str]);

impl Schema {
    /// The schema of this code. Scripts are only ever added at the end.
    pub(crate) const CURRENT: Self = Self(&[
        include_str!("schema/0001_vault.sql"),
        include_str!("schema/0002_connections.sql"),
        include_str!("schema/0003_endings.sql"),
        include_str!("schema/0004_cleared.sql"),
    ]);

    /// Newest version that these scripts reach.
    pub(crate) fn version(self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Brings a database up to `version`, in one transaction. Never goes back.
    pub(crate) fn migrate(self, connection: &Connection, version: u32) -> Result<(), StoreError> {
        let from = usize::try_from(version_of(connection)?).unwrap_or(usize::MAX);
        let to = usize::try_from(version).unwrap_or(usize::MAX);
        if from >= to {
            return Ok(());
        }
        let scripts = self.0.get(from..to).ok_or(StoreError::Malformed)?;
        let transaction = connection.unchecked_transaction()?;
        for script in scripts {
            connection.execute_batch(script)?;
        }
        connection.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
        Ok(())
    }
}

/// Schema version of a database.
pub(crate) fn version_of(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn version_of_the_scripts_is_the_one_on_the_wire() {
        assert_eq!(Schema::CURRENT.version(), vettid_wire::version::SCHEMA);
    }

    #[test]
    fn migration_keeps_rows_and_counts_up() {
        let connection = Connection::open_in_memory().expect("opens");
        fixture::GROWN.migrate(&connection, 1).expect("first");
        connection
            .execute_batch("INSERT INTO note VALUES (1, 'kept')")
            .expect("row");

        fixture::GROWN.migrate(&connection, 2).expect("second");

        let row: (String, i64) = connection
            .query_row("SELECT text, weight FROM note", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("row");
        assert_eq!(row, ("kept".into(), 7));
        assert_eq!(version_of(&connection), Ok(2));
    }

    #[test]
    fn failed_migration_changes_nothing() {
        let connection = Connection::open_in_memory().expect("opens");
        let broken = Schema(&["CREATE TABLE a (x INTEGER PRIMARY KEY); CREATE TABLE a (y)"]);

        assert!(broken.migrate(&connection, 1).is_err());

        assert_eq!(version_of(&connection), Ok(0));
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .expect("count");
        assert_eq!(tables, 0);
    }

    #[test]
    fn version_that_no_script_reaches_is_refused() {
        let connection = Connection::open_in_memory().expect("opens");

        assert_eq!(
            fixture::GROWN.migrate(&connection, 3),
            Err(StoreError::Malformed)
        );
    }
}
