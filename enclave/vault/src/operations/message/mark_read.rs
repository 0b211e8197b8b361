//! `message.mark-read`: this owner has read a conversation up to a place.

use std::collections::BTreeMap;

use vettid_wire::content::{Content, Named, READ, ReadOf};
use vettid_wire::id::{MessageId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::message;
use vettid_wire::operation::message::Conversation;

use super::say;
use crate::audit::Audit;
use crate::circle;
use crate::effect::{Again, Changing};
use crate::grant::App;
use crate::operation::Operation;
use crate::stop::Stop;

/// Marks messages as read; their senders are told, unless this owner does not want that.
pub(crate) enum MarkRead {}

impl Operation for MarkRead {
    type Request = message::MarkRead;
    type Grant = App;
    type Effect = Again;
    const AUDIT: Audit = Audit::Never;

    fn run(
        on: &mut Changing<'_>,
        _: App,
        request: message::MarkRead,
    ) -> Result<message::Marked, Stop> {
        let conversation = &request.conversation;
        let at_most = match conversation {
            Conversation::Connection(_) => MARKED,
            Conversation::Group(_) => IN_GROUP,
        };
        let through = request.through;
        let (unread, more) = on.change.unread_through(conversation, through, at_most)?;
        let mut read = Vec::with_capacity(unread.len());
        let mut changed = false;
        for message in unread {
            let disappears = message.disappear_after.map(|after| on.now.plus(after));
            on.change.mark_read(&message.id, on.now, disappears)?;
            changed = true;
            let told = match &message.from {
                Some(from) => !circle::hides_reading(on, from)?,
                None => false,
            };
            if told {
                read.extend(on.name_of(&message.id)?);
            }
        }
        if changed {
            on.message_changed()?;
        }
        if !read.is_empty() && tells(on, conversation)? {
            for some in read.chunks(READ) {
                let content = Content::Read(by_sender(conversation, some));
                say(on, conversation, &content, None)?;
            }
        }
        Ok(message::Marked { more })
    }
}

/// Messages of a connection that are marked at once: one record holds them.
const MARKED: usize = 4_000;

/// Messages of a group that are marked at once: each member is told, in parts, and one record holds
/// all of that.
const IN_GROUP: usize = 4 * READ;

fn by_sender(conversation: &Conversation, read: &[Named]) -> Vec<ReadOf> {
    let in_group = matches!(conversation, Conversation::Group(_));
    let mut by_sender: BTreeMap<Option<VaultId>, Vec<MessageId>> = BTreeMap::new();
    for Named { sender, id } in read {
        let sender = in_group.then_some(*sender);
        by_sender.entry(sender).or_default().push(*id);
    }
    let of = |(sender, ids)| ReadOf { sender, ids };
    by_sender.into_iter().map(of).collect()
}

/// Whether senders in a conversation are told.
fn tells(on: &Changing<'_>, conversation: &Conversation) -> Result<bool, Stop> {
    Ok(match conversation {
        Conversation::Connection(id) => on
            .change
            .connection(id)?
            .is_some_and(|found| found.state == State::Active && !found.settings.no_read_receipts),
        Conversation::Group(id) => on.change.group(id)?.is_some_and(|group| group.member),
    })
}
