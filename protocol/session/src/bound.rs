//! A session whose handshake is complete: what both sides must still prove about it.

use vettid_crypto::sign::{Signature, VerifyingKey};
use vettid_wire::id::NodeId;
use vettid_wire::time::UnixMillis;

use vettid_attestation::{Appraised, Peer};

use crate::error::{Error, Misuse, PeerIncompatible, PeerMisbehaved};
use crate::evidence::{Kind, Shown};
use crate::identity::{Identity, Role};
use crate::message::Challenge;
use crate::prologue::Prologue;
use crate::statement::{Claim, Statement, Transcript};
use crate::verifier::Verifier;

/// Who is at the other end, as its evidence showed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a session, and nearly always of one kind at one side"
)]
pub enum ProvenPeer {
    /// An enclave that the policy accepts.
    Enclave {
        /// The space or node that it spoke for.
        identity: Identity,
        /// What it runs, while that counts.
        appraised: Appraised<Peer>,
    },
    /// A device or backend that holds this key. Whether the key is registered is the caller's
    /// decision.
    Keyholder(Identity),
}

impl ProvenPeer {
    /// Whom the session is with.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        match self {
            Self::Enclave { identity, .. } | Self::Keyholder(identity) => *identity,
        }
    }
}

/// What the peer must show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// A backend's key.
    Backend,
    /// A device's key.
    Device,
    /// An enclave: of this node and speaking for this identity, where they are known.
    Enclave {
        node: Option<NodeId>,
        identity: Option<Identity>,
    },
}

/// One side's view of a session whose transcript is final.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What both agreed on.
    pub(crate) prologue: Prologue,
    /// This side.
    pub(crate) role: Role,
    /// Who this side is.
    pub(crate) own: Identity,
    /// What the peer must show.
    pub(crate) wanted: Wanted,
    /// Epoch that evidence is signed in.
    pub(crate) policy_epoch: u64,
    /// The handshake's final hash.
    pub(crate) transcript: Transcript,
    /// What this side asked of the peer.
    pub(crate) asked: Challenge,
    /// What the peer asked of this side.
    pub(crate) asked_by_peer: Challenge,
    /// When all must be proven.
    pub(crate) deadline: UnixMillis,
}

impl Bound {
    /// What this side must prove to `peer`.
    pub(crate) fn claim(&self, peer: Identity) -> Claim {
        Claim {
            statement: Statement {
                role: self.role,
                transcript: self.transcript,
                own: self.own,
                peer,
                network: self.prologue.network,
                policy_epoch: self.policy_epoch,
            },
            nonce: self.asked_by_peer.nonce.into(),
            known_document: self.asked_by_peer.known_document.map(Into::into),
        }
    }

    /// Decides on the peer's evidence.
    pub(crate) fn prove(
        &self,
        shown: Shown<'_>,
        verifier: Option<&mut Verifier>,
        now: UnixMillis,
    ) -> Result<ProvenPeer, Error> {
        let (ours, theirs) = (self.policy_epoch, shown.policy_epoch);
        if ours != theirs {
            return Err(PeerIncompatible::PolicyEpoch { ours, theirs }.into());
        }
        match (shown.kind, self.wanted) {
            (Kind::Key { key, signature }, Wanted::Device) => {
                let key = VerifyingKey(key.into());
                self.keyholder(key, Identity::Device(key), signature.into())
            }
            (Kind::Key { key, signature }, Wanted::Backend) => {
                let key = VerifyingKey(key.into());
                self.keyholder(key, Identity::Backend(key), signature.into())
            }
            (
                Kind::Enclave {
                    document,
                    bundle,
                    signature,
                },
                Wanted::Enclave { node, identity },
            ) => {
                let verifier = verifier.ok_or(Misuse::NoVerifier)?;
                let document = document.map(|document| &**document);
                let appraised = self.appraise(document, bundle, verifier, now)?;
                let peer = appraised.at(now).map_err(PeerMisbehaved::Evidence)?;
                if node.is_some_and(|node| node != peer.node) {
                    return Err(PeerMisbehaved::OtherNode(peer.node).into());
                }
                let identity = identity.unwrap_or(Identity::Node(peer.node));
                self.check_signature(&peer.binding_key, identity, signature.into())?;
                Ok(ProvenPeer::Enclave {
                    identity,
                    appraised,
                })
            }
            _ => Err(PeerMisbehaved::WrongEvidence.into()),
        }
    }

    fn keyholder(
        &self,
        key: VerifyingKey,
        identity: Identity,
        signature: [u8; 64],
    ) -> Result<ProvenPeer, Error> {
        self.check_signature(&key, identity, signature)?;
        Ok(ProvenPeer::Keyholder(identity))
    }

    fn appraise(
        &self,
        document: Option<&[u8]>,
        bundle: &[u8],
        verifier: &mut Verifier,
        now: UnixMillis,
    ) -> Result<Appraised<Peer>, Error> {
        if verifier.policy.epoch() != self.policy_epoch {
            return Err(Misuse::PolicyChanged.into());
        }
        let known = self.asked.known_document.map(Into::into);
        match (document, known) {
            (Some(document), _) => {
                let nonce = self.asked.nonce.into();
                verifier.appraise(document, bundle, &nonce, known.is_some(), now)
            }
            (None, Some(known)) => verifier.recall(&known, bundle, now),
            (None, None) => Err(PeerMisbehaved::DocumentMissing.into()),
        }
    }

    fn check_signature(
        &self,
        key: &VerifyingKey,
        peer: Identity,
        signature: [u8; 64],
    ) -> Result<(), Error> {
        let statement = Statement {
            role: match self.role {
                Role::Initiator => Role::Responder,
                Role::Responder => Role::Initiator,
            },
            own: peer,
            peer: self.own,
            ..self.claim(peer).statement
        };
        statement
            .verify(key, &Signature(signature))
            .map_err(|_| PeerMisbehaved::Signature.into())
    }
}
