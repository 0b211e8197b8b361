//! Keys that an owner keeps in the vault and signs with.

use core::fmt;

use p256::ecdsa::signature::Signer;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, draw};
use crate::sign;
use crate::x25519::X25519Secret;

/// Algorithm of an owner's key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Algorithm {
    /// Signatures, RFC 8032.
    Ed25519,
    /// ECDSA with SHA-256 over P-256, FIPS 186-5.
    P256,
    /// ECDSA with SHA-256 over secp256k1, SEC 2.
    Secp256k1,
    /// Key agreement, RFC 7748.
    X25519,
}

/// What an owner's key cannot do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OwnerKeyError {
    /// The bytes are no private key of the algorithm.
    #[error("not a private key of this algorithm")]
    Malformed,
    /// The algorithm agrees on keys and does not sign.
    #[error("keys of this algorithm do not sign")]
    DoesNotSign,
}

/// A private key of an owner: 32 bytes, wiped on drop.
pub struct OwnerKey {
    algorithm: Algorithm,
    secret: Zeroizing<[u8; 32]>,
}

impl OwnerKey {
    /// Makes a new key.
    pub fn generate(algorithm: Algorithm, entropy: &mut (impl Entropy + ?Sized)) -> Self {
        loop {
            // Fewer than one draw in 2^31 is no scalar of its curve.
            if let Ok(key) = Self::import(algorithm, &Zeroizing::new(draw(entropy))) {
                return key;
            }
        }
    }

    /// Takes an existing private key over.
    pub fn import(algorithm: Algorithm, secret: &[u8; 32]) -> Result<Self, OwnerKeyError> {
        let key = Self {
            algorithm,
            secret: Zeroizing::new(*secret),
        };
        match algorithm {
            Algorithm::P256 => key.p256().map(drop)?,
            Algorithm::Secp256k1 => key.secp256k1().map(drop)?,
            Algorithm::Ed25519 | Algorithm::X25519 => {}
        }
        Ok(key)
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Lends the secret bytes, to store the key where it is sealed.
    pub fn expose<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        f(&self.secret)
    }

    /// The public half: 32 bytes, or 33 in SEC 1 compressed form for the two NIST-style curves.
    pub fn public(&self) -> Result<Vec<u8>, OwnerKeyError> {
        Ok(match self.algorithm {
            Algorithm::Ed25519 => sign::SigningKey::from_seed(&self.secret)
                .verifying_key()
                .0
                .to_vec(),
            Algorithm::X25519 => X25519Secret::from_bytes(&self.secret).public().to_vec(),
            Algorithm::P256 => self
                .p256()?
                .verifying_key()
                .to_sec1_point(true)
                .as_bytes()
                .to_vec(),
            Algorithm::Secp256k1 => self
                .secp256k1()?
                .verifying_key()
                .to_sec1_point(true)
                .as_bytes()
                .to_vec(),
        })
    }

    /// Signs `message`; 64 bytes. ECDSA signatures are `r || s` with the low `s`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OwnerKeyError> {
        match self.algorithm {
            Algorithm::Ed25519 => Ok(sign::SigningKey::from_seed(&self.secret)
                .sign_structure(message)
                .0
                .to_vec()),
            Algorithm::P256 => {
                let signature: p256::ecdsa::Signature = self.p256()?.sign(message);
                Ok(signature.normalize_s().to_bytes().to_vec())
            }
            Algorithm::Secp256k1 => {
                let signature: k256::ecdsa::Signature = self.secp256k1()?.sign(message);
                Ok(signature.normalize_s().to_bytes().to_vec())
            }
            Algorithm::X25519 => Err(OwnerKeyError::DoesNotSign),
        }
    }

    fn p256(&self) -> Result<p256::ecdsa::SigningKey, OwnerKeyError> {
        p256::ecdsa::SigningKey::from_slice(self.secret.as_slice())
            .map_err(|_| OwnerKeyError::Malformed)
    }

    fn secp256k1(&self) -> Result<k256::ecdsa::SigningKey, OwnerKeyError> {
        k256::ecdsa::SigningKey::from_slice(self.secret.as_slice())
            .map_err(|_| OwnerKeyError::Malformed)
    }
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;
    use p256::ecdsa::signature::Verifier;

    fn key(algorithm: Algorithm) -> OwnerKey {
        OwnerKey::generate(algorithm, &mut SeededEntropy::dangerous_new(1))
    }

    #[test]
    fn p256_signature_verifies_by_its_public_half() {
        let key = key(Algorithm::P256);
        let public =
            p256::ecdsa::VerifyingKey::from_sec1_bytes(&key.public().expect("key")).expect("point");
        let signature =
            p256::ecdsa::Signature::from_slice(&key.sign(b"m").expect("signs")).expect("r, s");

        assert!(public.verify(b"m", &signature).is_ok());
        assert!(public.verify(b"n", &signature).is_err());
    }

    #[test]
    fn secp256k1_signature_verifies_by_its_public_half() {
        let key = key(Algorithm::Secp256k1);
        let public =
            k256::ecdsa::VerifyingKey::from_sec1_bytes(&key.public().expect("key")).expect("point");
        let signature =
            k256::ecdsa::Signature::from_slice(&key.sign(b"m").expect("signs")).expect("r, s");

        assert!(public.verify(b"m", &signature).is_ok());
        assert!(public.verify(b"n", &signature).is_err());
    }

    #[test]
    fn ed25519_signature_verifies_by_its_public_half() {
        let key = key(Algorithm::Ed25519);
        let public: [u8; 32] = key.public().expect("key").try_into().expect("32 bytes");
        let signature: [u8; 64] = key.sign(b"m").expect("signs").try_into().expect("64 bytes");

        assert_eq!(
            sign::VerifyingKey(public).verify_structure(b"m", &sign::Signature(signature)),
            Ok(())
        );
    }

    #[test]
    fn agreement_key_does_not_sign() {
        assert_eq!(
            key(Algorithm::X25519).sign(b"m"),
            Err(OwnerKeyError::DoesNotSign)
        );
        assert_eq!(key(Algorithm::X25519).public().map(|key| key.len()), Ok(32));
    }

    #[test]
    fn zero_is_no_private_key_of_a_curve() {
        for algorithm in [Algorithm::P256, Algorithm::Secp256k1] {
            assert_eq!(
                OwnerKey::import(algorithm, &[0; 32]).err(),
                Some(OwnerKeyError::Malformed)
            );
        }
    }

    #[test]
    fn key_is_not_printed() {
        assert_eq!(format!("{:?}", key(Algorithm::P256)), "OwnerKey(..)");
    }
}
