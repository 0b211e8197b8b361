//! Pages of messages: as many as a reply holds, whatever others have put into them.

use vettid_wire::Secret;
use vettid_wire::id::MessageId;
use vettid_wire::limits;
use vettid_wire::operation::message::{Message, Messages};

use crate::{StoreError, View};

impl View<'_> {
    /// Messages that were found, in this order, as many as a reply holds.
    pub fn messages_found(&self, found: &[MessageId]) -> Result<Messages, StoreError> {
        let rows = found.iter().filter_map(|id| self.message(id).transpose());
        let mut page = Page::default();
        for message in rows {
            if !page.takes(message?, found.len()) {
                break;
            }
        }
        Ok(page.messages())
    }

    /// As many messages as are shown and a reply holds.
    pub(super) fn page(
        &self,
        rows: impl Iterator<Item = rusqlite::Result<Message>>,
        shown: usize,
    ) -> Result<Messages, StoreError> {
        let mut page = Page::default();
        for message in rows {
            if !page.takes(self.with_reactions(message?)?, shown) {
                break;
            }
        }
        Ok(page.messages())
    }

    /// A message with what is kept beside it.
    pub(super) fn with_reactions(&self, mut found: Message) -> Result<Message, StoreError> {
        found.reactions = self.reactions(&found.id)?;
        found.reacted = self.count_reactions(&found.id)?;
        Ok(found)
    }
}

/// A page under way.
#[derive(Default)]
struct Page {
    found: Vec<Message>,
    bytes: usize,
    more: bool,
}

impl Page {
    /// Adds a message, if the page may show so many and has room for it.
    fn takes(&mut self, message: Message, shown: usize) -> bool {
        self.bytes = self.bytes.saturating_add(size(&message));
        let full = self.bytes > BYTES && !self.found.is_empty();
        if full || self.found.len() >= shown {
            self.more = true;
            return false;
        }
        self.found.push(message);
        true
    }

    fn messages(self) -> Messages {
        Messages {
            messages: self.found,
            more: self.more,
            cleared: Vec::new(),
        }
    }
}

/// Bytes of what others put into a message, at most.
fn size(message: &Message) -> usize {
    let text = message.text.as_ref().map_or(0, Secret::len);
    let files = message.attachments.len().saturating_mul(ATTACHMENT);
    let reactions = message.reactions.len().saturating_mul(REACTION);
    text.saturating_add(files).saturating_add(reactions)
}

/// Bytes of text, files and reactions in one page: half of a reply.
const BYTES: usize = limits::REPLY / 2;
/// Bytes of one attachment in a reply, at most.
const ATTACHMENT: usize = 4 * 1024;
/// Bytes of one reaction in a reply, at most.
const REACTION: usize = 48 + limits::REACTION;
