//! Restoring a vault: the snapshot of a checkpoint, and every changeset behind it.

use vettid_crypto::VaultKey;
use vettid_wire::id::SpaceId;

use crate::chain::Linked;
use crate::changeset::{Group, ReplayError};
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
    pending: Group,
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
    #[error("changes up to record {number} do not apply")]
    Changes {
        /// Newest record among those that were applied together.
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
    /// host does not have. The first checkpoint of a vault has no snapshot: replay then begins with
    /// an empty database of that checkpoint's schema.
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
        match checkpoint.open_snapshot(key)? {
            Some(snapshot) => {
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
            None if number == 1 => database = Database::empty(database.schema(), schema)?,
            None => return Err(RecordError::Unexpected(number).into()),
        }
        let found = database.version()?;
        if found != schema {
            return Err(RestoreError::Schema {
                expected: schema,
                found,
            });
        }
        Ok(Self {
            database,
            key,
            space,
            newest: number,
            pending: Group::default(),
        })
    }

    /// Takes the next record. Changes may be applied later, together with those that follow.
    pub fn apply(&mut self, record: &Linked) -> Result<(), RestoreError> {
        let number = record.head().number;
        if record.space() != self.space || Some(number) != self.newest.checked_add(1) {
            return Err(RestoreError::OutOfOrder(number));
        }
        match record.kind() {
            Kind::Header => {}
            Kind::Changeset => {
                let changeset = record.open_changeset(self.key)?;
                self.pending
                    .push(changeset, &self.database.connection)
                    .map_err(|why| RestoreError::Changes { number, why })?;
            }
            // Its snapshot holds what was replayed up to here, migrated if its schema is newer.
            Kind::Checkpoint => {
                record.open_snapshot(self.key)?;
                self.flush()?;
                self.migrate(record.schema())?;
            }
        }
        self.newest = number;
        Ok(())
    }

    /// The restored vault, once every record was taken.
    pub fn finish(mut self) -> Result<Restored, RestoreError> {
        self.flush()?;
        let newest = self.database.schema().version();
        let migrated = self.database.version()? < newest;
        self.migrate(newest)?;
        Ok(Restored {
            database: self.database,
            migrated,
        })
    }

    fn flush(&mut self) -> Result<(), RestoreError> {
        let number = self.newest;
        self.pending
            .flush(&self.database.connection)
            .map_err(|why| RestoreError::Changes { number, why })
    }

    fn migrate(&self, version: u32) -> Result<(), StoreError> {
        self.database
            .schema()
            .migrate(&self.database.connection, version)
    }
}
