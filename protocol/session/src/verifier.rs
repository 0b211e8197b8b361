//! Whom this side accepts, and whom it accepted before.

use vettid_attestation::{
    AppraisalError, Appraised, Cache, NonceExpectation, Peer, Policy, appraise, recall,
};
use vettid_wire::id::NodeId;
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};

/// Whom this side accepts, and whom it accepted before. One serves all sessions of its owner.
#[derive(Debug)]
pub struct Verifier {
    /// The network's appraisal policy. Replace it when the network file changes; what was
    /// appraised under the earlier one then counts for nothing.
    pub policy: Policy,
    cache: Cache,
}

impl Verifier {
    /// Accepts by `policy`; remembers nobody yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            cache: Cache::default(),
        }
    }

    /// Appraises a document that must answer `nonce`, unless `known` and it renews one.
    pub(crate) fn appraise(
        &mut self,
        document: &[u8],
        bundle: &[u8],
        nonce: &[u8; 32],
        known: bool,
        now: UnixMillis,
    ) -> Result<Appraised<Peer>, Error> {
        let mut under =
            |nonce| appraise(document, bundle, &self.policy, nonce, now, &mut self.cache);
        match under(NonceExpectation::Fresh(nonce)) {
            Err(AppraisalError::NonceMissing | AppraisalError::NonceMismatch) if known => {
                under(NonceExpectation::Renewal).map_err(refused)
            }
            outcome => outcome.map_err(refused),
        }
    }

    /// The earlier appraisal of a document that the peer left out.
    pub(crate) fn recall(
        &self,
        document: &[u8; 32],
        bundle: &[u8],
        now: UnixMillis,
    ) -> Result<Appraised<Peer>, Error> {
        recall(document, bundle, &self.policy, now, &self.cache).map_err(|error| match error {
            AppraisalError::NotRemembered | AppraisalError::Expired => {
                Misuse::DocumentForgotten.into()
            }
            other => refused(other),
        })
    }
}

/// An enclave that an earlier session appraised. The next one spares it its document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownEnclave {
    pub(crate) appraised: Appraised<Peer>,
    pub(crate) policy_epoch: u64,
}

impl KnownEnclave {
    /// Hash of its document, if it is of `node` and counts in this epoch until a handshake begun
    /// now must be over.
    pub(crate) fn document(
        &self,
        node: NodeId,
        policy_epoch: u64,
        now: UnixMillis,
    ) -> Option<[u8; 32]> {
        let peer = self.appraised.at(now.plus(limits::HANDSHAKE_TIME)).ok()?;
        (peer.node == node && self.policy_epoch == policy_epoch).then_some(peer.document_hash)
    }
}

fn refused(error: AppraisalError) -> Error {
    match error {
        AppraisalError::DebugMode
        | AppraisalError::ReleaseBelowFloor { .. }
        | AppraisalError::UnknownMeasurement(_)
        | AppraisalError::WrongPlatform => PeerIncompatible::NotAccepted(error).into(),
        other => PeerMisbehaved::Evidence(other).into(),
    }
}
