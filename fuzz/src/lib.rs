//! What fuzz targets share.

use vettid_crypto::x25519::X25519Secret;
use vettid_crypto::{SealingKey, SecretBytes, SeededEntropy, VaultKey};
use vettid_session::ResponderTerms;
use vettid_store::{Chain, HeaderKey, Record};
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

/// Whether a record begins a log and its header or snapshot reference opens, which no invented one's
/// does.
pub fn opens(record: Record) -> bool {
    let Ok(linked) = Chain::new(SpaceId([1; 16])).accept(record) else {
        return false;
    };
    let (sealing, vault) = (
        HeaderKey::new(1, SealingKey::from_bytes([2; 32])),
        VaultKey::from_bytes([3; 32]),
    );
    linked.open_header(&sealing).is_ok() || linked.open_snapshot(&vault).is_ok()
}
