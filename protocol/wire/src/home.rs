//! Where a vault lives: home records, in the network under a name and a key that only those can
//! derive who know the vault's id.
//!
//! A record is signed by the vault's current identity, so that nobody can send its contacts
//! elsewhere; of two valid ones the higher sequence counts, so that a vault that moves is followed.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use vettid_crypto::sign::{BadSignature, Signature, SigningKey, VerifyingKey};
use vettid_crypto::{Entropy, HomeKey, Label, derive, digest, seal};

use crate::cbor;
use crate::id::{NodeId, SpaceId, VaultId};
use crate::limits;
use crate::signed;
use crate::time::UnixMillis;

/// Where a vault lives.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Home {
    /// Which vault.
    #[n(0)]
    pub vault: VaultId,
    /// Statements that lead from the vault's id to the key that signs.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// Nodes that take what is for it, best first.
    #[n(2)]
    pub nodes: Vec<HomeNode>,
    /// Grows with every record of the vault.
    #[n(3)]
    pub sequence: u64,
    /// Not used after this.
    #[n(4)]
    pub expires: UnixMillis,
}

/// One node and how its host is reached.
#[derive(Clone, Debug, Decode, Encode, Eq, Hash, PartialEq)]
#[cbor(map)]
pub struct HomeNode {
    /// Identity of its enclave.
    #[n(0)]
    pub node: NodeId,
    /// libp2p PeerIds of its hosts.
    #[n(1)]
    pub peers: Vec<ByteVec>,
    /// Multiaddrs, best first, without the PeerId at the end.
    #[n(2)]
    pub addresses: Vec<String>,
}

/// Why bytes are no home record of a vault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HomeError {
    /// Larger than [`limits::HOME_RECORD`], or names too much.
    #[error("home record is too large")]
    Large,
    /// Not sealed for this vault, or altered.
    #[error("home record does not open")]
    NotOpened,
    /// Not a home record.
    #[error("home record is malformed")]
    Malformed,
    /// Of another vault.
    #[error("home record is of another vault")]
    Foreign,
    /// Not signed by the vault's identity.
    #[error("home record is not signed by its vault")]
    Signature,
    /// Too old to be used.
    #[error("home record has expired")]
    Expired,
}

impl HomeNode {
    /// Whether it names no more than is accepted.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let peer_fits = |peer: &ByteVec| (1..=PEER).contains(&peer.len());
        (1..=PEERS).contains(&self.peers.len())
            && self.peers.iter().all(peer_fits)
            && self.addresses.len() <= limits::HOME_ADDRESSES
            && self.addresses.iter().all(|a| a.len() <= limits::ADDRESS)
    }
}

impl Home {
    /// Signs the record with the vault's current identity.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        signed::sign(Label::HomeRecord, &cbor::encode(self), key)
    }

    /// What a record says that is not checked, to see whether it is worth it.
    #[must_use]
    pub fn claimed(object: &[u8]) -> Option<Self> {
        if object.len() > limits::HOME_RECORD {
            return None;
        }
        cbor::decode(signed::claimed(Label::HomeRecord, object)?).ok()
    }

    /// Whether it names nodes, and no more than is accepted.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        (1..=limits::HOME_NODES).contains(&self.nodes.len())
            && self.nodes.iter().all(HomeNode::is_bounded)
    }

    /// Checks a signed record of `vault` at `now`. `current` follows the identity statements from
    /// the vault's id to its current key.
    pub fn verify(
        object: &[u8],
        vault: &VaultId,
        now: UnixMillis,
        current: impl FnOnce(&[u8], &VaultId) -> Option<VerifyingKey>,
    ) -> Result<Self, HomeError> {
        if object.len() > limits::HOME_RECORD {
            return Err(HomeError::Large);
        }
        let (payload, signer) =
            signed::verify(Label::HomeRecord, object).map_err(|error| match error {
                signed::SignedError::Signature => HomeError::Signature,
                _ => HomeError::Malformed,
            })?;
        let home: Self = cbor::decode(payload).map_err(|_| HomeError::Malformed)?;
        if home.vault != *vault {
            return Err(HomeError::Foreign);
        }
        if !home.is_bounded() {
            return Err(HomeError::Large);
        }
        if current(&home.identity, vault) != Some(signer) {
            return Err(HomeError::Signature);
        }
        if home.expires <= now {
            return Err(HomeError::Expired);
        }
        Ok(home)
    }
}

/// Name under which the home record of a vault is found.
#[must_use]
pub fn location(vault: &VaultId) -> [u8; 32] {
    digest::labeled(Label::HomeLocation, &[&vault.0])
}

/// Proves to the vault's own enclave, which drew `challenge` for the process that serves `space`, that
/// this process holds the vault's identity: home records are known to all of a vault's contacts.
#[must_use]
pub fn claim(space: &SpaceId, challenge: &[u8; 32], key: &SigningKey) -> Signature {
    key.sign(Label::HomeClaim, &[&space.0, challenge])
}

