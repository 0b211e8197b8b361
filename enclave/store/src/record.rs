//! One record of a vault's log: numbered, chained and sealed.
//!
//! ```text
//! kind u8 | schema u16 | number u64 | previous 32 | sealed body          (integers big-endian)
//!
//! 1 checkpoint   length u32 | header, under the sealing key | snapshot reference, under the vault key
//! 2 header       header, under the sealing key
//! 3 changeset    patchset of one transaction, under the vault key
//! ```
//!
//! Everything in front of the body is also the context under which the body is sealed, together
//! with the space: a record opens in its own vault, at its own place and behind its own predecessor
//! only. A record's hash covers all of it; `previous` is the hash of the record before.

use vettid_crypto::seal::{self, NotOpened};
use vettid_crypto::{Entropy, Label, SealingKey, VaultKey, WipedVec, digest};
use vettid_wire::cbor;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::request::Head;

use crate::snapshot::{Reference, Snapshot};
use crate::{Changeset, Header};

/// Bytes in front of a record's body.
pub const FRONT: usize = 43;

/// What a record says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A header, and the snapshot that holds everything before. A log begins with one.
    Checkpoint,
    /// A header that replaces the one before.
    Header,
    /// What one transaction changed.
    Changeset,
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
    /// The body does not open: altered, of another vault or place, or under another key.
    #[error("record {0} does not open")]
    NotOpened(u64),
    /// The body opens to something else than this kind holds.
    #[error("record {0} is not what it should be")]
    Unexpected(u64),
}

/// Where a record is in its log; the context of its seal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) space: SpaceId,
    pub(crate) schema: u32,
    pub(crate) number: u64,
    pub(crate) previous: [u8; 32],
}

impl Record {
    /// Reads a record. Nothing is checked but its form.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let malformed = RecordError::Malformed;
        let ([kind], rest) = bytes.split_first_chunk().ok_or(malformed)?;
        let (schema, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (number, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (previous, body) = rest.split_first_chunk().ok_or(malformed)?;
        if body.len() > limits::RECORD {
            return Err(malformed);
        }
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
        let parts = self.place(*space).parts(self.kind);
        let [space, kind, schema, number, previous] = parts.each_ref().map(Vec::as_slice);
        let parts = [space, kind, schema, number, previous, &self.body];
        Head {
            number: self.number,
            hash: digest::labeled(Label::RecordHash, &parts),
        }
    }

    /// Seals a header record.
    pub(crate) fn header(
        place: Place,
        header: &Header,
        key: &SealingKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Self {
        let body = place.seal_header(Kind::Header, header, key, entropy);
        Self::at(place, Kind::Header, body)
    }

    /// Seals a changeset record.
    pub(crate) fn changeset(
        place: Place,
        changeset: &Changeset,
        key: &VaultKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Self {
        let kind = Kind::Changeset;
        let body = place.with_context(kind, |context| {
            changeset
                .expose(|plain| seal::seal(key, Label::RecordChangeset, context, plain, entropy))
        });
        Self::at(place, kind, body)
    }

    /// Seals a checkpoint record.
    pub(crate) fn checkpoint(
        place: Place,
        header: &Header,
        snapshot: Option<Snapshot>,
        (sealing, vault): (&SealingKey, &VaultKey),
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Self {
        let kind = Kind::Checkpoint;
        let header = place.seal_header(kind, header, sealing, entropy);
        let reference = cbor::encode(&Reference { snapshot });
        let reference = place.with_context(kind, |context| {
            seal::seal(vault, Label::RecordCheckpoint, context, &reference, entropy)
        });
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
        Self::at(
            place,
            kind,
            [&length.to_be_bytes(), &header[..], &reference[..]].concat(),
        )
    }

    /// Opens the header of a checkpoint or header record.
    pub(crate) fn open_header(
        &self,
        space: SpaceId,
        key: &SealingKey,
    ) -> Result<Header, RecordError> {
        let sealed = match self.kind {
            Kind::Checkpoint => self.split_checkpoint()?.0,
            Kind::Header => &self.body,
            Kind::Changeset => return Err(RecordError::Unexpected(self.number)),
        };
        let plain = self.open(space, key, Label::RecordHeader, sealed)?;
        Header::decode(&plain).map_err(|_| RecordError::Unexpected(self.number))
    }

    /// Opens the snapshot reference of a checkpoint record.
    pub(crate) fn open_snapshot(
        &self,
        space: SpaceId,
        key: &VaultKey,
    ) -> Result<Option<Snapshot>, RecordError> {
        let sealed = self.split_checkpoint()?.1;
        let plain = self.open(space, key, Label::RecordCheckpoint, sealed)?;
        cbor::decode::<Reference>(&plain)
            .map(|reference| reference.snapshot)
            .map_err(|_| RecordError::Unexpected(self.number))
    }

    /// Opens a changeset record.
    pub(crate) fn open_changeset(
        &self,
        space: SpaceId,
        key: &VaultKey,
    ) -> Result<Changeset, RecordError> {
        if self.kind != Kind::Changeset {
            return Err(RecordError::Unexpected(self.number));
        }
        self.open(space, key, Label::RecordChangeset, &self.body)
            .map(Changeset::from_plaintext)
    }

    fn at(place: Place, kind: Kind, body: Vec<u8>) -> Self {
        let Place {
            schema,
            number,
            previous,
            ..
        } = place;
        Self {
            kind,
            schema,
            number,
            previous,
            body,
        }
    }

    fn open(
        &self,
        space: SpaceId,
        key: &impl vettid_crypto::SymmetricKey,
        label: Label,
        sealed: &[u8],
    ) -> Result<WipedVec, RecordError> {
        self.place(space)
            .with_context(self.kind, |context| seal::open(key, label, context, sealed))
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

    fn split_checkpoint(&self) -> Result<(&[u8], &[u8]), RecordError> {
        let unexpected = RecordError::Unexpected(self.number);
        if self.kind != Kind::Checkpoint {
            return Err(unexpected);
        }
        let (length, rest) = self.body.split_first_chunk().ok_or(unexpected)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| unexpected)?;
        rest.split_at_checked(length).ok_or(unexpected)
    }
}

impl Place {
    fn parts(&self, kind: Kind) -> [Vec<u8>; 5] {
        [
            self.space.0.to_vec(),
            vec![kind.byte()],
            schema_bytes(self.schema).to_vec(),
            self.number.to_be_bytes().to_vec(),
            self.previous.to_vec(),
        ]
    }

    fn with_context<T>(&self, kind: Kind, f: impl FnOnce(&[&[u8]]) -> T) -> T {
        let parts = self.parts(kind);
        f(&parts.each_ref().map(Vec::as_slice))
    }

    fn seal_header(
        &self,
        kind: Kind,
        header: &Header,
        key: &SealingKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Vec<u8> {
        let plain = header.encode();
        self.with_context(kind, |context| {
            seal::seal(key, Label::RecordHeader, context, &plain, entropy)
        })
    }
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Checkpoint => 1,
            Self::Header => 2,
            Self::Changeset => 3,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Checkpoint),
            2 => Some(Self::Header),
            3 => Some(Self::Changeset),
            _ => None,
        }
    }
}

/// Versions count scripts in the source; there will not be 65,536.
fn schema_bytes(schema: u32) -> [u8; 2] {
    u16::try_from(schema).unwrap_or(u16::MAX).to_be_bytes()
}
