//! Framed bytes over a socket, never blocking: four bytes of length, then that many bytes.
//!
//! Nothing is allocated from a claimed length: buffers grow with bytes that have arrived, up to the
//! limit. Frames are read and written in batches, one system call for as many as there are.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

use crate::system;

/// Bytes of a frame's length in front of it.
pub(crate) const LENGTH: usize = 4;

/// Bytes asked from the kernel at once, at least.
const CHUNK: usize = 64 * 1024;

/// Why a flow cannot go on. The socket is of no further use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FlowError {
    /// The other side has closed the socket, or the kernel has.
    #[error("peer has closed the link")]
    Closed,
    /// A frame longer than the limit was announced, or was to be sent.
    #[error("frame of {size} bytes; limit is {limit}")]
    Oversize {
        /// Bytes of the frame.
        size: usize,
        /// Most bytes a frame may have.
        limit: usize,
    },
}

/// Waits until the socket can do this, or until then; false when it is too late.
///
/// # Errors
/// [`FlowError::Closed`] when the kernel has closed the socket.
pub(crate) fn wait(
    socket: &impl AsFd,
    flags: PollFlags,
    until: Instant,
) -> Result<bool, FlowError> {
    loop {
        let Some(left) = until.checked_duration_since(Instant::now()) else {
            return Ok(false);
        };
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(socket.as_fd(), flags)], left) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) => {}
            Err(_) => return Err(FlowError::Closed),
        }
    }
}

/// Receiving half: bytes from the socket, frames out.
#[derive(Debug)]
pub struct Inflow {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
}

impl Inflow {
    /// Accepts frames of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            limit,
        }
    }

    /// Reads once, as much as there is room for. Returns how many bytes came; zero means none are
    /// there now.
    ///
    /// # Errors
    /// [`FlowError::Closed`] at the end of the stream.
    pub fn fill(&mut self, socket: &impl AsFd) -> Result<usize, FlowError> {
        self.read(socket, MsgFlags::MSG_DONTWAIT)
    }

    /// The same, but waits for bytes as long as the socket's receive timeout says: one system call
    /// where looking, waiting and looking again would be three. Zero when nothing came.
    ///
    /// # Errors
    /// [`FlowError::Closed`] at the end of the stream.
    pub fn fill_patiently(&mut self, socket: &impl AsFd) -> Result<usize, FlowError> {
        self.read(socket, MsgFlags::empty())
    }

    fn read(&mut self, socket: &impl AsFd, flags: MsgFlags) -> Result<usize, FlowError> {
        self.make_room();
        let Some(room) = self.buffer.get_mut(self.end..) else {
            return Err(FlowError::Closed);
        };
        loop {
            match recv(system::raw(&socket.as_fd()), room, flags) {
                Ok(0) => return Err(FlowError::Closed),
                Ok(count) => {
                    self.end = self.end.saturating_add(count);
                    return Ok(count);
                }
                Err(Errno::EAGAIN) => return Ok(0),
                Err(Errno::EINTR) => {}
                Err(_) => return Err(FlowError::Closed),
            }
        }
    }

    /// The next complete frame, without its length.
    ///
    /// # Errors
    /// [`FlowError::Oversize`] as soon as a length beyond the limit is announced.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FlowError> {
        let Some(unread) = self.buffer.get(self.start..self.end) else {
            return Ok(None);
        };
        let Some((length, rest)) = unread.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let size = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if size > self.limit {
            return Err(FlowError::Oversize {
                size,
                limit: self.limit,
            });
        }
        let frame = rest.get(..size);
        if frame.is_some() {
            self.start = self.start.saturating_add(LENGTH).saturating_add(size);
        }
        Ok(frame)
    }

    /// Whether part of a frame has arrived and the rest is due.
    #[must_use]
    pub const fn is_mid_frame(&self) -> bool {
        self.start < self.end
    }

    /// Gives the buffer back while nothing is in it.
    pub fn release(&mut self) {
        if !self.is_mid_frame() {
            *self = Self::new(self.limit);
        }
    }

    /// Moves the unread bytes to the front and adds room when there is less than a chunk, never
    /// more than twice what has arrived.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        if self.buffer.len().saturating_sub(self.end) < CHUNK {
            let size = self.end.saturating_add(self.end.max(CHUNK));
            self.buffer.resize(size, 0);
        }
    }
}

/// Sending half: frames in, bytes to the socket.
#[derive(Debug)]
pub struct Outflow {
    buffer: Vec<u8>,
    start: usize,
    limit: usize,
}

