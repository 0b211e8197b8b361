//! Keys by role, sealing, derivation, signatures and password hashing.
//!
//! The only crate of the workspace that touches a primitive. It has no clock, no I/O and no
//! entropy of its own: random bytes come in through [`Entropy`], so that a run is repeatable.
//!
//! | what | algorithm | nonce rule | source |
//! |---|---|---|---|
//! | [`mod@aead`] | ChaCha20-Poly1305 | number of a frame; never twice under one key | RFC 8439 |
//! | [`seal`] | XChaCha20-Poly1305 | 24 random bytes a message, in front of it | RFC 8439, draft-irtf-cfrg-xchacha |
//! | [`sealed_box`] | X-Wing, HKDF-SHA-256, ChaCha20-Poly1305 | zero: every key seals once | draft-connolly-cfrg-xwing-kem |
//! | [`ml_kem`] | ML-KEM-768 | - | FIPS 203 |
//! | [`x25519`] | X25519 | - | RFC 7748 |
//! | [`sign`] | Ed25519, strict verification | - | RFC 8032 |
//! | [`p384`] | ECDSA P-384 with SHA-384 | RFC 6979 | FIPS 186-5 |
//! | [`owner_key`] | Ed25519, X25519, P-256, secp256k1 | RFC 6979 | FIPS 186-5, SEC 2 |
//! | [`mls`] | X-Wing or X25519 in HPKE, HKDF-SHA-256, ChaCha20-Poly1305 | of MLS | RFC 9420, RFC 9180 |
//! | [`mod@derive`] | HKDF-SHA-256 | - | RFC 5869 |
//! | [`password`] | Argon2id | - | RFC 9106 |
//! | [`one_time_code`] | TOTP | - | RFC 6238 |
//! | [`mac`] | HMAC-SHA-256 | - | RFC 2104 |
//! | `recipient` | RSA-2048 OAEP with SHA-256, AES-256-CBC | of the key service | RFC 8017, RFC 5652 |
//!
//! Every key has a type of its own for its role; every use carries a [`Label`], so that bytes made
//! for one purpose mean nothing for another.

pub mod aead;
pub mod derive;
pub mod digest;
mod entropy;
mod label;
pub mod mac;
pub mod ml_kem;
pub mod mls;
pub mod one_time_code;
pub mod owner_key;
pub mod p384;
pub mod password;
#[cfg(not(target_family = "wasm"))]
pub mod recipient;
pub mod seal;
pub mod sealed_box;
mod secret;
pub mod sign;
mod wiped;
pub mod x25519;

pub use entropy::{Entropy, SeededEntropy};
pub use label::Label;
pub use secret::{
    AttachmentKey, BindingSeed, ConnectToken, CriticalRoot, DataKey, HandoverRoot, HomeKey,
    InheritanceKey, InvitationSecret, MacKey, MailboxKey, OfferSeed, Pepper, PinKey, ReplyKey,
    SealingKey, SealingRoot, SecretBytes, SymmetricKey, VaultKey, WrappingKey,
};
pub use wiped::WipedVec;
pub use zeroize::{Zeroize, Zeroizing};
