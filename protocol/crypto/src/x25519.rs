//! X25519 key agreement. RFC 7748.
//!
//! Two implementations give the same results: [`fast`] on native builds, [`portable`] everywhere.

use core::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use crate::entropy::{Entropy, draw};

#[cfg(not(target_family = "wasm"))]
use fast as chosen;
#[cfg(target_family = "wasm")]
use portable as chosen;

/// Secret half of an X25519 key, such as a Noise static. Wiped on drop.
pub struct X25519Secret {
    bytes: Zeroizing<[u8; 32]>,
    /// Made ready when it is first used, which costs as much as a use: some keys are only passed on.
    ready: OnceLock<chosen::Secret>,
}

impl X25519Secret {
    /// Makes a new key.
    pub fn generate(entropy: &mut (impl Entropy + ?Sized)) -> Self {
        Self::from_bytes(&Zeroizing::new(draw(entropy)))
    }

    /// The key of 32 secret bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self {
            bytes: Zeroizing::new(*bytes),
            ready: OnceLock::new(),
        }
    }

    /// Lends the secret bytes.
    pub fn expose<T>(&self, f: impl FnOnce(&[u8; 32]) -> T) -> T {
        f(&self.bytes)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.ready().public()
    }

    /// The secret shared with whoever has the other half of `peer`. None for a point of low order,
    /// to which this key contributes nothing. RFC 7748, section 6.1.
    #[must_use]
    pub fn agree(&self, peer: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        self.ready().agree(peer)
    }

    fn ready(&self) -> &chosen::Secret {
        self.ready.get_or_init(|| chosen::Secret::new(&self.bytes))
    }
}

/// AWS-LC.
#[cfg(not(target_family = "wasm"))]
pub mod fast {
    use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
    use zeroize::Zeroizing;

    use super::portable;

    /// A secret half. AWS-LC wipes what it frees.
    pub enum Secret {
        /// As usual.
        Ready(PrivateKey, [u8; 32]),
        /// There was no memory for it in AWS-LC.
        Portable(portable::Secret),
    }

    impl Secret {
        /// The key of 32 secret bytes.
        #[must_use]
        pub fn new(bytes: &[u8; 32]) -> Self {
            let ready = || {
                let key = PrivateKey::from_private_key(&X25519, bytes).ok()?;
                let public = key.compute_public_key().ok()?;
                let public = public.as_ref().try_into().ok()?;
                Some(Self::Ready(key, public))
            };
            ready().unwrap_or_else(|| Self::Portable(portable::Secret::new(bytes)))
        }

        /// The public half.
        #[must_use]
        pub fn public(&self) -> [u8; 32] {
            match self {
                Self::Ready(_, public) => *public,
                Self::Portable(secret) => secret.public(),
            }
        }

        /// The shared secret; none for a point of low order.
        #[must_use]
        pub fn agree(&self, peer: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
            match self {
                Self::Ready(key, _) => {
                    let peer = UnparsedPublicKey::new(&X25519, peer);
                    agree(key, peer, (), |secret| {
                        secret.try_into().map(Zeroizing::new).map_err(|_| ())
                    })
                    .ok()
                }
                Self::Portable(secret) => secret.agree(peer),
            }
        }
    }
}

/// Pure Rust.
pub mod portable {
    use x25519_dalek::{PublicKey, StaticSecret};
    use zeroize::Zeroizing;

    /// A secret half. Wiped on drop.
    pub struct Secret(StaticSecret);

    impl Secret {
        /// The key of 32 secret bytes.
        #[must_use]
        pub fn new(bytes: &[u8; 32]) -> Self {
            Self(StaticSecret::from(*bytes))
        }

        /// The public half.
        #[must_use]
        pub fn public(&self) -> [u8; 32] {
            PublicKey::from(&self.0).to_bytes()
        }

        /// The shared secret; none for a point of low order.
        #[must_use]
        pub fn agree(&self, peer: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
            let shared = self.0.diffie_hellman(&PublicKey::from(*peer));
            shared
                .was_contributory()
                .then(|| Zeroizing::new(*shared.as_bytes()))
        }
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
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn both_implementations_give_the_same(ours: [u8; 32], theirs: [u8; 32]) {
            let (fast, portable) = (fast::Secret::new(&ours), portable::Secret::new(&ours));
            prop_assert_eq!(fast.public(), portable.public());

            let peer = portable::Secret::new(&theirs).public();
            prop_assert_eq!(fast.agree(&peer), portable.agree(&peer));
            // Not every string of 32 bytes is a canonical point.
            prop_assert_eq!(fast.agree(&theirs), portable.agree(&theirs));
        }
    }

    #[test]
    fn both_sides_agree() {
        let (ours, theirs) = (
            X25519Secret::from_bytes(&[1; 32]),
            X25519Secret::from_bytes(&[2; 32]),
        );

        let shared = ours.agree(&theirs.public());
        assert!(shared.is_some());
        assert_eq!(shared, theirs.agree(&ours.public()));
    }

    // RFC 7748, section 5.2.
    #[test]
    fn vector_of_the_rfc_comes_out() {
        let scalar = [
            0xa5, 0x46, 0xe3, 0x6b, 0xf0, 0x52, 0x7c, 0x9d, 0x3b, 0x16, 0x15, 0x4b, 0x82, 0x46,
            0x5e, 0xdd, 0x62, 0x14, 0x4c, 0x0a, 0xc1, 0xfc, 0x5a, 0x18, 0x50, 0x6a, 0x22, 0x44,
            0xba, 0x44, 0x9a, 0xc4,
        ];
        let point = [
            0xe6, 0xdb, 0x68, 0x67, 0x58, 0x30, 0x30, 0xdb, 0x35, 0x94, 0xc1, 0xa4, 0x24, 0xb1,
            0x5f, 0x7c, 0x72, 0x66, 0x24, 0xec, 0x26, 0xb3, 0x35, 0x3b, 0x10, 0xa9, 0x03, 0xa6,
            0xd0, 0xab, 0x1c, 0x4c,
        ];

        let shared = X25519Secret::from_bytes(&scalar).agree(&point);

        assert_eq!(
            shared.as_deref(),
            Some(&[
                0xc3, 0xda, 0x55, 0x37, 0x9d, 0xe9, 0xc6, 0x90, 0x8e, 0x94, 0xea, 0x4d, 0xf2, 0x8d,
                0x08, 0x4f, 0x32, 0xec, 0xcf, 0x03, 0x49, 0x1c, 0x71, 0xf7, 0x54, 0xb4, 0x07, 0x55,
                0x77, 0xa2, 0x85, 0x52,
            ])
        );
    }
}
