//! Frames that wait to be sent: bounded for each link, so that none delays another.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::End;
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
    table: Arc<Mutex<HashMap<u64, Arc<Queue>>>>,
    frames: usize,
    bytes: usize,
}

/// What one link is to send, and whether it is to end. Made by hand since each idle link has one: of a
/// channel the first message alone takes room for 32.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// A frame waits, or none will any more.
    come: Notify,
    /// The link is to end.
    stop: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// No more is queued.
    closed: bool,
    /// Something did not fit.
    overflown: bool,
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
    pub(crate) fn open(&self, link: u64) -> Arc<Queue> {
        let queue = Arc::<Queue>::default();
        lock(&self.table).insert(link, queue.clone());
        queue
    }

    /// Queues a frame, or closes the link whose peer does not keep up.
    pub(crate) fn send(&self, link: u64, bytes: Vec<u8>) -> Result<(), FrameError> {
        if bytes.is_empty() || bytes.len() > frame::LARGEST {
            return Err(FrameError::Size);
        }
        let table = lock(&self.table);
        let queue = table.get(&link).ok_or(FrameError::Gone)?;
        queue.add(bytes, self.frames, self.bytes)
    }

    pub(crate) fn close(&self, link: u64) {
        if let Some(queue) = lock(&self.table).remove(&link) {
            lock(&queue.waiting).closed = true;
            queue.come.notify_one();
        }
    }
}

impl Queue {
    fn add(&self, bytes: Vec<u8>, most: usize, most_bytes: usize) -> Result<(), FrameError> {
        let mut waiting = lock(&self.waiting);
        let length = waiting.bytes.saturating_add(bytes.len());
        if length > most_bytes || waiting.frames.len() >= most {
            waiting.overflown = true;
            self.stop.notify_one();
            return Err(FrameError::Overflow);
        }
        waiting.bytes = length;
        waiting.frames.push_back(bytes);
        self.come.notify_one();
        Ok(())
    }

    /// The next frame; nothing when the link was closed. For one task; what it gives up waiting for is
    /// not lost.
    pub(crate) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut waiting = lock(&self.waiting);
                if let Some(bytes) = waiting.frames.pop_front() {
                    waiting.bytes = waiting.bytes.saturating_sub(bytes.len());
                    return Some(bytes);
                }
                if waiting.closed {
                    return None;
                }
                // An idle link keeps no room.
                waiting.frames = VecDeque::new();
            }
            self.come.notified().await;
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.waiting).frames.is_empty()
    }

    /// Has the link end.
    pub(crate) fn cancel(&self) {
        self.stop.notify_one();
    }

    /// Tells when the link is to end, and why.
    pub(crate) async fn stopped(&self) -> End {
        self.stop.notified().await;
        match lock(&self.waiting).overflown {
            true => End::Stalled,
            false => End::Canceled,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let queue = links.open(1);
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
            assert_eq!(slow.stopped().now_or_never(), Some(End::Stalled));
        }
    }

    #[tokio::test]
    async fn whoever_waits_is_told_of_frames_and_of_the_end() {
        let links = links(4, 100);
        let queue = links.open(1);
        let waiting = tokio::spawn(async move {
            let mut frames = Vec::new();
            while let Some(frame) = queue.next().await {
                frames.push(frame);
            }
            frames
        });

        for round in 0..3_u8 {
            assert_eq!(links.send(1, vec![round]), Ok(()));
            tokio::task::yield_now().await;
        }
        links.close(1);

        let frames = waiting.await.expect("ended");
        assert_eq!(frames, [[0], [1], [2]]);
        assert_eq!(links.send(1, vec![3]), Err(FrameError::Gone));
    }

    #[test]
    fn link_is_canceled_once() {
        let queue = links(1, 1).open(1);
        assert_eq!(queue.stopped().now_or_never(), None);

        queue.cancel();

        assert_eq!(queue.stopped().now_or_never(), Some(End::Canceled));
        assert_eq!(queue.stopped().now_or_never(), None);
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
