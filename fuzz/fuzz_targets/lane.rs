//! Frames between the supervisor and a vault process.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    vettid_runtime::lane::decode_both(bytes);
});
