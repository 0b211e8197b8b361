//! Several messages inside one frame of a session.
#![no_main]
use vettid_wire::{batch, limits::REQUEST};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(messages) = batch::split(bytes, REQUEST)
        && let Some(joined) = batch::join(&messages)
    {
        assert_eq!(joined.as_slice(), bytes);
    }
});
