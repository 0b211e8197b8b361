//! Which key speaks for a vault: the succession of its identity keys.
//!
//! ```text
//!  VaultId = digest(first key)     first ──statement 2──▶ second ──statement 3──▶ … ──▶ current
//!                                        signed by both        signed by both
//! ```
//!
//! Whoever knows a [`VaultId`] and is given an [`IdentityChain`] learns which key speaks for the
//! vault, from nothing else. Provided: the current key of the chain was named by the one before it,
//! and so on back to the key that the id is the digest of; each key has also signed its own
//! succession, so that nobody can adopt a key of somebody else. Not provided: that the chain is the
//! newest there is. One that ends earlier verifies too, and ends in a key that was retired.

use minicbor::{Decode, Encode};
use vettid_crypto::Label;
use vettid_crypto::sign::{Signature, SigningKey, VerifyingKey};

use crate::id::VaultId;
use crate::limits;
use crate::time::UnixMillis;

/// Identity keys of one vault in the order of their succession.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct IdentityChain {
    /// The first key: the vault's id is its digest.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub first: [u8; 32],
    /// One statement for each key that followed, oldest first; at most [`limits::ROTATIONS`].
    #[n(1)]
    pub rotations: Vec<Rotation>,
}

/// Says that one identity key of a vault follows another; signed by both
/// ([`Label::Rotation`] over vault, number, both keys and time).
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Rotation {
    /// Whose keys they are.
    #[n(0)]
    pub vault: VaultId,
    /// Place of the following key in the succession; the first key has number 1.
    #[n(1)]
    pub number: u32,
    /// The key that is retired.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub from: [u8; 32],
    /// The key that follows it.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub to: [u8; 32],
    /// When.
    #[n(4)]
    pub at: UnixMillis,
    /// Signature of the key that is retired.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub by_from: [u8; 64],
    /// Signature of the key that follows.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub by_to: [u8; 64],
}

/// Why a chain does not say which key speaks for a vault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IdentityError {
    /// The vault's id is not the digest of the first key.
    #[error("the first identity key is of another vault")]
    Foreign,
    /// A statement is of another vault, place or predecessor than it stands behind.
    #[error("identity key {0} does not follow from the one before it")]
    OutOfPlace(u32),
    /// A signature of a statement does not verify.
    #[error("the statement for identity key {0} is not signed by both keys")]
    Signature(u32),
    /// More statements than a vault can make.
    #[error("identity chain has {0} statements; at most {max} are made", max = limits::ROTATIONS)]
    TooLong(usize),
}

impl IdentityChain {
    /// The chain of a vault whose identity was never rotated.
    #[must_use]
    pub const fn of(first: &VerifyingKey) -> Self {
        Self {
            first: first.0,
            rotations: Vec::new(),
        }
    }

    /// The key that speaks for `vault`, once every statement was checked.
    pub fn verify(&self, vault: &VaultId) -> Result<VerifyingKey, IdentityError> {
        self.check_places(vault)?;
        self.rotations
            .iter()
            .try_for_each(Rotation::check_signatures)?;
        Ok(VerifyingKey(self.newest()))
    }

    /// Whether every statement is where it belongs: all that there is to [`Self::verify`] but the
    /// signatures, which cost the most.
    pub fn check_places(&self, vault: &VaultId) -> Result<(), IdentityError> {
        if self.rotations.len() > limits::ROTATIONS {
            return Err(IdentityError::TooLong(self.rotations.len()));
        }
        if VaultId::of(&VerifyingKey(self.first)) != *vault {
            return Err(IdentityError::Foreign);
        }
        (2..)
            .zip(&self.rotations)
            .try_fold(self.first, |current, (number, rotation)| {
                let next = (*vault, number, current);
                if next == (rotation.vault, rotation.number, rotation.from) {
                    Ok(rotation.to)
                } else {
                    Err(IdentityError::OutOfPlace(number))
                }
            })
            .map(|_| ())
    }

    /// The key that the chain ends in. Not checked: only [`Self::verify`] says whose it is.
    #[must_use]
    pub fn newest(&self) -> [u8; 32] {
        self.rotations
            .last()
            .map_or(self.first, |rotation| rotation.to)
    }
}

impl Rotation {
    /// Makes the statement that `to` follows `from` as key `number` of `vault`.
    #[must_use]
    pub fn new(
        vault: VaultId,
        number: u32,
        from: &SigningKey,
        to: &SigningKey,
        at: UnixMillis,
    ) -> Self {
        let unsigned = Self {
            vault,
            number,
            from: from.verifying_key().0,
            to: to.verifying_key().0,
            at,
            by_from: [0; 64],
            by_to: [0; 64],
        };
        let sign = |key: &SigningKey| {
            unsigned.with_signed_parts(|parts| key.sign(Label::Rotation, parts).0)
        };
        Self {
            by_from: sign(from),
            by_to: sign(to),
            ..unsigned
        }
    }

    fn check_signatures(&self) -> Result<(), IdentityError> {
        self.with_signed_parts(|parts| {
            [(self.from, self.by_from), (self.to, self.by_to)]
                .into_iter()
                .try_for_each(|(key, signature)| {
                    VerifyingKey(key).verify(Label::Rotation, parts, &Signature(signature))
                })
        })
        .map_err(|_| IdentityError::Signature(self.number))
    }

