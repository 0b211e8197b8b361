//! How a private key is stored: its secret half under the credential.

use vettid_crypto::owner_key::{self, OwnerKey};
use vettid_wire::id::KeyId;
use vettid_wire::limits;
use vettid_wire::operation::key;
use vettid_wire::refusal::{Code, Refusal};

use crate::effect::Changing;
use crate::grant::OwnerPresent;
use crate::stop::Stop;
use crate::text;

/// Refuses a label that is none, and a key beyond the limit.
pub(crate) fn check_room(on: &Changing<'_>, label: &str) -> Result<(), Stop> {
    text::line("key label", limits::KEY_LABEL, label)?;
    let count = usize::try_from(on.change.count_keys()?).unwrap_or(usize::MAX);
    if count >= limits::KEYS {
        return Err(Refusal::limit("keys", limits::KEYS, count.saturating_add(1)).into());
    }
    Ok(())
}

/// Stores a key under a new id.
pub(crate) fn store(
    on: &mut Changing<'_>,
    by: &OwnerPresent,
    secret: &OwnerKey,
    label: String,
    imported: bool,
) -> Result<key::Key, Stop> {
    let id = KeyId::random(on.entropy);
    on.about(&id.0);
    let key = key::Key {
        id,
        label,
        algorithm: wire(secret.algorithm()),
        public: secret.public().map_err(|_| Code::InvalidValue)?,
        created: on.now,
        imported,
    };
    let sealed = by.presence().seal_key(&id, secret, on.entropy);
    on.change.insert_key(&key, &sealed)?;
    Ok(key)
}

/// Algorithm as the cryptography names it.
pub(crate) fn own(algorithm: key::Algorithm) -> owner_key::Algorithm {
    match algorithm {
        key::Algorithm::Ed25519 => owner_key::Algorithm::Ed25519,
        key::Algorithm::P256 => owner_key::Algorithm::P256,
        key::Algorithm::Secp256k1 => owner_key::Algorithm::Secp256k1,
        key::Algorithm::X25519 => owner_key::Algorithm::X25519,
    }
}

fn wire(algorithm: owner_key::Algorithm) -> key::Algorithm {
    match algorithm {
        owner_key::Algorithm::Ed25519 => key::Algorithm::Ed25519,
        owner_key::Algorithm::P256 => key::Algorithm::P256,
        owner_key::Algorithm::Secp256k1 => key::Algorithm::Secp256k1,
        owner_key::Algorithm::X25519 => key::Algorithm::X25519,
    }
}
