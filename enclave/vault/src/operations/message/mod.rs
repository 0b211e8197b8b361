//! `message.*`.

mod changes;
mod clear;
mod edit;
mod get;
mod list;
mod mark_read;
mod react;
mod remove;
mod search;
mod send;

pub(crate) use changes::Changes;
pub(crate) use clear::Clear;
pub(crate) use edit::Edit;
pub(crate) use get::Get;
pub(crate) use list::List;
pub(crate) use mark_read::MarkRead;
pub(crate) use react::React;
pub(crate) use remove::Remove;
pub(crate) use search::Search;
pub(crate) use send::Send;

use vettid_wire::content::Content;
use vettid_wire::id::MessageId;
use vettid_wire::limits;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::message::{Conversation, Message};
use vettid_wire::refusal::{Code, Refusal};

use crate::circle;
use crate::connect::channel;
use crate::effect::Changing;
use crate::stop::Stop;

/// Says something in a conversation that this vault has a part in.
fn say(
    on: &mut Changing<'_>,
    conversation: &Conversation,
    content: &Content,
    message: Option<MessageId>,
) -> Result<(), Stop> {
    match conversation {
        Conversation::Connection(id) => {
            let waiting = usize::try_from(on.change.count_outbox_on(id)?).unwrap_or(usize::MAX);
            let max = limits::CONNECTION_OUTBOX;
            if waiting >= max {
                return Err(Refusal::limit("outbox", max, waiting.saturating_add(1)).into());
            }
            let connection = on.change.connection(id)?.ok_or(Code::NotFound)?;
            if connection.state != State::Active {
                return Err(Code::NotConnected.into());
            }
            channel::say(on, id, content, message)?;
            Ok(on.change.touch_connection(id, on.now)?)
        }
        Conversation::Group(id) => {
            circle::outbox::check(**on.change)?;
            circle::say(on, id, content, message)
        }
    }
}

/// A message, or what is left of a removed one.
fn known(on: &Changing<'_>, id: &MessageId) -> Result<Message, Stop> {
    on.message(id)?.ok_or_else(|| Code::MessageGone.into())
}

/// A message that was not removed.
fn present(on: &Changing<'_>, id: &MessageId) -> Result<Message, Stop> {
    still(known(on, id)?)
}

/// The message, if it was not removed.
fn still(message: Message) -> Result<Message, Stop> {
    match message.removed {
        None => Ok(message),
        Some(_) => Err(Code::MessageGone.into()),
    }
}

/// A message of this owner, or what is left of it.
fn own(on: &Changing<'_>, id: &MessageId) -> Result<Message, Stop> {
    let message = known(on, id)?;
    match message.from {
        None => Ok(message),
        Some(_) => Err(Code::NotSender.into()),
    }
}
