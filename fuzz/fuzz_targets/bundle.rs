//! What an enclave encloses with its evidence.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_attestation::Bundle::parse(bytes);
});
