//! The log read from its beginning: every record follows from the one before it.
//!
//! A chain needs no key. Whoever reads the log, before or after the PIN, feeds each record to one;
//! what comes out is [`Linked`], and only that can be opened or replayed. The chain proves order
//! and completeness between its first record and its newest; that the newest really is the newest
//! is for [`crate::Freshness`], and that the records are the vault's own for their seals.
//!
//! | the host | is refused as |
//! |---|---|
//! | leaves a record out | [`ChainError::Gap`] |
//! | repeats one, or begins again | [`ChainError::Repeated`] |
//! | puts another vault's, an older or an altered record in its place | [`ChainError::BrokenLink`] or, for the newest, [`RecordError::NotOpened`] |
//! | begins with something else than a checkpoint | [`ChainError::NotACheckpoint`] |
//! | cuts the end off | [`crate::Freshness::RolledBack`] |

use vettid_crypto::VaultKey;
use vettid_wire::id::SpaceId;
use vettid_wire::request::Head;
use vettid_wire::{limits, version};

use crate::history::History;
use crate::record::{Kind, Record, RecordError};
use crate::snapshot::Snapshot;
use crate::{Changeset, Freshness, Header, HeaderKey};

/// Most bytes that a log can have between two checkpoints: snapshots are due long before.
const LOG: u64 = 2 * limits::DATABASE as u64;
/// Newest hashes that are remembered, to be compared with what devices have seen.
const HASHES: usize = 1 << 16;

/// Where one log was read to.
#[derive(Debug)]
pub struct Chain {
    space: SpaceId,
    known_schema: u32,
    schema: u32,
    history: History,
    read: u64,
    since_checkpoint: u64,
}

/// A record whose place in its log was verified.
#[derive(Debug)]
pub struct Linked {
    record: Record,
    head: Head,
    space: SpaceId,
}

/// A record does not follow from the ones before it. The log is incomplete or was altered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The hash of the record before is another one than this record was made behind.
    #[error("record {number} does not follow from the one before it")]
    BrokenLink {
        /// This record.
        number: u64,
    },
    /// Records are missing.
    #[error("record {expected} is missing; {found} follows")]
    Gap {
        /// Number that should be next.
        expected: u64,
        /// Number that came.
        found: u64,
    },
    /// A log begins with a checkpoint.
    #[error("log begins with record {number}, which is no checkpoint")]
    NotACheckpoint {
        /// First record.
        number: u64,
    },
    /// A record came before.
    #[error("record {found} came again instead of {expected}")]
    Repeated {
        /// Number that should be next.
        expected: u64,
        /// Number that came.
        found: u64,
    },
    /// The schema changes between checkpoints, where it cannot, or goes back.
    #[error("record {number} changes the schema from {from} to {to}")]
    SchemaChanged {
        /// This record.
        number: u64,
        /// Schema of the checkpoint.
        from: u32,
        /// Schema of this record.
        to: u32,
    },
    /// A newer release wrote this; running an older one would lose what it cannot read.
    #[error("log has schema {found}; this release knows {known}")]
    SchemaTooNew {
        /// Newest schema of this release.
        known: u32,
        /// Schema of the record.
        found: u32,
    },
    /// More than any honest log holds.
    #[error("log is longer than any vault's")]
    TooLong,
}

impl Chain {
    /// Expects the newest checkpoint of the log of `space`.
    #[must_use]
    pub fn new(space: SpaceId) -> Self {
        Self::knowing(space, version::SCHEMA)
    }

    /// Expects a log of at most this schema.
    pub(crate) fn knowing(space: SpaceId, known_schema: u32) -> Self {
        Self {
            space,
            known_schema,
            schema: 0,
            history: History::of_at_most(HASHES),
            read: 0,
            since_checkpoint: 0,
        }
    }

    /// Takes the next record. After an error the chain stands where it stood.
    pub fn accept(&mut self, record: Record) -> Result<Linked, ChainError> {
        self.check_place(&record)?;
        self.check_schema(&record)?;
        let size = u64::try_from(record.size()).unwrap_or(u64::MAX);
        let read = self.read.saturating_add(size);
        if read > LOG {
            return Err(ChainError::TooLong);
        }
        self.read = read;
        self.since_checkpoint = match record.kind {
            Kind::Checkpoint => 0,
            Kind::Header | Kind::Changeset | Kind::Joint => {
                self.since_checkpoint.saturating_add(size)
            }
        };
        self.schema = record.schema;
        let head = record.head(&self.space);
        self.history.push(head);
        Ok(Linked {
            record,
            head,
            space: self.space,
        })
    }

