//! Home records, as anybody may put them into the network.
#![no_main]

use vettid_wire::home::{Home, open};
use vettid_wire::id::VaultId;
use vettid_wire::time::UnixMillis;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let vault = VaultId([1; 32]);
    let _ = Home::claimed(bytes);
    assert!(Home::verify(bytes, &vault, UnixMillis(0), |_, _| None).is_err());
    let _ = open(&vault, bytes);
});
