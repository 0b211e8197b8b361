//! `audit.*`: the chain of what was done, without content.

use minicbor::{Decode, Encode};

use super::operation;
use crate::id::DeviceId;
use crate::identity::IdentityChain;
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
/// `hash` is the labeled digest ([`vettid_crypto::Label::AuditEvent`]) over the hash before it and
/// the encoding of [`EventBody`].
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

/// Head of the chain, signed by the vault's identity ([`vettid_crypto::Label::AuditHead`] over the
/// vault id, sequence, hash and time).
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
