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
    let mut bytes = Vec::with_capacity(length.min(ALLOCATED_AT_ONCE));
    let wanted = u64::try_from(length).map_err(|_| ErrorKind::InvalidData)?;
    stream.take(wanted).read_to_end(&mut bytes).await?;
    if bytes.len() == length {
        Ok(Some(bytes))
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

/// Writes one frame; it is on its way only after a flush.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| ErrorKind::InvalidInput)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await
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
    fn giant_empty_and_cut_frames_are_refused() {
        let kind = |stream: &[u8]| read_all(stream).expect_err("refused").kind();

        assert_eq!(kind(&[0, 0, 0, 9]), ErrorKind::InvalidData);
        assert_eq!(kind(&[255; 4]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0; 4]), ErrorKind::InvalidData);
        assert_eq!(kind(&[0, 0]), ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0, 0, 0, 2, 1]), ErrorKind::UnexpectedEof);
    }
}
