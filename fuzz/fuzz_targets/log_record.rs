//! Log records, as a host gives them back: read, linked, and opened in vain.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = vettid_store::Record::parse(bytes) {
        assert_eq!(record.to_bytes(), bytes);
        assert!(!vettid_fuzz::opens(record));
    }
});
