//! Frames of an enclave, as the host reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::link::read::<vettid_wire::link::FromEnclave>(bytes);
});
