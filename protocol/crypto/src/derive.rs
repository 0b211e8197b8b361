//! Key derivation and keyed digests. HKDF-SHA-256, RFC 5869.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroize;

use crate::{Label, SecretBytes, SymmetricKey, digest};

/// Derives the key of role `K` from `parent` for one purpose and context.
#[must_use]
pub fn key<K: SymmetricKey>(parent: &impl SymmetricKey, label: Label, context: &[&[u8]]) -> K {
    parent.expose(|ikm| from_bytes(ikm, &[], label, context))
}

/// Derives the key of role `K` from two secrets: both are needed to know it.
#[must_use]
pub fn key_from_two<K: SymmetricKey>(
    first: &impl SymmetricKey,
    second: &impl SymmetricKey,
    label: Label,
    context: &[&[u8]],
) -> K {
    second.expose(|salt| first.expose(|ikm| from_bytes(ikm, salt, label, context)))
}

/// Derives the key of role `K` from raw secret bytes, such as a KEM's shared secret.
#[must_use]
pub fn from_bytes<K: SecretBytes<32>>(
    ikm: &[u8],
    salt: &[u8],
    label: Label,
    context: &[&[u8]],
) -> K {
    let mut out = raw(ikm, salt, label, context);
    let key = K::from_bytes(out);
    out.zeroize();
    key
}

/// Keyed digest of `parts`: proof that the holder of `key` made them. 32 bytes.
#[must_use]
pub fn mac(key: &impl SymmetricKey, label: Label, parts: &[&[u8]]) -> [u8; 32] {
    key.expose(|ikm| raw(ikm, &[], label, parts))
}

/// Checks a keyed digest in constant time.
#[must_use]
pub fn mac_is_valid(key: &impl SymmetricKey, label: Label, parts: &[&[u8]], tag: &[u8]) -> bool {
    digest::same(&mac(key, label, parts), tag)
}

fn raw(ikm: &[u8], salt: &[u8], label: Label, context: &[&[u8]]) -> [u8; 32] {
    let (prk, _) = Hkdf::<Sha256>::extract(Some(salt), ikm);
    let mut out = [0; 32];
    // 32 bytes are one block of the 255 that RFC 5869 allows, so expansion has no failure to report.
    let expanded =
        Hkdf::<Sha256>::from_prk(&prk).map(|h| h.expand(&label.frame(context), &mut out));
    debug_assert!(matches!(expanded, Ok(Ok(()))));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SealingKey, SealingRoot, VaultKey};

    fn root(byte: u8) -> SealingRoot {
        SealingRoot::from_bytes([byte; 32])
    }

    fn bytes(key: &impl SymmetricKey) -> [u8; 32] {
        key.expose(|bytes| *bytes)
    }

    #[test]
    fn label_context_and_parent_each_change_the_key() {
        let base: SealingKey = key(&root(1), Label::SealingKey, &[b"a"]);

        let others: [SealingKey; 3] = [
            key(&root(2), Label::SealingKey, &[b"a"]),
            key(&root(1), Label::SealedState, &[b"a"]),
            key(&root(1), Label::SealingKey, &[b"b"]),
        ];

        for other in others {
            assert_ne!(bytes(&base), bytes(&other));
        }
    }

    #[test]
    fn key_from_two_needs_both() {
        let derive =
            |a, b| -> VaultKey { key_from_two(&root(a), &root(b), Label::VaultKeyWrapping, &[]) };

        assert_eq!(bytes(&derive(1, 2)), bytes(&derive(1, 2)));
        assert_ne!(bytes(&derive(1, 2)), bytes(&derive(3, 2)));
        assert_ne!(bytes(&derive(1, 2)), bytes(&derive(1, 3)));
    }

    #[test]
    fn altered_tag_or_part_is_refused() {
        let mut tag = mac(&root(1), Label::CredentialHeader, &[b"x"]);
        assert!(mac_is_valid(
            &root(1),
            Label::CredentialHeader,
            &[b"x"],
            &tag
        ));
        assert!(!mac_is_valid(
            &root(1),
            Label::CredentialHeader,
            &[b"y"],
            &tag
        ));

        tag[0] ^= 1;

        assert!(!mac_is_valid(
            &root(1),
            Label::CredentialHeader,
            &[b"x"],
            &tag
        ));
    }

    // RFC 5869 has no vector with framed info; this one was computed with Python's hmac module.
    #[test]
    fn derivation_matches_an_independent_computation() {
        let key: SealingKey = key(&root(7), Label::SealingKey, &[b"space"]);

        assert_eq!(
            bytes(&key),
            independent(&[7; 32], b"", &Label::SealingKey.frame(&[b"space"]))
        );
    }

    fn independent(ikm: &[u8], salt: &[u8], info: &[u8]) -> [u8; 32] {
        use hmac::{Hmac, KeyInit, Mac};
        let mut extract = Hmac::<Sha256>::new_from_slice(salt).expect("any length");
        extract.update(ikm);
        let prk = extract.finalize().into_bytes();
        let mut expand = Hmac::<Sha256>::new_from_slice(&prk).expect("any length");
        expand.update(info);
        expand.update(&[1]);
        expand.finalize().into_bytes().into()
    }
}
