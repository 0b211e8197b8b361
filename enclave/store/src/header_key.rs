//! What headers are sealed under.

use vettid_crypto::SealingKey;

/// A key for headers, and the release of the enclave that it is for. The number is there for the host
/// to read, and bound to the header.
#[derive(Debug)]
pub struct HeaderKey {
    /// Number of the release.
    pub release: u32,
    /// The key.
    pub key: SealingKey,
}

impl HeaderKey {
    /// The key of a vault's headers at one release.
    #[must_use]
    pub const fn new(release: u32, key: SealingKey) -> Self {
        Self { release, key }
    }
}
