//! Links: one session between two enclaves, carried between their hosts.
//!
//! ```text
//!  initiator                                responder
//!   /vettid/attest/1        version ‖ NodeId ──▶
//!                           ◀── version ‖ NodeId          each host tells its enclave: LinkOpen
//!                           frames ⇄ frames               until both enclaves have accepted
//!   /vettid/messagespace/1  opened by the initiator when its enclave has accepted
//!                           each side ends its half of the first stream and goes on in the second;
//!                           reads the first to its end, and the second once it has accepted too
//! ```
//!
//! The host above sees one number and frames in order.

mod queue;
mod task;

use std::mem;
use std::sync::Arc;

use tokio::sync::oneshot;
use vettid_wire::id::NodeId;

use crate::streams::Opened;

pub use queue::FrameError;
pub(crate) use queue::{Links, Queue};
pub(crate) use task::{Task, Timing};

/// Version of what hosts say to each other before their enclaves speak.
pub(crate) const VERSION: u8 = 1;

/// How the driver steers the task of one link. The second stream goes to the task once this side's
/// enclave has accepted the peer, and not before.
#[derive(Debug)]
pub(crate) struct Steering {
    queue: Arc<Queue>,
    admitted: bool,
    second: Second,
}

/// What there is of a link's second stream.
#[derive(Debug)]
enum Second {
    /// Nothing.
    Awaited(oneshot::Sender<Opened>),
    /// The stream, too early.
    Early(oneshot::Sender<Opened>, Box<Opened>),
    /// The task has it, or never will.
    Over,
}

impl Steering {
    fn new(queue: Arc<Queue>, second: oneshot::Sender<Opened>) -> Self {
        Self {
            queue,
            admitted: false,
            second: Second::Awaited(second),
        }
    }

    /// This side's enclave has accepted the peer.
    pub(crate) fn admit(&mut self) {
        self.admitted = true;
        self.second = match mem::replace(&mut self.second, Second::Over) {
            Second::Early(task, stream) => {
                // A task that is gone has told so.
                let _ = task.send(*stream);
                Second::Over
            }
            second => second,
        };
    }

    /// Whether this side's enclave has accepted the peer.
    pub(crate) const fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// The second stream is open; whether the link was still to have one.
    pub(crate) fn second(&mut self, stream: Opened) -> bool {
        let Second::Awaited(task) = mem::replace(&mut self.second, Second::Over) else {
            return false;
        };
        if self.admitted {
            // A task that is gone has told so.
            let _ = task.send(stream);
        } else {
            self.second = Second::Early(task, Box::new(stream));
        }
        true
    }

    /// Whether the link is still to have its second stream.
    pub(crate) const fn awaits_second(&self) -> bool {
        matches!(self.second, Second::Awaited(_))
    }

    /// Ends the link.
    pub(crate) fn cancel(&mut self) {
        self.second = Second::Over;
        self.queue.end(End::Canceled);
    }
}

/// What a link tells the driver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LinkNews {
    /// It is gone.
    Ended {
        /// Which.
        link: u64,
        /// Whose fault that is.
        end: End,
    },
    /// The peer's enclave has accepted this one: it has ended the first stream.
    Mutual {
        /// Which.
        link: u64,
    },
    /// The peer's host has named its node.
    Named {
        /// On which link.
        link: u64,
        /// Which node.
        node: NodeId,
    },
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// This side ended it.
    Canceled,
    /// The peer closed it, or the connection broke.
    Closed,
    /// The peer broke the protocol.
    Misbehaved,
    /// The peer did not take what was sent to it, or took too long.
    Stalled,
}