impl Outflow {
    /// Sends frames of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            limit,
        }
    }

    /// Queues one frame, written by `write` behind its length. Queues nothing on error.
    ///
    /// # Errors
    /// [`FlowError::Oversize`] when the frame came out longer than the limit.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), FlowError> {
        let at = self.buffer.len();
        self.buffer.extend_from_slice(&[0; LENGTH]);
        write(&mut self.buffer);
        let size = self.buffer.len().saturating_sub(at).saturating_sub(LENGTH);
        let length = u32::try_from(size).ok().filter(|_| size <= self.limit);
        match (length, self.buffer.get_mut(at..at.saturating_add(LENGTH))) {
            (Some(length), Some(place)) => {
                place.copy_from_slice(&length.to_be_bytes());
                Ok(())
            }
            _ => {
                self.buffer.truncate(at);
                Err(FlowError::Oversize {
                    size,
                    limit: self.limit,
                })
            }
        }
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    /// Sends until all is sent or the socket takes no more. Returns how many bytes went.
    ///
    /// # Errors
    /// [`FlowError::Closed`] when the other side is gone.
    pub fn flush(&mut self, socket: &impl AsFd) -> Result<usize, FlowError> {
        let mut sent = 0_usize;
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        while let Some(waiting) = self
            .buffer
            .get(self.start..)
            .filter(|bytes| !bytes.is_empty())
        {
            match send(system::raw(&socket.as_fd()), waiting, flags) {
                Ok(count) => {
                    self.start = self.start.saturating_add(count);
                    sent = sent.saturating_add(count);
                }
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => return Err(FlowError::Closed),
            }
        }
        self.settle();
        Ok(sent)
    }

    /// Gives the buffer back while nothing is in it.
    pub fn release(&mut self) {
        if self.queued() == 0 {
            *self = Self::new(self.limit);
        }
    }

    /// Forgets what is sent; gives a large buffer back.
    fn settle(&mut self) {
        if self.queued() == 0 {
            self.start = 0;
            if self.buffer.capacity() > 4 * CHUNK {
                self.buffer = Vec::new();
            } else {
                self.buffer.clear();
            }
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    const LIMIT: usize = 1024 * 1024;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().expect("pair")
    }

    fn framed(bytes: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn many_frames_come_out_of_one_read_in_order() {
        let (ours, mut theirs) = pair();
        let mut inflow = Inflow::new(LIMIT);
        theirs
            .write_all(&[framed(b"one"), framed(b""), framed(b"three")].concat())
            .expect("write");

        inflow.fill(&ours).expect("fill");

        assert_eq!(inflow.next_frame(), Ok(Some(&b"one"[..])));
        assert_eq!(inflow.next_frame(), Ok(Some(&b""[..])));
        assert_eq!(inflow.next_frame(), Ok(Some(&b"three"[..])));
        assert_eq!(inflow.next_frame(), Ok(None));
        assert!(!inflow.is_mid_frame());
    }

    #[test]
    fn a_frame_that_arrives_byte_by_byte_comes_out_once_it_is_whole() {
        let (ours, mut theirs) = pair();
        let mut inflow = Inflow::new(LIMIT);
        let bytes = framed(b"slow");
        for byte in &bytes[..bytes.len() - 1] {
            theirs.write_all(&[*byte]).expect("write");
            inflow.fill(&ours).expect("fill");
            assert_eq!(inflow.next_frame(), Ok(None));
            assert!(inflow.is_mid_frame());
        }

        theirs.write_all(&bytes[bytes.len() - 1..]).expect("write");
        inflow.fill(&ours).expect("fill");

        assert_eq!(inflow.next_frame(), Ok(Some(&b"slow"[..])));
    }

    #[test]
    fn patience_ends_with_the_timeout_of_the_socket_or_with_bytes() {
        let (ours, mut theirs) = pair();
        ours.set_read_timeout(Some(std::time::Duration::from_millis(1)))
            .expect("timeout");
        let mut inflow = Inflow::new(LIMIT);

        assert_eq!(inflow.fill_patiently(&ours), Ok(0));
        theirs.write_all(&framed(b"late")).expect("write");
        assert_eq!(inflow.fill_patiently(&ours), Ok(8));
        drop(theirs);
        assert_eq!(inflow.fill_patiently(&ours), Err(FlowError::Closed));
    }

    #[test]
    fn an_announced_length_beyond_the_limit_is_refused_and_allocates_nothing() {
        let (ours, mut theirs) = pair();
        let mut inflow = Inflow::new(100);
        theirs.write_all(&u32::MAX.to_be_bytes()).expect("write");

        inflow.fill(&ours).expect("fill");

        let size = usize::try_from(u32::MAX).unwrap();
        assert_eq!(
            inflow.next_frame(),
            Err(FlowError::Oversize { size, limit: 100 })
        );
        assert!(inflow.buffer.capacity() <= 2 * CHUNK);
    }

    #[test]
    fn a_large_frame_passes_through_sockets_smaller_than_it() {
        let (ours, theirs) = pair();
        let body: Vec<u8> = (0..LIMIT)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        let (mut outflow, mut inflow) = (Outflow::new(LIMIT), Inflow::new(LIMIT));
        outflow
            .push(|out| out.extend_from_slice(&body))
            .expect("push");

        while outflow.queued() > 0 {
            outflow.flush(&ours).expect("flush");
            inflow.fill(&theirs).expect("fill");
        }
        while inflow.fill(&theirs).expect("fill") > 0 {}

        assert_eq!(inflow.next_frame(), Ok(Some(&body[..])));
    }

    #[test]
    fn an_oversize_frame_is_not_queued_and_the_next_one_is() {
        let (ours, mut theirs) = pair();
        let mut outflow = Outflow::new(4);

        let refused = outflow.push(|out| out.extend_from_slice(b"12345"));
        outflow
            .push(|out| out.extend_from_slice(b"1234"))
            .expect("fits");
        outflow.flush(&ours).expect("flush");

        assert_eq!(refused, Err(FlowError::Oversize { size: 5, limit: 4 }));
        let mut bytes = [0; 8];
        theirs.read_exact(&mut bytes).expect("read");
        assert_eq!(bytes.to_vec(), framed(b"1234"));
    }

    #[test]
    fn a_closed_peer_is_an_error_for_both_halves() {
        let (ours, theirs) = pair();
        drop(theirs);
        let mut outflow = Outflow::new(LIMIT);
        outflow.push(|out| out.push(1)).expect("push");

        assert_eq!(outflow.flush(&ours), Err(FlowError::Closed));
        assert_eq!(Inflow::new(LIMIT).fill(&ours), Err(FlowError::Closed));
    }
}
