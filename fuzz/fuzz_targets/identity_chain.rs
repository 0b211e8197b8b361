//! Successions of identity keys, as an export or another node shows them.
#![no_main]

use vettid_wire::cbor;
use vettid_wire::id::VaultId;
use vettid_wire::identity::IdentityChain;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(chain) = cbor::decode::<IdentityChain>(bytes) {
        assert!(chain.verify(&VaultId([1; 32])).is_err());
        assert_eq!(cbor::encode(&chain), bytes);
    }
});
