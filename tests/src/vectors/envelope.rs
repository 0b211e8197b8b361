//! Envelopes that are read, and bytes that are none.

use serde::{Deserialize, Serialize};
use vettid_wire::envelope::{Envelope, Kind};
use vettid_wire::id::{DeviceRoute, SessionId};
use vettid_wire::limits;

use super::hex;

/// The file.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Envelopes {
    /// Envelopes with what they say.
    pub accepted: Vec<Accepted>,
    /// Bytes that are refused.
    pub refused: Vec<Refused>,
}

/// An envelope and its parts.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Accepted {
    /// `handshake`, `transport` or `reset`.
    pub kind: String,
    /// Route of the device.
    pub device: String,
    /// The session.
    pub session: String,
    /// Frame of the session.
    pub body: String,
    /// All of it.
    pub bytes: String,
}

/// Bytes that are no envelope.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// What is wrong.
    pub why: String,
    /// The bytes that it begins with.
    pub bytes: String,
    /// Zero bytes that follow.
    pub zeros: usize,
}

/// Makes the file.
#[must_use]
pub fn make() -> Envelopes {
    let kinds = [
        (Kind::Handshake, &b"first"[..]),
        (Kind::Transport, b"\0\x01"),
        (Kind::Reset, b""),
    ];
    let accepted = kinds
        .into_iter()
        .map(|(kind, body)| accepted(kind, body))
        .collect();
    let good = envelope(Kind::Transport, b"body").to_bytes();
    let with = |index: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[index] = value;
        bytes
    };
    let refused = vec![
        refused("cut short", &good[..33], 0),
        refused("too large", &good, limits::ENVELOPE),
        refused("version 2", &with(0, 2), 0),
        refused("kind 0", &with(1, 0), 0),
        refused("kind 4", &with(1, 4), 0),
        refused("reset with a body", &with(1, 3), 0),
    ];
    Envelopes { accepted, refused }
}

/// Name of a kind.
#[must_use]
pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Handshake => "handshake",
        Kind::Transport => "transport",
        Kind::Reset => "reset",
    }
}

fn envelope(kind: Kind, body: &[u8]) -> Envelope<'_> {
    Envelope {
        kind,
        device: DeviceRoute([0xd1; 16]),
        session: SessionId([0x5e; 16]),
        body,
    }
}

fn accepted(kind: Kind, body: &[u8]) -> Accepted {
    let envelope = envelope(kind, body);
    Accepted {
        kind: name(kind).to_owned(),
        device: envelope.device.to_string(),
        session: envelope.session.to_string(),
        body: hex(body),
        bytes: hex(&envelope.to_bytes()),
    }
}

fn refused(why: &str, bytes: &[u8], zeros: usize) -> Refused {
    Refused {
        why: why.to_owned(),
        bytes: hex(bytes),
        zeros,
    }
}
