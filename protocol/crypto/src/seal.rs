//! Sealing under a symmetric key. XChaCha20-Poly1305 with a random nonce in front.

use crate::aead::{self, Cipher};
use crate::entropy::{Entropy, draw};
use crate::{Label, SymmetricKey, WipedVec};

/// Bytes that sealing adds: nonce 24, tag 16.
pub const OVERHEAD: usize = NONCE + TAG;

const NONCE: usize = 24;
const TAG: usize = aead::TAG;

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
    let mut out = vec![0; plaintext.len().saturating_add(OVERHEAD)];
    let (front, body) = out.split_at_mut(NONCE);
    front.copy_from_slice(&nonce);
    let (cipher, nonce) = key.expose(|key| Cipher::extended(key, &nonce));
    // The cipher's only limit is 256 GiB a message; what is over it leaves as nothing.
    if cipher
        .seal(&nonce, &label.frame(context), plaintext, body)
        .is_err()
    {
        out.clear();
    }
    out
}

/// Opens what [`seal`] made, under the same key, purpose and context.
pub fn open(
    key: &impl SymmetricKey,
    label: Label,
    context: &[&[u8]],
    sealed: &[u8],
) -> Result<WipedVec, NotOpened> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
    let (cipher, nonce) = key.expose(|key| Cipher::extended(key, nonce));
    open_all(&cipher, &nonce, &label.frame(context), body)
}

/// Opens what [`seal`] made into the beginning of `out`; how many bytes it took. Fails if there is
/// no room. After an error, `out` holds nothing of the plaintext.
pub fn open_into(
    key: &impl SymmetricKey,
    label: Label,
    context: &[&[u8]],
    sealed: &[u8],
    out: &mut [u8],
) -> Result<usize, NotOpened> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
    let length = body.len().checked_sub(TAG).ok_or(NotOpened)?;
    let out = out.get_mut(..length).ok_or(NotOpened)?;
    let (cipher, nonce) = key.expose(|key| Cipher::extended(key, nonce));
    cipher.open(&nonce, &label.frame(context), body, out)?;
    Ok(length)
}

/// Seals with a zero nonce under a key that is used for this one message and never again.
pub(crate) fn seal_once(
    key: &[u8; 32],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    let mut out = vec![0; plaintext.len().saturating_add(TAG)];
    Cipher::new(key)
        .seal(&[0; aead::NONCE], aad, plaintext, &mut out)
        .map_err(|_| NotOpened)?;
    Ok(out)
}

/// Opens what [`seal_once`] made.
pub(crate) fn open_once(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<WipedVec, NotOpened> {
    open_all(&Cipher::new(key), &[0; aead::NONCE], aad, sealed)
}

fn open_all(
    cipher: &Cipher,
    nonce: &[u8; aead::NONCE],
    aad: &[u8],
    sealed: &[u8],
) -> Result<WipedVec, NotOpened> {
    let length = sealed.len().checked_sub(TAG).ok_or(NotOpened)?;
    let mut plaintext = WipedVec::new(vec![0; length]);
    cipher.open(nonce, aad, sealed, &mut plaintext)?;
    Ok(plaintext)
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

            let mut place = vec![9; plaintext.len() + 1];
            let length = open_into(&key(1), LABEL, &[b"a"], &sealed(&plaintext), &mut place);
            prop_assert_eq!(length, Ok(plaintext.len()));
            prop_assert_eq!(place.pop(), Some(9));
            prop_assert_eq!(place, plaintext);
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
    fn what_does_not_open_or_fit_leaves_nothing() {
        let mut bad = sealed(b"secret");
        let mut small = [9; 5];
        assert_eq!(
            open_into(&key(1), LABEL, &[b"a"], &bad, &mut small),
            Err(NotOpened)
        );
        assert_eq!(small, [9; 5]);

        bad[30] ^= 1;
        let mut out = [9; 6];
        assert_eq!(
            open_into(&key(1), LABEL, &[b"a"], &bad, &mut out),
            Err(NotOpened)
        );
        assert_eq!(out, [0; 6]);
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
