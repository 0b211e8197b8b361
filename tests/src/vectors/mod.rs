//! What `tests/vectors/` holds: one file a format, the same at every run.
//!
//! Bytes are in lower-case hexadecimal. Each file is made here and read back by
//! `tests/vectors.rs`, which decides with the product's own readers.

pub mod envelope;
pub mod identity;
pub mod ids;
pub mod network;
pub mod padding;
pub mod record;

use data_encoding::HEXLOWER;
use serde::Serialize;

/// Every file: its name and text.
///
/// # Panics
/// When the product cannot make one of its own formats.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("envelope.json", text(&envelope::make())),
        ("identity.json", text(&identity::make())),
        ("ids.json", text(&ids::make())),
        ("network.json", text(&network::make())),
        ("padding.json", text(&padding::make())),
        ("record.json", text(&record::make())),
        (
            "session.json",
            vettid_session::vector::record()
                .expect("a session")
                .to_json(),
        ),
    ]
}

/// Bytes as the files show them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Bytes from what a file shows.
///
/// # Panics
/// When the text is no hexadecimal.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")
}

fn text(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("JSON");
    text.push('\n');
    text
}
