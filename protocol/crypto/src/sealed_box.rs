//! Sealing to a public key: X-Wing, then one AEAD message under the shared secret.
//!
//! Everything that travels to a key at rest goes this way, so it is hybrid post-quantum. The key of
//! the AEAD is derived from the shared secret and the ciphertext; it seals one message.

use core::fmt;

use kem::{Decapsulate, Decapsulator, Encapsulate, KeyExport, TryKeyInit};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, Rng, draw};
use crate::seal::{NotOpened, open_once, seal_once};
use crate::{Label, SecretBytes, WipedVec, WrappingKey, derive};

/// Bytes of a public key.
pub const PUBLIC_KEY: usize = 1216;
/// Bytes that sealing adds: X-Wing ciphertext 1,120, tag 16.
pub const OVERHEAD: usize = CIPHERTEXT + 16;

const CIPHERTEXT: usize = 1120;

/// Secret half of an X-Wing key. 32 bytes, wiped on drop.
pub struct BoxSecret(x_wing::DecapsulationKey);

impl BoxSecret {
    /// Makes a new key.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        Self::from_bytes(&Zeroizing::new(draw(entropy)))
    }

    /// The key of a 32-byte seed.
    #[must_use]
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(x_wing::DecapsulationKey::from(*seed))
    }

    /// Lends the seed, to store the key where it is sealed.
    pub fn expose<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        f(self.0.as_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> BoxPublic {
        BoxPublic(self.0.encapsulation_key().to_bytes().to_vec())
    }

    /// Opens what was sealed to this key for the same purpose and context.
    pub fn open(
        &self,
        label: Label,
        context: &[&[u8]],
        sealed: &[u8],
    ) -> Result<WipedVec, NotOpened> {
        let (ciphertext, body) = sealed.split_first_chunk::<CIPHERTEXT>().ok_or(NotOpened)?;
        let secret = Zeroizing::new(<[u8; 32]>::from(self.0.decapsulate(&(*ciphertext).into())));
        let key = message_key(&secret, label, ciphertext);
        key.expose(|key| open_once(key, &label.frame(context), body))
    }
}

impl fmt::Debug for BoxSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxSecret(..)")
    }
}

/// Public half of an X-Wing key. [`PUBLIC_KEY`] bytes, checked when it is used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BoxPublic(pub Vec<u8>);

impl BoxPublic {
    /// Seals `plaintext` so that only the holder of the secret half opens it. Fails for bytes that
    /// are no key.
    pub fn seal(
        &self,
        label: Label,
        context: &[&[u8]],
        plaintext: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, NotOpened> {
        let key = x_wing::EncapsulationKey::new_from_slice(&self.0).map_err(|_| NotOpened)?;
        let (ciphertext, secret) = key.encapsulate_with_rng(&mut Rng(entropy));
        let secret = Zeroizing::new(<[u8; 32]>::from(secret));
        let message_key = message_key(&secret, label, &ciphertext);
        let body = message_key.expose(|key| seal_once(key, &label.frame(context), plaintext))?;
        let mut out = Vec::with_capacity(CIPHERTEXT.saturating_add(body.len()));
        out.extend_from_slice(&ciphertext);
        out.extend_from_slice(&body);
        Ok(out)
    }
}

fn message_key(secret: &[u8; 32], label: Label, ciphertext: &[u8]) -> WrappingKey {
    derive::from_bytes(secret, &[], label, &[ciphertext])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    const LABEL: Label = Label::OwnerProof;

    fn sealed() -> (BoxSecret, Vec<u8>) {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let secret = BoxSecret::generate(&mut entropy);
        let sealed = secret
            .public()
            .seal(LABEL, &[b"a"], b"hello", &mut entropy)
            .expect("valid key");
        (secret, sealed)
    }

    #[test]
    fn holder_of_the_secret_opens() {
        let (secret, sealed) = sealed();

        assert_eq!(
            &**secret.open(LABEL, &[b"a"], &sealed).expect("opens"),
            b"hello"
        );
        assert_eq!(sealed.len(), 5 + OVERHEAD);
    }

    #[test]
    fn other_key_label_context_or_bytes_are_refused() {
        let (secret, good) = sealed();
        let other = BoxSecret::generate(&mut SeededEntropy::dangerous_new(2));

        assert_eq!(other.open(LABEL, &[b"a"], &good), Err(NotOpened));
        assert_eq!(
            secret.open(Label::CredentialOuter, &[b"a"], &good),
            Err(NotOpened)
        );
        assert_eq!(secret.open(LABEL, &[b"b"], &good), Err(NotOpened));
        assert_eq!(secret.open(LABEL, &[b"a"], &good[..100]), Err(NotOpened));
        for index in [0, 600, 1100, 1119, 1120, good.len() - 1] {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert_eq!(secret.open(LABEL, &[b"a"], &bad), Err(NotOpened));
        }
    }

    #[test]
    fn sealing_to_bytes_that_are_no_key_fails() {
        let mut entropy = SeededEntropy::dangerous_new(1);

        assert_eq!(
            BoxPublic(vec![1; 3]).seal(LABEL, &[], b"", &mut entropy),
            Err(NotOpened)
        );
    }

    #[test]
    fn stored_seed_gives_the_same_key() {
        let (secret, sealed) = sealed();
        let again = secret.expose(BoxSecret::from_bytes);

        assert!(again.open(LABEL, &[b"a"], &sealed).is_ok());
        assert_eq!(format!("{again:?}"), "BoxSecret(..)");
    }
}
