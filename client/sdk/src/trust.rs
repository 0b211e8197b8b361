//! Whether this is the node, the network and the image that the owner was invited to.
//!
//! ```text
//!  invitation ── network id, node id ──▶ network file, verified ──▶ policy ──▶ appraised enclave
//! ```
//!
//! Nothing is trusted on first use: the invitation names the network and the node. What was accepted
//! once is remembered, and nothing older is accepted later: neither a policy nor a release.

use vettid_attestation::{AppraisalError, Policy, PolicyError};
use vettid_session::{
    Error as SessionError, Misuse, PeerIncompatible, PeerMisbehaved, ProvenPeer, Verifier,
};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::id::{NetworkId, NodeId};
use vettid_wire::network::{Network, NetworkError, ReferenceValue, ReleaseStatus, SignedNetwork};
use vettid_wire::operation::release::Offered;
use vettid_wire::time::UnixMillis;

/// Where a device was invited to.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Anchor {
    /// Address of the node's HTTP API.
    #[n(0)]
    pub address: String,
    /// The network.
    #[n(1)]
    pub network: NetworkId,
    /// The node, as its enclave must attest it.
    #[n(2)]
    pub node: NodeId,
}

/// The newest that a device has accepted. Only ever grows.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Remembered {
    /// Policy epoch.
    #[n(0)]
    pub epoch: u64,
    /// Release of the node's image that the vault was found at.
    #[n(1)]
    pub release: u32,
}

/// Why a node is not trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The enclave's evidence is authentic, but of something that the network does not accept.
    #[error("the node's enclave is not accepted by its network: {0}; tell the operator")]
    NotAccepted(AppraisalError),
    /// The enclave's evidence does not verify.
    #[error("the node's evidence is not genuine: {0}; nothing was sent to it")]
    Evidence(AppraisalError),
    /// The evidence was not made for this session.
    #[error("the node's evidence was not made for this session; nothing was sent to it")]
    NotBound,
    /// The enclave is that of another node.
    #[error("the invitation is of another node than the one that answers, {0}")]
    OtherNode(NodeId),
    /// The network file is not the one of the invitation's network, or not properly signed.
    #[error("{0}; the node's operator must provide the right one")]
    Network(#[from] NetworkError),
    /// The network file makes no policy.
    #[error("the network file makes no policy: {0}; the node's operator must provide a right one")]
    Policy(#[from] PolicyError),
    /// The node is in an older policy epoch than this device has seen.
    #[error("the node shows policy epoch {offered}, but this device has seen {seen}")]
    OlderPolicy {
        /// The newest epoch seen.
        seen: u64,
        /// The node's.
        offered: u64,
    },
    /// Two network files have the same epoch.
    #[error("the network has two different policies of epoch {0}: tell its governance")]
    SplitPolicy(u64),
    /// The node's enclave is in a later epoch than the network file that the node hands out.
    #[error("the node's enclave is in policy epoch {theirs}, but its network file has {ours}")]
    PolicyAhead {
        /// Epoch of the network file.
        ours: u64,
        /// The enclave's.
        theirs: u64,
    },
    /// The node runs a release that no new vault is set up under.
    #[error(
        "the node runs release {0}, under which no new vault is set up: its operator must update"
    )]
    DeprecatedRelease(u32),
    /// The node runs an older release than this device has seen there.
    #[error("the node runs release {offered}, but this device has seen {seen} there")]
    OlderRelease {
        /// The newest release seen.
        seen: u32,
        /// The node's.
        offered: u32,
    },
    /// The node offers a later release that its network does not list as active.
    #[error(
        "the node offers release {0}, which its network does not list as active: nothing was approved; \
         wait for the network's newer file"
    )]
    OfferedRelease(u32),
    /// The vault shows an older state than this device has seen.
    #[error("the vault shows record {shown}, but this device has seen {seen}: it was rolled back")]
    RolledBack {
        /// The newest record seen.
        seen: u64,
        /// The newest record shown.
        shown: u64,
    },
    /// The vault shows another record than the one this device has seen under the same number.
    #[error("record {0} of the vault is not the one that this device has seen: it was forked")]
    Forked(u64),
}

impl TrustError {
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotAccepted(AppraisalError::DebugMode) => "enclave-in-debug-mode",
            Self::NotAccepted(_) => "enclave-not-accepted",
            Self::Evidence(_) => "evidence-not-genuine",
            Self::NotBound => "evidence-not-bound",
            Self::OtherNode(_) => "other-node",
            Self::Network(NetworkError::Foreign) => "other-network",
            Self::Network(_) | Self::Policy(_) => "network-file",
            Self::OlderPolicy { .. } => "older-policy",
            Self::SplitPolicy(_) => "split-policy",
            Self::PolicyAhead { .. } => "policy-ahead",
            Self::DeprecatedRelease(_) => "deprecated-release",
            Self::OlderRelease { .. } => "older-release",
            Self::OfferedRelease(_) => "offered-release",
            Self::RolledBack { .. } => "shown-older-state",
            Self::Forked(_) => "forked",
        }
    }
}

/// What a device accepts, and what it has accepted.
#[derive(Debug)]
pub struct Trust {
    anchor: Anchor,
    remembered: Remembered,
    /// Release of the enclave that was admitted last.
    admitted: u32,
    network: Network,
    verifier: Verifier,
}

