//! One record of a vault's log: numbered, chained and sealed.
//!
//! Its form is in [`vettid_wire::record`]. The content beside a header is a snapshot reference in a
//! checkpoint, or in record 1 the patchset of the first transaction; in a joint record it is the
//! patchset of one transaction.
//!
//! Headers are sealed under a key of one vault at one release, patchsets and snapshot references under the vault key.
//! Everything in front of the body is also the context under which each part is sealed, together
//! with the space, and for a header its release: a record opens in its own vault, at its own place and behind its own predecessor
//! only. A record's hash covers all of it; `previous` is the hash of the record before.
//!
//! What an operation changes in header and database is one record, so that no crash tears it. Its
//! parts are bound to each other. The kind, which is in the context of both, says that there are
//! two: neither opens as the only one. The digest of the sealed content is in the context of the
//! header: it opens beside that content only, bit for bit, and not beside what was sealed for the
//! same place in another history. The newest header of a log is opened before the PIN is tried, and
//! every record before the newest is held by the chain; so no half of another record is ever used.

use vettid_crypto::seal::{self, NotOpened};
use vettid_crypto::{Label, SymmetricKey, VaultKey, WipedVec, digest};
use vettid_wire::cbor;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
pub use vettid_wire::record::FRONT;
use vettid_wire::record::{kind, release_in};
use vettid_wire::request::Head;

use crate::place::{Place, beside, bound};
use crate::{Changeset, Header, HeaderKey, Snapshot};

/// Most plaintext bytes of a changeset: whatever header goes with it, they fit one record.
pub(crate) const CHANGESET: usize =
    limits::RECORD - FRONT - 2 * size_of::<u32>() - limits::HEADER - 2 * seal::OVERHEAD;

/// What a record says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A header, and where the database begins: at the first transaction, or at a snapshot that
    /// holds everything before. A log begins with one.
    Checkpoint,
    /// A header that replaces the one before.
    Header,
    /// What one transaction changed.
    Changeset,
    /// A header, and what one transaction changed, as one.
    Joint,
}

/// A record as it is stored: sealed, and not checked against anything yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    pub(crate) kind: Kind,
    pub(crate) schema: u32,
    pub(crate) number: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) body: Vec<u8>,
}

/// Bytes are no record, or a record says what it cannot.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Too short, too long, or of an unknown kind.
    #[error("bytes are no log record")]
    Malformed,
    /// A part does not open: altered, of another vault or place, or under another key.
    #[error("record {0} does not open")]
    NotOpened(u64),
    /// A header is for another release than the key.
    #[error("header of record {number} is sealed for release {release}")]
    OtherRelease {
        /// Number of the record.
        number: u64,
        /// The release.
        release: u32,
    },
    /// A part is not there, or opens to something else than this kind holds.
    #[error("record {0} is not what it should be")]
    Unexpected(u64),
}

