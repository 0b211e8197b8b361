//! What both sides must agree on before the first message: the handshake opens for nobody else.

use vettid_crypto::Label;
use vettid_wire::id::NetworkId;
use vettid_wire::time::UnixMillis;
use vettid_wire::{limits, version};

use crate::identity::{Identity, Role};

/// What a session is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Use {
    /// An owner's app and a vault.
    AppVault,
    /// A business's backend and its service vault.
    BackendService,
    /// Two enclaves.
    EnclaveEnclave,
}

impl Use {
    /// Largest application message that the side of `role` sends, bytes.
    #[must_use]
    pub const fn largest_message(self, role: Role) -> usize {
        match (self, role) {
            (Self::AppVault | Self::BackendService, Role::Initiator) => limits::REQUEST,
            (Self::AppVault | Self::BackendService, Role::Responder) => limits::REPLY,
            (Self::EnclaveEnclave, _) => limits::PEER_MESSAGE,
        }
    }

    /// Whether small messages share a frame. Between enclaves each is delivered on its own.
    pub(crate) const fn has_batches(self) -> bool {
        match self {
            Self::AppVault | Self::BackendService => true,
            Self::EnclaveEnclave => false,
        }
    }

    /// The last moment of a session opened at `now`, if no evidence ends earlier.
    pub(crate) const fn longest(self, now: UnixMillis) -> UnixMillis {
        now.plus(limits::DEVICE_SESSION)
    }

    const fn number(self) -> u8 {
        match self {
            Self::AppVault => 1,
            Self::BackendService => 2,
            Self::EnclaveEnclave => 3,
        }
    }
}

/// What both sides must agree on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Prologue {
    /// What the session is for.
    pub(crate) purpose: Use,
    /// The network that both belong to.
    pub(crate) network: NetworkId,
    /// The initiator, where both know it in advance.
    pub(crate) initiator: Option<Identity>,
    /// The responder: whom the initiator wants, never whom it learned from an answer.
    pub(crate) responder: Identity,
}

impl Prologue {
    /// The bytes that enter the transcript.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        self.of_version(version::SESSION)
    }

    /// The bytes for a version of the protocol.
    pub(crate) fn of_version(self, version: u8) -> Vec<u8> {
        let initiator = self.initiator.map(Identity::to_bytes).unwrap_or_default();
        Label::SessionPrologue.frame(&[
            &[version],
            &[self.purpose.number()],
            &self.network.to_bytes(),
            &initiator,
            &self.responder.to_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use vettid_wire::id::{NetworkKind, NodeId, SpaceId};

    #[test]
    fn every_part_changes_the_prologue() {
        let network = |kind, byte| NetworkId {
            kind,
            anchors: [byte; 32],
        };
        let node = |byte| Identity::Node(NodeId([byte; 32]));
        let base = Prologue {
            purpose: Use::EnclaveEnclave,
            network: network(NetworkKind::Emulated, 1),
            initiator: None,
            responder: node(1),
        };

        let all = [
            base.to_bytes(),
            base.of_version(version::SESSION + 1),
            Prologue {
                purpose: Use::AppVault,
                ..base
            }
            .to_bytes(),
            Prologue {
                purpose: Use::BackendService,
                ..base
            }
            .to_bytes(),
            Prologue {
                network: network(NetworkKind::Nitro, 1),
                ..base
            }
            .to_bytes(),
            Prologue {
                network: network(NetworkKind::Emulated, 2),
                ..base
            }
            .to_bytes(),
            Prologue {
                initiator: Some(node(1)),
                ..base
            }
            .to_bytes(),
            Prologue {
                initiator: Some(node(2)),
                ..base
            }
            .to_bytes(),
            Prologue {
                responder: node(2),
                ..base
            }
            .to_bytes(),
            Prologue {
                responder: Identity::Space(SpaceId([1; 16])),
                ..base
            }
            .to_bytes(),
        ];

        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn app_sends_less_than_it_takes() {
        assert_eq!(
            Use::AppVault.largest_message(Role::Initiator),
            limits::REQUEST
        );
        assert_eq!(
            Use::AppVault.largest_message(Role::Responder),
            limits::REPLY
        );
    }
}
