//! The end of a vault's log, where records are added.

use vettid_crypto::{Entropy, SealingKey, VaultKey};
use vettid_wire::id::SpaceId;
use vettid_wire::request::Head;
use vettid_wire::version;

use crate::record::{Place, Record};
use crate::snapshot::{Snapshot, SnapshotName};
use crate::{Chain, Changeset, Freshness, Header, snapshot_due};

/// Random bits in the number of a snapshot; above them there is room for 2⁴⁰ records.
const RANDOM_BITS: u32 = 24;

/// The end of one log. Numbers, chains and seals what is added.
///
/// It moves on at once; that the host stored a record is learned later. If it did not, somebody
/// else writes this log, and the process must wipe itself and end: there is no way back.
#[derive(Debug)]
pub struct Tail {
    space: SpaceId,
    newest_schema: u32,
    schema: u32,
    head: Option<Head>,
    since_checkpoint: u64,
}

/// A record cannot be added now.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TailError {
    /// The log is empty, or the database was migrated: a checkpoint must come first.
    #[error("a checkpoint is due first")]
    CheckpointDue,
    /// A checkpoint of a log that is not empty needs a snapshot.
    #[error("checkpoint has no snapshot")]
    SnapshotMissing,
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
            head: None,
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
            head: chain.head(),
            since_checkpoint,
        }
    }

    /// Adds a transaction's changes.
    pub fn changeset(
        &mut self,
        changeset: &Changeset,
        key: &VaultKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        if self.schema != self.newest_schema {
            return Err(TailError::CheckpointDue);
        }
        let place = self.place().ok_or(TailError::CheckpointDue)?;
        Ok(self.advance(Record::changeset(place, changeset, key, entropy)))
    }

    /// Adds a header. Allowed while the vault is locked, so also before a migration.
    pub fn header(
        &mut self,
        header: &Header,
        key: &SealingKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        let place = self.place().ok_or(TailError::CheckpointDue)?;
        Ok(self.advance(Record::header(place, header, key, entropy)))
    }

    /// Adds a checkpoint: without a snapshot as the first record, with one behind others.
    ///
    /// Once it is durable, everything before it and every other snapshot may be cut.
    pub fn checkpoint(
        &mut self,
        header: &Header,
        snapshot: Option<Snapshot>,
        keys: (&SealingKey, &VaultKey),
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Record, TailError> {
        let place = match (self.place(), snapshot) {
            (None, None) => self.first(),
            (None, Some(snapshot)) => {
                return Err(TailError::SnapshotStale {
                    holds: snapshot.last,
                    ends: 0,
                });
            }
            (Some(_), None) => return Err(TailError::SnapshotMissing),
            (Some(place), Some(snapshot)) => {
                let ends = place.number.saturating_sub(1);
                if snapshot.last != ends {
                    return Err(TailError::SnapshotStale {
                        holds: snapshot.last,
                        ends,
                    });
                }
                place
            }
        };
        let place = Place {
            schema: self.newest_schema,
            ..place
        };
        self.schema = self.newest_schema;
        let record = self.advance(Record::checkpoint(place, header, snapshot, keys, entropy));
        self.since_checkpoint = 0;
        Ok(record)
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
        let last = self.head.map_or(0, |head| head.number);
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
        self.head
    }

    /// Compares the log with a head that somebody has seen. Of older records only the number is
    /// known here, and a lower number is fresh: this process wrote or verified what came since.
    pub fn freshness(&self, seen: &Head) -> Freshness {
        let newest = self.head;
        Freshness::judge(seen, newest, |number| {
            newest
                .filter(|head| head.number == number)
                .map(|head| head.hash)
        })
    }

    /// Whether it is time for a snapshot and a checkpoint.
    #[must_use]
    pub fn checkpoint_due(&self, database_bytes: u64) -> bool {
        self.schema != self.newest_schema || snapshot_due(self.since_checkpoint, database_bytes)
    }

    #[cfg(test)]
    pub(crate) fn with_newest_schema(self, newest_schema: u32) -> Self {
        let schema = if self.head.is_none() {
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

    fn first(&self) -> Place {
        Place {
            space: self.space,
            schema: self.newest_schema,
            number: 1,
            previous: [0; 32],
        }
    }

    fn place(&self) -> Option<Place> {
        let Self { space, schema, .. } = *self;
        let head = self.head?;
        Some(Place {
            space,
            schema,
            number: head.number.saturating_add(1),
            previous: head.hash,
        })
    }

    fn advance(&mut self, record: Record) -> Record {
        let size = u64::try_from(record.size()).unwrap_or(u64::MAX);
        self.since_checkpoint = self.since_checkpoint.saturating_add(size);
        self.head = Some(record.head(&self.space));
        record
    }
}
