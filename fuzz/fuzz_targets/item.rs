//! The largest request of the vault's operations.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::cbor::decode::<vettid_wire::operation::item::Put>(bytes);
});
