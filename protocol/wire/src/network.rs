//! What a network is: its anchors, and what its governance accepts now.

use minicbor::{Decode, Encode};
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_crypto::{Label, digest};

use crate::cbor;
use crate::id::{NetworkId, NetworkKind};
use crate::limits;
use crate::signed::{self, SignedBytes, SignedError};

/// A network file's content.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Network {
    /// What attestation documents must chain to. An anchor.
    #[n(0)]
    pub trust_root: TrustRoot,
    /// Ed25519 keys that sign this file and releases. An anchor.
    #[n(1)]
    pub governance: Vec<GovernanceKey>,
    /// How many of them must sign. An anchor.
    #[n(2)]
    pub threshold: u32,
    /// Releases of the image, and whether they are accepted.
    #[n(3)]
    pub reference_values: Vec<ReferenceValue>,
    /// Releases below this are refused.
    #[n(4)]
    pub release_floor: u32,
    /// Grows at every change; sessions end when it does.
    #[n(5)]
    pub epoch: u64,
    /// Multiaddrs of bootstrap nodes.
    #[n(6)]
    pub bootstrap: Vec<String>,
    /// Multiaddrs of relays. A file without any says nothing about them.
    #[n(7)]
    #[cbor(skip_if = "Vec::is_empty")]
    pub relays: Vec<String>,
}

/// What attestation documents must chain to: one or the other.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum TrustRoot {
    /// The AWS Nitro root, pinned in code.
    #[n(0)]
    Nitro,
    /// This network's development root: a DER certificate.
    #[n(1)]
    Emulated(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
}

/// A governance key, Ed25519.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct GovernanceKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A release of the image. RFC 9334: reference value.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct ReferenceValue {
    /// Number of the release.
    #[n(0)]
    pub release: u32,
    /// PCR0: the image.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub pcr0: [u8; 48],
    /// PCR1: kernel and boot.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub pcr1: [u8; 48],
    /// PCR2: programs.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub pcr2: [u8; 48],
    /// How far the release is in its life. A file that says nothing says active.
    #[n(4)]
    #[cbor(skip_if = "ReleaseStatus::is_active")]
    pub status: ReleaseStatus,
}

/// How far a release is in its life.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum ReleaseStatus {
    /// In use.
    #[default]
    #[n(0)]
    Active,
    /// Vaults that are there go on; no new one is set up under it.
    #[n(1)]
    Deprecated,
    /// Refused as if it were not listed; it stays so that everybody can see what it was.
    #[n(2)]
    Retired,
}

impl ReleaseStatus {
    /// Every status, in the order of a release's life.
    pub const ALL: [Self; 3] = [Self::Active, Self::Deprecated, Self::Retired];

    /// Its word in files and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }

    fn is_active(&self) -> bool {
        *self == Self::Active
    }
}

/// A network file as it travels: the same content, signed by each signer.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(transparent)]
pub struct SignedNetwork(#[n(0)] pub Vec<SignedBytes>);

/// Why a network file is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NetworkError {
    /// Larger than [`limits::NETWORK_FILE`], or names more than [`limits::INTRODUCERS`] of a kind.
    #[error("network file is too large")]
    Large,
    /// Not a network file.
    #[error("network file is malformed")]
    Malformed,
    /// Nobody has signed it, or a signature is wrong.
    #[error("network file is not signed, or a signature of it does not verify")]
    Signatures,
    /// The signers signed different contents.
    #[error("network file has more than one content")]
    Split,
    /// No governance key, no reference value, or a threshold that cannot be met.
    #[error("network file accepts nobody")]
    Empty,
    /// It is of another network than was expected.
    #[error("network file is of another network")]
    Foreign,
    /// Fewer of its governance keys have signed it than must.
    #[error("network file is signed by {signed} of its governance keys, and {needed} must")]
    TooFew {
        /// How many have.
        signed: usize,
        /// How many must.
        needed: u32,
    },
}