    /// Newest record; none before the first.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.history.head()
    }

    /// Compares the log with a head that somebody has seen.
    pub fn freshness(&self, seen: &Head) -> Freshness {
        self.history.freshness(seen)
    }

    /// Space, schema and bytes since the newest checkpoint.
    pub(crate) fn end(&self) -> (SpaceId, u32, u64) {
        (self.space, self.schema, self.since_checkpoint)
    }

    /// What was read, by its hashes.
    pub(crate) const fn history(&self) -> &History {
        &self.history
    }

    fn check_place(&self, record: &Record) -> Result<(), ChainError> {
        let number = record.number;
        let Some(head) = self.head() else {
            // Record 1 has nothing before it; a later checkpoint's predecessor may have been cut.
            let begins = number > 1 || (number == 1 && record.previous == [0; 32]);
            return match record.kind {
                Kind::Checkpoint if begins => Ok(()),
                Kind::Checkpoint => Err(ChainError::BrokenLink { number }),
                Kind::Header | Kind::Changeset | Kind::Joint => {
                    Err(ChainError::NotACheckpoint { number })
                }
            };
        };
        let expected = head.number.saturating_add(1);
        match number.cmp(&expected) {
            std::cmp::Ordering::Less => Err(ChainError::Repeated {
                expected,
                found: number,
            }),
            std::cmp::Ordering::Greater => Err(ChainError::Gap {
                expected,
                found: number,
            }),
            std::cmp::Ordering::Equal if record.previous == head.hash => Ok(()),
            std::cmp::Ordering::Equal => Err(ChainError::BrokenLink { number }),
        }
    }

    fn check_schema(&self, record: &Record) -> Result<(), ChainError> {
        let Record { number, schema, .. } = *record;
        if schema > self.known_schema {
            return Err(ChainError::SchemaTooNew {
                known: self.known_schema,
                found: schema,
            });
        }
        let checkpoint = record.kind == Kind::Checkpoint;
        if schema < self.schema || (schema > self.schema && !checkpoint) {
            return Err(ChainError::SchemaChanged {
                number,
                from: self.schema,
                to: schema,
            });
        }
        Ok(())
    }
}

impl Linked {
    /// What it says.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.record.kind
    }

    /// Its number and hash.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Opens the header, of any record but a changeset.
    pub fn open_header(&self, key: &HeaderKey) -> Result<Header, RecordError> {
        self.record.open_header(self.space, key)
    }

    /// The release that its header is sealed for, if it has one; not proven before it is opened.
    #[must_use]
    pub fn release(&self) -> Option<u32> {
        self.record.release()
    }

    /// Opens the snapshot reference of a checkpoint that is not the first record.
    pub fn open_snapshot(&self, key: &VaultKey) -> Result<Snapshot, RecordError> {
        self.record.open_snapshot(self.space, key)
    }

    /// Whether it says what a transaction changed.
    pub(crate) fn has_changeset(&self) -> bool {
        self.record.has_changeset()
    }

    pub(crate) fn open_changeset(&self, key: &VaultKey) -> Result<Changeset, RecordError> {
        self.record.open_changeset(self.space, key)
    }

    pub(crate) fn schema(&self) -> u32 {
        self.record.schema
    }

    pub(crate) fn space(&self) -> SpaceId {
        self.space
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{SPACE, Vault};

    #[test]
    fn log_that_no_vault_could_have_is_refused() {
        let vault = Vault::enrolled();
        let record = Record::parse(&vault.log[0]).expect("record");
        let mut chain = Chain::new(SPACE);
        chain.read = LOG - record.size() as u64 + 1;

        assert_eq!(
            chain.accept(record.clone()).err(),
            Some(ChainError::TooLong)
        );
        chain.read -= 1;
        assert!(chain.accept(record).is_ok());
    }
}
