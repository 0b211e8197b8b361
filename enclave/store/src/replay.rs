//! Restoring a vault: the snapshot of a checkpoint, and every changeset behind it.

use vettid_crypto::VaultKey;
use vettid_wire::id::SpaceId;

use crate::apply::{ReplayError, Tables};
use crate::chain::Linked;
use crate::record::{Kind, RecordError};
use crate::snapshot::{SnapshotError, SnapshotName};
use crate::{Database, StoreError};

/// A restore under way. Takes the linked records of one log in order, from a checkpoint on.
#[derive(Debug)]
pub struct Replay<'k> {
    database: Database,
    key: &'k VaultKey,
    space: SpaceId,
    newest: u64,
    tables: Tables,
}

/// A vault that was restored.
#[derive(Debug)]
pub struct Restored {
    /// Its database, of the newest schema.
    pub database: Database,
    /// Whether the log holds an older schema: a checkpoint is due before anything is written.
    pub migrated: bool,
}

/// A vault cannot be restored from these records. Nothing of them is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A changeset does not belong to the state before it.
    #[error("changes of record {number} do not apply")]
    Changes {
        /// This record.
        number: u64,
        /// Why.
        #[source]
        why: ReplayError,
    },
    /// The records are not in order, or not of one log.
    #[error("record {0} is not the next one")]
    OutOfOrder(u64),
    /// A record does not open.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database is not of the schema that its records say.
    #[error("database has schema {found}; its records say {expected}")]
    Schema {
        /// What the records say.
        expected: u32,
        /// What the database is.
        found: u32,
    },
    /// The snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The database engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'k> Replay<'k> {
    /// Begins with a checkpoint. `vessel` is a template; whatever it holds is replaced.
    ///
    /// `fetch` brings chunks of a snapshot by its number and their index; none for one that the
    /// host does not have. The first record of a vault has no snapshot: replay then begins with
    /// its changes to an empty database of its schema.
    pub fn begin(
        vessel: Database,
        checkpoint: &Linked,
        key: &'k VaultKey,
        fetch: &mut dyn FnMut(u64, u32) -> Option<Vec<u8>>,
    ) -> Result<Self, RestoreError> {
        let (space, schema, number) = (
            checkpoint.space(),
            checkpoint.schema(),
            checkpoint.head().number,
        );
        let mut database = vessel;
        if checkpoint.kind() != Kind::Checkpoint {
            return Err(RecordError::Unexpected(number).into());
        }
        if checkpoint.has_changeset() {
            database = Database::empty(database.schema(), schema)?;
        } else {
            let snapshot = checkpoint.open_snapshot(key)?;
            if Some(snapshot.last) != number.checked_sub(1) {
                return Err(RecordError::Unexpected(number).into());
            }
            let name = SnapshotName {
                space,
                schema,
                number: snapshot.number,
                last: snapshot.last,
            };
            database.read_snapshot(&name, &snapshot, key, fetch)?;
        }
        let found = database.version()?;
        if found != schema {
            return Err(RestoreError::Schema {
                expected: schema,
                found,
            });
        }
        let tables = Tables::of(&database.connection)?;
        database.begin()?;
        let mut replay = Self {
            database,
            key,
            space,
            newest: number,
            tables,
        };
        replay.apply_changes(checkpoint)?;
        Ok(replay)
    }

    /// Takes the next record. After an error the replay is of no further use.
    pub fn apply(&mut self, record: &Linked) -> Result<(), RestoreError> {
        let number = record.head().number;
        if record.space() != self.space || Some(number) != self.newest.checked_add(1) {
            return Err(RestoreError::OutOfOrder(number));
        }
        match record.kind() {
            Kind::Header | Kind::Changeset | Kind::Joint => self.apply_changes(record)?,
            // Its snapshot holds what was replayed up to here, migrated if its schema is newer.
            Kind::Checkpoint => {
                record.open_snapshot(self.key)?;
                self.migrate(record.schema())?;
                self.database.begin()?;
            }
        }
        self.newest = number;
        Ok(())
    }

    /// The restored vault, once every record was taken.
    pub fn finish(mut self) -> Result<Restored, RestoreError> {
        let newest = self.database.schema().version();
        let migrated = self.database.version()? < newest;
        self.migrate(newest)?;
        Ok(Restored {
            database: self.database,
            migrated,
        })
    }

    /// Applies the changes of a record, if it has any.
    fn apply_changes(&mut self, record: &Linked) -> Result<(), RestoreError> {
        if !record.has_changeset() {
            return Ok(());
        }
        let number = record.head().number;
        let changeset = record.open_changeset(self.key)?;
        self.tables
            .apply(&self.database.connection, &changeset)
            .map_err(|why| RestoreError::Changes { number, why })
    }

    /// Commits what was applied, and brings the database to a schema.
    fn migrate(&mut self, version: u32) -> Result<(), StoreError> {
        self.database.commit()?;
        if self.database.version()? < version {
            self.database
                .schema()
                .migrate(&self.database.connection, version)?;
            self.tables = Tables::of(&self.database.connection)?;
        }
        Ok(())
    }
}
