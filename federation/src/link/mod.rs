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

use std::sync::Arc;

use tokio::sync::oneshot;
use vettid_wire::id::NodeId;

use crate::streams::Opened;

pub use queue::FrameError;
pub(crate) use queue::{Links, Queue};
pub(crate) use task::{Task, Timing};

/// Version of what hosts say to each other before their enclaves speak.
pub(crate) const VERSION: u8 = 1;

/// How the driver steers the task of one link.
#[derive(Debug)]
pub(crate) struct Steering {
    queue: Arc<Queue>,
    second: Option<oneshot::Sender<Opened>>,
}

impl Steering {
    /// Has the link go on in its second stream. To be told once this side's enclave has accepted the peer;
    /// whether the link still waited for it.
    pub(crate) fn go_on(&mut self, second: Opened) -> bool {
        let Some(waits) = self.second.take() else {
            return false;
        };
        // A task that is gone has told so.
        let _ = waits.send(second);
        true
    }

    /// Whether the link is still to have its second stream.
    pub(crate) fn waits(&self) -> bool {
        self.second.is_some()
    }

    /// Ends the link.
    pub(crate) fn cancel(&self) {
        self.queue.cancel();
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
