//! Ids in their text form: whatever is accepted is written the same way, but for case.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<vettid_wire::id::NetworkId>() {
        assert_eq!(id.to_string(), text.to_lowercase());
    }
    let _ = text.parse::<vettid_wire::id::VaultId>();
});
