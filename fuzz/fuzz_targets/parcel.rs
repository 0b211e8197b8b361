//! What one vault hands to another, before and after it was opened.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(parcel) = vettid_wire::cbor::decode::<vettid_wire::content::Parcel>(bytes) {
        assert_eq!(vettid_wire::cbor::encode(&parcel), bytes);
    }
    let _ = vettid_wire::cbor::decode::<vettid_wire::content::Said>(bytes);
});
