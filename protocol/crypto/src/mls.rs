//! Primitives as MLS (RFC 9420) and HPKE (RFC 9180) name them: bytes in, bytes out.
//!
//! Everything else here takes a [`crate::Label`]; MLS has labels of its own in what it hands over,
//! so nothing of the network's may be called through this module but the MLS provider of a vault.

use core::fmt;

use hkdf::Hkdf;
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem as HpkeKem, OpModeR, OpModeS, Serializable};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::aead::{Cipher, NONCE, TAG};
use crate::entropy::{Entropy, Rng, draw};

/// How a key for the other side is made and hidden.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kem {
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
    /// ML-KEM-768 and X25519 combined, draft-connolly-cfrg-xwing-kem.
    XWing,
}

/// Bytes are no key, do not open, or are longer than the primitive allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("primitive of MLS does not take these bytes")]
pub struct NotTaken;

/// HPKE's base mode: what goes with a ciphertext.
#[derive(Debug)]
pub struct Hidden {
    /// Encapsulated key.
    pub encapsulated: Vec<u8>,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

/// Secret and public half of a key.
pub struct KeyPair {
    /// Secret half.
    pub private: Zeroizing<Vec<u8>>,
    /// Public half.
    pub public: Vec<u8>,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// HKDF-SHA256, extract.
#[must_use]
pub fn extract(salt: &[u8], ikm: &[u8]) -> Zeroizing<Vec<u8>> {
    let (prk, _) = Hkdf::<Sha256>::extract(Some(salt), ikm);
    Zeroizing::new(prk.to_vec())
}

/// HKDF-SHA256, expand.
pub fn expand(prk: &[u8], info: &[u8], length: usize) -> Result<Zeroizing<Vec<u8>>, NotTaken> {
    let mut out = Zeroizing::new(vec![0; length]);
    Hkdf::<Sha256>::from_prk(prk)
        .map_err(|_| NotTaken)?
        .expand(info, &mut out)
        .map_err(|_| NotTaken)?;
    Ok(out)
}

/// HMAC-SHA256. HKDF's extraction is one: its salt is the key.
#[must_use]
pub fn hmac(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    extract(key, message)
}

/// ChaCha20-Poly1305 with the caller's nonce.
pub fn seal(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, NotTaken> {
    let (cipher, nonce) = cipher(key, nonce)?;
    let mut out = vec![0; plaintext.len().saturating_add(TAG)];
    cipher
        .seal(&nonce, aad, plaintext, &mut out)
        .map_err(|_| NotTaken)?;
    Ok(out)
}

/// Opens what [`seal`] made.
pub fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotTaken> {
    let (cipher, nonce) = cipher(key, nonce)?;
    let mut out = vec![0; sealed.len().checked_sub(TAG).ok_or(NotTaken)?];
    cipher
        .open(&nonce, aad, sealed, &mut out)
        .map_err(|_| NotTaken)?;
    Ok(out)
}

/// HPKE, base mode, one message: HKDF-SHA256 and ChaCha20-Poly1305 behind `kem`.
pub fn hide(
    kem: Kem,
    public: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    entropy: &mut (impl Entropy + ?Sized),
) -> Result<Hidden, NotTaken> {
    match kem {
        Kem::X25519 => hide_with::<X25519HkdfSha256>(public, info, aad, plaintext, entropy),
        Kem::XWing => hide_with::<XWing>(public, info, aad, plaintext, entropy),
    }
}

/// Opens what [`hide`] made.
pub fn reveal(
    kem: Kem,
    private: &[u8],
    info: &[u8],
    aad: &[u8],
    hidden: &Hidden,
) -> Result<Vec<u8>, NotTaken> {
    match kem {
        Kem::X25519 => reveal_with::<X25519HkdfSha256>(private, info, aad, hidden),
        Kem::XWing => reveal_with::<XWing>(private, info, aad, hidden),
    }
}

/// The key pair that follows from secret bytes.
#[must_use]
pub fn derive_key_pair(kem: Kem, ikm: &[u8]) -> KeyPair {
    match kem {
        Kem::X25519 => derive_with::<X25519HkdfSha256>(ikm),
        Kem::XWing => derive_with::<XWing>(ikm),
    }
}

/// Random bytes for one operation of MLS, stretched from 32 that were drawn when it began: MLS asks
/// in places where the caller's source cannot be lent. Forked siblings draw for themselves.
pub struct Stretched {
    seed: [u8; 32],
    block: u64,
}

impl Stretched {
    /// Draws what is stretched.
    pub fn draw(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        Self {
            seed: draw(entropy),
            block: 0,
        }
    }
}

impl Entropy for Stretched {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = extract(&self.seed, &self.block.to_be_bytes());
            self.block = self.block.wrapping_add(1);
            for (to, from) in chunk.iter_mut().zip(block.iter()) {
                *to = *from;
            }
        }
    }
}

impl fmt::Debug for Stretched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stretched(..)")
    }
}

