//! What a call leads to.

use vettid_wire::link::Closed;

use crate::Outbound;

/// What a call, or the passing of time, led to.
#[derive(Debug, Default)]
pub struct Answer {
    /// Encoded [`vettid_wire::request::FromVault`] for the caller's session. Empty when there is
    /// nothing to say: after a tick, or when a record was lost and the session ends.
    pub reply: Vec<u8>,
    /// Newest record that all this depends on: nothing may leave before it is durable.
    pub after: u64,
    /// Newest entry of the feed, when there is a new one: every session is told.
    pub feed: Option<u64>,
    /// Number of the newest change of a message, when there is a new one: every session is told.
    pub messages: Option<u64>,
    /// What goes to other vaults, in order, once all this is durable.
    pub outbound: Vec<Outbound>,
    /// New signed home record of this vault, for its node to check and publish.
    pub home: Option<Vec<u8>>,
    /// The vault ends after this, for this reason; its process must end too.
    pub close: Option<Closed>,
}
