//! What is still to be sealed for connections: what is said to many at once, and what is said again
//! because keys were lost. One record would not hold it all.
//!
//! In each connection it is sealed in order, and whatever else is said there comes behind it. Where it
//! cannot be sealed, that connection waits and asks for a new group; the others go on.

use vettid_store::rows::outbox::Entry;
use vettid_store::rows::unsaid::Unsaid;
use vettid_store::{Room, StoreError, View};
use vettid_wire::content::Content;
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::operation::connection::State;
use vettid_wire::operation::message::Failed;
use vettid_wire::refusal::Refusal;
use vettid_wire::time::{MINUTE, UnixMillis};
use vettid_wire::{Secret, cbor, limits};

use super::{channel, hear, settled};
use crate::effect::Changing;
use crate::stop::Stop;

/// What is to be sealed next.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    /// It was said in a group that is replaced.
    Again(Box<Entry>),
    /// It was not said yet.
    First(Unsaid),
}

impl Next {
    /// What is to be sealed next, if anything can be.
    pub(crate) fn of(view: View<'_>, now: UnixMillis) -> Result<Option<Self>, StoreError> {
        Ok(match view.next_again(now)? {
            Some(entry) => Some(Self::Again(Box::new(entry))),
            None => view.next_unsaid(now)?.map(Self::First),
        })
    }

    fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Again(entry) => entry.outgoing.connection,
            Self::First(unsaid) => Some(unsaid.connection),
        }
    }

    /// The message whose receipt follows from it.
    fn message(&self) -> Option<MessageId> {
        match self {
            Self::Again(entry) => entry.outgoing.message,
            Self::First(unsaid) => unsaid.message,
        }
    }

    /// The message that it is, or is to change.
    fn about(&self, on: &Changing<'_>) -> Result<Option<MessageId>, Stop> {
        let changed = match self {
            Self::Again(entry) => entry.outgoing.said.as_ref().and_then(settled::changed),
            Self::First(unsaid) => settled::changed(&Secret::new(on.change.body(unsaid.body)?)),
        };
        Ok(self.message().or(changed))
    }

    /// What it may fill. A change of a group makes more room than it takes, or keeps somebody out: it
    /// does not wait for the owner to make room.
    pub(crate) fn room(&self, view: View<'_>) -> Result<Room, StoreError> {
        let Self::First(unsaid) = self else {
            return Ok(Room::Ordinary);
        };
        Ok(match cbor::decode_exact(&view.body(unsaid.body)?) {
            Ok(Content::Group { .. }) => Room::Reserve,
            _ => Room::Ordinary,
        })
    }

    /// Takes it out, and returns what it says.
    fn take(&self, on: &Changing<'_>) -> Result<Option<Secret>, Stop> {
        Ok(match self {
            Self::Again(entry) => {
                on.change.remove_outgoing(entry)?;
                entry.outgoing.said.clone()
            }
            Self::First(unsaid) => {
                let said = Secret::new(on.change.body(unsaid.body)?);
                on.change.remove_unsaid(unsaid)?;
                Some(said)
            }
        })
    }
}

/// Seals as much as one record holds of what may fill the same.
pub(crate) fn say_some(on: &mut Changing<'_>, room: Room) -> Result<(), Stop> {
    let mut bytes = 0_usize;
    while bytes < SOME {
        let Some(next) = Next::of(**on.change, on.now)? else {
            return Ok(());
        };
        if next.room(**on.change)? != room {
            return Ok(());
        }
        bytes = bytes
            .saturating_add(say(on, &next)?.saturating_mul(2))
            .saturating_add(STATE);
    }
    Ok(())
}

/// Seals one of them. Returns its bytes.
pub(crate) fn say(on: &mut Changing<'_>, next: &Next) -> Result<usize, Stop> {
    let about = next.about(on)?;
    let (said, connection) = (next.take(on)?, next.connection());
    let (Some(said), Some(id)) = (said, connection) else {
        return Ok(0);
    };
    let content: Result<Content, _> = said.expose(|said| cbor::decode_exact(said));
    let Ok(content) = content else {
        return Ok(0);
    };
    if matches!(content, Content::Nothing | Content::Approve) {
        return Ok(0);
    }
    let expires = match next {
        Next::Again(entry) => entry.outgoing.expires,
        Next::First(unsaid) => unsaid.expires,
    };
    let found = on.change.connection(&id)?;
    let found =
        found.filter(|it| matches!(it.state, State::Active | State::Approved | State::Pending));
    if found.is_none() || on.change.channel(&id)?.is_none() {
        fail(on, (next, about), Failed::Refused)?;
        return Ok(0);
    }
    channel::say_now(on, &id, &content, next.message(), expires)?;
    Ok(said.len())
}

/// It cannot be sealed: its connection waits, and asks for a new group, unless only room is missing.
/// What is not even of a connection goes.
pub(crate) fn hold(on: &mut Changing<'_>, next: &Next, why: &Refusal) -> Result<(), Stop> {
    let channel = next.connection().map(|id| on.change.channel(&id));
    let Some(mut channel) = channel.transpose()?.flatten() else {
        let about = next.about(on)?;
        next.take(on)?;
        return fail(on, (next, about), Failed::Refused);
    };
    let id = channel.connection;
    channel.held = Some(on.now.plus(MINUTE));
    on.change.put_channel(&channel)?;
    if why.limit.is_some() {
        return Ok(());
    }
    let change = on.change;
    match change.attempt(|| hear::ask_anew(on, &id)) {
        Err(Stop::Lost) => Err(Stop::Lost),
        Ok(()) | Err(Stop::Refused(_)) => Ok(()),
    }
}

/// It was not sealed in time.
pub(crate) fn give_up(on: &mut Changing<'_>, unsaid: &Unsaid) -> Result<(), Stop> {
    let next = Next::First(*unsaid);
    let about = next.about(on)?;
    on.change.remove_unsaid(unsaid)?;
    fail(on, (&next, about), Failed::Expired)
}

fn fail(
    on: &mut Changing<'_>,
    (next, about): (&Next, Option<MessageId>),
    why: Failed,
) -> Result<(), Stop> {
    let connection = next.connection().map(|id| on.change.connection(&id));
    let connection = connection.transpose()?.flatten();
    match (about, connection) {
        (Some(message), Some(found)) => settled::fail_message(on, &message, &found.vault, why),
        _ => Ok(()),
    }
}

/// Bytes that one record is given: half of what it holds.
const SOME: usize = limits::RECORD / 2;
/// Bytes of a connection's keys that are written with everything said in it.
const STATE: usize = 6 * 1024;
