//! What evidence signs, so that it counts in one session, for one side, between two identities.

use vettid_crypto::Label;
use vettid_crypto::sign::{BadSignature, Signature, SigningKey, VerifyingKey};
use vettid_wire::id::NetworkId;

use crate::evidence::Evidence;
use crate::identity::{Identity, Role};

/// Final hash of one handshake: no two sessions have the same.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Transcript(pub [u8; 32]);

/// What one side signs:
/// label ‖ role ‖ transcript ‖ own identity ‖ peer identity ‖ network id ‖ policy epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Statement {
    /// Side that signs.
    pub role: Role,
    /// The session.
    pub transcript: Transcript,
    /// Who signs. A supervisor fills in the space it serves, whatever its vault process says.
    pub own: Identity,
    /// Who is at the other end.
    pub peer: Identity,
    /// The network of both.
    pub network: NetworkId,
    /// Epoch of the network's policy.
    pub policy_epoch: u64,
}

impl Statement {
    /// Signs with a device's or backend's key, or with an enclave's binding key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        self.with_parts(|parts| key.sign(Label::SessionEvidence, parts))
    }

    /// Checks the signature of the side that this statement is of.
    pub fn verify(&self, key: &VerifyingKey, signature: &Signature) -> Result<(), BadSignature> {
        self.with_parts(|parts| key.verify(Label::SessionEvidence, parts, signature))
    }

    fn with_parts<T>(&self, f: impl FnOnce(&[&[u8]]) -> T) -> T {
        f(&[
            self.role.as_str().as_bytes(),
            &self.transcript.0,
            &self.own.to_bytes(),
            &self.peer.to_bytes(),
            &self.network.to_bytes(),
            &self.policy_epoch.to_be_bytes(),
        ])
    }
}

/// What a session asks of its driver: evidence for this side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claim {
    /// What must be signed.
    pub statement: Statement,
    /// The peer's challenge: the nonce of a document that is made for it.
    pub nonce: [u8; 32],
    /// SHA-256 of a document that the peer appraised under its present policy. If it is the current
    /// one, evidence needs no document; otherwise the current one will do, without the nonce, as
    /// long as the bundle is the same.
    pub known_document: Option<[u8; 32]>,
}

impl Claim {
    /// Evidence of a device or a backend.
    #[must_use]
    pub fn prove_with_key(&self, key: &SigningKey) -> Evidence {
        Evidence::Key {
            key: key.verifying_key(),
            signature: self.statement.sign(key),
        }
    }

    /// Evidence of an enclave. `document` is absent where the peer knows it.
    #[must_use]
    pub fn prove_with_document(
        &self,
        document: Option<Vec<u8>>,
        bundle: Vec<u8>,
        binding_key: &SigningKey,
    ) -> Evidence {
        Evidence::Enclave {
            document,
            bundle,
            signature: self.statement.sign(binding_key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::id::{NetworkKind, NodeId, SpaceId};

    fn statement() -> Statement {
        Statement {
            role: Role::Initiator,
            transcript: Transcript([1; 32]),
            own: Identity::Node(NodeId([2; 32])),
            peer: Identity::Node(NodeId([3; 32])),
            network: NetworkId {
                kind: NetworkKind::Emulated,
                anchors: [4; 32],
            },
            policy_epoch: 5,
        }
    }

    #[test]
    fn signature_counts_for_its_statement_only() {
        let key = SigningKey::from_seed(&[1; 32]);
        let signed = statement();
        let signature = signed.sign(&key);
        let check = |other: Statement| other.verify(&key.verifying_key(), &signature);

        assert_eq!(check(signed), Ok(()));
        for other in [
            Statement {
                role: Role::Responder,
                ..signed
            },
            Statement {
                transcript: Transcript([9; 32]),
                ..signed
            },
            Statement {
                own: signed.peer,
                peer: signed.own,
                ..signed
            },
            Statement {
                own: Identity::Space(SpaceId([2; 16])),
                ..signed
            },
            Statement {
                peer: Identity::Device(VerifyingKey([3; 32])),
                ..signed
            },
            Statement {
                network: NetworkId {
                    kind: NetworkKind::Nitro,
                    anchors: [4; 32],
                },
                ..signed
            },
            Statement {
                policy_epoch: 6,
                ..signed
            },
        ] {
            assert_eq!(check(other), Err(BadSignature), "{other:?}");
        }
    }
}
