//! What another node's enclave says in an admitted session.
#![no_main]

use vettid_wire::cbor;
use vettid_wire::peer::PeerMessage;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = cbor::decode::<PeerMessage>(bytes) {
        assert_eq!(cbor::encode(&message), bytes);
    }
});