impl Drop for Stretched {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// SHA-256.
#[must_use]
pub fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn cipher(key: &[u8], nonce: &[u8]) -> Result<(Cipher, [u8; NONCE]), NotTaken> {
    let key = key.try_into().map_err(|_| NotTaken)?;
    let nonce = nonce.try_into().map_err(|_| NotTaken)?;
    Ok((Cipher::new(key), nonce))
}

type Seal = hpke::aead::ChaCha20Poly1305;

fn hide_with<K: HpkeKem>(
    public: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    entropy: &mut (impl Entropy + ?Sized),
) -> Result<Hidden, NotTaken> {
    let public = K::PublicKey::from_bytes(public).map_err(|_| NotTaken)?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<Seal, HkdfSha256, K>(
        &OpModeS::Base,
        &public,
        info,
        plaintext,
        aad,
        &mut Rng(entropy),
    )
    .map_err(|_| NotTaken)?;
    Ok(Hidden {
        encapsulated: encapsulated.to_bytes().to_vec(),
        ciphertext,
    })
}

fn reveal_with<K: HpkeKem>(
    private: &[u8],
    info: &[u8],
    aad: &[u8],
    hidden: &Hidden,
) -> Result<Vec<u8>, NotTaken> {
    let private = K::PrivateKey::from_bytes(private).map_err(|_| NotTaken)?;
    let encapsulated = K::EncappedKey::from_bytes(&hidden.encapsulated).map_err(|_| NotTaken)?;
    hpke::single_shot_open::<Seal, HkdfSha256, K>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        info,
        &hidden.ciphertext,
        aad,
    )
    .map_err(|_| NotTaken)
}

fn derive_with<K: HpkeKem>(ikm: &[u8]) -> KeyPair {
    let (private, public) = K::derive_keypair(ikm);
    KeyPair {
        private: Zeroizing::new(private.to_bytes().to_vec()),
        public: public.to_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn holder_of_the_derived_key_reveals_and_nobody_else() {
        for kem in [Kem::X25519, Kem::XWing] {
            let mut entropy = SeededEntropy::dangerous_new(1);
            let (own, other) = (
                derive_key_pair(kem, &[1; 32]),
                derive_key_pair(kem, &[2; 32]),
            );
            let hidden = hide(kem, &own.public, b"i", b"a", b"hello", &mut entropy).expect("key");

            assert_eq!(
                reveal(kem, &own.private, b"i", b"a", &hidden),
                Ok(b"hello".to_vec())
            );
            for (key, info, aad) in [
                (&other.private, b"i", b"a"),
                (&own.private, b"x", b"a"),
                (&own.private, b"i", b"x"),
            ] {
                assert_eq!(reveal(kem, key, info, aad, &hidden), Err(NotTaken));
            }
            assert!(hide(kem, b"no key", b"", b"", b"", &mut entropy).is_err());
        }
    }

    #[test]
    fn nonce_or_key_of_another_length_is_refused() {
        let sealed = seal(&[1; 32], &[2; 12], b"a", b"text").expect("sealed");

        assert_eq!(
            open(&[1; 32], &[2; 12], b"a", &sealed),
            Ok(b"text".to_vec())
        );
        assert_eq!(open(&[1; 32], &[2; 12], b"b", &sealed), Err(NotTaken));
        assert_eq!(seal(&[1; 31], &[2; 12], b"", b""), Err(NotTaken));
        assert_eq!(seal(&[1; 32], &[2; 24], b"", b""), Err(NotTaken));
    }

    /// RFC 5869, test case 1.
    #[test]
    fn hkdf_is_the_one_of_the_rfc() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let prk = extract(&salt, &[0x0b; 22]);
        let info: Vec<u8> = (0xf0..=0xf9).collect();

        let okm = expand(&prk, &info, 42).expect("short enough");

        assert_eq!(&okm[..4], [0x3c, 0xb2, 0x5f, 0x25]);
        assert_eq!(&okm[38..], [0x87, 0x18, 0x58, 0x65]);
        assert!(expand(&prk, &info, 255 * 32 + 1).is_err());
    }

    /// RFC 4231, test case 2.
    #[test]
    fn hmac_is_the_one_of_the_rfc() {
        let tag = hmac(b"Jefe", b"what do ya want for nothing?");

        assert_eq!(&tag[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }

    #[test]
    fn stretched_bytes_do_not_repeat_and_are_not_printed() {
        let mut first = Stretched::draw(&mut SeededEntropy::dangerous_new(1));
        let mut second = Stretched::draw(&mut SeededEntropy::dangerous_new(2));
        let (a, b, c) = (
            first.bytes::<40>(),
            first.bytes::<40>(),
            second.bytes::<40>(),
        );

        assert!(a != b && a != c && a[..8] != a[32..]);
        assert_eq!(format!("{first:?}"), "Stretched(..)");
        let pair = derive_key_pair(Kem::X25519, &[1; 32]);
        assert_eq!(format!("{pair:?}"), "KeyPair(..)");
    }
}
