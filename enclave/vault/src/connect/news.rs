//! What a committed transaction leaves for the outside.

use crate::Outbound;

/// What committed transactions leave for the outside, until the next answer takes it along.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// What goes to other vaults, in order.
    pub(crate) outbound: Vec<Outbound>,
    /// New signed home record.
    pub(crate) home: Option<Vec<u8>>,
    /// Newest change of a message.
    pub(crate) messages: Option<u64>,
    /// Newest entry of the feed.
    pub(crate) feed: Option<u64>,
}

impl News {
    /// Adds what came later.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.outbound.extend(later.outbound);
        self.home = later.home.or_else(|| self.home.take());
        self.messages = self.messages.max(later.messages);
        self.feed = self.feed.max(later.feed);
    }
}
