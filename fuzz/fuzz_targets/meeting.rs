//! What two vaults tell each other until they are connected.
#![no_main]

use vettid_wire::cbor::decode;
use vettid_wire::content::{Answer, Hello, Offer, Signed, Welcome};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = (decode::<Hello>(bytes), decode::<Offer>(bytes));
    let _ = (decode::<Signed>(bytes), decode::<Answer>(bytes));
    let _ = decode::<Welcome>(bytes);
});
