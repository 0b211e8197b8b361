//! A place in a log, where one record is sealed: the context of everything in it.

use vettid_crypto::seal;
use vettid_crypto::{Entropy, Label, VaultKey, digest};
use vettid_wire::cbor;
use vettid_wire::id::SpaceId;

use crate::record::{Kind, Record, schema_bytes};
use crate::{Changeset, Header, HeaderKey, Snapshot};

/// Where a record is in its log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) space: SpaceId,
    pub(crate) schema: u32,
    pub(crate) number: u64,
    pub(crate) previous: [u8; 32],
}

/// The keys of a record with two parts: that of headers, and that of everything else.
pub(crate) type Keys<'a> = (&'a HeaderKey, &'a VaultKey);

impl Place {
    /// Seals a header record.
    pub(crate) fn header(
        self,
        header: &Header,
        key: &HeaderKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        let kind = Kind::Header;
        let body = self.seal_header((kind, &[]), header, key, entropy);
        self.record(kind, body)
    }

    /// Seals a changeset record.
    pub(crate) fn changeset(
        self,
        changeset: &Changeset,
        key: &VaultKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        let kind = Kind::Changeset;
        let body = self.seal_changeset(kind, changeset, key, entropy);
        self.record(kind, body)
    }

    /// Seals a joint record.
    pub(crate) fn joint(
        self,
        header: &Header,
        changeset: &Changeset,
        keys: Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        self.both(Kind::Joint, header, changeset, keys, entropy)
    }

    /// Seals the checkpoint that is the first record.
    pub(crate) fn genesis(
        self,
        header: &Header,
        changeset: &Changeset,
        keys: Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        self.both(Kind::Checkpoint, header, changeset, keys, entropy)
    }

    /// Seals a later checkpoint.
    pub(crate) fn checkpoint(
        self,
        header: &Header,
        snapshot: &Snapshot,
        (sealing, vault): Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        let kind = Kind::Checkpoint;
        let reference = cbor::encode(snapshot);
        let content = self.with_context(kind, &[], |context| {
            seal::seal(vault, Label::RecordCheckpoint, context, &reference, entropy)
        });
        self.two_parts(kind, header, &content, sealing, entropy)
    }

    /// Lends the context of a seal: everything in front of the body, and then what is `beside` the
    /// part, if that is bound. The hash of a record is over the same, with the body itself.
    pub(crate) fn with_context<T>(
        &self,
        kind: Kind,
        beside: &[u8],
        f: impl FnOnce(&[&[u8]]) -> T,
    ) -> T {
        f(&[
            &self.space.0,
            &[kind.byte()],
            &schema_bytes(self.schema),
            &self.number.to_be_bytes(),
            &self.previous,
            beside,
        ])
    }

    /// Seals a header and what the same operation changed in the database.
    fn both(
        self,
        kind: Kind,
        header: &Header,
        changeset: &Changeset,
        (sealing, vault): Keys<'_>,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        let content = self.seal_changeset(kind, changeset, vault, entropy);
        self.two_parts(kind, header, &content, sealing, entropy)
    }

    /// Seals the header beside content that is sealed.
    fn two_parts(
        self,
        kind: Kind,
        header: &Header,
        content: &[u8],
        key: &HeaderKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Record {
        let header = self.seal_header((kind, &beside(content)), header, key, entropy);
        let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
        let body = [&length.to_be_bytes(), &header[..], content].concat();
        self.record(kind, body)
    }

    fn seal_header(
        &self,
        (kind, beside): (Kind, &[u8]),
        header: &Header,
        key: &HeaderKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Vec<u8> {
        let plain = header.encode();
        let sealed = self.with_context(kind, &bound(key.release, beside), |context| {
            seal::seal(&key.key, Label::RecordHeader, context, &plain, entropy)
        });
        [&key.release.to_be_bytes(), &sealed[..]].concat()
    }

    fn seal_changeset(
        &self,
        kind: Kind,
        changeset: &Changeset,
        key: &VaultKey,
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Vec<u8> {
        self.with_context(kind, &[], |context| {
            changeset
                .expose(|plain| seal::seal(key, Label::RecordChangeset, context, plain, entropy))
        })
    }

    fn record(self, kind: Kind, body: Vec<u8>) -> Record {
        let Self {
            schema,
            number,
            previous,
            ..
        } = self;
        Record {
            kind,
            schema,
            number,
            previous,
            body,
        }
    }
}

/// What a header is bound to beside its place: the release that it is for, and the content beside it,
/// if there is any.
pub(crate) fn bound(release: u32, beside: &[u8]) -> Vec<u8> {
    [&release.to_be_bytes(), beside].concat()
}

/// What binds a header to the sealed content beside it.
pub(crate) fn beside(content: &[u8]) -> [u8; 32] {
    digest::labeled(Label::RecordContent, &[content])
}
