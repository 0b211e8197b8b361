//! Who the two sides of a session are.

use vettid_crypto::sign::VerifyingKey;
use vettid_wire::id::{NodeId, SpaceId};

/// Who one side of a session is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Identity {
    /// A business's backend.
    Backend(VerifyingKey),
    /// An owner's device.
    Device(VerifyingKey),
    /// A node's enclave.
    Node(NodeId),
    /// A vault; its enclave's supervisor vouches for the space.
    Space(SpaceId),
}

impl Identity {
    /// One byte for the kind, then the id: what prologue and signed string hold.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, id): (u8, &[u8]) = match &self {
            Self::Backend(key) => (1, &key.0),
            Self::Device(key) => (2, &key.0),
            Self::Node(id) => (3, &id.0),
            Self::Space(id) => (4, &id.0),
        };
        let mut out = Vec::with_capacity(1 + id.len());
        out.push(kind);
        out.extend_from_slice(id);
        out
    }

    /// The key of a device or a backend, which signs for itself.
    #[must_use]
    pub const fn key(&self) -> Option<&VerifyingKey> {
        match self {
            Self::Backend(key) | Self::Device(key) => Some(key),
            Self::Node(_) | Self::Space(_) => None,
        }
    }
}

/// Side of a session. It is signed, so that evidence cannot be sent back to whom it came from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// Sends the first message, and its evidence first.
    Initiator,
    /// Answers.
    Responder,
}

impl Role {
    /// The word in the signed string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_of_one_key_in_two_kinds_differ() {
        let key = VerifyingKey([7; 32]);

        assert_ne!(
            Identity::Device(key).to_bytes(),
            Identity::Backend(key).to_bytes()
        );
        assert_ne!(
            Identity::Device(key).to_bytes(),
            Identity::Node(NodeId(key.0)).to_bytes()
        );
    }

    #[test]
    fn only_devices_and_backends_sign_for_themselves() {
        let key = VerifyingKey([7; 32]);

        assert_eq!(Identity::Device(key).key(), Some(&key));
        assert_eq!(Identity::Backend(key).key(), Some(&key));
        assert_eq!(Identity::Node(NodeId([7; 32])).key(), None);
        assert_eq!(Identity::Space(SpaceId([7; 16])).key(), None);
    }
}