    fn with_signed_parts<T>(&self, f: impl FnOnce(&[&[u8]]) -> T) -> T {
        f(&[
            &self.vault.0,
            &self.number.to_be_bytes(),
            &self.from,
            &self.to,
            &self.at.0.to_be_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    fn key(index: usize) -> SigningKey {
        let mut seed = [7; 32];
        seed[0] = u8::try_from(index).expect("few");
        SigningKey::from_seed(&seed)
    }

    /// Vault and chain of an identity that was rotated this often.
    fn rotated(times: usize) -> (VaultId, IdentityChain) {
        let first = key(0).verifying_key();
        let vault = VaultId::of(&first);
        let rotation = |index: usize| {
            let number = u32::try_from(index + 2).expect("few");
            let at = UnixMillis(u64::from(number) * 1_000);
            Rotation::new(vault, number, &key(index), &key(index + 1), at)
        };
        let chain = IdentityChain {
            rotations: (0..times).map(rotation).collect(),
            ..IdentityChain::of(&first)
        };
        (vault, chain)
    }

    /// Takes a statement away.
    fn without(rotations: &mut Vec<Rotation>, index: usize) {
        rotations.remove(index);
    }

    #[test]
    fn chain_leads_from_the_id_to_the_current_key() {
        for times in [0, 1, 5, limits::ROTATIONS] {
            let (vault, chain) = rotated(times);

            assert_eq!(chain.verify(&vault), Ok(key(times).verifying_key()));
            assert_eq!(chain.newest(), key(times).verifying_key().0);
        }
    }

    #[test]
    fn chain_of_another_vault_is_foreign() {
        let (_, chain) = rotated(2);

        assert_eq!(chain.verify(&VaultId([9; 32])), Err(IdentityError::Foreign));
    }

    #[test]
    fn thirty_third_statement_is_refused_before_any_is_checked() {
        let (vault, chain) = rotated(limits::ROTATIONS + 1);

        assert_eq!(chain.verify(&vault), Err(IdentityError::TooLong(33)));
    }

    #[test]
    fn missing_swapped_repeated_or_foreign_statements_are_out_of_place() {
        let (vault, chain) = rotated(4);
        let changed = |change: &dyn Fn(&mut Vec<Rotation>)| {
            let mut changed = chain.clone();
            change(&mut changed.rotations);
            changed.verify(&vault)
        };
        let foreign = Rotation::new(VaultId([9; 32]), 3, &key(1), &key(2), UnixMillis(1));

        for (result, number) in [
            (changed(&|list| without(list, 1)), 3),
            (changed(&|list| list.swap(0, 1)), 2),
            (changed(&|list| list.insert(2, list[1].clone())), 4),
            (changed(&|list| list[1] = foreign.clone()), 3),
        ] {
            assert_eq!(result, Err(IdentityError::OutOfPlace(number)));
        }
    }

    #[test]
    fn statement_out_of_place_is_refused_before_any_signature_is_checked() {
        let (vault, mut chain) = rotated(3);
        chain.rotations[0].by_from = [0; 64];
        assert_eq!(chain.check_places(&vault), Ok(()));
        assert_eq!(chain.verify(&vault), Err(IdentityError::Signature(2)));

        chain.rotations[2].number = 9;

        assert_eq!(chain.verify(&vault), Err(IdentityError::OutOfPlace(4)));
    }

    #[test]
    fn key_that_the_one_before_did_not_name_is_refused() {
        let (vault, mut chain) = rotated(1);
        // A thief of nothing but the new key, and one of nothing but the retired key.
        let mut by_thief = Rotation::new(vault, 2, &key(9), &key(9), UnixMillis(1));
        by_thief.from = key(0).verifying_key().0;
        chain.rotations[0] = by_thief;
        assert_eq!(chain.verify(&vault), Err(IdentityError::Signature(2)));

        let mut adopted = Rotation::new(vault, 2, &key(0), &key(0), UnixMillis(1));
        adopted.to = key(9).verifying_key().0;
        chain.rotations[0] = adopted;

        assert_eq!(chain.verify(&vault), Err(IdentityError::Signature(2)));
    }

    #[test]
    fn largest_chain_is_small_beside_a_reply() {
        let (_, chain) = rotated(limits::ROTATIONS);

        assert!(cbor::encode(&chain).len() < 10_000);
    }

    proptest! {
        #[test]
        fn chain_comes_back_from_its_encoding(times in 0..4_usize) {
            let (_, chain) = rotated(times);

            prop_assert_eq!(cbor::decode(&cbor::encode(&chain)), Ok(chain));
        }

        #[test]
        fn altered_bytes_never_lead_to_another_key(
            times in 1..4_usize, at in any::<prop::sample::Index>(), flip in 1..=255_u8
        ) {
            let (vault, chain) = rotated(times);
            let mut bytes = cbor::encode(&chain);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;

            let verified = cbor::decode::<IdentityChain>(&bytes).map(|chain| chain.verify(&vault));

            prop_assert!(!matches!(verified, Ok(Ok(_))), "byte {}", at);
        }
    }
}
