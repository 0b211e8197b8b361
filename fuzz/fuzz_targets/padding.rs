//! Padding of application frames.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::padding::unpad(bytes);
});