impl Trust {
    /// Takes the network file that a node hands out. It must be of the anchor's network, and not
    /// older than what is remembered.
    pub fn new(
        anchor: Anchor,
        remembered: Remembered,
        network_file: &[u8],
    ) -> Result<Self, TrustError> {
        let network = verified(&anchor, remembered, network_file)?;
        let verifier = Verifier::new(Policy::of_network(&network)?);
        let remembered = Remembered {
            epoch: network.epoch,
            ..remembered
        };
        Ok(Self {
            anchor,
            remembered,
            admitted: remembered.release,
            network,
            verifier,
        })
    }

    /// Takes a later network file; whether it says something new.
    pub fn update(&mut self, network_file: &[u8]) -> Result<bool, TrustError> {
        let network = verified(&self.anchor, self.remembered, network_file)?;
        if network == self.network {
            return Ok(false);
        }
        if network.epoch == self.network.epoch {
            return Err(TrustError::SplitPolicy(network.epoch));
        }
        self.verifier.policy = Policy::of_network(&network)?;
        self.remembered.epoch = network.epoch;
        self.network = network;
        Ok(true)
    }

    /// Takes a proven peer: its release must not be older than what is remembered.
    pub fn admit(&mut self, peer: &ProvenPeer, now: UnixMillis) -> Result<(), TrustError> {
        let ProvenPeer::Enclave { appraised, .. } = peer else {
            return Err(TrustError::NotBound);
        };
        let peer = appraised.at(now).map_err(TrustError::Evidence)?;
        let (seen, offered) = (self.remembered.release, peer.release);
        if offered < seen {
            return Err(TrustError::OlderRelease { seen, offered });
        }
        self.admitted = offered;
        Ok(())
    }

    /// Whether the enclave that was admitted last is of a later release than the vault was found at.
    /// It may not have the vault: nothing is to be sent to it before that is known, since a release
    /// that was once used is the oldest that ever is again.
    pub(crate) const fn is_new_release(&self) -> bool {
        self.admitted > self.remembered.release
    }

    /// The enclave that was admitted last has the vault.
    pub(crate) fn found(&mut self) {
        self.remembered.release = self.remembered.release.max(self.admitted);
    }

    /// Whether an offered release is one that the network lists as active.
    pub(crate) fn check_offer(&self, offered: &Offered) -> Result<(), TrustError> {
        let mut values = self.network.reference_values.iter();
        let is_it = |value: &ReferenceValue| *offered == Offered::from(value);
        if values.any(|value| is_it(value) && value.status == ReleaseStatus::Active) {
            Ok(())
        } else {
            Err(TrustError::OfferedRelease(offered.release))
        }
    }

    /// Whether a new vault may be set up under the release that was admitted last.
    pub(crate) fn check_setting_up(&self) -> Result<(), TrustError> {
        let release = self.admitted;
        let active = |value: &ReferenceValue| value.status == ReleaseStatus::Active;
        let mut values = self.network.reference_values.iter();
        if values.any(|value| value.release == release && active(value)) {
            Ok(())
        } else {
            Err(TrustError::DeprecatedRelease(release))
        }
    }

    /// What a session's peer is appraised with.
    pub const fn verifier(&mut self) -> &mut Verifier {
        &mut self.verifier
    }

    /// Where this device was invited to.
    #[must_use]
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The newest that was accepted; to be kept before anything is sent.
    #[must_use]
    pub const fn remembered(&self) -> Remembered {
        self.remembered
    }
}

/// What the end of a session says about the node. `None`: nothing, another session may do better.
pub(crate) fn verdict(error: &SessionError) -> Option<TrustError> {
    match error {
        SessionError::PeerIncompatible(PeerIncompatible::NotAccepted(why)) => {
            Some(TrustError::NotAccepted(*why))
        }
        SessionError::PeerIncompatible(PeerIncompatible::PolicyEpoch { ours, theirs }) => {
            let (ours, theirs) = (*ours, *theirs);
            Some(if theirs < ours {
                TrustError::OlderPolicy {
                    seen: ours,
                    offered: theirs,
                }
            } else {
                TrustError::PolicyAhead { ours, theirs }
            })
        }
        SessionError::PeerMisbehaved(PeerMisbehaved::Evidence(why)) => {
            Some(TrustError::Evidence(*why))
        }
        SessionError::PeerMisbehaved(PeerMisbehaved::OtherNode(node)) => {
            Some(TrustError::OtherNode(*node))
        }
        SessionError::PeerMisbehaved(PeerMisbehaved::Signature) => Some(TrustError::NotBound),
        _ => None,
    }
}

/// Whether the next session must not name the document it named.
pub(crate) const fn forgets_document(error: &SessionError) -> bool {
    matches!(error, SessionError::Misuse(Misuse::DocumentForgotten))
}

fn verified(
    anchor: &Anchor,
    remembered: Remembered,
    network_file: &[u8],
) -> Result<Network, TrustError> {
    let network = SignedNetwork::verify_as(network_file, anchor.network)?;
    let (seen, offered) = (remembered.epoch, network.epoch);
    if offered < seen {
        return Err(TrustError::OlderPolicy { seen, offered });
    }
    Ok(network)
}
