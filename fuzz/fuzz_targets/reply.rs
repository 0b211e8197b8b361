//! What a vault answers or reports.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::cbor::decode::<vettid_wire::request::FromVault>(bytes);
});
