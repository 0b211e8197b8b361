//! An enclave image, as whoever checks a release gets it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(image) = vettid_eif::Image::parse(bytes) {
        let _ = image.registers();
    }
});
