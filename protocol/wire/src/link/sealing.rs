//! What is said on the link before the enclave serves: where its sealing root comes from, if a key
//! service keeps it, and what it shares with other releases on the same node ([`super::handover`]).
//!
//! ```text
//! enclave ─ Ask ───────────▶ host      how is the key service reached, and what was sealed?
//!         ◀──────── Access ─
//!         ─ Dial ──────────▶           opens a connection to the key service
//!         ◀═══════ Bytes ══▶           TLS, which ends in the enclave
//!         ─ Keep ──────────▶           at the first boot: what the host must not lose
//!         ◀────────── Kept ─
//!
//!         ─ Others ────────▶           what is there of other releases?
//!         ◀──────── Others ─           or `MakeOffer`: it is not to serve, only to say its key
//!         ─ Inherit ───────▶           what it has taken over of earlier ones
//!         ─ HandOver ──────▶           what a later one needs of it
//!         ─ Offer ─────────▶           what earlier ones need to hand over to it; the last word
//!         ◀────────── Kept ─           to each of these three
//!
//!         ─ Failed ────────▶           instead of `Ready`: why
//! ```
//!
//! All of it comes between [`super::FromHost::Hello`] and [`super::FromEnclave::Ready`], and nothing
//! else does; the end of the connection alone may come late. An enclave whose platform keeps the root
//! by itself begins with `Others`.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::handover::{LaterImage, Others};
use crate::Secret;

/// What the host says.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum ToEnclave {
    /// Answers [`FromEnclave::Ask`]; absent when the host gives no access to a key service.
    #[n(0)]
    Access(#[n(0)] Option<Access>),
    /// The key service sent this; empty when the connection has ended or could not be made.
    #[n(1)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Answers [`FromEnclave::Keep`] and whatever else is to be kept: whether it is durable.
    #[n(2)]
    Kept(#[n(0)] bool),
    /// Answers [`FromEnclave::Others`]; absent when this release is not to serve on this node.
    #[n(3)]
    Others(#[n(0)] Option<Others>),
    /// Answers [`FromEnclave::Others`] too: say what earlier releases seal to, and end.
    #[n(4)]
    MakeOffer,
}

/// What the enclave says.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum FromEnclave {
    /// How is the key service reached, and what was sealed for this release?
    #[n(0)]
    Ask(#[n(0)] u32),
    /// Open a connection to the key service. Once a link.
    #[n(1)]
    Dial,
    /// Send this to the key service.
    #[n(2)]
    Bytes(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Keep this, a [`SealedRoot`], as long as there is a vault.
    #[n(3)]
    Keep(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// It does not serve, for this reason: the last word. For the operator; nothing in it is secret.
    #[n(4)]
    Failed(#[n(0)] String),
    /// What is there of other releases than this one?
    #[n(5)]
    Others(#[n(0)] u32),
    /// Keep this as long as there is a vault: what this release has taken over of earlier ones.
    #[n(6)]
    Inherit(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Keep this, a [`super::handover::Handover`], for a later release.
    #[n(7)]
    HandOver {
        /// Which.
        #[n(0)]
        to: LaterImage,
        /// The handover.
        #[cbor(n(1), with = "minicbor::bytes")]
        handover: Vec<u8>,
    },
    /// Keep this, a [`super::handover::Offer`], for earlier releases.
    #[n(8)]
    Offer {
        /// The release that makes it.
        #[n(0)]
        release: u32,
        /// The offer.
        #[cbor(n(1), with = "minicbor::bytes")]
        offer: Vec<u8>,
    },
}

/// How the key service is reached. All of it is the host's word: what it says decides whether the
/// enclave serves, never what the host learns.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Access {
    /// Region of the key.
    #[n(0)]
    pub region: String,
    /// ARN of the role that the credentials are of.
    #[n(1)]
    pub role: String,
    /// ARN of the role that may have the key deleted, if anybody may.
    #[n(2)]
    pub retirement: Option<String>,
    /// Id of the credentials that requests are signed with.
    #[n(3)]
    pub access_key_id: String,
    /// Their secret.
    #[n(4)]
    pub secret_access_key: Secret,
    /// Their token, for credentials of a role.
    #[n(5)]
    pub session_token: Option<Secret>,
    /// What was kept at the first boot; absent before.
    #[n(6)]
    pub sealed_root: Option<ByteVec>,
}

/// The sealing root of one node at one release, as its host keeps it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct SealedRoot {
    /// ARN of the key that the data key is wrapped under.
    #[n(0)]
    pub key: String,
    /// Release that it was sealed for.
    #[n(1)]
    pub release: u32,
    /// The data key, as the key service wrapped it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub data_key: Vec<u8>,
    /// The root, sealed under the data key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub root: Vec<u8>,
    /// Document of the enclave that sealed it, over the digest of all of the above: whoever could get a
    /// data key by other ways still cannot make a root that an enclave takes for its own.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub document: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn access_does_not_print_its_secrets() {
        let access = Access {
            region: "eu-central-1".into(),
            role: "arn".into(),
            retirement: None,
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: Secret::from("wJalrXUtnFEMI"),
            session_token: Some(Secret::from("FwoGZXIvYXdz")),
            sealed_root: None,
        };

        let shown = format!("{access:?}");

        assert!(
            !shown.contains("wJalr") && !shown.contains("FwoG"),
            "{shown}"
        );
        assert_eq!(cbor::decode_exact(&cbor::encode(&access)), Ok(access));
    }

    #[test]
    fn a_piece_fits_a_frame() {
        let piece = FromEnclave::Bytes(vec![0; crate::limits::SEALING_PIECE]);

        assert!(cbor::encode(&piece).len() < crate::limits::LINK_FRAME);
    }
}
