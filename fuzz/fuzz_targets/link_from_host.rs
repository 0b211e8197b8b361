//! Frames of a host, as the enclave reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::link::read::<vettid_wire::link::FromHost>(bytes);
    // What releases hand over to each other comes from the host, too.
    let _ = vettid_wire::cbor::decode_exact::<vettid_wire::link::handover::Offer>(bytes);
    let _ = vettid_wire::cbor::decode_exact::<vettid_wire::link::handover::Handover>(bytes);
});
