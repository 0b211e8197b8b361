//! Attestation documents, before anything about them is verified.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_attestation::Evidence::<vettid_attestation::Nitro>::parse(bytes);
});
