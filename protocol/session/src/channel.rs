//! Numbered, padded, sealed frames in both directions.
//!
//! ```text
//!  frame      number 8 B, big-endian | sealed plaintext
//!  plaintext  padded: count 1 B | index 1 B | piece of a message          (count at least 1)
//!                     0 | 1 | evidence
//!                     0 | 2                     the key of this direction changes after this frame
//!                     0 | 3 | several messages
//! ```
//!
//! The number is the nonce; it is there to tell a lost frame from a repeated and an altered one.
//! Changed, it only changes which error ends the session.

use vettid_crypto::WipedVec;
use vettid_wire::time::UnixMillis;
use vettid_wire::{limits, padding};

use crate::error::{Error, Internal, PeerMisbehaved};
use crate::noise::{TAG, Transport};
use crate::rekey::{KeyAge, Schedule};

/// Largest frame that may hold evidence, bytes.
pub(crate) const LARGEST_EVIDENCE_FRAME: usize = NUMBER + limits::EVIDENCE + TAG;

/// Largest frame, bytes.
pub(crate) const LARGEST_FRAME: usize = NUMBER + limits::FRAME + TAG;

/// Header of evidence.
pub(crate) const EVIDENCE: [u8; 2] = [0, 1];

/// Header of the last frame under a key.
pub(crate) const REKEY: [u8; 2] = [0, 2];

/// Header of several messages.
pub(crate) const BATCH: [u8; 2] = [0, 3];

/// Both directions of a session after its handshake.
#[derive(Debug)]
pub(crate) struct Channel {
    transport: Transport,
    sent: KeyAge,
    received: KeyAge,
}

/// What an opened frame holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Several messages, without their header.
    Batch(WipedVec),
    /// Evidence, without its header.
    Evidence(WipedVec),
    /// A piece of a message, with its header.
    Piece(WipedVec),
    /// Nothing: the peer changed its key.
    Rekey,
}

impl Channel {
    pub(crate) const fn new(transport: Transport, schedule: Schedule, now: UnixMillis) -> Self {
        Self {
            transport,
            sent: KeyAge::new(schedule, now),
            received: KeyAge::new(schedule, now),
        }
    }

    /// Whether the sending key is so old that a [`REKEY`] frame must come before any other.
    pub(crate) const fn rekey_is_due(&self, now: UnixMillis) -> bool {
        self.sent.is_due(now)
    }

    /// Seals the next frame.
    pub(crate) fn seal(
        &mut self,
        header: [u8; 2],
        body: &[u8],
        now: UnixMillis,
    ) -> Result<Vec<u8>, Error> {
        let length = header.len().saturating_add(body.len());
        let size = padding::bucket(length).ok_or(Internal::FrameSize)?;
        // The whole bucket at once: growing would leave copies of the plaintext behind.
        let mut plaintext = WipedVec::new(Vec::with_capacity(size));
        plaintext.extend_from_slice(&header);
        plaintext.extend_from_slice(body);
        padding::pad(&mut plaintext).map_err(|_| Internal::FrameSize)?;
        self.seal_padded(&plaintext, header == REKEY, now)
    }

    fn seal_padded(
        &mut self,
        plaintext: &[u8],
        last: bool,
        now: UnixMillis,
    ) -> Result<Vec<u8>, Error> {
        let number = self.transport.next_sent();
        let mut frame = vec![0; NUMBER.saturating_add(plaintext.len()).saturating_add(TAG)];
        let (front, sealed) = frame.split_first_chunk_mut().ok_or(Internal::FrameSize)?;
        *front = number.to_be_bytes();
        self.transport.seal(plaintext, sealed)?;
        if self.sent.count(last, now) {
            self.transport.rekey_sent();
        }
        Ok(frame)
    }

    /// Opens the next frame, of `largest` bytes at most. An error ends the session.
    pub(crate) fn open(
        &mut self,
        frame: &[u8],
        largest: usize,
        now: UnixMillis,
    ) -> Result<Content, Error> {
        let size = PeerMisbehaved::FrameSize(frame.len());
        if frame.len() < NUMBER + TAG || frame.len() > largest {
            return Err(size.into());
        }
        let (number, sealed) = frame.split_first_chunk().ok_or(size)?;
        self.check_number(u64::from_be_bytes(*number))?;
        let mut plaintext = self.transport.open(sealed)?;
        let length = padding::unpad(&plaintext)
            .map_err(|_| PeerMisbehaved::Padding)?
            .len();
        plaintext.truncate(length);
        let content = Content::of(plaintext)?;
        let last = matches!(content, Content::Rekey);
        if self.received.count(last, now) {
            self.transport.rekey_received();
        }
        Ok(content)
    }

    fn check_number(&self, received: u64) -> Result<(), Error> {
        let expected = self.transport.next_received();
        match received.cmp(&expected) {
            core::cmp::Ordering::Equal => Ok(()),
            core::cmp::Ordering::Less => {
                Err(PeerMisbehaved::FrameRepeated { expected, received }.into())
            }
            core::cmp::Ordering::Greater => {
                Err(PeerMisbehaved::FrameLost { expected, received }.into())
            }
        }
    }
}

impl Content {
    fn of(mut plaintext: WipedVec) -> Result<Self, Error> {
        match plaintext.first_chunk() {
            Some(&BATCH) => {
                plaintext.drain(..BATCH.len());
                Ok(Self::Batch(plaintext))
            }
            Some(&EVIDENCE) => {
                plaintext.drain(..EVIDENCE.len());
                Ok(Self::Evidence(plaintext))
            }
            Some(&REKEY) if plaintext.len() == REKEY.len() => Ok(Self::Rekey),
            Some(&[count, _]) if count != 0 => Ok(Self::Piece(plaintext)),
            _ => Err(PeerMisbehaved::Malformed.into()),
        }
    }
}

const NUMBER: usize = 8;

#[cfg(test)]
impl Channel {
    /// Seals a plaintext of the caller's making, padded or not.
    pub(crate) fn seal_raw(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.seal_padded(plaintext, false, UnixMillis(0))
            .expect("sealed")
    }

    /// From now on, does not change the sending key.
    pub(crate) fn forget_schedule(&mut self) {
        let schedule = Schedule {
            frames: u64::MAX,
            time: u64::MAX,
        };
        self.sent = KeyAge::new(schedule, UnixMillis(0));
    }

    /// Counts as many frames as sent and received, without any.
    pub(crate) fn skip(&mut self, frames: u64) {
        for _ in 0..frames {
            assert!(!self.sent.count(false, UnixMillis(0)), "key changed");
            assert!(!self.received.count(false, UnixMillis(0)), "key changed");
        }
    }
}
