//! X25519 key agreement. RFC 7748.

use core::fmt;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::entropy::{Entropy, draw};

/// Secret half of an X25519 key, such as a Noise static. Wiped on drop.
pub struct X25519Secret(StaticSecret);

impl X25519Secret {
    /// Makes a new key.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        Self::from_bytes(&Zeroizing::new(draw(entropy)))
    }

    /// The key of 32 secret bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// Lends the secret bytes.
    pub fn expose<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        f(self.0.as_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }
}

impl fmt::Debug for X25519Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_not_printed() {
        assert_eq!(
            format!("{:?}", X25519Secret::from_bytes(&[1; 32])),
            "X25519Secret(..)"
        );
    }

    #[test]
    fn public_half_follows_from_the_secret() {
        assert_eq!(
            X25519Secret::from_bytes(&[1; 32]).public(),
            X25519Secret::from_bytes(&[1; 32]).public()
        );
        assert_ne!(
            X25519Secret::from_bytes(&[1; 32]).public(),
            X25519Secret::from_bytes(&[2; 32]).public()
        );
    }
}
