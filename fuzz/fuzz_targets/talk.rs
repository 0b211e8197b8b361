//! What connected vaults send each other, in groups too, and what joins them again.
#![no_main]

use vettid_wire::cbor::decode;
use vettid_wire::content::{Circle, Resume, Talk};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = (decode::<Resume>(bytes), decode::<Talk>(bytes));
    let _ = decode::<Circle>(bytes);
});
