//! Messages larger than one session frame, in pieces.
//!
//! Every session frame begins with a fragment header, `count 1 B | index 1 B`; frames of a session
//! arrive in order, so a message is complete when its last piece is.

use crate::{limits, padding};

/// Bytes in front of each piece.
pub const HEADER: usize = 2;
/// Bytes of a message that one frame carries.
pub const PIECE: usize = padding::CAPACITY - HEADER;

/// A piece does not continue the message under way, or the message is too large.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadFragment {
    /// Shorter than a header, or a count or index out of range.
    #[error("fragment header is malformed")]
    Header,
    /// Not the piece that must come next.
    #[error("fragment is out of order")]
    Order,
    /// The message would be larger than the receiver takes.
    #[error("message is larger than {0} bytes")]
    Large(usize),
}

/// The pieces of a message with their headers, in order; at least one. None for what is larger than
/// [`limits::REPLY`].
pub fn pieces(message: &[u8]) -> Option<impl Iterator<Item = ([u8; HEADER], &[u8])>> {
    if message.len() > limits::REPLY {
        return None;
    }
    let count = u8::try_from(message.len().div_ceil(PIECE).max(1)).ok()?;
    let empty = message.is_empty().then_some(message);
    let headers = (0..count).map(move |index| [count, index]);
    Some(headers.zip(message.chunks(PIECE).chain(empty)))
}

/// Puts the messages of one direction of a session together again.
#[derive(Debug)]
pub struct Assembly {
    limit: usize,
    expect: Option<(u8, u8)>,
    message: Vec<u8>,
}

impl Assembly {
    /// Takes messages of up to `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            expect: None,
            message: Vec::new(),
        }
    }

    /// Whether pieces of a message are here and others are not.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.expect.is_some()
    }

    /// Takes the next piece; the message, if it was the last one. An error ends the session.
    pub fn push(&mut self, frame: &[u8]) -> Result<Option<Vec<u8>>, BadFragment> {
        let ([count, index], piece) = frame.split_first_chunk().ok_or(BadFragment::Header)?;
        let (count, index) = (*count, *index);
        if count == 0 || index >= count {
            return Err(BadFragment::Header);
        }
        if self.expect.unwrap_or((count, 0)) != (count, index) {
            return Err(BadFragment::Order);
        }
        let last = index + 1 == count;
        if !last && piece.len() != PIECE {
            return Err(BadFragment::Header);
        }
        if self.message.len().saturating_add(piece.len()) > self.limit {
            return Err(BadFragment::Large(self.limit));
        }
        self.message.extend_from_slice(piece);
        if last {
            self.expect = None;
            return Ok(Some(core::mem::take(&mut self.message)));
        }
        self.expect = Some((count, index + 1));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(message: &[u8]) -> Vec<Vec<u8>> {
        let pieces = pieces(message).expect("fits");
        pieces
            .map(|(header, piece)| [&header, piece].concat())
            .collect()
    }

    fn assembled(message: &[u8]) -> Vec<u8> {
        let mut assembly = Assembly::new(limits::REPLY);
        let frames = split(message);
        let (last, first) = frames.split_last().expect("at least one");
        for frame in first {
            assert_eq!(assembly.push(frame), Ok(None));
            assert!(assembly.is_under_way());
        }
        assembly.push(last).expect("last piece").expect("complete")
    }

    #[test]
    fn messages_of_every_size_come_back() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, limits::REPLY] {
            let message = vec![7; length];
            assert_eq!(assembled(&message), message, "{length}");
        }
    }

    #[test]
    fn message_over_the_limit_has_no_pieces() {
        assert!(pieces(&vec![0; limits::REPLY + 1]).is_none());
    }

    #[test]
    fn receiver_stops_at_its_own_limit() {
        let frames = split(&vec![0; PIECE + 1]);
        let mut assembly = Assembly::new(PIECE);

        assert_eq!(assembly.push(&frames[0]), Ok(None));
        assert_eq!(assembly.push(&frames[1]), Err(BadFragment::Large(PIECE)));
    }

    #[test]
    fn missing_repeated_or_foreign_pieces_are_refused() {
        let frames = split(&vec![0; 2 * PIECE + 1]);
        let after_first = || {
            let mut assembly = Assembly::new(limits::REPLY);
            assert_eq!(assembly.push(&frames[0]), Ok(None));
            assembly
        };

        assert_eq!(after_first().push(&frames[2]), Err(BadFragment::Order));
        assert_eq!(after_first().push(&frames[0]), Err(BadFragment::Order));
        assert_eq!(after_first().push(&[1, 0, 9]), Err(BadFragment::Order));
        assert_eq!(Assembly::new(10).push(&frames[1]), Err(BadFragment::Order));
    }

    #[test]
    fn malformed_headers_are_refused() {
        for frame in [&[][..], &[1], &[0, 0], &[1, 1], &[2, 0, 9]] {
            assert_eq!(Assembly::new(10).push(frame), Err(BadFragment::Header));
        }
    }
}
