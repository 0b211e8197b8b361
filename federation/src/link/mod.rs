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

use tokio::sync::{Notify, oneshot, watch};

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
    /// The enclave has accepted the peer.
    pub(crate) admitted: watch::Sender<bool>,
    /// Takes the second stream, once.
    pub(crate) second: Option<oneshot::Sender<Opened>>,
    /// Ends the link.
    pub(crate) cancel: std::sync::Arc<Notify>,
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
