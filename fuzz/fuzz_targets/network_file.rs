//! The text form of a network file, as people hand it on.
#![no_main]

use vettid_wire::network_file::NetworkText;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(file) = NetworkText::parse(text) {
        let again = NetworkText::parse(&file.to_toml());
        assert!(again.is_ok_and(|again| again.id() == file.id()));
    }
});