impl Network {
    /// Id of the network: the digest of its anchors.
    #[must_use]
    pub fn id(&self) -> NetworkId {
        let (kind, root) = match &self.trust_root {
            TrustRoot::Nitro => (NetworkKind::Nitro, &[][..]),
            TrustRoot::Emulated(root) => (NetworkKind::Emulated, root.as_slice()),
        };
        let keys: Vec<u8> = self.governance.iter().flat_map(|key| key.0).collect();
        let parts: [&[u8]; 4] = [
            &cbor::encode(&kind),
            root,
            &keys,
            &self.threshold.to_be_bytes(),
        ];
        NetworkId {
            kind,
            anchors: digest::labeled(Label::NetworkId, &parts),
        }
    }

    /// Signs the file with one key; several results make a [`SignedNetwork`].
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> SignedBytes {
        SignedBytes(signed::sign(Label::NetworkFile, &cbor::encode(self), key))
    }

    /// Whether somebody can sign it and somebody is accepted by it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let signers = u32::try_from(self.governance.len()).unwrap_or(0);
        let retired = |value: &ReferenceValue| value.status == ReleaseStatus::Retired;
        (1..=signers).contains(&self.threshold) && !self.reference_values.iter().all(retired)
    }
}

impl SignedNetwork {
    /// Checks encoding, signatures and content of a file.
    pub fn verify(bytes: &[u8]) -> Result<Network, NetworkError> {
        let (network, signers) = Self::signed(bytes)?;
        let (signed, needed) = (signers.len(), network.threshold);
        if u32::try_from(signed).unwrap_or(0) < needed {
            return Err(NetworkError::TooFew { signed, needed });
        }
        Ok(network)
    }

    /// Checks all but the number of signatures: for a file that is still to be signed by others. Its
    /// content, and those of its governance keys that have signed it.
    pub fn signed(bytes: &[u8]) -> Result<(Network, Vec<GovernanceKey>), NetworkError> {
        if bytes.len() > limits::NETWORK_FILE {
            return Err(NetworkError::Large);
        }
        let Self(objects) = cbor::decode(bytes).map_err(|_| NetworkError::Malformed)?;
        let mut payloads = Vec::with_capacity(objects.len());
        let mut signers: Vec<VerifyingKey> = Vec::with_capacity(objects.len());
        for SignedBytes(object) in &objects {
            let (payload, signer) =
                signed::verify(Label::NetworkFile, object).map_err(|error| match error {
                    SignedError::Malformed | SignedError::Purpose => NetworkError::Malformed,
                    SignedError::Signature => NetworkError::Signatures,
                })?;
            payloads.push(payload);
            signers.push(signer);
        }
        let first = payloads.first().ok_or(NetworkError::Signatures)?;
        if payloads.iter().any(|payload| payload != first) {
            return Err(NetworkError::Split);
        }
        let network: Network = cbor::decode(first).map_err(|_| NetworkError::Malformed)?;
        if network.bootstrap.len().max(network.relays.len()) > limits::INTRODUCERS {
            return Err(NetworkError::Large);
        }
        if !network.is_usable() {
            return Err(NetworkError::Empty);
        }
        signers.sort_unstable();
        signers.dedup();
        let signers = signers.iter().map(|signer| GovernanceKey(signer.0));
        let valid = signers.filter(|signer| network.governance.contains(signer));
        let valid = valid.collect();
        Ok((network, valid))
    }

