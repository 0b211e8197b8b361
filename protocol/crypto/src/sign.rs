//! Ed25519 signatures, always over a label. RFC 8032, strict verification.

use core::fmt;

use ed25519_dalek::Signer;
use zeroize::Zeroizing;

use crate::Label;
use crate::entropy::{Entropy, draw};

/// A signature does not verify.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("signature does not verify")]
pub struct BadSignature;

/// Signing half of an Ed25519 key. Wiped on drop.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes a new key.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        Self::from_seed(&Zeroizing::new(draw(entropy)))
    }

    /// The key of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Lends the seed, to store the key where it is sealed.
    pub fn expose_seed<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        f(self.0.as_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `parts` for the purpose of `label`.
    #[must_use]
    pub fn sign(&self, label: Label, parts: &[&[u8]]) -> Signature {
        Signature(self.0.sign(&label.frame(parts)).to_bytes())
    }

    /// Signs bytes whose own structure names their purpose, such as a COSE `Sig_structure`.
    #[must_use]
    pub fn sign_structure(&self, bytes: &[u8]) -> Signature {
        Signature(self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Public half of an Ed25519 key. 32 bytes, not checked until it is used.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct VerifyingKey(pub [u8; 32]);

impl VerifyingKey {
    /// Checks that the holder of this key signed `parts` for the purpose of `label`.
    pub fn verify(
        &self,
        label: Label,
        parts: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.verify_structure(&label.frame(parts), signature)
    }

    /// Checks a signature over bytes whose own structure names their purpose.
    pub fn verify_structure(
        &self,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        ed25519_dalek::VerifyingKey::from_bytes(&self.0)
            .map_err(|_| BadSignature)?
            .verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(&signature.0))
            .map_err(|_| BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// An Ed25519 signature. 64 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature(pub [u8; 64]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    fn signing_key() -> SigningKey {
        SigningKey::generate(&mut SeededEntropy::dangerous_new(1))
    }

    #[test]
    fn signature_verifies_for_its_label_parts_and_key_only() {
        let key = signing_key();
        let other = SigningKey::from_seed(&[9; 32]).verifying_key();
        let signature = key.sign(Label::NetworkFile, &[b"a"]);
        let public = key.verifying_key();

        assert_eq!(
            public.verify(Label::NetworkFile, &[b"a"], &signature),
            Ok(())
        );
        assert_eq!(
            public.verify(Label::Rotation, &[b"a"], &signature),
            Err(BadSignature)
        );
        assert_eq!(
            public.verify(Label::NetworkFile, &[b"b"], &signature),
            Err(BadSignature)
        );
        assert_eq!(
            other.verify(Label::NetworkFile, &[b"a"], &signature),
            Err(BadSignature)
        );
    }

    #[test]
    fn small_order_key_verifies_nothing() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut forged = [0; 64];
        forged[0] = 1;

        assert_eq!(
            VerifyingKey(identity).verify_structure(b"anything", &Signature(forged)),
            Err(BadSignature)
        );
    }

    #[test]
    fn signing_key_is_not_printed() {
        assert_eq!(format!("{:?}", signing_key()), "SigningKey(..)");
    }

    // RFC 8032, section 7.1, test 2.
    #[test]
    fn signature_matches_the_rfc() {
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::from_seed(&seed.try_into().expect("32 bytes"));

        assert_eq!(
            key.verifying_key().0.to_vec(),
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
        assert_eq!(
            key.sign_structure(&[0x72]).0.to_vec(),
            hex(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            )
        );
    }

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| {
                u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex")
            })
            .collect()
    }
}
