//! Bytes of a keystore file: `magic 8 B | version 2 B | SHA-256 of the rest 32 B | CBOR`.
//!
//! The digest finds damage; it is no protection against whoever can write the file.

use vettid_crypto::{WipedVec, digest};
use vettid_wire::cbor::{self, Wire};

/// Largest file that is read, bytes: state with a full pool, a pending request and a network file.
pub(super) const LARGEST: usize = 512 * 1024;

const MAGIC: [u8; 8] = *b"vettid\r\n";
const VERSION: u16 = 1;
const DIGEST: usize = 32;

/// Why bytes are no content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unreadable {
    Damaged,
    Foreign,
    Newer,
}

/// Bytes of a file that holds `value`.
pub(super) fn to_bytes(value: &impl Wire) -> WipedVec {
    let body = WipedVec::new(cbor::encode(value));
    let mut out = WipedVec::new(Vec::with_capacity(body.len().saturating_add(64)));
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&digest::sha256(&body));
    out.extend_from_slice(&body);
    out
}

/// What a file holds.
pub(super) fn parse<T: Wire>(bytes: &[u8]) -> Result<T, Unreadable> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or(Unreadable::Foreign)?;
    let (version, rest) = rest.split_first_chunk().ok_or(Unreadable::Damaged)?;
    if u16::from_be_bytes(*version) > VERSION {
        return Err(Unreadable::Newer);
    }
    let (digest, body) = rest
        .split_first_chunk::<DIGEST>()
        .ok_or(Unreadable::Damaged)?;
    if digest::sha256(body) != *digest {
        return Err(Unreadable::Damaged);
    }
    cbor::decode(body).map_err(|_| Unreadable::Damaged)
}
