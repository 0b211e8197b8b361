//! Links that invite somebody to connect.
#![no_main]

use vettid_wire::connect::ConnectInvitation;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(invitation) = ConnectInvitation::parse(text) {
        assert!(ConnectInvitation::parse(&invitation.link()).is_ok());
    }
});
