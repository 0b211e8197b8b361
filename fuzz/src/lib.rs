//! What fuzz targets share.

use vettid_crypto::SeededEntropy;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::ResponderTerms;
use vettid_wire::id::{NetworkId, NetworkKind, SpaceId};
use vettid_wire::time::UnixMillis;

/// Lends the terms of a vault that waits for its owner.
pub fn with_vault_terms(run: impl FnOnce(&ResponderTerms<'_>, UnixMillis, SeededEntropy)) {
    let network = NetworkId {
        kind: NetworkKind::Emulated,
        anchors: [2; 32],
    };
    let key = X25519Secret::from_bytes(&[7; 32]);
    let terms = ResponderTerms::vault(network, SpaceId([1; 16]), 1, &key);
    run(
        &terms,
        UnixMillis(1_000_000),
        SeededEntropy::dangerous_new(1),
    );
}