    /// Checks a file and that it is the one that `id` names: how an app that holds an invitation
    /// comes to trust what a node hands it.
    pub fn verify_as(bytes: &[u8], id: NetworkId) -> Result<Network, NetworkError> {
        let network = Self::verify(bytes)?;
        if network.id() == id {
            Ok(network)
        } else {
            Err(NetworkError::Foreign)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn network(signers: &[u8], threshold: u32) -> Network {
        Network {
            trust_root: TrustRoot::Emulated(vec![1, 2, 3]),
            governance: signers
                .iter()
                .map(|seed| GovernanceKey(key(*seed).verifying_key().0))
                .collect(),
            threshold,
            reference_values: vec![ReferenceValue {
                release: 1,
                pcr0: [1; 48],
                pcr1: [2; 48],
                pcr2: [3; 48],
                status: ReleaseStatus::Active,
            }],
            release_floor: 1,
            epoch: 1,
            bootstrap: vec![],
            relays: vec![],
        }
    }

    fn signed(network: &Network, by: &[u8]) -> Vec<u8> {
        cbor::encode(&SignedNetwork(
            by.iter().map(|seed| network.sign(&key(*seed))).collect(),
        ))
    }

    #[test]
    fn file_signed_by_enough_is_accepted() {
        let network = network(&[1, 2, 3], 2);

        assert_eq!(
            SignedNetwork::verify(&signed(&network, &[1, 3])),
            Ok(network)
        );
    }

    #[test]
    fn status_of_a_release_travels_and_an_active_one_is_not_spelled_out() {
        let with = |status| {
            let mut network = network(&[1], 1);
            network.reference_values[0].status = status;
            network
        };
        let lengths = ReleaseStatus::ALL.map(|status| cbor::encode(&with(status)).len());

        let deprecated = with(ReleaseStatus::Deprecated);
        assert_eq!(
            SignedNetwork::verify(&signed(&deprecated, &[1])),
            Ok(deprecated)
        );
        assert_eq!(
            SignedNetwork::verify(&signed(&with(ReleaseStatus::Retired), &[1])),
            Err(NetworkError::Empty)
        );
        let [active, deprecated, retired] = lengths;
        assert_eq!((deprecated, retired), (active + 2, active + 2));
    }

    #[test]
    fn too_few_foreign_or_repeated_signers_are_refused() {
        let network = network(&[1, 2, 3], 2);
        let too_few = NetworkError::TooFew {
            signed: 1,
            needed: 2,
        };
        for by in [&[1][..], &[1, 9], &[1, 1]] {
            assert_eq!(SignedNetwork::verify(&signed(&network, by)), Err(too_few));
        }
        assert_eq!(
            SignedNetwork::verify(&signed(&network, &[])),
            Err(NetworkError::Signatures)
        );
        assert_eq!(
            too_few.to_string(),
            "network file is signed by 1 of its governance keys, and 2 must"
        );
    }

    #[test]
    fn file_that_accepts_nobody_is_refused() {
        let no_values = Network {
            reference_values: vec![],
            ..network(&[1], 1)
        };

        assert_eq!(
            SignedNetwork::verify(&signed(&no_values, &[1])),
            Err(NetworkError::Empty)
        );
        assert_eq!(
            SignedNetwork::verify(&signed(&network(&[1], 0), &[1])),
            Err(NetworkError::Empty)
        );
        assert_eq!(
            SignedNetwork::verify(&signed(&network(&[1], 2), &[1])),
            Err(NetworkError::Empty)
        );
    }

    #[test]
    fn file_that_names_too_many_is_refused() {
        let names = |count| (0..count).map(|n| format!("/ip4/192.0.2.1/tcp/{n}"));
        let most = Network {
            relays: names(limits::INTRODUCERS).collect(),
            ..network(&[1], 1)
        };
        let more = Network {
            bootstrap: names(limits::INTRODUCERS + 1).collect(),
            ..network(&[1], 1)
        };

        assert!(SignedNetwork::verify(&signed(&most, &[1])).is_ok());
        assert_eq!(
            SignedNetwork::verify(&signed(&more, &[1])),
            Err(NetworkError::Large)
        );
    }

    #[test]
    fn two_contents_are_refused() {
        let one = network(&[1, 2], 2);
        let other = Network {
            epoch: 2,
            ..one.clone()
        };
        let both = cbor::encode(&SignedNetwork(vec![one.sign(&key(1)), other.sign(&key(2))]));

        assert_eq!(SignedNetwork::verify(&both), Err(NetworkError::Split));
    }

    #[test]
    fn file_of_another_network_is_refused() {
        let mine = network(&[1], 1);
        let other = network(&[2], 1);

        assert_eq!(
            SignedNetwork::verify_as(&signed(&mine, &[1]), mine.id()),
            Ok(mine.clone())
        );
        assert_eq!(
            SignedNetwork::verify_as(&signed(&other, &[2]), mine.id()),
            Err(NetworkError::Foreign)
        );
    }

    #[test]
    fn anchors_make_the_id_and_the_rest_does_not() {
        let base = network(&[1], 1);

        assert_eq!(
            base.id(),
            Network {
                epoch: 9,
                release_floor: 4,
                ..base.clone()
            }
            .id()
        );
        assert_ne!(base.id(), network(&[2], 1).id());
        assert_ne!(
            base.id(),
            Network {
                trust_root: TrustRoot::Nitro,
                ..base.clone()
            }
            .id()
        );
    }
}
