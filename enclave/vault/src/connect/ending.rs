//! How a connection becomes active, and how it ends.

use vettid_store::rows::connection::Connection;
use vettid_wire::content::Content;
use vettid_wire::id::{ConnectionId, MessageId};
use vettid_wire::operation::connection::{Ended, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Failed};
use vettid_wire::refusal::Code;
use vettid_wire::{cbor, limits};

use super::channel;
use crate::circle;
use crate::effect::Changing;
use crate::stop::Stop;

/// Both owners have approved. Earlier connections with the same vault are over: it has another one.
pub(crate) fn begin(on: &mut Changing<'_>, mut connection: Connection) -> Result<(), Stop> {
    let (id, mut earlier) = (connection.id, Vec::new());
    let hides = circle::hides_reading_beside(on, &connection.vault, Some(&id))?;
    connection.settings.no_read_receipts |= hides;
    for (other, state) in on.change.connections_with(&connection.vault)? {
        if other != id && state == State::Active {
            earlier.extend(on.change.connection(&other)?);
        }
    }
    on.change.put_connection(&Connection {
        state: State::Active,
        progress: None,
        active: on.now,
        ..connection
    })?;
    // That vault stays a member of the groups of this one, and this one of its.
    for earlier in earlier {
        take_over(on, &earlier.id, &id)?;
        end(on, &earlier, Ended::Replaced, None)?;
    }
    on.tell_of(Kind::ConnectionActive, &Conversation::Connection(id))
}

/// Both owners want the connection, and it has lost its digits since this one did: whoever is in between could
/// have had it made anew to take them away before they were compared. It ends.
pub(crate) fn without_digits(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    end_and_say(on, connection, Ended::DigitsLost, &Content::Decline)?;
    on.tell_of(Kind::DigitsLost, &Conversation::Connection(connection.id))
}

/// What an earlier connection still had to say about groups is said in the one that takes its place.
fn take_over(
    on: &mut Changing<'_>,
    earlier: &ConnectionId,
    later: &ConnectionId,
) -> Result<(), Stop> {
    let expires = on.now.plus(limits::DELIVERY_TIME);
    for entry in on.change.outgoing_on(earlier)? {
        let Some(said) = &entry.outgoing.said else {
            continue;
        };
        let bytes = said.expose(|said| match cbor::decode(said) {
            Ok(Content::Group { .. }) => Some(said.to_vec()),
            _ => None,
        });
        if let Some(bytes) = bytes {
            let body = on.change.insert_body(&bytes)?;
            on.change.insert_unsaid(later, None, expires, body)?;
        }
    }
    for unsaid in on.change.unsaid_on(earlier)? {
        if unsaid.message.is_none() {
            on.change.insert_unsaid(later, None, expires, unsaid.body)?;
        }
    }
    Ok(())
}

/// Ends a connection on this side: its keys are destroyed, what waits in it fails, groups with that
/// vault lose it.
pub(crate) fn end(
    on: &mut Changing<'_>,
    connection: &Connection,
    how: Ended,
    tell: Option<Kind>,
) -> Result<(), Stop> {
    let id = connection.id;
    for entry in on.change.outgoing_on(&id)? {
        on.change.remove_outgoing(&entry)?;
        fail(on, entry.outgoing.message.as_ref())?;
    }
    drop_unsaid(on, &id)?;
    on.remove_channel(&id)?;
    on.change.put_connection(&Connection {
        state: state(how),
        progress: None,
        ended: Some(how),
        ..connection.clone()
    })?;
    circle::lost(on, connection)?;
    match tell {
        Some(kind) => on.tell_of(kind, &Conversation::Connection(id)),
        None => Ok(()),
    }
}

/// What is left of a connection that has ended so.
const fn state(how: Ended) -> State {
    match how {
        Ended::Declined
        | Ended::DeclinedThere
        | Ended::CodesDiffered
        | Ended::CodesDifferedThere
        | Ended::DigitsLost
        | Ended::InvitationRefused
        | Ended::Late => State::Declined,
        Ended::Revoked | Ended::RevokedThere | Ended::Replaced => State::Revoked,
        Ended::Blocked => State::Blocked,
    }
}

/// What was not sealed yet can no longer be.
fn drop_unsaid(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    for unsaid in on.change.unsaid_on(id)? {
        on.change.remove_unsaid(&unsaid)?;
        fail(on, unsaid.message.as_ref())?;
    }
    Ok(())
}

fn fail(on: &mut Changing<'_>, message: Option<&MessageId>) -> Result<(), Stop> {
    if let Some(message) = message {
        on.change.fail_message(message, Failed::Refused)?;
        on.message_changed()?;
    }
    Ok(())
}

/// Ends a connection on this side and tells the other vault, behind everything that was said; if it
/// cannot be told, it finds out by itself. Keys are destroyed at once: what waits in the outbox is
/// sealed already.
pub(crate) fn end_and_say(
    on: &mut Changing<'_>,
    connection: &Connection,
    how: Ended,
    content: &Content,
) -> Result<(), Stop> {
    let (change, expires) = (on.change, on.now.plus(limits::DELIVERY_TIME));
    let told = change.attempt(|| channel::say_now(on, &connection.id, content, None, expires));
    if told == Err(Stop::Lost) {
        return Err(Stop::Lost);
    }
    drop_unsaid(on, &connection.id)?;
    let waiting = on.change.outgoing_on(&connection.id)?;
    on.remove_channel(&connection.id)?;
    on.change.put_connection(&Connection {
        state: state(how),
        progress: None,
        ended: Some(how),
        ..connection.clone()
    })?;
    for entry in waiting {
        if entry.again {
            on.change.remove_outgoing(&entry)?;
            fail(on, entry.outgoing.message.as_ref())?;
        } else {
            on.change.forget_said(entry.number)?;
        }
    }
    circle::lost(on, connection)
}

/// Deliveries that wait in a connection while its other vault is told what was not kept: whoever talks
/// and takes nothing must not fill the outbox with that.
pub(crate) const TOLD: u32 = 256;

/// A connection in a state where an owner can still decide.
pub(crate) fn undecided(on: &Changing<'_>, id: &ConnectionId) -> Result<Connection, Stop> {
    let connection = lasting(on, id)?;
    match connection.state {
        State::Active => Err(Code::ConnectionActive.into()),
        _ => Ok(connection),
    }
}

/// A connection that is not over.
pub(crate) fn lasting(on: &Changing<'_>, id: &ConnectionId) -> Result<Connection, Stop> {
    let connection = on.change.connection(id)?.ok_or(Code::NotFound)?;
    match connection.state {
        State::Declined | State::Revoked | State::Blocked => Err(Code::ConnectionOver.into()),
        _ => Ok(connection),
    }
}

/// A connection that is not over and whose vaults have met.
pub(crate) fn met(on: &Changing<'_>, id: &ConnectionId) -> Result<Connection, Stop> {
    let connection = lasting(on, id)?;
    match connection.state {
        State::Agreeing => Err(Code::NotMet.into()),
        _ => Ok(connection),
    }
}
