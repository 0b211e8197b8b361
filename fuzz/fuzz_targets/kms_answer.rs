//! An answer of AWS KMS over HTTP, after TLS.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vettid_kms::fuzzed::answer(bytes));
