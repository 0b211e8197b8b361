//! Successions of identity keys: those that lead from a vault's id to a key, and those that do not.

use serde::{Deserialize, Serialize};
use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor;
use vettid_wire::id::VaultId;
use vettid_wire::identity::{IdentityChain, Rotation};
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

use super::hex;

/// The file.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identities {
    /// Whose keys they are.
    pub vault: String,
    /// Seeds of the first keys, in the order of their succession.
    pub seeds: Vec<String>,
    /// Chains that lead to a key.
    pub accepted: Vec<Accepted>,
    /// Chains that lead nowhere: the reason and the encoding.
    pub refused: Vec<(String, String)>,
}

/// One chain.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {
    /// How often the identity was rotated.
    pub rotations: usize,
    /// The key that speaks for the vault.
    pub current: String,
    /// Encoding of the chain.
    pub chain: String,
}

/// Makes the file.
#[must_use]
pub fn make() -> Identities {
    let accepted = [0, 1, 2, limits::ROTATIONS].map(|rotations| Accepted {
        rotations,
        current: hex(&key(rotations).verifying_key().0),
        chain: hex(&cbor::encode(&chain(rotations))),
    });
    Identities {
        vault: vault().to_string(),
        seeds: (0..3).map(|index| hex(&seed(index))).collect(),
        accepted: accepted.into(),
        refused: refused(),
    }
}

fn refused() -> Vec<(String, String)> {
    let changed = |change: &dyn Fn(&mut IdentityChain)| {
        let mut chain = chain(3);
        change(&mut chain);
        hex(&cbor::encode(&chain))
    };
    let stranger = VaultId::of(&key(9).verifying_key());
    let foreign = Rotation::new(stranger, 2, &key(0), &key(1), AT);
    let thief = Rotation::new(vault(), 2, &key(9), &key(1), AT);
    [
        (
            "another first key",
            changed(&|chain| chain.first = key(1).verifying_key().0),
        ),
        (
            "a statement is missing",
            changed(&|chain| without(&mut chain.rotations, 1)),
        ),
        (
            "two statements are swapped",
            changed(&|chain| chain.rotations.swap(0, 1)),
        ),
        (
            "a statement of another vault",
            changed(&|chain| chain.rotations[0] = foreign.clone()),
        ),
        (
            "not signed by the key that is retired",
            changed(&|chain| chain.rotations[0].by_from = thief.by_from),
        ),
        (
            "not signed by the key that follows",
            changed(&|chain| chain.rotations[2].by_to = [0; 64]),
        ),
        (
            "another time than was signed",
            changed(&|chain| chain.rotations[1].at = UnixMillis(AT.0 + 1)),
        ),
        (
            "one statement more than a vault makes",
            hex(&cbor::encode(&chain(limits::ROTATIONS + 1))),
        ),
    ]
    .map(|(why, chain)| (why.to_owned(), chain))
    .to_vec()
}

/// Takes a statement away.
fn without(rotations: &mut Vec<Rotation>, index: usize) {
    rotations.remove(index);
}

fn chain(rotations: usize) -> IdentityChain {
    let rotation = |index: usize| {
        let number = u32::try_from(index + 2).expect("few");
        Rotation::new(vault(), number, &key(index), &key(index + 1), AT)
    };
    IdentityChain {
        rotations: (0..rotations).map(rotation).collect(),
        ..IdentityChain::of(&key(0).verifying_key())
    }
}

fn vault() -> VaultId {
    VaultId::of(&key(0).verifying_key())
}

fn key(index: usize) -> SigningKey {
    SigningKey::from_seed(&seed(index))
}

fn seed(index: usize) -> [u8; 32] {
    [0x80 | u8::try_from(index).expect("few"); 32]
}

const AT: UnixMillis = UnixMillis(1_790_000_000_000);
