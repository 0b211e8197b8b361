//! Chunks of attachments, from host to host.
//!
//! ```text
//!  asker ── id (16) ‖ chunk (4) ‖ first byte (8) ──▶
//!        ◀── 0, none │ 1 ‖ bytes that follow (8) ‖ bytes ── holder
//! ```
//! Numbers are most significant first. Knowing the id is the right to ask.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::timeout;
use vettid_wire::id::AttachmentId;
use vettid_wire::limits;

use crate::event::Event;
use crate::streams::Opened;

/// Why a chunk cannot be fetched.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// The peer broke the protocol or the connection; what came before is whole.
    #[error("transfer was broken off")]
    Broken,
    /// The node does not have it.
    #[error("the node has no such chunk")]
    None,
    /// The node cannot be reached or is not admitted.
    #[error("the node cannot be reached")]
    Unreachable,
}

/// A chunk on its way in.
#[derive(Debug)]
pub struct AttachmentBody {
    stream: Opened,
    left: u64,
}

/// Answers one question for a chunk. Dropped without an answer it says that there is none.
#[derive(Debug)]
pub struct Responder(oneshot::Sender<Answer>);

/// A chunk on its way out.
#[derive(Debug)]
pub struct Sending(mpsc::Sender<Vec<u8>>);

#[derive(Debug)]
struct Answer {
    length: u64,
    body: mpsc::Receiver<Vec<u8>>,
}

impl AttachmentBody {
    pub(crate) async fn ask(
        mut stream: Opened,
        id: AttachmentId,
        index: u32,
        offset: u64,
    ) -> Result<Self, FetchError> {
        let ask = async {
            stream.write_all(&id.0).await?;
            stream.write_all(&index.to_be_bytes()).await?;
            stream.write_all(&offset.to_be_bytes()).await?;
            stream.flush().await?;
            let mut status = [0];
            stream.read_exact(&mut status).await?;
            if status != [FOUND] {
                return Ok(None);
            }
            let mut length = [0; 8];
            stream.read_exact(&mut length).await?;
            io::Result::Ok(Some(u64::from_be_bytes(length)))
        };
        let length = timeout(PATIENCE, ask)
            .await
            .map_err(|_| FetchError::Broken)?
            .map_err(|_| FetchError::Broken)?;
        let left = length.ok_or(FetchError::None)?;
        Ok(Self { stream, left })
    }

    /// Bytes that are still to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes, at most 64 KiB; nothing after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; usize::try_from(self.left).unwrap_or(PIECE).min(PIECE)];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
        let read = match read {
            Ok(Ok(read)) if read > 0 => read,
            _ => return Err(FetchError::Broken),
        };
        bytes.truncate(read);
        self.left = self
            .left
            .saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(Some(bytes))
    }
}

impl Responder {
    /// There is such a chunk; `length` bytes from the wanted one on will be sent. Nothing comes
    /// back when the peer has gone.
    #[must_use]
    pub fn found(self, length: u64) -> Option<Sending> {
        let (sender, body) = mpsc::channel(PIECES);
        self.0.send(Answer { length, body }).ok()?;
        Some(Sending(sender))
    }
}

impl Sending {
    /// Sends the next bytes, as fast as the peer takes them; false when it takes no more.
    pub async fn send(&self, bytes: Vec<u8>) -> bool {
        self.0.send(bytes).await.is_ok()
    }
}

/// Serves one stream of a peer.
pub(crate) async fn serve(
    mut stream: Opened,
    peer: Vec<u8>,
    events: mpsc::Sender<Event>,
    _permits: [OwnedSemaphorePermit; 2],
) {
    // The asker sees a broken stream; there is nobody else to tell.
    let _ = answer(&mut stream, peer, &events, PATIENCE).await;
    let _ = timeout(PATIENCE, stream.close()).await;
}

/// Answers, and waits at most `patience` for a peer that does nothing.
async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    peer: Vec<u8>,
    events: &mpsc::Sender<Event>,
    patience: Duration,
) -> io::Result<()> {
    let answer = timeout(patience, ask(stream, peer, events)).await??;
    // Others wait for the place of one that takes nothing, or takes it slowly.
    let length = answer.as_ref().map_or(0, |answer| answer.length);
    let longest = patience.saturating_add(Duration::from_secs(length / limits::TRANSFER_SLOWEST));
    timeout(longest, send(stream, answer)).await?
}

/// Reads the question and has the host answer it.
async fn ask(
    stream: &mut (impl AsyncRead + Unpin),
    peer: Vec<u8>,
    events: &mpsc::Sender<Event>,
) -> io::Result<Option<Answer>> {
    let mut question = [0; 28];
    stream.read_exact(&mut question).await?;
    let (sender, answer) = oneshot::channel();
    let asked = parse(&question, peer, Responder(sender)).ok_or(ErrorKind::InvalidData)?;
    events
        .send(asked)
        .await
        .map_err(|_| ErrorKind::BrokenPipe)?;
    Ok(answer.await.ok())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), answer: Option<Answer>) -> io::Result<()> {
    let Some(Answer { length, mut body }) = answer else {
        return stream.write_all(&[NONE]).await;
    };
    stream.write_all(&[FOUND]).await?;
    stream.write_all(&length.to_be_bytes()).await?;
    let mut left = length;
    while let Some(bytes) = body.recv().await {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        left = left.checked_sub(count).ok_or(ErrorKind::InvalidInput)?;
        timeout(PATIENCE, stream.write_all(&bytes)).await??;
    }
    timeout(PATIENCE, stream.flush()).await?
}

fn parse(question: &[u8; 28], peer: Vec<u8>, responder: Responder) -> Option<Event> {
    let (id, rest) = question.split_first_chunk::<16>()?;
    let (index, offset) = rest.split_first_chunk::<4>()?;
    Some(Event::AttachmentAsked {
        peer,
        id: AttachmentId(*id),
        index: u32::from_be_bytes(*index),
        offset: u64::from_be_bytes(*offset.first_chunk::<8>()?),
        responder,
    })
}

const NONE: u8 = 0;
const FOUND: u8 = 1;
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Pieces that wait to be sent.
const PIECES: usize = 4;
/// A peer that moves nothing for this long is given up.
const PATIENCE: Duration = Duration::from_millis(limits::TRANSFER_PAUSE);

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::io::Cursor;

    use super::*;

    /// Asks and takes no byte of an answer.
    struct Stuck(Cursor<[u8; 28]>);

    impl AsyncRead for Stuck {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_read(cx, bytes)
        }
    }

    impl AsyncWrite for Stuck {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn peer_that_takes_no_byte_of_an_answer_is_given_up() {
        for found in [false, true] {
            let (sender, mut events) = mpsc::channel(1);
            let mut stream = Stuck(Cursor::new([0; 28]));
            let answer = answer(&mut stream, vec![], &sender, Duration::from_millis(20));
            let host = async {
                let Some(Event::AttachmentAsked { responder, .. }) = events.recv().await else {
                    return None;
                };
                found.then(|| responder.found(1)).flatten()
            };

            let both = async { tokio::join!(answer, host) };
            let (answered, _sending) = timeout(PATIENCE, both).await.expect("ends");

            let why = answered.map_err(|error| error.kind());
            assert_eq!(why, Err(ErrorKind::TimedOut));
        }
    }
}
