//! Frames that wait to be sent: bounded for each link, so that none delays another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::config::Limits;
use crate::frame;

/// Why a frame is not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// The link is gone, or was never there.
    #[error("link is gone")]
    Gone,
    /// The peer does not keep up; its link is closed.
    #[error("peer does not keep up")]
    Overflow,
    /// Empty, or larger than any message of a session.
    #[error("frame is empty or too large")]
    Size,
}

/// The queues of all links. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    table: Arc<Mutex<HashMap<u64, Sender>>>,
    frames: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Sender {
    frames: mpsc::Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    overflow: Arc<Notify>,
}

/// The receiving end of one link's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    frames: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    overflow: Arc<Notify>,
}

impl Links {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            table: Arc::default(),
            frames: limits.link_frames.max(1),
            bytes: limits.link_bytes,
        }
    }

    /// Makes the queue of a new link.
    pub(crate) fn open(&self, link: u64) -> Queue {
        let (sender, frames) = mpsc::channel(self.frames);
        let waiting = Arc::<AtomicUsize>::default();
        let overflow = Arc::<Notify>::default();
        let queue = Queue {
            frames,
            waiting: waiting.clone(),
            overflow: overflow.clone(),
        };
        let sender = Sender {
            frames: sender,
            waiting,
            overflow,
        };
        self.lock().insert(link, sender);
        queue
    }

    /// Queues a frame, or closes the link whose peer does not keep up.
    pub(crate) fn send(&self, link: u64, bytes: Vec<u8>) -> Result<(), FrameError> {
        if bytes.is_empty() || bytes.len() > frame::LARGEST {
            return Err(FrameError::Size);
        }
        let table = self.lock();
        let sender = table.get(&link).ok_or(FrameError::Gone)?;
        let length = bytes.len();
        let waiting = sender.waiting.fetch_add(length, Ordering::AcqRel);
        if waiting.saturating_add(length) > self.bytes || sender.frames.try_send(bytes).is_err() {
            sender.overflow.notify_one();
            return Err(FrameError::Overflow);
        }
        Ok(())
    }

    pub(crate) fn close(&self, link: u64) {
        self.lock().remove(&link);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Sender>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The next frame; nothing when the link was closed.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        let bytes = self.frames.recv().await?;
        self.waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
        Some(bytes)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Tells when a frame did not fit.
    pub(crate) fn overflow(&self) -> Arc<Notify> {
        self.overflow.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn links(frames: usize, bytes: usize) -> Links {
        Links::new(&Limits {
            link_frames: frames,
            link_bytes: bytes,
            ..Limits::default()
        })
    }

    #[test]
    fn frames_come_in_order_and_make_room() {
        let links = links(2, 10);
        let mut queue = links.open(1);
        for round in 0..5_u8 {
            assert_eq!(links.send(1, vec![round; 5]), Ok(()));
            assert_eq!(links.send(1, vec![round; 5]), Ok(()));
            for _ in 0..2 {
                let next = queue.next().now_or_never().flatten();
                assert_eq!(next, Some(vec![round; 5]));
            }
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn one_too_many_closes_its_own_link_only() {
        for links in [links(1, 100), links(100, 9)] {
            let (slow, _other) = (links.open(1), links.open(2));

            assert_eq!(links.send(1, vec![0; 5]), Ok(()));
            assert_eq!(links.send(1, vec![0; 5]), Err(FrameError::Overflow));
            assert_eq!(links.send(2, vec![0; 5]), Ok(()));
            assert!(slow.overflow().notified().now_or_never().is_some());
        }
    }

    #[test]
    fn frames_of_no_size_or_of_no_link_are_refused() {
        let links = links(1, 1_000_000);
        let _queue = links.open(1);

        assert_eq!(links.send(1, vec![]), Err(FrameError::Size));
        let giant = vec![0; frame::LARGEST + 1];
        assert_eq!(links.send(1, giant), Err(FrameError::Size));
        assert_eq!(links.send(2, vec![1]), Err(FrameError::Gone));
        links.close(1);
        assert_eq!(links.send(1, vec![1]), Err(FrameError::Gone));
    }
}
