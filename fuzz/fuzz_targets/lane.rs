//! Frames between the supervisor and a vault process.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_runtime::lane::is_frame(bytes);
});
