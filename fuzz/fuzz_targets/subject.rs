//! Subjects of the bus, as the node reads them.
#![no_main]
use vettid_wire::subject;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Some(space) = subject::space_of(text) {
        assert_eq!(subject::space_of(&subject::for_vault(space)), Some(space));
    }
});
