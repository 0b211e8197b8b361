//! The policy of a sealing key.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vettid_kms::fuzzed::policy(bytes));
