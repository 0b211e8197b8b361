//! How the enclave of one release hands over to that of a later one, through the host of both.
//!
//! ```text
//!  later release                 host                     earlier release
//!   Offer ─────────────────────▶  keeps  ────────────────▶ is it accepted, and later than this one?
//!   believes it: accepted, ◀────  keeps  ◀──────────────── Handover
//!   and earlier than this one                              seals a vault's header for both,
//!   opens what its owner let go ◀─ log ◀────────────────── once its owner approves
//! ```
//!
//! Offer and handover count with a document alone: the image that the network lists under that number
//! made it. So a handover is sealed for nothing but a later release, and nobody can pretend to be an
//! earlier one. It holds the node's identity, what mailboxes are sealed under, and a root from which
//! the keys of headers on their way are derived: of vaults whose owners have approved, and no others.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// What a host has of other releases, for the one that asks. All of it is the host's word.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Others {
    /// What this release has taken over at an earlier boot.
    #[n(0)]
    pub inheritance: Option<ByteVec>,
    /// [`Handover`]s of earlier releases to this one, at most [`crate::limits::RELEASES`].
    #[n(1)]
    pub handovers: Vec<ByteVec>,
    /// Images of later releases that this one has handed over to, at most
    /// [`crate::limits::RELEASES`].
    #[n(2)]
    pub later: Vec<LaterImage>,
    /// [`Offer`] of the latest release that has made one, if that is a later one.
    #[n(3)]
    pub offer: Option<ByteVec>,
}

/// An image of a later release. A number may come to stand for another image; what is shared with one
/// is not shared with the other.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct LaterImage {
    /// Number of the release.
    #[n(0)]
    pub release: u32,
    /// SHA-256 of PCR0, PCR1 and PCR2 behind each other.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub image: [u8; 32],
}

/// What a release tells earlier ones, so that they can hand over to it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Offer {
    /// Its number.
    #[n(0)]
    pub release: u32,
    /// What they seal to: a public key of X-Wing.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// Document of the enclave that made it, over the digest of network, number and key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub document: Vec<u8>,
}

/// What a release hands over to a later one.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Handover {
    /// Number of the earlier release.
    #[n(0)]
    pub from: u32,
    /// Number of the later one.
    #[n(1)]
    pub to: u32,
    /// The secrets, sealed to the later one.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
    /// Document of the enclave that made it, over the digest of network, numbers and secrets.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub document: Vec<u8>,
}
