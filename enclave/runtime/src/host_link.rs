//! The supervisor's end of the link to its host, who is hostile until proven otherwise and never is.
//!
//! Envelopes, nearly all of the traffic, are read and written in place, and so are chunks, nearly
//! all of the bytes of an unlock; other frames are decoded whole. Both give and take the same bytes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use vettid_wire::cbor;
use vettid_wire::id::SpaceId;
use vettid_wire::limits;
use vettid_wire::link::in_place::{self, Lent};
use vettid_wire::link::{FromEnclave, FromHost};

use crate::flow::{FlowError, Inflow, Outflow};

/// Above this many unsent bytes no vault process is read, until the host has taken some.
const SATURATED: usize = 8 * 1024 * 1024;

/// Part of a frame without the rest, or unsent bytes that do not move, for this long end the link.
const STALL: Duration = Duration::from_secs(30);

/// Why the link cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HostFault {
    /// The connection is closed or a frame was too long.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// A frame that is none.
    #[error("host sent what is no frame")]
    Malformed,
    /// A second greeting, or an answer to what was never asked.
    #[error("host spoke out of turn")]
    OutOfTurn,
    /// The host does not finish its frame or does not read.
    #[error("host stalled")]
    Stalled,
}

/// A frame of the host, as far as it was looked into.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// An envelope or a chunk.
    Lent(Lent<'a>),
    /// Any other frame.
    Other(FromHost),
}

/// One connection to the host.
#[derive(Debug)]
pub(crate) struct HostLink {
    socket: OwnedFd,
    pub(crate) inflow: Inflow,
    outflow: Outflow,
    waiting_since: Option<Duration>,
    unsent_since: Option<Duration>,
}

impl HostLink {
    pub(crate) const fn new(socket: OwnedFd, inflow: Inflow) -> Self {
        let outflow = Outflow::new(limits::LINK_FRAME);
        Self {
            socket,
            inflow,
            outflow,
            waiting_since: None,
            unsent_since: None,
        }
    }

    /// Reads once. Zero when nothing is there.
    pub(crate) fn fill(&mut self, now: Duration) -> Result<usize, HostFault> {
        let count = self.inflow.fill(&self.socket)?;
        self.waiting_since = Some(now);
        Ok(count)
    }

    /// Queues a frame. A frame over the limit is a bug of ours and is not sent.
    pub(crate) fn send(&mut self, frame: &FromEnclave) {
        let pushed = self.outflow.push(|out| cbor::encode_into(frame, out));
        debug_assert!(pushed.is_ok());
    }

    /// Queues an envelope for a device, to be released after record `after`.
    pub(crate) fn send_envelope(&mut self, space: SpaceId, after: u64, envelope: &[u8]) {
        let write = |out: &mut Vec<u8>| in_place::write_envelope(out, space, after, envelope);
        let pushed = self.outflow.push(write);
        debug_assert!(pushed.is_ok());
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self, now: Duration) -> Result<(), HostFault> {
        let sent = self.outflow.flush(&self.socket)?;
        self.unsent_since = match self.unsent_since {
            _ if self.outflow.queued() == 0 => None,
            Some(since) if sent == 0 => Some(since),
            _ => Some(now),
        };
        Ok(())
    }

    /// Whether bytes wait for the socket.
    pub(crate) const fn has_unsent(&self) -> bool {
        self.outflow.queued() > 0
    }

    /// Whether so much waits that vault processes must wait as well.
    pub(crate) const fn is_saturated(&self) -> bool {
        self.outflow.queued() > SATURATED
    }

    /// Refuses a host that neither goes on nor reads.
    pub(crate) fn check_deadlines(&self, now: Duration) -> Result<(), HostFault> {
        let mid_frame = self.waiting_since.filter(|_| self.inflow.is_mid_frame());
        let stalled =
            |since: Option<Duration>| since.is_some_and(|since| now.saturating_sub(since) > STALL);
        if stalled(mid_frame) || stalled(self.unsent_since) {
            return Err(HostFault::Stalled);
        }
        Ok(())
    }
}

impl AsFd for HostLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Looks into one frame of the host.
pub(crate) fn hear(frame: &[u8]) -> Result<Heard<'_>, HostFault> {
    if let Some(lent) = in_place::find(frame) {
        return Ok(Heard::Lent(lent));
    }
    cbor::decode_exact(frame)
        .map(Heard::Other)
        .map_err(|_| HostFault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    const SPACE: SpaceId = SpaceId([4; 16]);

    fn link() -> (HostLink, UnixStream) {
        let (ours, host) = UnixStream::pair().expect("pair");
        (
            HostLink::new(ours.into(), Inflow::new(limits::LINK_FRAME)),
            host,
        )
    }

    #[test]
    fn other_frames_are_decoded_and_noise_is_refused() {
        let ping = cbor::encode(&FromHost::Ping(3));
        assert!(matches!(hear(&ping), Ok(Heard::Other(FromHost::Ping(3)))));

        let mut trailing = cbor::encode(&FromHost::Frame {
            space: SPACE,
            envelope: vec![1],
        });
        trailing.push(0);
        for noise in [&trailing[..], &[], &[0xff; 40], b"GET / HTTP/1.1\r\n\r\n"] {
            assert_eq!(hear(noise).err(), Some(HostFault::Malformed));
        }
    }

    #[test]
    fn a_host_that_does_not_read_saturates_the_link_and_is_given_up() {
        let (mut link, _host) = link();
        while !link.is_saturated() {
            link.send_envelope(SPACE, 0, &[1; 60_000]);
        }
        link.flush(Duration::ZERO).expect("flush");
        assert!(link.has_unsent());
        link.flush(Duration::from_secs(20)).expect("flush");

        assert_eq!(link.check_deadlines(Duration::from_secs(30)), Ok(()));
        assert_eq!(
            link.check_deadlines(Duration::from_secs(31)),
            Err(HostFault::Stalled)
        );
    }

    #[test]
    fn a_host_that_stops_in_the_middle_of_a_frame_is_given_up() {
        let (mut link, mut host) = link();
        host.write_all(&[0, 0, 1]).expect("write");
        link.fill(Duration::ZERO).expect("fill");
        assert_eq!(link.inflow.next_frame(), Ok(None));

        assert_eq!(link.check_deadlines(Duration::from_secs(29)), Ok(()));
        assert_eq!(
            link.check_deadlines(Duration::from_secs(31)),
            Err(HostFault::Stalled)
        );
    }
}
