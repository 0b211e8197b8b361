//! The end of a vault's log, where records are added.

use vettid_crypto::{Entropy, VaultKey};
use vettid_wire::id::SpaceId;
use vettid_wire::request::Head;
use vettid_wire::version;

use crate::history::History;
use crate::place::{Keys, Place};
use crate::{
    Chain, Changeset, Freshness, Header, HeaderKey, Record, Snapshot, SnapshotName, snapshot_due,
};

/// Random bits in the number of a snapshot; above them there is room for 2⁴⁰ records.
const RANDOM_BITS: u32 = 24;
/// Newest records whose hashes an open vault remembers, to be compared with what devices have seen:
/// 16 KiB for a vault. A device that was away while more were added is compared by number alone.
const HASHES: usize = 512;

/// The end of one log. Numbers, chains and seals what is added.
///
/// It moves on at once; that the host stored a record is learned later. If it did not, somebody
/// else writes this log, and the process must wipe itself and end: there is no way back.
#[derive(Debug)]
pub struct Tail {
    space: SpaceId,
    newest_schema: u32,
    schema: u32,
    history: History,
    since_checkpoint: u64,
}

/// A record cannot be added now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TailError {
    /// The log has its first record.
    #[error("log has begun")]
    Begun,
    /// The log is empty, or the database was migrated: a checkpoint must come first.
    #[error("a checkpoint is due first")]
    CheckpointDue,
    /// Records were added after the snapshot was named.
    #[error("snapshot holds records up to {holds}; the log ends with {ends}")]
    SnapshotStale {
        /// Last record in the snapshot.
        holds: u64,
        /// Newest record.
        ends: u64,
    },
}

impl Tail {
    /// The end of a log that is empty.
    #[must_use]
    pub fn genesis(space: SpaceId) -> Self {
        let schema = version::SCHEMA;
        Self {
            space,
            newest_schema: schema,
            schema,
            history: History::of_at_most(HASHES),
            since_checkpoint: 0,
        }
    }

    /// The end of a log that was read.
    #[must_use]
    pub fn behind(chain: &Chain) -> Self {
        let (space, schema, since_checkpoint) = chain.end();
        let newest_schema = version::SCHEMA;
        Self {
            space,
            newest_schema,
            schema,
            history: chain.history().shortened(HASHES),
            since_checkpoint,
        }
    }

    /// Begins the log, with the vault's first header and first transaction: a crash leaves nothing
    /// or a whole vault.
    pub fn begin(
        &mut self,
        header: &Header,
        changeset: &Changeset,
        keys: Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        if self.head().is_some() {
            return Err(TailError::Begun);
        }
        let place = Place {
            space: self.space,
            schema: self.newest_schema,
            number: 1,
            previous: [0; 32],
        };
        Ok(self.restart(place.genesis(header, changeset, keys, entropy)))
    }

    /// Adds a transaction's changes.
    pub fn changeset(
        &mut self,
        changeset: &Changeset,
        key: &VaultKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        let place = self.place_of_changes()?;
        Ok(self.advance(place.changeset(changeset, key, entropy)))
    }

    /// Adds a header. Allowed while the vault is locked, so also before a migration.
    pub fn header(
        &mut self,
        header: &Header,
        key: &HeaderKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        let place = self.place().ok_or(TailError::CheckpointDue)?;
        Ok(self.advance(place.header(header, key, entropy)))
    }

    /// Adds a header and a transaction's changes as one: a crash leaves both or neither.
    pub fn joint(
        &mut self,
        header: &Header,
        changeset: &Changeset,
        keys: Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        let place = self.place_of_changes()?;
        Ok(self.advance(place.joint(header, changeset, keys, entropy)))
    }

    /// Adds a checkpoint that refers to a snapshot of everything before.
    ///
    /// Once it is durable, everything before it and every snapshot of a lower number may be cut.
    pub fn checkpoint(
        &mut self,
        header: &Header,
        snapshot: &Snapshot,
        keys: Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        let ends = self.head().map_or(0, |head| head.number);
        let stale = TailError::SnapshotStale {
            holds: snapshot.last,
            ends,
        };
        let place = self
            .place()
            .filter(|_| snapshot.last == ends)
            .ok_or(stale)?;
        let place = Place {
            schema: self.newest_schema,
            ..place
        };
        Ok(self.restart(place.checkpoint(header, snapshot, keys, entropy)))
    }

    /// Names a snapshot of the state that the log describes now.
    ///
    /// A later state has a higher number, so that a host that is slow to remove what a checkpoint
    /// made superfluous cannot reach the chunks of a snapshot that is being written meanwhile. What
    /// follows is random: a vault process that lost its log to another must not meet the chunks of
    /// the snapshot that the other one refers to.
    pub fn name_snapshot(&self, entropy: &mut (impl Entropy + ?Sized)) -> SnapshotName {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        let random = u64::from(u32::from_be_bytes(bytes) >> (32 - RANDOM_BITS));
        let last = self.head().map_or(0, |head| head.number);
        SnapshotName {
            space: self.space,
            schema: self.newest_schema,
            number: (last << RANDOM_BITS) | random,
            last,
        }
    }

    /// Newest record, durable or on its way.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.history.head()
    }

    /// Compares the log with a head that somebody has seen. The newest `HASHES` records are known by
    /// their hashes, as far back as the checkpoint that the log was read from; of older ones only
    /// the number is, and a lower number is fresh.
    pub fn freshness(&self, seen: &Head) -> Freshness {
        self.history.freshness(seen)
    }

    /// Whether it is time for a snapshot and a checkpoint.
    #[must_use]
    pub fn checkpoint_due(&self, database_bytes: u64) -> bool {
        self.schema != self.newest_schema || snapshot_due(self.since_checkpoint, database_bytes)
    }

    #[cfg(test)]
    pub(crate) fn with_newest_schema(self, newest_schema: u32) -> Self {
        let schema = if self.head().is_none() {
            newest_schema
        } else {
            self.schema
        };
        Self {
            newest_schema,
            schema,
            ..self
        }
    }

    fn place(&self) -> Option<Place> {
        let Self { space, schema, .. } = *self;
        let head = self.head()?;
        Some(Place {
            space,
            schema,
            number: head.number.saturating_add(1),
            previous: head.hash,
        })
    }

    fn place_of_changes(&self) -> Result<Place, TailError> {
        self.place()
            .filter(|_| self.schema == self.newest_schema)
            .ok_or(TailError::CheckpointDue)
    }

    /// Takes a record that a log may begin with.
    fn restart(&mut self, record: Record) -> Record {
        self.schema = self.newest_schema;
        let record = self.advance(record);
        self.since_checkpoint = 0;
        record
    }

    fn advance(&mut self, record: Record) -> Record {
        let size = u64::try_from(record.size()).unwrap_or(u64::MAX);
        self.since_checkpoint = self.since_checkpoint.saturating_add(size);
        self.history.push(record.head(&self.space));
        record
    }
}
