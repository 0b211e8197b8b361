//! What the spool wants done.

use vettid_wire::id::{DeliveryId, LaneId};

use super::rows::Spooled;

/// What must be done next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Offer this to the enclave.
    Offer(LaneId, Spooled),
    /// Read deliveries of a lane and give them to [`super::lanes::Lanes::loaded`].
    Load(Load),
    /// Remove this from the table.
    Forget(DeliveryId),
}

/// A read of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Load {
    pub(crate) lane: LaneId,
    /// Deliveries behind this number.
    pub(crate) behind: u64,
    /// At most so many.
    pub(crate) count: usize,
    /// Newest of the lane when it was asked.
    pub(super) newest: u64,
    /// Link to the enclave that it is for.
    pub(super) link: u64,
}
