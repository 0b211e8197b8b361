//! A file on its way from one owner to another: sealed here, stored by hosts, opened there.
//!
//! ```text
//!  file ── chunk ── seal ── PUT ──▶ own node                          upload
//!                                     ▲ /vettid/attachment/1
//!  file ◀─ chunk ◀─ open ◀─ GET ─── other owner's node                download
//! ```
//!
//! The attachment, with its key, travels inside a message; hosts see ids and sizes of sealed chunks.
//!
//! | provided | not provided |
//! |---|---|
//! | one chunk in memory at a time, in both directions | secrecy of the size, up to a chunk's padding of none |
//! | both directions go on where they broke off, also in another process, and within a chunk | going on with a file that has changed: it is sealed anew |
//! | every chunk opens in its own place or nothing is kept of it | a file under its name before it is whole |

mod chunks;
mod download;
mod fault;
mod part;
mod patience;
mod record;
mod upload;

pub(crate) use chunks::Chunks;
pub use fault::AttachmentFault;
pub use upload::Upload;

use crate::error::{Error, Fault};

/// How far a file has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moved {
    /// Bytes that are there.
    pub done: u64,
    /// Bytes of the whole file.
    pub whole: u64,
}

/// Plaintext bytes of chunk `index` of a file of `size` bytes.
fn length(size: u64, chunk: u32, index: u32) -> usize {
    let before = u64::from(chunk).saturating_mul(u64::from(index));
    let length = size.saturating_sub(before).min(u64::from(chunk));
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Does what keeps a thread busy where it may.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Fault::Stopped.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_chunk_has_the_rest() {
        assert_eq!([0, 1, 2].map(|index| length(10, 4, index)), [4, 4, 2]);
        assert_eq!((length(8, 4, 1), length(8, 4, 2)), (4, 0));
        assert_eq!(length(0, 4, 0), 0);
    }
}
