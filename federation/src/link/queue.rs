//! Frames that wait to be sent, bounded for each link so that none delays another; and why a link is
//! to end.

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

/// What one link is to send, and why it is to end. Made by hand since each idle link has one: a channel
/// takes room for 32 messages when it is made.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// A frame waits.
    come: Notify,
    /// There is a reason to end.
    ends: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The first reason to end. Nothing is queued or sent any more.
    ending: Option<End>,
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

    /// Queues a frame, or ends the link whose peer does not keep up.
    pub(crate) fn send(&self, link: u64, bytes: Vec<u8>) -> Result<(), FrameError> {
        if bytes.is_empty() || bytes.len() > frame::LARGEST {
            return Err(FrameError::Size);
        }
        let queue = lock(&self.table).get(&link).cloned();
        queue
            .ok_or(FrameError::Gone)?
            .add(bytes, self.frames, self.bytes)
    }

    /// Forgets a link that has ended.
    pub(crate) fn close(&self, link: u64) {
        let queue = lock(&self.table).remove(&link);
        if let Some(queue) = queue {
            queue.end(End::Closed);
        }
    }
}

impl Queue {
    fn add(&self, bytes: Vec<u8>, most: usize, most_bytes: usize) -> Result<(), FrameError> {
        let mut waiting = lock(&self.waiting);
        match waiting.ending {
            // A later frame must not come behind one that is missing.
            Some(End::Stalled) => return Err(FrameError::Overflow),
            Some(_) => return Err(FrameError::Gone),
            None => {}
        }
        let length = waiting.bytes.saturating_add(bytes.len());
        if length > most_bytes || waiting.frames.len() >= most {
            drop(waiting);
            self.end(End::Stalled);
            return Err(FrameError::Overflow);
        }
        waiting.bytes = length;
        waiting.frames.push_back(bytes);
        self.come.notify_one();
        Ok(())
    }

    /// The next frame; never, once the link is to end. For one task at a time. Cancel-safe.
    pub(crate) async fn next(&self) -> Vec<u8> {
        loop {
            // What is always ready would keep everything else of its task waiting.
            tokio::task::consume_budget().await;
            {
                let mut waiting = lock(&self.waiting);
                if let Some(bytes) = waiting.frames.pop_front() {
                    waiting.bytes = waiting.bytes.saturating_sub(bytes.len());
                    return bytes;
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

    /// Has the link end; the first reason stays. What waits is dropped.
    pub(crate) fn end(&self, why: End) {
        let dropped = {
            let mut waiting = lock(&self.waiting);
            waiting.ending.get_or_insert(why);
            waiting.bytes = 0;
            std::mem::take(&mut waiting.frames)
        };
        drop(dropped);
        self.ends.notify_one();
    }

    /// Tells when the link is to end, and why. For one task at a time. Cancel-safe.
    pub(crate) async fn ending(&self) -> End {
        loop {
            if let Some(why) = lock(&self.waiting).ending {
                return why;
            }
            self.ends.notified().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

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
                assert_eq!(queue.next().now_or_never(), Some(vec![round; 5]));
            }
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn one_too_many_ends_its_own_link_only() {
        for links in [links(1, 100), links(100, 9)] {
            let (slow, other) = (links.open(1), links.open(2));

            assert_eq!(links.send(1, vec![0; 5]), Ok(()));
            assert_eq!(links.send(1, vec![0; 5]), Err(FrameError::Overflow));
            assert_eq!(links.send(2, vec![0; 5]), Ok(()));

            assert_eq!(slow.ending().now_or_never(), Some(End::Stalled));
            assert_eq!(other.ending().now_or_never(), None);
        }
    }

    #[test]
    fn nothing_comes_behind_a_frame_that_did_not_fit() {
        let links = links(100, 9);
        let queue = links.open(1);

        assert_eq!(links.send(1, vec![0; 5]), Ok(()));
        assert_eq!(links.send(1, vec![1; 5]), Err(FrameError::Overflow));
        assert_eq!(links.send(1, vec![2]), Err(FrameError::Overflow));

        assert_eq!(queue.next().now_or_never(), None);
    }

    #[test]
    fn first_reason_to_end_stays_and_nothing_is_kept() {
        let links = links(100, 100);
        let queue = links.open(1);
        assert_eq!(links.send(1, vec![1]), Ok(()));
        assert_eq!(queue.ending().now_or_never(), None);

        queue.end(End::Canceled);
        links.close(1);

        for _ in 0..2 {
            assert_eq!(queue.ending().now_or_never(), Some(End::Canceled));
        }
        assert!(queue.is_empty());
        assert_eq!(queue.next().now_or_never(), None);
        assert_eq!(links.send(1, vec![1]), Err(FrameError::Gone));
    }

    #[tokio::test]
    async fn whoever_waits_is_told_of_frames_and_of_the_end() {
        let links = links(4, 100);
        let queue = links.open(1);
        let waiting = tokio::spawn(async move {
            let mut frames = Vec::new();
            loop {
                tokio::select! {
                    biased;
                    frame = queue.next() => frames.push(frame),
                    end = queue.ending() => return (frames, end),
                }
            }
        });

        for round in 0..3_u8 {
            assert_eq!(links.send(1, vec![round]), Ok(()));
            tokio::task::yield_now().await;
        }
        links.close(1);

        let told = waiting.await.expect("ended");
        assert_eq!(told, (vec![vec![0], vec![1], vec![2]], End::Closed));
    }

    #[test]
    fn frames_of_no_size_or_of_no_link_are_refused() {
        let links = links(1, 1_000_000);
        let _queue = links.open(1);

        assert_eq!(links.send(1, vec![]), Err(FrameError::Size));
        let giant = vec![0; frame::LARGEST + 1];
        assert_eq!(links.send(1, giant), Err(FrameError::Size));
        assert_eq!(links.send(2, vec![1]), Err(FrameError::Gone));
    }
}
