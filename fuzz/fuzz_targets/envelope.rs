//! All that a host parses of the bus.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vettid_wire::envelope::Envelope::parse(bytes);
});
