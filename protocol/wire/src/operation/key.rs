//! `key.*`: private keys that an owner signs with.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::Secret;
use crate::id::KeyId;
use crate::time::UnixMillis;

/// Algorithm of a key.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Algorithm {
    /// Signatures, RFC 8032.
    #[n(0)]
    Ed25519,
    /// ECDSA with SHA-256 over P-256.
    #[n(1)]
    P256,
    /// ECDSA with SHA-256 over secp256k1.
    #[n(2)]
    Secp256k1,
    /// Key agreement, RFC 7748.
    #[n(3)]
    X25519,
}

/// A key without its private half.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Key {
    /// Its id.
    #[n(0)]
    pub id: KeyId,
    /// Label, as the owner sees it.
    #[n(1)]
    pub label: String,
    /// Algorithm.
    #[n(2)]
    pub algorithm: Algorithm,
    /// Public half: 32 bytes, or 33 in SEC 1 compressed form.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub public: Vec<u8>,
    /// When it was made or imported.
    #[n(4)]
    pub created: UnixMillis,
    /// Whether it came from outside.
    #[n(5)]
    pub imported: bool,
}

/// `key.generate`: makes a key; its private half is critical.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Generate {
    /// Algorithm.
    #[n(0)]
    pub algorithm: Algorithm,
    /// Label.
    #[n(1)]
    pub label: String,
}
operation!(Generate => Key, "key.generate", Owner);

/// `key.import`: takes a key over. Secret input: the private key, 32 bytes.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Import {
    /// Algorithm.
    #[n(0)]
    pub algorithm: Algorithm,
    /// Label.
    #[n(1)]
    pub label: String,
}
operation!(Import => Key, "key.import", Owner);

/// `key.list`: every key.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {}
operation!(List => Keys, "key.list", Session);

/// Keys, oldest first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Keys {
    /// Every key.
    #[n(0)]
    pub keys: Vec<Key>,
}

/// `key.public`: one key.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Public {
    /// Which.
    #[n(0)]
    pub id: KeyId,
}
operation!(Public => Key, "key.public", Session);

/// `key.sign`: signs a message with a key.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Sign {
    /// Which.
    #[n(0)]
    pub id: KeyId,
    /// What to sign; ECDSA hashes it with SHA-256.
    #[n(1)]
    pub message: Secret,
}
operation!(Sign => Signed, "key.sign", Owner);

/// A signature.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Signed {
    /// 64 bytes; ECDSA as `r || s` with the low `s`.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// `key.remove`: destroys a key for good.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Remove {
    /// Which.
    #[n(0)]
    pub id: KeyId,
}
operation!(Remove => Done, "key.remove", Session, once);
