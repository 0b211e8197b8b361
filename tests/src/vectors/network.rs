//! Network files: their id, their signatures, and files that are refused.

use serde::{Deserialize, Serialize};
use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor;
use vettid_wire::network::{
    GovernanceKey, Network, ReferenceValue, ReleaseStatus, SignedNetwork, TrustRoot,
};

use super::hex;

/// The file.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Networks {
    /// Seeds of the governance keys that sign.
    pub governance_seeds: Vec<String>,
    /// Networks that are accepted.
    pub accepted: Vec<Accepted>,
    /// Files that are refused: the reason and the file.
    pub refused: Vec<(String, String)>,
}

/// One network.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {
    /// Its id.
    pub id: String,
    /// Epoch of its policy.
    pub epoch: u64,
    /// Encoding of the network.
    pub network: String,
    /// Encoding of the signed file.
    pub file: String,
}

/// Makes the file.
#[must_use]
pub fn make() -> Networks {
    let emulated = network(TrustRoot::Emulated(vec![0x30, 0x03, 0x02, 0x01, 0x05]), 7);
    let nitro = Network {
        relays: vec![],
        ..network(TrustRoot::Nitro, 8)
    };
    let mut deprecated = network(TrustRoot::Nitro, 9);
    deprecated.reference_values[0].status = ReleaseStatus::Deprecated;
    let mut retired = network(TrustRoot::Nitro, 10);
    retired.reference_values[0].status = ReleaseStatus::Retired;
    let refused = vec![
        ("signed by one key where two must", signed(&nitro, &[0])),
        ("signed twice by one key", signed(&nitro, &[0, 0])),
        ("signed by a stranger", signed(&nitro, &[0, 3])),
        ("not signed", signed(&nitro, &[])),
        (
            "two contents",
            cbor::encode(&SignedNetwork(vec![
                nitro.sign(&key(0)),
                emulated.sign(&key(1)),
            ])),
        ),
        (
            "accepts nobody",
            signed(
                &Network {
                    reference_values: vec![],
                    ..nitro.clone()
                },
                &[0, 1],
            ),
        ),
        ("accepts retired releases alone", signed(&retired, &[0, 1])),
    ];
    Networks {
        governance_seeds: (0..3).map(|index| hex(&seed(index))).collect(),
        accepted: vec![accepted(&emulated), accepted(&nitro), accepted(&deprecated)],
        refused: refused
            .into_iter()
            .map(|(why, file)| (why.to_owned(), hex(&file)))
            .collect(),
    }
}

fn network(trust_root: TrustRoot, epoch: u64) -> Network {
    Network {
        trust_root,
        governance: (0..3)
            .map(|index| GovernanceKey(key(index).verifying_key().0))
            .collect(),
        threshold: 2,
        reference_values: vec![ReferenceValue {
            release: 1,
            pcr0: [0xa0; 48],
            pcr1: [0xa1; 48],
            pcr2: [0xa2; 48],
            status: ReleaseStatus::Active,
        }],
        release_floor: 1,
        epoch,
        bootstrap: vec!["/dns/bootstrap.example/tcp/4001".to_owned()],
        relays: vec!["/dns/relay.example/tcp/4001".to_owned()],
    }
}

fn accepted(network: &Network) -> Accepted {
    Accepted {
        id: network.id().to_string(),
        epoch: network.epoch,
        network: hex(&cbor::encode(network)),
        file: hex(&signed(network, &[0, 2])),
    }
}

fn signed(network: &Network, by: &[u8]) -> Vec<u8> {
    cbor::encode(&SignedNetwork(
        by.iter().map(|index| network.sign(&key(*index))).collect(),
    ))
}

fn key(index: u8) -> SigningKey {
    SigningKey::from_seed(&seed(index))
}

fn seed(index: u8) -> [u8; 32] {
    [0x60 | index; 32]
}
