//! One-time keys: what an app seals its secrets to, once.

use vettid_crypto::Entropy;
use vettid_crypto::sealed_box::BoxSecret;
use vettid_store::rows::transaction_key::TransactionKey;
use vettid_wire::id::TransactionKeyId;
use vettid_wire::time::UnixMillis;
use vettid_wire::{limits, request};

/// Makes a key.
pub(crate) fn mint(entropy: &mut dyn Entropy, now: UnixMillis) -> TransactionKey {
    TransactionKey {
        id: TransactionKeyId::random(entropy),
        secret: BoxSecret::generate(entropy),
        expires: now.plus(limits::TRANSACTION_KEY),
    }
}

/// What an app is given of keys.
pub(crate) fn public(keys: &[TransactionKey]) -> Vec<request::TransactionKey> {
    keys.iter()
        .map(|key| request::TransactionKey {
            id: key.id,
            public: key.secret.public().0,
            expires: key.expires,
        })
        .collect()
}