impl Record {
    /// Reads a record. Nothing is checked but its form.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let malformed = RecordError::Malformed;
        if bytes.len() > limits::RECORD {
            return Err(malformed);
        }
        let ([kind], rest) = bytes.split_first_chunk().ok_or(malformed)?;
        let (schema, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (number, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (previous, body) = rest.split_first_chunk().ok_or(malformed)?;
        Ok(Self {
            kind: Kind::from_byte(*kind).ok_or(malformed)?,
            schema: u16::from_be_bytes(*schema).into(),
            number: u64::from_be_bytes(*number),
            previous: *previous,
            body: body.to_vec(),
        })
    }

    /// The bytes to store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        out.push(self.kind.byte());
        out.extend_from_slice(&schema_bytes(self.schema));
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.body);
        out
    }

    /// What it says.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Bytes that it takes in the log.
    #[must_use]
    pub fn size(&self) -> usize {
        FRONT.saturating_add(self.body.len())
    }

    /// Number and hash.
    #[must_use]
    pub fn head(&self, space: &SpaceId) -> Head {
        let place = self.place(*space);
        Head {
            number: self.number,
            hash: place.with_context(self.kind, &self.body, |parts| {
                digest::labeled(Label::RecordHash, parts)
            }),
        }
    }

    /// Whether it says what a transaction changed.
    pub(crate) fn has_changeset(&self) -> bool {
        match self.kind {
            Kind::Checkpoint => self.number == 1,
            Kind::Header => false,
            Kind::Changeset | Kind::Joint => true,
        }
    }

    /// Opens the header.
    pub(crate) fn open_header(
        &self,
        space: SpaceId,
        key: &HeaderKey,
    ) -> Result<Header, RecordError> {
        let unexpected = RecordError::Unexpected(self.number);
        let (header, beside) = match self.kind {
            Kind::Checkpoint | Kind::Joint => {
                let (header, content) = self.split()?;
                (header, beside(content).to_vec())
            }
            Kind::Header => (&self.body[..], Vec::new()),
            Kind::Changeset => return Err(unexpected),
        };
        let (release, sealed) = header.split_first_chunk().ok_or(unexpected)?;
        let release = u32::from_be_bytes(*release);
        if release != key.release {
            let number = self.number;
            return Err(RecordError::OtherRelease { number, release });
        }
        let bound = bound(release, &beside);
        let plain = self.open(space, &key.key, Label::RecordHeader, sealed, &bound)?;
        Header::decode(&plain).map_err(|_| unexpected)
    }

    /// The release that its header is for, if it has one.
    pub(crate) fn release(&self) -> Option<u32> {
        release_in(self.kind.byte(), &self.body)
    }

    /// Opens the snapshot reference of a checkpoint that is not the first record.
    pub(crate) fn open_snapshot(
        &self,
        space: SpaceId,
        key: &VaultKey,
    ) -> Result<Snapshot, RecordError> {
        if self.kind != Kind::Checkpoint || self.number == 1 {
            return Err(RecordError::Unexpected(self.number));
        }
        let (_, reference) = self.split()?;
        let plain = self.open(space, key, Label::RecordCheckpoint, reference, &[])?;
        cbor::decode(&plain).map_err(|_| RecordError::Unexpected(self.number))
    }

    /// Opens what a transaction changed.
    pub(crate) fn open_changeset(
        &self,
        space: SpaceId,
        key: &VaultKey,
    ) -> Result<Changeset, RecordError> {
        let sealed = match self.kind {
            Kind::Changeset => &self.body,
            Kind::Joint => self.split()?.1,
            // The first record of a vault is all of it.
            Kind::Checkpoint if self.number == 1 => self.split()?.1,
            Kind::Checkpoint | Kind::Header => {
                return Err(RecordError::Unexpected(self.number));
            }
        };
        self.open(space, key, Label::RecordChangeset, sealed, &[])
            .map(Changeset::from_plaintext)
    }

    fn open(
        &self,
        space: SpaceId,
        key: &impl SymmetricKey,
        label: Label,
        sealed: &[u8],
        beside: &[u8],
    ) -> Result<WipedVec, RecordError> {
        self.place(space)
            .with_context(self.kind, beside, |context| {
                seal::open(key, label, context, sealed)
            })
            .map_err(|NotOpened| RecordError::NotOpened(self.number))
    }

    fn place(&self, space: SpaceId) -> Place {
        let Self {
            schema,
            number,
            previous,
            ..
        } = *self;
        Place {
            space,
            schema,
            number,
            previous,
        }
    }

    /// The two parts of the body: header and content.
    fn split(&self) -> Result<(&[u8], &[u8]), RecordError> {
        let unexpected = RecordError::Unexpected(self.number);
        let (length, rest) = self.body.split_first_chunk().ok_or(unexpected)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| unexpected)?;
        rest.split_at_checked(length).ok_or(unexpected)
    }
}

impl Kind {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Checkpoint => kind::CHECKPOINT,
            Self::Header => kind::HEADER,
            Self::Changeset => kind::CHANGESET,
            Self::Joint => kind::JOINT,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            kind::CHECKPOINT => Some(Self::Checkpoint),
            kind::HEADER => Some(Self::Header),
            kind::CHANGESET => Some(Self::Changeset),
            kind::JOINT => Some(Self::Joint),
            _ => None,
        }
    }
}

/// Versions count scripts in the source; there will not be 65,536.
pub(crate) fn schema_bytes(schema: u32) -> [u8; 2] {
    u16::try_from(schema).unwrap_or(u16::MAX).to_be_bytes()
}
