//! ChaCha20-Poly1305, the cipher below everything that is sealed here. RFC 8439.
//!
//! Two ciphers make the same bytes: [`fast`] on native builds, [`portable`] everywhere. Which nonce
//! is used, and that none is used twice under one key, is the caller's business.

use core::fmt;

use zeroize::Zeroizing;

use crate::seal::NotOpened;

#[cfg(not(target_family = "wasm"))]
use fast as chosen;
#[cfg(target_family = "wasm")]
use portable as chosen;

/// Bytes of a nonce.
pub const NONCE: usize = 12;

/// Bytes that sealing adds.
pub const TAG: usize = 16;

/// The cipher refused: for lengths that do not fit only.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cipher refused to seal")]
pub struct NotSealed;

/// One key, ready for use. Wiped on drop.
pub struct Cipher(chosen::Cipher);

impl Cipher {
    /// The cipher under a key of 32 secret bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(chosen::Cipher::new(key))
    }

    /// The cipher that XChaCha20-Poly1305 uses for one message, and its nonce.
    pub(crate) fn extended(key: &[u8; 32], nonce: &[u8; 24]) -> (Self, [u8; NONCE]) {
        let (front, rest) = nonce.split_at(16);
        let mut input = [0; 16];
        input.copy_from_slice(front);
        let subkey = chacha20::hchacha::<chacha20::R20>(&(*key).into(), &input.into());
        let subkey: Zeroizing<[u8; 32]> = Zeroizing::new(subkey.into());
        let mut short = [0; NONCE];
        short.split_at_mut(NONCE - 8).1.copy_from_slice(rest);
        (Self::new(&subkey), short)
    }

    /// Seals `plaintext` into `out`, which is [`TAG`] bytes longer.
    pub fn seal(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<(), NotSealed> {
        let (body, tag) = out.split_at_mut_checked(plaintext.len()).ok_or(NotSealed)?;
        let tag = tag.try_into().map_err(|_| NotSealed)?;
        self.0.seal(nonce, aad, plaintext, (body, tag))
    }

    /// Opens `sealed` into `out`, which is [`TAG`] bytes shorter. After an error, `out` holds
    /// nothing of the plaintext.
    pub fn open(
        &self,
        nonce: &[u8; NONCE],
        aad: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<(), NotOpened> {
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or(NotOpened)?;
        if body.len() != out.len() {
            return Err(NotOpened);
        }
        let opened = self.0.open(nonce, aad, (body, tag), out);
        if opened.is_err() {
            out.fill(0);
        }
        opened
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}

/// AWS-LC.
#[cfg(not(target_family = "wasm"))]
pub mod fast {
    use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

    use super::{NONCE, NotSealed, TAG, portable};
    use crate::seal::NotOpened;

    /// One key. AWS-LC wipes what it frees.
    pub enum Cipher {
        /// As usual.
        Ready(LessSafeKey),
        /// There was no memory for it in AWS-LC. What is to be sealed must be, all the same.
        Portable(portable::Cipher),
    }

    impl Cipher {
        /// The cipher under a key.
        #[must_use]
        pub fn new(key: &[u8; 32]) -> Self {
            match UnboundKey::new(&CHACHA20_POLY1305, key) {
                Ok(ready) => Self::Ready(LessSafeKey::new(ready)),
                Err(_) => Self::Portable(portable::Cipher::new(key)),
            }
        }

        /// Seals into ciphertext and tag.
        pub fn seal(
            &self,
            nonce: &[u8; NONCE],
            aad: &[u8],
            plaintext: &[u8],
            (body, tag): (&mut [u8], &mut [u8; TAG]),
        ) -> Result<(), NotSealed> {
            let key = match self {
                Self::Ready(key) => key,
                Self::Portable(cipher) => return cipher.seal(nonce, aad, plaintext, (body, tag)),
            };
            let nonce = Nonce::assume_unique_for_key(*nonce);
            key.seal_out_of_place_scatter(nonce, Aad::from(aad), plaintext, body, &[], tag)
                .map_err(|_| NotSealed)
        }

        /// Opens ciphertext and tag.
        pub fn open(
            &self,
            nonce: &[u8; NONCE],
            aad: &[u8],
            (body, tag): (&[u8], &[u8; TAG]),
            out: &mut [u8],
        ) -> Result<(), NotOpened> {
            let key = match self {
                Self::Ready(key) => key,
                Self::Portable(cipher) => return cipher.open(nonce, aad, (body, tag), out),
            };
            let nonce = Nonce::assume_unique_for_key(*nonce);
            key.open_separate_gather(nonce, Aad::from(aad), body, tag, out)
                .map_err(|_| NotOpened)
        }
    }
}

/// Pure Rust.
pub mod portable {
    use chacha20poly1305::aead::{AeadInOut, KeyInit};
    use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};

    use super::{NONCE, NotSealed, TAG};
    use crate::seal::NotOpened;

    /// One key. Wiped on drop.
    pub struct Cipher(ChaCha20Poly1305);

    impl Cipher {
        /// The cipher under a key.
        #[must_use]
        pub fn new(key: &[u8; 32]) -> Self {
            Self(ChaCha20Poly1305::new(&Key::from(*key)))
        }

        /// Seals into ciphertext and tag.
        pub fn seal(
            &self,
            nonce: &[u8; NONCE],
            aad: &[u8],
            plaintext: &[u8],
            (body, tag): (&mut [u8], &mut [u8; TAG]),
        ) -> Result<(), NotSealed> {
            if body.len() != plaintext.len() {
                return Err(NotSealed);
            }
            body.copy_from_slice(plaintext);
            let sealed =
                self.0
                    .encrypt_inout_detached(&Nonce::from(*nonce), aad, (&mut *body).into());
            match sealed {
                Ok(made) => {
                    *tag = made.into();
                    Ok(())
                }
                // What is over the cipher's limit must not leave as plaintext.
                Err(_) => {
                    body.fill(0);
                    Err(NotSealed)
                }
            }
        }

        /// Opens ciphertext and tag.
        pub fn open(
            &self,
            nonce: &[u8; NONCE],
            aad: &[u8],
            (body, tag): (&[u8], &[u8; TAG]),
            out: &mut [u8],
        ) -> Result<(), NotOpened> {
            if body.len() != out.len() {
                return Err(NotOpened);
            }
            out.copy_from_slice(body);
            self.0
                .decrypt_inout_detached(&Nonce::from(*nonce), aad, out.into(), &Tag::from(*tag))
                .map_err(|_| NotOpened)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::aead::{Aead, KeyInit, Payload};
    use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];
    const NONCE_1: [u8; NONCE] = [1; NONCE];

    fn sealed(plaintext: &[u8]) -> Vec<u8> {
        let mut out = vec![0; plaintext.len() + TAG];
        Cipher::new(&KEY)
            .seal(&NONCE_1, b"context", plaintext, &mut out)
            .expect("seals");
        out
    }

    // RFC 8439, section 2.8.2.
    #[test]
    fn vector_of_the_rfc_comes_out() {
        let key: [u8; 32] = core::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
        let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
        let aad = [
            0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
            tip for the future, sunscreen would be it.";
        let mut out = vec![0; text.len() + TAG];

        Cipher::new(&key)
            .seal(&nonce, &aad, text, &mut out)
            .expect("seals");

        assert_eq!(out[..8], [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb]);
        assert_eq!(
            out[text.len()..],
            [
                0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60,
                0x06, 0x91
            ]
        );
    }

    #[test]
    fn cipher_that_got_no_memory_makes_the_same_bytes() {
        let lent = fast::Cipher::Portable(portable::Cipher::new(&KEY));
        let (mut body, mut tag) = ([0; 6], [0; TAG]);
        lent.seal(&NONCE_1, b"context", b"secret", (&mut body, &mut tag))
            .expect("seals");

        assert_eq!([&body[..], &tag[..]].concat(), sealed(b"secret"));
        let mut out = [0; 6];
        lent.open(&NONCE_1, b"context", (&body, &tag), &mut out)
            .expect("opens");
        assert_eq!(&out, b"secret");
    }

    proptest! {
        #[test]
        fn both_ciphers_make_the_same_bytes_and_open_each_other(
            key: [u8; 32],
            nonce: [u8; NONCE],
            aad: Vec<u8>,
            plaintext: Vec<u8>,
        ) {
            let (fast, portable) = (fast::Cipher::new(&key), portable::Cipher::new(&key));
            let (mut body, mut tag) = (vec![0; plaintext.len()], [0; TAG]);
            let (mut other_body, mut other_tag) = (vec![0; plaintext.len()], [0; TAG]);
            fast.seal(&nonce, &aad, &plaintext, (&mut body, &mut tag)).expect("seals");
            portable.seal(&nonce, &aad, &plaintext, (&mut other_body, &mut other_tag)).expect("seals");
            prop_assert_eq!((&body, tag), (&other_body, other_tag));

            let mut out = vec![0; body.len()];
            fast.open(&nonce, &aad, (&other_body, &other_tag), &mut out).expect("opens");
            prop_assert_eq!(&out, &plaintext);
            out.fill(0);
            portable.open(&nonce, &aad, (&body, &tag), &mut out).expect("opens");
            prop_assert_eq!(&out, &plaintext);
        }

        #[test]
        fn extended_nonces_are_those_of_xchacha(key: [u8; 32], nonce: [u8; 24], plaintext: Vec<u8>) {
            let (cipher, short) = Cipher::extended(&key, &nonce);
            let mut out = vec![0; plaintext.len() + TAG];
            cipher.seal(&short, b"context", &plaintext, &mut out).expect("seals");

            let theirs = XChaCha20Poly1305::new(&Key::from(key))
                .encrypt(&XNonce::from(nonce), Payload { msg: &plaintext, aad: b"context" })
                .expect("seals");
            prop_assert_eq!(out, theirs);
        }
    }

    #[test]
    fn altered_bytes_do_not_open_and_leave_nothing() {
        let good = sealed(b"secret");
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            let mut out = [9; 6];

            let opened = Cipher::new(&KEY).open(&NONCE_1, b"context", &bad, &mut out);

            assert_eq!((opened, out), (Err(NotOpened), [0; 6]));
        }
    }

    #[test]
    fn places_of_another_size_are_refused() {
        let cipher = Cipher::new(&KEY);
        let good = sealed(b"secret");

        for size in [0, 5, 7, 22] {
            let mut out = vec![0; size];
            assert_eq!(
                cipher.open(&NONCE_1, b"context", &good, &mut out),
                Err(NotOpened)
            );
            assert_eq!(
                cipher.seal(&NONCE_1, b"context", b"secret..", &mut out),
                Err(NotSealed)
            );
        }
        assert_eq!(
            cipher.open(&NONCE_1, b"", &good[..15], &mut []),
            Err(NotOpened)
        );
    }

    #[test]
    fn key_is_not_printed() {
        assert_eq!(format!("{:?}", Cipher::new(&KEY)), "Cipher(..)");
    }
}
