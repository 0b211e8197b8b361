//! What a call leads to.

use vettid_wire::link::Closed;

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
    /// The vault ends after this, for this reason; its process must end too.
    pub close: Option<Closed>,
}
