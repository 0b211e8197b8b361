//! The network file with its governance signatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::network::SignedNetwork::verify(bytes);
});
