//! How far an agreement on keys has come. Kept in the connection's row, so that it goes on after a
//! restart at any step.

use std::fmt;

use vettid_wire::Secret;
use vettid_wire::cbor;
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::operation::invitation::Card;
use vettid_wire::refusal::Code;

use crate::stop::Stop;

/// How far an agreement on keys has come.
#[derive(Clone, Decode, Encode, Eq, PartialEq)]
pub(crate) enum Progress {
    /// Invited: the offer is to come.
    #[n(0)]
    ExpectOffer {
        /// What was said.
        #[cbor(n(0), with = "minicbor::bytes")]
        hello: Vec<u8>,
        /// Digest of the key that will be shown.
        #[cbor(n(1), with = "minicbor::bytes")]
        commitment: [u8; 32],
        /// What the inviting owner will be shown.
        #[n(2)]
        card: Card,
    },
    /// Invited: the welcome is to come.
    #[n(1)]
    ExpectWelcome {
        /// The offer that was answered.
        #[cbor(n(0), with = "minicbor::bytes")]
        offer: Vec<u8>,
        /// The answer, to repeat it.
        #[cbor(n(1), with = "minicbor::bytes")]
        answer: Vec<u8>,
        /// Digest of everything said before keys.
        #[cbor(n(2), with = "minicbor::bytes")]
        transcript: [u8; 32],
        /// This side's random number.
        #[cbor(n(3), with = "minicbor::bytes")]
        nonce: [u8; 32],
        /// Commitment to the other one's.
        #[cbor(n(4), with = "minicbor::bytes")]
        committed: [u8; 32],
        /// Key of the way back.
        #[n(5)]
        reply_key: Secret,
        /// Seed of the MLS signature key.
        #[n(6)]
        signer: Secret,
    },
    /// Inviting: the answer is to come.
    #[n(2)]
    ExpectAnswer {
        /// The hello that was answered.
        #[cbor(n(0), with = "minicbor::bytes")]
        hello: Vec<u8>,
        /// The offer, to repeat it.
        #[cbor(n(1), with = "minicbor::bytes")]
        offer: Vec<u8>,
        /// Secret half of the key that it shows.
        #[n(2)]
        secret: Secret,
        /// This side's random number.
        #[cbor(n(3), with = "minicbor::bytes")]
        nonce: [u8; 32],
        /// What the invited owner will be shown.
        #[n(4)]
        card: Card,
    },
    /// Keys are agreed; owners decide.
    #[n(3)]
    Agreed {
        /// Digest of the answer, and the welcome that it got, to repeat it; on the inviting side.
        #[n(0)]
        welcomed: Option<Welcomed>,
        /// The other owner has approved.
        #[n(1)]
        approved: bool,
    },
}

/// An answer and the welcome that it got.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub(crate) struct Welcomed {
    /// Digest of the answer's sealed bytes.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) answer: [u8; 32],
    /// The welcome's sealed bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) welcome: Vec<u8>,
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress(..)")
    }
}

impl Progress {
    /// As it is kept.
    pub(crate) fn keep(&self) -> Option<Secret> {
        Some(Secret::new(cbor::encode(self)))
    }

    /// As it was kept; none for a connection that is not agreeing on anything.
    pub(crate) fn of(kept: Option<&Secret>) -> Result<Option<Self>, Stop> {
        kept.map(|kept| kept.expose(|bytes| cbor::decode_exact(bytes)))
            .transpose()
            .map_err(|_| Code::Internal.into())
    }
}

/// What the invited vault awaits a new group with.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub(crate) struct Pending {
    /// Seed of the MLS signature key.
    #[n(0)]
    pub(crate) signer: Secret,
    /// The key package that was handed over, to repeat it. Index 1 is not used again: what has it, a digest
    /// alone, counts as nothing that is awaited, and a new package is made.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) package: Vec<u8>,
}

impl Pending {
    /// As it was kept.
    pub(crate) fn of(kept: Option<&Secret>) -> Option<Self> {
        kept?.expose(|bytes| cbor::decode_exact(bytes).ok())
    }
}

/// What the inviting vault has made the newest group with.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub(crate) struct Founded {
    /// Digest of the key package that was added to it.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) package: [u8; 32],
}

impl Founded {
    /// As it was kept.
    pub(crate) fn of(kept: Option<&Secret>) -> Option<Self> {
        kept?.expose(|bytes| cbor::decode_exact(bytes).ok())
    }
}
