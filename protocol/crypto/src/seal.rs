//! Sealing under a symmetric key. XChaCha20-Poly1305 with a random nonce in front.

use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, draw};
use crate::{Label, SymmetricKey};

/// Bytes that sealing adds: nonce 24, tag 16.
pub const OVERHEAD: usize = NONCE + TAG;

const NONCE: usize = 24;
const TAG: usize = 16;

/// Sealed bytes do not open: wrong key, wrong context, or altered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("sealed bytes do not open")]
pub struct NotOpened;

/// Seals `plaintext` for one purpose and context. The result is [`OVERHEAD`] bytes longer.
///
/// The nonce is drawn at random: restored state, retries and forks cannot repeat one.
pub fn seal(
    key: &impl SymmetricKey,
    label: Label,
    context: &[&[u8]],
    plaintext: &[u8],
    entropy: &mut (impl Entropy + ?Sized),
) -> Vec<u8> {
    let nonce: [u8; NONCE] = draw(entropy);
    let mut out = Vec::with_capacity(plaintext.len().saturating_add(OVERHEAD));
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plaintext);
    let tag = key.expose(|key| {
        let (_, body) = out.split_at_mut(NONCE);
        XChaCha20Poly1305::new(&Key::from(*key)).encrypt_inout_detached(
            &XNonce::from(nonce),
            &label.frame(context),
            body.into(),
        )
    });
    // The cipher's only limit is 256 GiB a message; what is over it must not leave as plaintext.
    match tag {
        Ok(tag) => out.extend_from_slice(&tag),
        Err(_) => out.clear(),
    }
    out
}

/// Opens what [`seal`] made, under the same key, purpose and context.
pub fn open(
    key: &impl SymmetricKey,
    label: Label,
    context: &[&[u8]],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(NotOpened)?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    key.expose(|key| {
        XChaCha20Poly1305::new(&Key::from(*key)).decrypt_inout_detached(
            &XNonce::from(*nonce),
            &label.frame(context),
            plaintext.as_mut_slice().into(),
            &Tag::from(*tag),
        )
    })
    .map_err(|_| NotOpened)?;
    Ok(plaintext)
}

/// Seals with a zero nonce under a key that is used for this one message and never again.
pub(crate) fn seal_once(
    key: &[u8; 32],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    chacha20poly1305::ChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(
            &chacha20poly1305::Nonce::default(),
            Payload {
                msg: plaintext,
                aad,
            },
        )
        .map_err(|_| NotOpened)
}

/// Opens what [`seal_once`] made.
pub(crate) fn open_once(
    key: &[u8; 32],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    chacha20poly1305::ChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(
            &chacha20poly1305::Nonce::default(),
            Payload { msg: sealed, aad },
        )
        .map(Zeroizing::new)
        .map_err(|_| NotOpened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SecretBytes, SeededEntropy, VaultKey};
    use proptest::prelude::*;

    const LABEL: Label = Label::RecordChangeset;

    fn key(byte: u8) -> VaultKey {
        VaultKey::from_bytes([byte; 32])
    }

    fn sealed(plaintext: &[u8]) -> Vec<u8> {
        seal(
            &key(1),
            LABEL,
            &[b"a"],
            plaintext,
            &mut SeededEntropy::dangerous_new(1),
        )
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(plaintext: Vec<u8>) {
            let opened = open(&key(1), LABEL, &[b"a"], &sealed(&plaintext)).expect("opens");

            prop_assert_eq!(&*opened, &plaintext);
            prop_assert_eq!(sealed(&plaintext).len(), plaintext.len() + OVERHEAD);
        }
    }

    #[test]
    fn every_altered_byte_is_refused() {
        let good = sealed(b"secret");
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert_eq!(open(&key(1), LABEL, &[b"a"], &bad), Err(NotOpened));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let good = sealed(b"secret");
        for length in 0..good.len() {
            assert_eq!(
                open(&key(1), LABEL, &[b"a"], &good[..length]),
                Err(NotOpened)
            );
        }
    }

    #[test]
    fn other_key_label_or_context_is_refused() {
        let good = sealed(b"secret");

        assert_eq!(open(&key(2), LABEL, &[b"a"], &good), Err(NotOpened));
        assert_eq!(
            open(&key(1), Label::RecordHeader, &[b"a"], &good),
            Err(NotOpened)
        );
        assert_eq!(open(&key(1), LABEL, &[b"b"], &good), Err(NotOpened));
    }

    #[test]
    fn two_seals_of_one_plaintext_differ() {
        let mut entropy = SeededEntropy::dangerous_new(1);

        assert_ne!(
            seal(&key(1), LABEL, &[], b"x", &mut entropy),
            seal(&key(1), LABEL, &[], b"x", &mut entropy)
        );
    }
}
