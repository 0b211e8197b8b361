//! ML-KEM-768, the post-quantum half of the session's keys. FIPS 203.

use core::fmt;

use kem::{Decapsulate, Encapsulate, KeyExport, KeyInit, TryKeyInit};
use ml_kem::ml_kem_768 as inner;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, Rng, draw};

/// Bytes of an encapsulation key.
pub const ENCAPSULATION_KEY: usize = 1184;
/// Bytes of a ciphertext.
pub const CIPHERTEXT: usize = 1088;

/// Bytes are no encapsulation key or no ciphertext.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an ML-KEM-768 key or ciphertext")]
pub struct Malformed;

/// Secret half: opens what was encapsulated to it. Wiped on drop.
pub struct DecapsulationKey(inner::DecapsulationKey);

impl DecapsulationKey {
    /// Makes a new key.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        let seed: Zeroizing<[u8; 64]> = Zeroizing::new(draw(entropy));
        Self(inner::DecapsulationKey::new(&(*seed).into()))
    }

    /// The public half. [`ENCAPSULATION_KEY`] bytes.
    #[must_use]
    pub fn encapsulation_key(&self) -> Vec<u8> {
        self.0.encapsulation_key().to_bytes().to_vec()
    }

    /// The secret of `ciphertext`. An altered ciphertext gives an unrelated secret, not an error.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Zeroizing<[u8; 32]>, Malformed> {
        let ciphertext = ciphertext.try_into().map_err(|_| Malformed)?;
        Ok(Zeroizing::new(self.0.decapsulate(&ciphertext).into()))
    }
}

impl fmt::Debug for DecapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecapsulationKey(..)")
    }
}

/// Makes a fresh secret and its ciphertext for the holder of `encapsulation_key`.
pub fn encapsulate(
    encapsulation_key: &[u8],
    entropy: &mut (impl Entropy + ?Sized),
) -> Result<(Vec<u8>, Zeroizing<[u8; 32]>), Malformed> {
    let key = inner::EncapsulationKey::new_from_slice(encapsulation_key).map_err(|_| Malformed)?;
    let (ciphertext, secret) = key.encapsulate_with_rng(&mut Rng(entropy));
    Ok((ciphertext.to_vec(), Zeroizing::new(secret.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn both_sides_get_one_secret() {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let key = DecapsulationKey::generate(&mut entropy);

        let (ciphertext, secret) =
            encapsulate(&key.encapsulation_key(), &mut entropy).expect("valid key");

        assert_eq!(key.decapsulate(&ciphertext).expect("valid length"), secret);
        assert_eq!(ciphertext.len(), CIPHERTEXT);
        assert_eq!(key.encapsulation_key().len(), ENCAPSULATION_KEY);
    }

    #[test]
    fn altered_ciphertext_gives_another_secret() {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let key = DecapsulationKey::generate(&mut entropy);
        let (mut ciphertext, secret) =
            encapsulate(&key.encapsulation_key(), &mut entropy).expect("valid key");

        ciphertext[5] ^= 1;

        assert_ne!(key.decapsulate(&ciphertext).expect("valid length"), secret);
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let key = DecapsulationKey::generate(&mut entropy);

        assert_eq!(key.decapsulate(&[0; 5]), Err(Malformed));
        assert_eq!(encapsulate(&[0; 5], &mut entropy), Err(Malformed));
    }

    #[test]
    fn key_with_coefficients_out_of_range_is_refused() {
        let mut entropy = SeededEntropy::dangerous_new(1);

        assert_eq!(
            encapsulate(&[0xff; ENCAPSULATION_KEY], &mut entropy),
            Err(Malformed)
        );
    }

    #[test]
    fn secret_half_is_not_printed() {
        let key = DecapsulationKey::generate(&mut SeededEntropy::dangerous_new(1));

        assert_eq!(format!("{key:?}"), "DecapsulationKey(..)");
    }
}
