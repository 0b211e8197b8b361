//! What the link to the enclave tells the exchange.

use tokio::sync::mpsc;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{FromEnclave, ToEnclave};

use crate::spool::Kept;

/// Reports that wait for the exchange.
pub(crate) const LINK_REPORTS: usize = 256;

/// Something the link tells, in the order in which it happened.
#[derive(Debug)]
pub(crate) enum LinkReport {
    /// A link to the enclave of this node begins.
    Up {
        /// Whose enclave it is.
        node: NodeId,
        /// Epoch of the network file that it was greeted with.
        epoch: u64,
        /// What is for it goes here. Hanging up ends it as misbehavior.
        session: mpsc::Sender<ToEnclave>,
    },
    /// The enclave says something about other nodes.
    Frame(FromEnclave),
    /// A delivery was stored, or not.
    Kept(Kept),
    /// The link is gone.
    Down,
}
