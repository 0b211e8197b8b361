//! What a vault process reads from somebody it knows nothing about.
#![no_main]
use vettid_session::Responder;

libfuzzer_sys::fuzz_target!(|frame: &[u8]| {
    vettid_fuzz::with_vault_terms(|terms, now, mut entropy| {
        let _ = Responder::accept(terms, now, frame, &mut entropy);
    });
});
