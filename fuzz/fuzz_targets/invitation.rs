//! Links that invite an owner.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = vettid_wire::invitation::Invitation::parse(text);
});
