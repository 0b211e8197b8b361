//! Attachments: sealed by the sending device, stored by its host, fetched from host to host.
//!
//! No enclave sees the bytes. A message carries the [`Attachment`]; its key stays in vaults and
//! devices. Chunk `n` is sealed under a key of its own, with its place and the number of chunks in
//! the associated data, so that hosts can neither swap, drop nor cut chunks unnoticed.

use minicbor::{Decode, Encode};
use vettid_crypto::{AttachmentKey, Entropy, Label, SecretBytes, WrappingKey, derive, seal};

use crate::Secret;
use crate::home::HomeNode;
use crate::id::AttachmentId;
use crate::limits;

/// All that is needed to fetch and open an attachment.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Attachment {
    /// Which; knowing it is the right to fetch its chunks.
    #[n(0)]
    pub id: AttachmentId,
    /// Name of the file, as its sender has it; never a path.
    #[n(1)]
    pub name: String,
    /// Media type, RFC 6838.
    #[n(2)]
    pub media_type: String,
    /// Bytes of the file.
    #[n(3)]
    pub size: u64,
    /// Plaintext bytes of each chunk but the last.
    #[n(4)]
    pub chunk: u32,
    /// Key, 32 bytes.
    #[n(5)]
    pub key: Secret,
    /// Node that stores the chunks.
    #[n(6)]
    pub home: HomeNode,
}

/// Attachment is not one that can be fetched, or a chunk is not of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttachmentError {
    /// It says of itself what cannot be.
    #[error("attachment is malformed")]
    Malformed,
    /// A chunk was altered, swapped or cut.
    #[error("chunk does not open")]
    NotOpened,
}

impl Attachment {
    /// Whether what it says of itself can be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let chunk = usize::try_from(self.chunk).unwrap_or(usize::MAX);
        self.name.len() <= limits::ATTACHMENT_NAME
            && self.media_type.len() <= limits::ATTACHMENT_NAME
            && self.key.len() == 32
            && (1..=limits::ATTACHMENT_CHUNK).contains(&chunk)
            && self.chunks() <= u64::from(limits::ATTACHMENT_CHUNKS)
            && self.home.is_bounded()
    }

    /// How many chunks there are; at least one.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(u64::from(self.chunk.max(1))).max(1)
    }

    /// Seals one chunk.
    pub fn seal(
        &self,
        index: u32,
        plaintext: &[u8],
        entropy: &mut (impl Entropy + ?Sized),
    ) -> Result<Vec<u8>, AttachmentError> {
        let (key, context) = self.chunk_key(index)?;
        Ok(seal::seal(
            &key,
            Label::AttachmentChunk,
            &[&context],
            plaintext,
            entropy,
        ))
    }

    /// Opens one chunk.
    pub fn open(&self, index: u32, sealed: &[u8]) -> Result<Vec<u8>, AttachmentError> {
        let (key, context) = self.chunk_key(index)?;
        let plain = seal::open(&key, Label::AttachmentChunk, &[&context], sealed)
            .map_err(|_| AttachmentError::NotOpened)?;
        Ok(plain.to_vec())
    }

    fn chunk_key(&self, index: u32) -> Result<(WrappingKey, Vec<u8>), AttachmentError> {
        if !self.is_bounded() || u64::from(index) >= self.chunks() {
            return Err(AttachmentError::Malformed);
        }
        let key = self.key.expose(|key| <[u8; 32]>::try_from(key));
        let key = AttachmentKey::from_bytes(key.map_err(|_| AttachmentError::Malformed)?);
        let place = [
            &self.id.0[..],
            &index.to_be_bytes(),
            &self.size.to_be_bytes(),
            &self.chunk.to_be_bytes(),
        ]
        .concat();
        Ok((derive::key(&key, Label::AttachmentKey, &[&place]), place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;
    use vettid_crypto::SeededEntropy;

    fn attachment() -> Attachment {
        Attachment {
            id: AttachmentId([1; 16]),
            name: "photo.jpg".into(),
            media_type: "image/jpeg".into(),
            size: 10,
            chunk: 4,
            key: Secret::new(vec![2; 32]),
            home: HomeNode {
                node: NodeId([3; 32]),
                peers: vec![vec![4; 38].into()],
                addresses: vec![],
            },
        }
    }

    #[test]
    fn chunks_open_in_their_own_place_only() {
        let attachment = attachment();
        let mut entropy = SeededEntropy::dangerous_new(1);
        let sealed = attachment.seal(1, b"body", &mut entropy).expect("sealed");

        assert_eq!(attachment.open(1, &sealed).as_deref(), Ok(&b"body"[..]));
        assert_eq!(attachment.open(2, &sealed), Err(AttachmentError::NotOpened));
        let longer = Attachment {
            size: 11,
            ..attachment
        };
        assert_eq!(longer.open(1, &sealed), Err(AttachmentError::NotOpened));
    }

    #[test]
    fn chunk_behind_the_last_and_impossible_sizes_are_refused() {
        let mut entropy = SeededEntropy::dangerous_new(1);
        assert_eq!(attachment().chunks(), 3);
        assert_eq!(
            attachment().seal(3, b"", &mut entropy),
            Err(AttachmentError::Malformed)
        );
        let endless = Attachment {
            size: u64::MAX,
            ..attachment()
        };
        let empty_chunks = Attachment {
            chunk: 0,
            ..attachment()
        };
        assert!(!endless.is_bounded() && !empty_chunks.is_bounded());
        assert!(attachment().is_bounded());
    }

    #[test]
    fn key_is_not_printed() {
        assert!(format!("{:?}", attachment()).contains("Secret(..)"));
    }
}
