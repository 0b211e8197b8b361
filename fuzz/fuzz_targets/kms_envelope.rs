//! An answer of AWS KMS for one enclave, as CMS encloses it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vettid_kms::fuzzed::envelope(bytes));
