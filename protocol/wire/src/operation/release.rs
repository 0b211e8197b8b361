//! `release.*`: which release of the enclave a vault is sealed for.

use minicbor::{Decode, Encode};

use super::operation;
use crate::network::ReferenceValue;

/// `release.status`: which release serves the vault, and which one it may move to.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Status {}
operation!(Status => StatusReport, "release.status", Session);

/// Releases of a vault.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct StatusReport {
    /// The release that serves it.
    #[n(0)]
    pub running: u32,
    /// A later release that the vault may move to once its owner approves: the network accepts it, and
    /// the node has prepared it.
    #[n(1)]
    pub offered: Option<Offered>,
    /// The later release that the owner has approved.
    #[n(2)]
    pub approved: Option<u32>,
}

/// A release that is offered.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Offered {
    /// Its number.
    #[n(0)]
    pub release: u32,
    /// PCR0 of its image.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub pcr0: [u8; 48],
    /// PCR1.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub pcr1: [u8; 48],
    /// PCR2.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub pcr2: [u8; 48],
}

impl From<&ReferenceValue> for Offered {
    fn from(value: &ReferenceValue) -> Self {
        let ReferenceValue {
            release,
            pcr0,
            pcr1,
            pcr2,
            ..
        } = *value;
        Self {
            release,
            pcr0,
            pcr1,
            pcr2,
        }
    }
}

/// `release.approve`: lets the vault move to the offered release. It moves when its node runs that
/// release and a PIN is tried there, and never back.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Approve {
    /// The release, as it was offered.
    #[n(0)]
    pub offered: Offered,
}
operation!(Approve => super::Done, "release.approve", Owner);
