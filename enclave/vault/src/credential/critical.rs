//! What an open credential lends: the keys of critical values and of the owner's private keys.

use vettid_crypto::owner_key::{self, OwnerKey};
use vettid_crypto::seal::{self, NotOpened};
use vettid_crypto::{CriticalRoot, Entropy, Label, SecretBytes, WrappingKey, derive};
use vettid_wire::Secret;
use vettid_wire::cbor::{self, Wire};
use vettid_wire::id::{ItemId, KeyId, VaultId};
use vettid_wire::operation::item::CriticalValues;
use vettid_wire::refusal::Code;

use super::Contents;
use crate::stop::Stop;

/// The owner's presence during one request: the critical root, and the request's secret input.
#[derive(Debug)]
pub(crate) struct Presence {
    vault: VaultId,
    root: CriticalRoot,
    input: Option<Secret>,
}

impl Presence {
    /// What an open credential lends for one request.
    pub(crate) fn new(vault: VaultId, contents: &Contents, input: Option<Secret>) -> Self {
        let root = contents.root.expose(|root| CriticalRoot::from_bytes(*root));
        Self { vault, root, input }
    }

    /// The secret input of the request.
    pub(crate) fn input<T: Wire>(&self) -> Result<T, Stop> {
        let input = self.input.as_ref().ok_or(Code::Malformed)?;
        input
            .expose(|input| cbor::decode(input))
            .map_err(|_| Code::Malformed.into())
    }

    /// Seals the critical values of one version of an item. `fields` are their ids in order.
    pub(crate) fn seal_values(
        &self,
        item: &ItemId,
        version: u64,
        fields: &[u32],
        values: &CriticalValues,
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        let fields = cbor::encode(&fields.to_vec());
        let context: &[&[u8]] = &[&self.vault.0, &item.0, &version.to_be_bytes(), &fields];
        let plain = Secret::new(cbor::encode(values));
        let key = self.key(&item.0, version);
        plain.expose(|plain| seal::seal(&key, Label::CriticalValues, context, plain, entropy))
    }

    /// Opens what [`Self::seal_values`] made.
    pub(crate) fn open_values(
        &self,
        item: &ItemId,
        version: u64,
        fields: &[u32],
        sealed: &[u8],
    ) -> Result<CriticalValues, NotOpened> {
        let fields = cbor::encode(&fields.to_vec());
        let context: &[&[u8]] = &[&self.vault.0, &item.0, &version.to_be_bytes(), &fields];
        let plain = seal::open(
            &self.key(&item.0, version),
            Label::CriticalValues,
            context,
            sealed,
        )?;
        cbor::decode(&plain).map_err(|_| NotOpened)
    }

    /// Seals a private key of the owner.
    pub(crate) fn seal_key(
        &self,
        id: &KeyId,
        key: &OwnerKey,
        entropy: &mut dyn Entropy,
    ) -> Vec<u8> {
        let context: &[&[u8]] = &[&self.vault.0, &id.0, &[algorithm_byte(key.algorithm())]];
        let sealing = self.key(&id.0, 1);
        key.expose(|secret| seal::seal(&sealing, Label::OwnerKey, context, secret, entropy))
    }

    /// Opens what [`Self::seal_key`] made.
    pub(crate) fn open_key(
        &self,
        id: &KeyId,
        algorithm: owner_key::Algorithm,
        sealed: &[u8],
    ) -> Result<OwnerKey, NotOpened> {
        let context: &[&[u8]] = &[&self.vault.0, &id.0, &[algorithm_byte(algorithm)]];
        let secret = seal::open(&self.key(&id.0, 1), Label::OwnerKey, context, sealed)?;
        let secret = secret.as_slice().try_into().map_err(|_| NotOpened)?;
        OwnerKey::import(algorithm, secret).map_err(|_| NotOpened)
    }

    fn key(&self, id: &[u8; 16], version: u64) -> WrappingKey {
        derive::key(
            &self.root,
            Label::CriticalKey,
            &[id, &version.to_be_bytes()],
        )
    }
}

const fn algorithm_byte(algorithm: owner_key::Algorithm) -> u8 {
    match algorithm {
        owner_key::Algorithm::Ed25519 => 0,
        owner_key::Algorithm::P256 => 1,
        owner_key::Algorithm::Secp256k1 => 2,
        owner_key::Algorithm::X25519 => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_crypto::SeededEntropy;

    const ITEM: ItemId = ItemId([1; 16]);

    fn presence(seed: u64) -> Presence {
        let contents = Contents::generate(&mut SeededEntropy::dangerous_new(seed));
        Presence::new(VaultId([2; 32]), &contents, None)
    }

    fn values() -> CriticalValues {
        CriticalValues {
            values: vec![Secret::from("1234 5678")],
        }
    }

    #[test]
    fn values_open_at_their_own_item_version_and_fields_only() {
        let mut entropy = SeededEntropy::dangerous_new(5);
        let owner = presence(1);
        let sealed = owner.seal_values(&ITEM, 3, &[1, 2], &values(), &mut entropy);

        assert_eq!(owner.open_values(&ITEM, 3, &[1, 2], &sealed), Ok(values()));
        assert_eq!(
            owner.open_values(&ITEM, 4, &[1, 2], &sealed),
            Err(NotOpened)
        );
        assert_eq!(
            owner.open_values(&ITEM, 3, &[2, 1], &sealed),
            Err(NotOpened)
        );
        assert_eq!(
            owner.open_values(&ItemId([9; 16]), 3, &[1, 2], &sealed),
            Err(NotOpened)
        );
        assert_eq!(
            presence(2).open_values(&ITEM, 3, &[1, 2], &sealed),
            Err(NotOpened)
        );
    }

    #[test]
    fn private_key_opens_under_its_own_id_and_algorithm_only() {
        let mut entropy = SeededEntropy::dangerous_new(5);
        let (owner, id) = (presence(1), KeyId([4; 16]));
        let key = OwnerKey::generate(owner_key::Algorithm::Ed25519, &mut entropy);
        let sealed = owner.seal_key(&id, &key, &mut entropy);
        let open = |id, algorithm| owner.open_key(id, algorithm, &sealed).is_ok();

        assert!(open(&id, owner_key::Algorithm::Ed25519));
        assert!(!open(&id, owner_key::Algorithm::X25519));
        assert!(!open(&KeyId([5; 16]), owner_key::Algorithm::Ed25519));
    }

    #[test]
    fn missing_or_malformed_input_is_refused() {
        let contents = Contents::generate(&mut SeededEntropy::dangerous_new(1));
        let garbage = Presence::new(VaultId([2; 32]), &contents, Some(Secret::from("x")));

        assert_eq!(presence(1).input::<Secret>(), Err(Code::Malformed.into()));
        assert_eq!(
            garbage.input::<CriticalValues>(),
            Err(Code::Malformed.into())
        );
    }
}
