//! An open session: application messages both ways, until it ends.

use core::fmt;

use vettid_crypto::WipedVec;
use vettid_wire::batch;
use vettid_wire::fragment::{self, Assembly, BadFragment};
use vettid_wire::time::UnixMillis;

use crate::bound::{Bound, ProvenPeer};
use crate::channel::{BATCH, Channel, Content, LARGEST_FRAME, REKEY};
use crate::error::{Error, Internal, Misuse, PeerMisbehaved};
use crate::identity::Role;
use crate::prologue::Use;
use crate::statement::Transcript;
use crate::verifier::KnownEnclave;

/// An open session. Both sides have proven who they are.
///
/// Frames must be opened in the order in which the peer sealed them, each once: a lost, repeated,
/// reordered or altered frame ends the session with an error that says which, and wipes its keys.
/// The caller then opens another and repeats what was not answered, under the same request ids.
pub struct Established {
    pub(crate) channel: Option<Channel>,
    batches: bool,
    assembly: Assembly,
    peer: ProvenPeer,
    transcript: Transcript,
    policy_epoch: u64,
    pub(crate) largest_sent: usize,
    expires: UnixMillis,
    latest: UnixMillis,
}

impl Established {
    pub(crate) fn new(channel: Channel, bound: &Bound, peer: ProvenPeer, now: UnixMillis) -> Self {
        let purpose = bound.prologue.purpose;
        let (received, sent) = match bound.role {
            Role::Initiator => (Role::Responder, Role::Initiator),
            Role::Responder => (Role::Initiator, Role::Responder),
        };
        Self {
            channel: Some(channel),
            batches: purpose.has_batches(),
            assembly: Assembly::new(purpose.largest_message(received)),
            expires: expiry(purpose, &peer, now),
            peer,
            transcript: bound.transcript,
            policy_epoch: bound.policy_epoch,
            largest_sent: purpose.largest_message(sent),
            latest: now,
        }
    }

    /// Seals a message into the frames to send, in this order. Usually one.
    ///
    /// A message that is too large is refused, and the session goes on.
    pub fn seal(&mut self, now: UnixMillis, message: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.seal_all(now, &[message])
    }

    /// Seals messages, in this order, into the frames to send, in this order. Small ones share a
    /// frame, except between enclaves.
    ///
    /// If one is too large, all are refused, and the session goes on.
    pub fn seal_all(&mut self, now: UnixMillis, messages: &[&[u8]]) -> Result<Vec<Vec<u8>>, Error> {
        let sizes = messages.iter().map(|message| message.len());
        if let Some(size) = sizes.max().filter(|size| *size > self.largest_sent) {
            let limit = self.largest_sent;
            return Err(Misuse::MessageTooLarge { limit, size }.into());
        }
        let now = self.check_life(now)?;
        let channel = self.channel.as_mut().ok_or(Misuse::Ended)?;
        let frames = seal_messages(channel, self.batches, messages, now);
        if frames.is_err() {
            self.channel = None;
        }
        frames
    }

    /// Opens the next frame where no message shares its frame: from another enclave. An error ends the
    /// session.
    pub fn open(&mut self, now: UnixMillis, frame: &[u8]) -> Result<Option<WipedVec>, Error> {
        let mut messages = self.open_all(now, frame)?;
        if messages.len() > 1 {
            self.channel = None;
            return Err(PeerMisbehaved::BatchUnexpected.into());
        }
        Ok(messages.pop())
    }