/// Checks what [`claim`] made.
pub fn check_claim(
    space: &SpaceId,
    challenge: &[u8; 32],
    key: &VerifyingKey,
    signature: &Signature,
) -> Result<(), BadSignature> {
    key.verify(Label::HomeClaim, &[&space.0, challenge], signature)
}

/// Seals a signed record for the network.
#[must_use]
pub fn seal(vault: &VaultId, object: &[u8], entropy: &mut (impl Entropy + ?Sized)) -> Vec<u8> {
    let place = location(vault);
    seal::seal(&key(vault), Label::HomeSealed, &[&place], object, entropy)
}

/// Opens what lies in the network for a vault; what comes out is still to be verified.
pub fn open(vault: &VaultId, sealed: &[u8]) -> Result<Vec<u8>, HomeError> {
    if sealed.len() > limits::HOME_RECORD {
        return Err(HomeError::Large);
    }
    let place = location(vault);
    seal::open(&key(vault), Label::HomeSealed, &[&place], sealed)
        .map(|object| object.to_vec())
        .map_err(|_| HomeError::NotOpened)
}

fn key(vault: &VaultId) -> HomeKey {
    derive::from_bytes(&vault.0, &[], Label::HomeKey, &[])
}

/// PeerIds of one node: it moves to a new one at most once at a time.
const PEERS: usize = 4;
/// Largest PeerId, bytes.
const PEER: usize = 68;

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::SeededEntropy;

    fn key_of(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn vault() -> VaultId {
        VaultId::of(&key_of(1).verifying_key())
    }

    fn home() -> Home {
        Home {
            vault: vault(),
            identity: vec![],
            nodes: vec![HomeNode {
                node: NodeId([2; 32]),
                peers: vec![vec![3; 38].into()],
                addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
            }],
            sequence: 1,
            expires: UnixMillis(1_000),
        }
    }

    /// Takes the first key for the current one.
    fn first(_: &[u8], vault: &VaultId) -> Option<VerifyingKey> {
        let key = key_of(1).verifying_key();
        (VaultId::of(&key) == *vault).then_some(key)
    }

    #[test]
    fn sealed_record_is_found_opened_and_verified_by_who_knows_the_vault() {
        let object = home().sign(&key_of(1));
        let sealed = seal(&vault(), &object, &mut SeededEntropy::dangerous_new(1));

        let opened = open(&vault(), &sealed).expect("opens");
        let verified = Home::verify(&opened, &vault(), UnixMillis(999), first);
        assert_eq!(verified, Ok(home()));
    }

    #[test]
    fn record_is_closed_to_who_does_not_know_the_vault() {
        let object = home().sign(&key_of(1));
        let sealed = seal(&vault(), &object, &mut SeededEntropy::dangerous_new(1));

        assert_eq!(open(&VaultId([9; 32]), &sealed), Err(HomeError::NotOpened));
        assert_ne!(location(&vault()), vault().0);
    }

    #[test]
    fn record_by_another_key_of_another_vault_or_too_old_is_refused() {
        let at = |object: &[u8], vault: &VaultId, now| {
            Home::verify(object, vault, UnixMillis(now), first)
        };
        let good = home().sign(&key_of(1));

        assert_eq!(
            at(&home().sign(&key_of(2)), &vault(), 0),
            Err(HomeError::Signature)
        );
        assert_eq!(at(&good, &VaultId([9; 32]), 0), Err(HomeError::Foreign));
        assert_eq!(at(&good, &vault(), 1_000), Err(HomeError::Expired));
        assert_eq!(at(&good[1..], &vault(), 0), Err(HomeError::Malformed));
    }

    #[test]
    fn claim_counts_for_its_space_its_challenge_and_its_key_alone() {
        let (space, other) = (SpaceId([1; 16]), SpaceId([2; 16]));
        let signature = claim(&space, &[3; 32], &key_of(1));
        let check = |space, challenge, key: u8| {
            check_claim(space, challenge, &key_of(key).verifying_key(), &signature)
        };

        assert_eq!(check(&space, &[3; 32], 1), Ok(()));
        assert_eq!(check(&other, &[3; 32], 1), Err(BadSignature));
        assert_eq!(check(&space, &[4; 32], 1), Err(BadSignature));
        assert_eq!(check(&space, &[3; 32], 2), Err(BadSignature));
    }

    #[test]
    fn record_that_names_too_much_or_nothing_is_refused() {
        let many = |nodes: usize, addresses: usize, peers: usize| {
            let mut home = home();
            let node = HomeNode {
                addresses: vec!["/x".into(); addresses],
                peers: vec![vec![1].into(); peers],
                ..home.nodes.remove(0)
            };
            home.nodes = vec![node; nodes];
            let object = home.sign(&key_of(1));
            Home::verify(&object, &vault(), UnixMillis(0), first)
        };

        for (nodes, addresses, peers) in [(0, 1, 1), (5, 1, 1), (1, 9, 1), (1, 1, 0), (1, 1, 5)] {
            assert_eq!(many(nodes, addresses, peers), Err(HomeError::Large));
        }
        assert!(many(4, 8, 4).is_ok());
    }
}
