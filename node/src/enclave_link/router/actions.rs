//! What a router wants done.

use std::collections::VecDeque;

use bytes::Bytes;
use vettid_wire::id::{DeviceRoute, SpaceId};
use vettid_wire::link::{LogLine, Pong, federation};

use super::Behind;
use crate::enclave_link::frames::Unsent;
use crate::enclave_link::questions::Question;
use crate::vault_log::Append;

/// Everything the driver must do next.
#[derive(Default)]
pub(in crate::enclave_link) struct Actions {
    /// Bytes for the enclave.
    pub(in crate::enclave_link) to_enclave: Unsent,
    /// Envelopes for apps.
    pub(in crate::enclave_link) to_bus: Vec<(SpaceId, DeviceRoute, Bytes)>,
    /// Records for the log, in order.
    pub(in crate::enclave_link) appends: VecDeque<Append>,
    /// Spaces whose state must be looked up.
    pub(in crate::enclave_link) lookups: Vec<SpaceId>,
    /// What the enclave wants to know or have done.
    pub(in crate::enclave_link) questions: Vec<Question>,
    /// Spaces whose first record is durable.
    pub(in crate::enclave_link) begun: Vec<SpaceId>,
    /// Answers to pings.
    pub(in crate::enclave_link) pongs: Vec<Pong>,
    /// Lines for the log.
    pub(in crate::enclave_link) lines: Vec<LogLine>,
    /// Writes that depend on those records, in the order of the frames.
    pub(in crate::enclave_link) behind: VecDeque<Behind>,
    /// What is said about other nodes.
    pub(in crate::enclave_link) to_peers: VecDeque<federation::FromEnclave>,
    /// Frames that had to be dropped.
    pub(in crate::enclave_link) dropped: u64,
}
