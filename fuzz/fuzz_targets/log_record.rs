//! Log records, as a host gives them back.
#![no_main]

use vettid_crypto::{SealingKey, SecretBytes, VaultKey};
use vettid_store::{Chain, Record};
use vettid_wire::id::SpaceId;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = Record::parse(bytes) else {
        return;
    };
    assert_eq!(record.to_bytes(), bytes);
    if let Ok(linked) = Chain::new(SpaceId([1; 16])).accept(record) {
        assert!(linked.open_header(&SealingKey::from_bytes([2; 32])).is_err());
        assert!(linked.open_snapshot(&VaultKey::from_bytes([3; 32])).is_err());
    }
});