    /// Opens the next frame; the messages that it holds or completes, in their order. An error ends
    /// the session.
    pub fn open_all(&mut self, now: UnixMillis, frame: &[u8]) -> Result<Vec<WipedVec>, Error> {
        let now = self.check_life(now)?;
        let channel = self.channel.as_mut().ok_or(Misuse::Ended)?;
        let messages = open_frame(channel, self.batches, &mut self.assembly, frame, now);
        if messages.is_err() {
            self.channel = None;
        }
        messages
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> &ProvenPeer {
        &self.peer
    }

    /// Hash that only this session has, at both ends.
    #[must_use]
    pub const fn transcript(&self) -> Transcript {
        self.transcript
    }

    /// The last moment at which frames are sealed and opened.
    #[must_use]
    pub const fn expires(&self) -> UnixMillis {
        self.expires
    }

    /// What spares the next session with this enclave its document. None for a device or backend.
    #[must_use]
    pub fn known_enclave(&self) -> Option<KnownEnclave> {
        match &self.peer {
            ProvenPeer::Enclave { appraised, .. } => Some(KnownEnclave {
                appraised: appraised.clone(),
                policy_epoch: self.policy_epoch,
            }),
            ProvenPeer::Keyholder(_) => None,
        }
    }

    /// The time, which never goes back in a session: a clock set back gains no time.
    fn check_life(&mut self, now: UnixMillis) -> Result<UnixMillis, Error> {
        self.latest = self.latest.max(now);
        if self.latest > self.expires {
            self.channel = None;
            return Err(Misuse::Expired.into());
        }
        Ok(self.latest)
    }
}

impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established")
            .field("peer", &self.peer.identity())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn expiry(purpose: Use, peer: &ProvenPeer, now: UnixMillis) -> UnixMillis {
    let longest = purpose.longest(now);
    match (purpose, peer) {
        (Use::EnclaveEnclave, ProvenPeer::Enclave { appraised, .. }) => {
            longest.min(appraised.expires())
        }
        _ => longest,
    }
}

fn seal_messages(
    channel: &mut Channel,
    batches: bool,
    mut messages: &[&[u8]],
    now: UnixMillis,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut frames = Vec::with_capacity(1);
    while let Some((first, rest)) = messages.split_first() {
        if channel.rekey_is_due(now) {
            frames.push(channel.seal(REKEY, &[], now)?);
        }
        let shared = match batches {
            true => batch::fitting(messages.iter().copied()),
            false => 0,
        };
        let together = messages.split_at_checked(shared).filter(|_| shared > 1);
        if let Some((together, rest)) = together {
            let body = batch::join(together).ok_or(Internal::FrameSize)?;
            frames.push(channel.seal(BATCH, &body, now)?);
            messages = rest;
        } else {
            seal_pieces(channel, first, now, &mut frames)?;
            messages = rest;
        }
    }
    Ok(frames)
}

fn seal_pieces(
    channel: &mut Channel,
    message: &[u8],
    now: UnixMillis,
    frames: &mut Vec<Vec<u8>>,
) -> Result<(), Error> {
    for (header, piece) in fragment::pieces(message).ok_or(Internal::FrameSize)? {
        frames.push(channel.seal(header, piece, now)?);
    }
    Ok(())
}

fn open_frame(
    channel: &mut Channel,
    batches: bool,
    assembly: &mut Assembly,
    frame: &[u8],
    now: UnixMillis,
) -> Result<Vec<WipedVec>, Error> {
    match channel.open(frame, LARGEST_FRAME, now)? {
        Content::Batch(_) if !batches => Err(PeerMisbehaved::BatchUnexpected.into()),
        Content::Batch(_) if assembly.is_under_way() => {
            Err(PeerMisbehaved::Fragment(BadFragment::Order).into())
        }
        Content::Batch(bytes) => {
            let messages = batch::split(&bytes).map_err(PeerMisbehaved::Batch)?;
            Ok(messages
                .into_iter()
                .map(|message| WipedVec::new(message.to_vec()))
                .collect())
        }
        Content::Evidence(_) => Err(PeerMisbehaved::EvidenceTwice.into()),
        Content::Piece(piece) => {
            let message = assembly.push(&piece).map_err(PeerMisbehaved::Fragment)?;
            Ok(message.into_iter().map(WipedVec::new).collect())
        }
        Content::Rekey => Ok(Vec::new()),
    }
}
