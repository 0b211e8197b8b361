//! Frames of a host, as the enclave reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::link::read::<vettid_wire::link::FromHost>(bytes);
});
