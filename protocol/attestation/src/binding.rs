//! What a document is bound to: the bundle whose digest is the document's `user_data`.
//!
//! A document has little room, and ML-KEM keys have none of it, so the enclave puts everything it
//! wants attested into one bundle, sends that beside the document, and has its digest signed.

use vettid_crypto::sign::VerifyingKey;
use vettid_crypto::{Label, digest};
use vettid_wire::cbor::minicbor::bytes::{ByteArray, ByteVec};
use vettid_wire::cbor::minicbor::{self, Decode, Encode};
use vettid_wire::cbor::{self, Malformed};
use vettid_wire::id::NodeId;
use vettid_wire::limits;

/// Most host PeerIds in a bundle: a node moves to a new one at most once at a time, and may run
/// several hosts in a cluster.
pub const MAX_HOST_PEERS: usize = 8;

/// Largest host PeerId, bytes: a multihash of at most 64 bytes of digest.
pub const MAX_HOST_PEER: usize = 68;

/// What an enclave has attested, beside its measurement.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Bundle {
    #[n(0)]
    binding_key: ByteArray<32>,
    /// The node whose enclave this is.
    #[n(1)]
    pub node: NodeId,
    #[n(2)]
    host_peers: Vec<ByteVec>,
    #[n(3)]
    kem_key_hash: Option<ByteArray<32>>,
    /// The release that the enclave says it is.
    #[n(4)]
    pub release: u32,
    #[n(5)]
    config_digest: ByteArray<32>,
}

/// Why bytes are no bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// Larger than [`BUNDLE`](limits::BUNDLE).
    #[error("bundle is too large")]
    Size,
    /// Not the one encoding of a bundle.
    #[error("bundle: {0}")]
    Malformed(#[from] Malformed),
    /// More, or longer, host PeerIds than accepted.
    #[error("bundle names too many or too long host ids")]
    HostPeers,
}

impl Bundle {
    /// A bundle of these keys and digests. `kem_key_hash` and `host_peers` may be absent.
    pub fn new(
        binding_key: VerifyingKey,
        node: NodeId,
        host_peers: &[Vec<u8>],
        kem_key_hash: Option<[u8; 32]>,
        release: u32,
        config_digest: [u8; 32],
    ) -> Result<Self, BundleError> {
        let bundle = Self {
            binding_key: binding_key.0.into(),
            node,
            host_peers: host_peers.iter().cloned().map(ByteVec::from).collect(),
            kem_key_hash: kem_key_hash.map(ByteArray::from),
            release,
            config_digest: config_digest.into(),
        };
        bundle.check_host_peers()?;
        Ok(bundle)
    }

    /// Parses exactly one bundle in its deterministic encoding.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > limits::BUNDLE {
            return Err(BundleError::Size);
        }
        let bundle: Self = cbor::decode(bytes)?;
        bundle.check_host_peers()?;
        Ok(bundle)
    }

    /// The bytes that travel beside the document.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// The `user_data` of a document that is bound to the bundle with these bytes.
    #[must_use]
    pub fn commitment(bytes: &[u8]) -> [u8; 48] {
        digest::labeled384(Label::Bundle, &[bytes])
    }

    /// The key that signs for the enclave in its sessions.
    #[must_use]
    pub fn binding_key(&self) -> VerifyingKey {
        VerifyingKey(self.binding_key.into())
    }

    /// libp2p PeerIds that the enclave's hosts may have.
    pub fn host_peers(&self) -> impl Iterator<Item = &[u8]> {
        self.host_peers.iter().map(|peer| peer.as_slice())
    }

    /// Digest of the enclave's ML-KEM key, if it has a lasting one.
    #[must_use]
    pub fn kem_key_hash(&self) -> Option<[u8; 32]> {
        self.kem_key_hash.map(Into::into)
    }

    /// Digest of the configuration that the enclave runs with.
    #[must_use]
    pub fn config_digest(&self) -> [u8; 32] {
        self.config_digest.into()
    }

    fn check_host_peers(&self) -> Result<(), BundleError> {
        let fits = |peer: &ByteVec| (1..=MAX_HOST_PEER).contains(&peer.len());
        if self.host_peers.len() > MAX_HOST_PEERS || !self.host_peers.iter().all(fits) {
            return Err(BundleError::HostPeers);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(peers: &[Vec<u8>]) -> Result<Bundle, BundleError> {
        Bundle::new(
            VerifyingKey([1; 32]),
            NodeId([2; 32]),
            peers,
            None,
            3,
            [4; 32],
        )
    }

    #[test]
    fn bundle_comes_back_from_its_bytes() {
        let sparse = bundle(&[]).expect("bundle");
        let full = Bundle {
            kem_key_hash: Some([5; 32].into()),
            ..bundle(&[vec![6; 38]]).expect("bundle")
        };

        for bundle in [sparse, full] {
            assert_eq!(Bundle::parse(&bundle.to_bytes()), Ok(bundle));
        }
    }

    #[test]
    fn too_many_too_long_or_empty_host_ids_are_refused() {
        for peers in [
            vec![vec![1]; MAX_HOST_PEERS + 1],
            vec![vec![1; MAX_HOST_PEER + 1]],
            vec![vec![]],
        ] {
            assert_eq!(bundle(&peers), Err(BundleError::HostPeers));
        }
    }

    #[test]
    fn received_bundle_with_too_many_host_ids_is_refused() {
        let many = Bundle {
            host_peers: vec![vec![1].into(); MAX_HOST_PEERS + 1],
            ..bundle(&[]).expect("bundle")
        };

        assert_eq!(Bundle::parse(&many.to_bytes()), Err(BundleError::HostPeers));
    }

    #[test]
    fn bundle_in_another_encoding_is_refused() {
        let mut bytes = bundle(&[]).expect("bundle").to_bytes();
        bytes[0] = 0xbf;
        bytes.push(0xff);

        assert_eq!(
            Bundle::parse(&bytes),
            Err(BundleError::Malformed(Malformed::NotDeterministic))
        );
    }

    #[test]
    fn commitment_changes_with_every_byte() {
        let bytes = bundle(&[]).expect("bundle").to_bytes();
        let mut other = bytes.clone();
        *other.last_mut().expect("bytes") ^= 1;

        assert_ne!(Bundle::commitment(&bytes), Bundle::commitment(&other));
    }
}
