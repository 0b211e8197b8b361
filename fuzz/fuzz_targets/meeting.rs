//! What two vaults tell each other until they are connected, and what keeps them so.
#![no_main]

use vettid_wire::cbor;
use vettid_wire::content::{Answer, Circle, Hello, Offer, Resume, Signed, Talk, Welcome};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = cbor::decode::<Hello>(bytes);
    let _ = cbor::decode::<Offer>(bytes);
    let _ = cbor::decode::<Signed>(bytes);
    let _ = cbor::decode::<Answer>(bytes);
    let _ = cbor::decode::<Welcome>(bytes);
    let _ = cbor::decode::<Resume>(bytes);
    let _ = cbor::decode::<Talk>(bytes);
    let _ = cbor::decode::<Circle>(bytes);
});
