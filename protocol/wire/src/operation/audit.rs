//! `audit.*`: the chain of what was done, without content.

use minicbor::{Decode, Encode};
use vettid_crypto::sign::{Signature, SigningKey};
use vettid_crypto::{Label, digest};

use super::operation;
use crate::cbor;
use crate::id::{DeviceId, VaultId};
use crate::identity::{IdentityChain, IdentityError};
use crate::time::UnixMillis;

/// `audit.query`: events from a sequence on, oldest first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Query {
    /// Events behind this sequence; zero for all.
    #[n(0)]
    pub after: u64,
    /// Only this operation.
    #[n(1)]
    pub operation: Option<String>,
    /// At most this many, and never more than a page.
    #[n(2)]
    pub limit: Option<u32>,
}
operation!(Query => Events, "audit.query", Session);

/// Some events.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Events {
    /// Events in order.
    #[n(0)]
    pub events: Vec<Event>,
    /// Whether more follow.
    #[n(1)]
    pub more: bool,
}

/// One event of the chain.
///
/// `hash` is that of [`EventBody::hash`].
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Event {
    /// What is hashed.
    #[n(0)]
    pub body: EventBody,
    /// Hash of this event.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
}

/// What an event says. Content never enters it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct EventBody {
    /// Sequence; grows by one an event.
    #[n(0)]
    pub sequence: u64,
    /// When.
    #[n(1)]
    pub at: UnixMillis,
    /// Operation, as in the table.
    #[n(2)]
    pub operation: String,
    /// Device that asked; absent for the vault itself.
    #[n(3)]
    pub device: Option<DeviceId>,
    /// Id of what it was about: item, key, device.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub subject: Option<Vec<u8>>,
    /// Whether it was done, or refused.
    #[n(5)]
    pub done: bool,
}

impl EventBody {
    /// Hash of an event that says this and follows the event of another hash, zeros for the first:
    /// the labeled digest ([`Label::AuditEvent`]) over that hash and the encoding of this.
    #[must_use]
    pub fn hash(&self, before: &[u8; 32]) -> [u8; 32] {
        digest::labeled(Label::AuditEvent, &[before, &cbor::encode(self)])
    }
}

/// `audit.verify`: checks the whole chain inside the vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Verify {}
operation!(Verify => Verdict, "audit.verify", Session);

/// Result of a check.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Verdict {
    /// Events checked.
    #[n(0)]
    pub events: u64,
    /// First event that does not follow from the one before it.
    #[n(1)]
    pub broken_at: Option<u64>,
    /// The head, signed.
    #[n(2)]
    pub head: AuditHead,
}

/// Head of the chain, signed by the vault's identity ([`Label::AuditHead`] over vault id, sequence,
/// hash and time).
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct AuditHead {
    /// Newest sequence.
    #[n(0)]
    pub sequence: u64,
    /// Its hash; zeros for an empty chain.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// When it was signed.
    #[n(2)]
    pub at: UnixMillis,
    /// Leads from the vault's id to the key that signed.
    #[n(3)]
    pub identity: IdentityChain,
    /// Signature.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// Why a head is not that of a vault's chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HeadError {
    /// The key that signed it is not shown to be the vault's.
    #[error("the key that signed the head is not shown to be the vault's: {0}")]
    Identity(#[from] IdentityError),
    /// Its signature does not verify.
    #[error("the signature of the head does not verify")]
    Signature,
}

impl AuditHead {
    /// Signs the event of this sequence and hash as the newest of the vault's chain, with the key
    /// that `identity` leads to.
    #[must_use]
    pub fn new(
        vault: VaultId,
        (sequence, hash): (u64, [u8; 32]),
        at: UnixMillis,
        identity: IdentityChain,
        key: &SigningKey,
    ) -> Self {
        let unsigned = Self {
            sequence,
            hash,
            at,
            identity,
            signature: [0; 64],
        };
        let signature =
            unsigned.with_signed_parts(vault, |parts| key.sign(Label::AuditHead, parts));
        Self {
            signature: signature.0,
            ..unsigned
        }
    }

    /// Checks that the identity of `vault` signed this head.
    pub fn verify(&self, vault: VaultId) -> Result<(), HeadError> {
        let key = self.identity.verify(&vault)?;
        self.with_signed_parts(vault, |parts| {
            key.verify(Label::AuditHead, parts, &Signature(self.signature))
        })
        .map_err(|_| HeadError::Signature)
    }

    fn with_signed_parts<T>(&self, vault: VaultId, f: impl FnOnce(&[&[u8]]) -> T) -> T {
        f(&[
            &vault.0,
            &self.sequence.to_be_bytes(),
            &self.hash,
            &self.at.0.to_be_bytes(),
        ])
    }
}

/// `audit.export`: a page of events with the signed head, to be checked outside.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Export {
    /// Events behind this sequence; zero for all.
    #[n(0)]
    pub after: u64,
}
operation!(Export => Exported, "audit.export", Session);

/// A page of the export.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Exported {
    /// Events in order.
    #[n(0)]
    pub events: Vec<Event>,
    /// Whether more follow.
    #[n(1)]
    pub more: bool,
    /// The head, signed.
    #[n(2)]
    pub head: AuditHead,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_verifies_for_its_vault_and_nothing_of_it_can_be_altered() {
        let key = SigningKey::from_seed(&[1; 32]);
        let first = key.verifying_key();
        let (vault, other) = (VaultId::of(&first), VaultId([9; 32]));
        let head = AuditHead::new(
            vault,
            (7, [2; 32]),
            UnixMillis(5),
            IdentityChain::of(&first),
            &key,
        );
        let altered = |change: &dyn Fn(&mut AuditHead)| {
            let mut altered = head.clone();
            change(&mut altered);
            altered.verify(vault)
        };

        assert_eq!(head.verify(vault), Ok(()));
        let foreign = Err(HeadError::Identity(IdentityError::Foreign));
        assert_eq!(head.verify(other), foreign);
        let bad = Err(HeadError::Signature);
        assert_eq!(altered(&|head| head.sequence = 8), bad);
        assert_eq!(altered(&|head| head.hash[31] ^= 1), bad);
        assert_eq!(altered(&|head| head.at = UnixMillis(6)), bad);
        assert_eq!(altered(&|head| head.signature[0] ^= 1), bad);
    }

    #[test]
    fn hash_depends_on_what_is_said_and_on_what_was_before() {
        let body = EventBody {
            sequence: 1,
            at: UnixMillis(5),
            operation: "item.put".into(),
            device: None,
            subject: None,
            done: true,
        };
        let refused = EventBody {
            done: false,
            ..body.clone()
        };

        assert_ne!(body.hash(&[0; 32]), body.hash(&[1; 32]));
        assert_ne!(body.hash(&[0; 32]), refused.hash(&[0; 32]));
    }
}
