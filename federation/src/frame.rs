//! Frames on a stream: four bytes of length, most significant first, then so many bytes.

use std::io::{self, ErrorKind};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Largest frame between two hosts, bytes: a full message of a session.
pub(crate) const LARGEST: usize = vettid_wire::limits::ENVELOPE;

/// Reads one frame of at most `largest` bytes; nothing when the stream ends before it.
///
/// Memory grows with what has come, not with what is claimed. Not cancel-safe.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    largest: usize,
) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = read_length(stream).await? else {
        return Ok(None);
    };
    if length == 0 || length > largest {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let end = length.min(bytes.len().saturating_mul(GROWTH).max(ALLOCATED_AT_ONCE));
        bytes.reserve_exact(end.saturating_sub(bytes.len()));
        read_to(stream, &mut bytes, end).await?;
    }
    Ok(Some(bytes))
}

/// Reads until there are so many bytes.
async fn read_to(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
    end: usize,
) -> io::Result<()> {
    let start = bytes.len();
    bytes.resize(end, 0);
    let new = bytes.get_mut(start..).unwrap_or_default();
    stream.read_exact(new).await
}

/// Writes one frame; it is on its way only after a flush.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| ErrorKind::InvalidInput)?;
    let length = length.to_be_bytes();
    let (begin, rest) = bytes.split_at(bytes.len().min(SENT_AT_ONCE.saturating_sub(length.len())));
    stream
        .write_all(&[length.as_slice(), begin].concat())
        .await?;
    stream.write_all(rest).await
}

async fn read_length(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<usize>> {
    let mut first = [0; 1];
    if stream.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let mut rest = [0; 3];
    stream.read_exact(&mut rest).await?;
    let ([a], [b, c, d]) = (first, rest);
    let length = u32::from_be_bytes([a, b, c, d]);
    usize::try_from(length)
        .map(Some)
        .map_err(|_| ErrorKind::InvalidData.into())
}

/// What is allocated before any byte of a frame has come.
const ALLOCATED_AT_ONCE: usize = 4 * 1024;

/// What a multiplexed stream sends at once: the length goes along with what follows it.
const SENT_AT_ONCE: usize = 16 * 1024;

/// How many times as much as has come is allocated then: a large frame is moved twice and no more.
const GROWTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;

    fn read_all(stream: &[u8]) -> io::Result<Option<Vec<u8>>> {
        block_on(read(&mut Cursor::new(stream), 8))
    }

    #[test]
    fn frames_come_back_until_the_stream_ends() {
        let mut stream = Vec::new();
        block_on(async {
            write(&mut stream, b"one").await?;
            write(&mut stream, b"two").await
        })
        .expect("written");

        let mut stream = Cursor::new(stream);
        let mut next = || block_on(read(&mut stream, 8)).expect("whole");
        assert_eq!(next().as_deref(), Some(&b"one"[..]));
        assert_eq!(next().as_deref(), Some(&b"two"[..]));
        assert_eq!(next(), None);
    }

    #[test]
    fn frame_that_is_read_in_parts_is_whole() {
        for length in [4_095, 4_096, 4_097, 65_536, 65_537, 300_000] {
            let frame: Vec<u8> = (0..length).map(|byte: u32| byte.to_le_bytes()[1]).collect();
            let mut stream = Vec::new();
            block_on(write(&mut stream, &frame)).expect("written");

            let read_back = block_on(read(&mut Cursor::new(&stream), frame.len()));

            assert_eq!(read_back.expect("whole"), Some(frame));
            let cut = &stream[..stream.len() - 1];
            let refused = block_on(read(&mut Cursor::new(cut), stream.len())).expect_err("cut");
            assert_eq!(refused.kind(), ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn memory_grows_with_what_has_come() {
        struct Sparse(usize);
        impl AsyncRead for Sparse {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                to: &mut [u8],
            ) -> std::task::Poll<io::Result<usize>> {
                let bytes = to.len().min(1_000);
                assert!(to.len() <= ALLOCATED_AT_ONCE + GROWTH * self.0);
                self.0 += bytes;
                to[..bytes].fill(0xff);
                std::task::Poll::Ready(Ok(bytes))
            }
        }

        let length = [0, 0x40, 0, 0];
        let stream = Cursor::new(length).chain(Sparse(0));

        let frame = block_on(read(&mut { stream }, 1 << 22)).expect("whole");
        assert_eq!(frame.map(|frame| frame.len()), Some(1 << 22));
    }

    #[test]
    fn giant_empty_and_cut_frames_are_refused() {
        let kind = |stream: &[u8]| read_all(stream).expect_err("refused").kind();

        assert_eq!(kind(&[0, 0, 0, 9]), ErrorKind::InvalidData);
        assert_eq!(kind(&[255; 4]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0; 4]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0, 0]), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0, 0, 0, 2, 1]), ErrorKind::UnexpectedEof);
    }
}
