//! Digests, plain and labeled. FIPS 180-4.

use sha2::{Digest, Sha256, Sha384};
use subtle::ConstantTimeEq;

use crate::Label;

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-384 of `bytes`.
#[must_use]
pub fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// SHA-256 over `label` and `parts`, each framed with its length.
#[must_use]
pub fn labeled(label: Label, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in core::iter::once(&label.as_str().as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// SHA-384 over `label` and `parts`, each framed with its length.
#[must_use]
pub fn labeled384(label: Label, parts: &[&[u8]]) -> [u8; 48] {
    sha384(&label.frame(parts))
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// SHA-256 over bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// SHA-384 over bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct Sha384Stream(Sha384);

impl Sha384Stream {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> [u8; 48] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let mut stream = Sha256Stream::default();
        stream.update(b"ab");
        stream.update(b"c");

        assert_eq!(stream.finish(), sha256(b"abc"));
    }

    #[test]
    fn labeled_digest_is_the_digest_of_the_frame() {
        assert_eq!(
            labeled(Label::VaultId, &[b"a", b"b"]),
            sha256(&Label::VaultId.frame(&[b"a", b"b"]))
        );
    }

    #[test]
    fn comparison_sees_a_different_length() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abcd"));
        assert!(!same(b"abc", b"abd"));
    }
}
