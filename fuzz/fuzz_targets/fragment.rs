//! Pieces of a message inside a session.
#![no_main]
use vettid_wire::{fragment::Assembly, limits::REPLY};

libfuzzer_sys::fuzz_target!(|frames: Vec<Vec<u8>>| {
    let mut assembly = Assembly::new(REPLY);
    let _ = frames
        .iter()
        .try_for_each(|frame| assembly.push(frame).map(drop));
});
