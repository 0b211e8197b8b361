//! ECDSA over P-384 with SHA-384, as attestation documents and their certificates use it.
//! FIPS 186-5.
//!
//! Two verifiers give the same verdicts: [`fast`] on native builds, [`portable`] everywhere.
//! [`verify`] and [`verify_der`] take the fast one where it is there.

use core::fmt;

use p384::ecdsa::signature::Signer;

use crate::entropy::{Entropy, draw};
use crate::sign::BadSignature;

#[cfg(not(target_family = "wasm"))]
use fast as chosen;
#[cfg(target_family = "wasm")]
use portable as chosen;

/// Bytes of a signature as `r || s`.
pub const SIGNATURE: usize = 96;

/// Checks a raw `r || s` signature by the SEC 1 encoded `public_key` over `message`.
pub fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    chosen::verify(public_key, message, signature)
}

/// Checks a DER signature by the SEC 1 encoded `public_key` over `message`.
pub fn verify_der(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    chosen::verify_der(public_key, message, signature)
}

/// Verification by AWS-LC.
#[cfg(not(target_family = "wasm"))]
pub mod fast {
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey, VerificationAlgorithm,
    };

    use crate::sign::BadSignature;

    /// Checks a raw `r || s` signature.
    pub fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        check(&ECDSA_P384_SHA384_FIXED, public_key, message, signature)
    }

    /// Checks a DER signature.
    pub fn verify_der(
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        check(&ECDSA_P384_SHA384_ASN1, public_key, message, signature)
    }

    fn check(
        algorithm: &'static dyn VerificationAlgorithm,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(algorithm, public_key)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }
}

/// Verification in pure Rust.
pub mod portable {
    use p384::ecdsa::signature::Verifier;
    use p384::ecdsa::{DerSignature, Signature, VerifyingKey};

    use crate::sign::BadSignature;

    /// Checks a raw `r || s` signature.
    pub fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
        key(public_key)?
            .verify(message, &signature)
            .map_err(|_| BadSignature)
    }

    /// Checks a DER signature.
    pub fn verify_der(
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let signature = DerSignature::from_bytes(signature).map_err(|_| BadSignature)?;
        key(public_key)?
            .verify(message, &signature)
            .map_err(|_| BadSignature)
    }

    fn key(public_key: &[u8]) -> Result<VerifyingKey, BadSignature> {
        VerifyingKey::from_sec1_bytes(public_key).map_err(|_| BadSignature)
    }
}

/// Signing half, for the emulated attester's development root. Wiped on drop.
pub struct SigningKey(p384::ecdsa::SigningKey);

impl SigningKey {
    /// Makes a new key.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        loop {
            // One draw in 2^190 is no scalar of the curve.
            if let Some(key) = Self::from_bytes(&draw(entropy)) {
                return key;
            }
        }
    }

    /// The key of 48 secret bytes, if they are a scalar of the curve.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 48]) -> Option<Self> {
        p384::ecdsa::SigningKey::from_slice(bytes).ok().map(Self)
    }

    /// Lends the secret bytes, to store the key.
    pub fn expose<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        f(&zeroize::Zeroizing::new(self.0.to_bytes()))
    }

    /// The public half, SEC 1 uncompressed, 97 bytes.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0
            .verifying_key()
            .to_sec1_point(false)
            .as_bytes()
            .to_vec()
    }

    /// Signs `message`; the result is `r || s`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        let signature: p384::ecdsa::Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    /// Signs `message`; the result is DER, as in certificates.
    #[must_use]
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature: p384::ecdsa::DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    type Verify = fn(&[u8], &[u8], &[u8]) -> Result<(), BadSignature>;

    fn key() -> SigningKey {
        SigningKey::generate(&mut SeededEntropy::dangerous_new(1))
    }

    fn raw_verifiers() -> Vec<Verify> {
        vec![
            portable::verify,
            #[cfg(not(target_family = "wasm"))]
            fast::verify,
            verify,
        ]
    }

    fn der_verifiers() -> Vec<Verify> {
        vec![
            portable::verify_der,
            #[cfg(not(target_family = "wasm"))]
            fast::verify_der,
            verify_der,
        ]
    }

    #[test]
    fn every_verifier_accepts_a_good_signature() {
        let public = key().public_key();
        for verify in raw_verifiers() {
            assert_eq!(verify(&public, b"m", &key().sign(b"m")), Ok(()));
        }
        for verify in der_verifiers() {
            assert_eq!(verify(&public, b"m", &key().sign_der(b"m")), Ok(()));
        }
    }

    #[test]
    fn every_verifier_refuses_an_altered_signature_message_or_key() {
        let public = key().public_key();
        let other = SigningKey::generate(&mut SeededEntropy::dangerous_new(2)).public_key();
        let good = key().sign(b"m");
        for verify in raw_verifiers() {
            for index in [0, 47, 48, 95] {
                let mut bad = good;
                bad[index] ^= 1;
                assert_eq!(verify(&public, b"m", &bad), Err(BadSignature));
            }
            assert_eq!(verify(&public, b"n", &good), Err(BadSignature));
            assert_eq!(verify(&other, b"m", &good), Err(BadSignature));
            assert_eq!(verify(&public, b"m", &good[..95]), Err(BadSignature));
            assert_eq!(verify(&public[..96], b"m", &good), Err(BadSignature));
            assert_eq!(verify(&public, b"m", &[0; 96]), Err(BadSignature));
        }
    }

    #[test]
    fn every_verifier_refuses_trailing_bytes_in_der() {
        let public = key().public_key();
        let mut signature = key().sign_der(b"m");
        signature.push(0);
        for verify in der_verifiers() {
            assert_eq!(verify(&public, b"m", &signature), Err(BadSignature));
        }
    }

    #[test]
    fn stored_key_signs_the_same() {
        let stored =
            key().expose(|bytes| bytes.try_into().map(|bytes| SigningKey::from_bytes(&bytes)));
        let stored = stored.expect("48 bytes").expect("scalar");

        assert_eq!(stored.sign(b"m"), key().sign(b"m"));
        assert_eq!(format!("{stored:?}"), "SigningKey(..)");
    }
}
