//! Several messages inside one frame of a session.
#![no_main]
use vettid_wire::batch;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(messages) = batch::split(bytes)
        && let Some(joined) = batch::join(&messages)
    {
        assert_eq!(joined.as_slice(), bytes);
    }
});
