//! All that a host and a bus can parse: the envelope around a session frame.
//!
//! `version 1 B | kind 1 B | device 16 B | session 16 B | body`. A fixed header, since it is read
//! for every message by programs that must not understand more.

use crate::id::{DeviceRoute, SessionId};
use crate::{limits, version};

/// Bytes in front of the body.
pub const HEADER: usize = 34;

/// What the body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A message of the session's handshake.
    Handshake,
    /// A frame of the established session.
    Transport,
    /// Empty: the session is not known here; its initiator may open another. The one shape of every
    /// refusal outside a session.
    Reset,
}

/// A session frame with its route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope<'a> {
    /// What the body is.
    pub kind: Kind,
    /// Device it comes from or goes to. Unauthenticated: the session decides who speaks.
    pub device: DeviceRoute,
    /// Session it belongs to.
    pub session: SessionId,
    /// Frame of that session; ciphertext but for the first handshake message.
    pub body: &'a [u8],
}

/// Why bytes are no envelope.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnEnvelope {
    /// Shorter than a header.
    #[error("envelope is cut short")]
    Short,
    /// Larger than [`limits::ENVELOPE`].
    #[error("envelope is too large")]
    Large,
    /// A version that this code does not speak.
    #[error("envelope version {0} is not spoken here")]
    Version(u8),
    /// No kind of ours, or a reset with a body.
    #[error("envelope kind is not known")]
    Kind,
}

impl<'a> Envelope<'a> {
    /// Reads an envelope.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotAnEnvelope> {
        if bytes.len() > limits::ENVELOPE {
            return Err(NotAnEnvelope::Large);
        }
        let ([version, kind], rest) = bytes.split_first_chunk().ok_or(NotAnEnvelope::Short)?;
        let (device, rest) = rest.split_first_chunk().ok_or(NotAnEnvelope::Short)?;
        let (session, body) = rest.split_first_chunk().ok_or(NotAnEnvelope::Short)?;
        if *version != version::ENVELOPE {
            return Err(NotAnEnvelope::Version(*version));
        }
        let kind = match kind {
            1 => Kind::Handshake,
            2 => Kind::Transport,
            3 if body.is_empty() => Kind::Reset,
            _ => return Err(NotAnEnvelope::Kind),
        };
        Ok(Self {
            kind,
            device: DeviceRoute(*device),
            session: SessionId(*session),
            body,
        })
    }

    /// Writes the envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER.saturating_add(self.body.len()));
        out.push(version::ENVELOPE);
        out.push(match self.kind {
            Kind::Handshake => 1,
            Kind::Transport => 2,
            Kind::Reset => 3,
        });
        out.extend_from_slice(&self.device.0);
        out.extend_from_slice(&self.session.0);
        out.extend_from_slice(self.body);
        out
    }

    /// The answer to a frame of a session that is not known here.
    #[must_use]
    pub fn reset(device: DeviceRoute, session: SessionId) -> Self {
        Self {
            kind: Kind::Reset,
            device,
            session,
            body: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(body: &[u8]) -> Envelope<'_> {
        Envelope {
            kind: Kind::Transport,
            device: DeviceRoute([1; 16]),
            session: SessionId([2; 16]),
            body,
        }
    }

    #[test]
    fn header_is_pinned() {
        let mut expected = vec![1, 2];
        expected.extend([1; 16]);
        expected.extend([2; 16]);
        expected.extend(b"body");

        assert_eq!(envelope(b"body").to_bytes(), expected);
    }

    #[test]
    fn faults_are_named() {
        let good = envelope(b"x").to_bytes();
        let with = |index: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[index] = value;
            bytes
        };

        assert_eq!(Envelope::parse(&good[..33]), Err(NotAnEnvelope::Short));
        assert_eq!(Envelope::parse(&with(0, 2)), Err(NotAnEnvelope::Version(2)));
        assert_eq!(Envelope::parse(&with(1, 0)), Err(NotAnEnvelope::Kind));
        assert_eq!(Envelope::parse(&with(1, 3)), Err(NotAnEnvelope::Kind));
        assert_eq!(
            Envelope::parse(&vec![1; limits::ENVELOPE + 1]),
            Err(NotAnEnvelope::Large)
        );
    }

    proptest! {
        #[test]
        fn what_parses_writes_the_same_bytes(bytes: Vec<u8>) {
            if let Ok(envelope) = Envelope::parse(&bytes) {
                prop_assert_eq!(envelope.to_bytes(), bytes);
            }
        }

        #[test]
        fn every_body_comes_back(body: Vec<u8>) {
            let bytes = envelope(&body).to_bytes();
            prop_assert_eq!(Envelope::parse(&bytes), Ok(envelope(&body)));
        }
    }
}
