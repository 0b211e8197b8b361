//! How a connection becomes active, and how it ends.

use vettid_store::rows::connection::Connection;
use vettid_wire::content::Content;
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Failed};
use vettid_wire::refusal::Code;

use super::channel;
use crate::circle;
use crate::effect::Changing;
use crate::stop::Stop;

/// Both owners have approved. Earlier connections with the same vault are over: it has another one.
pub(crate) fn begin(on: &mut Changing<'_>, connection: Connection) -> Result<(), Stop> {
    for (id, state) in on.change.connections_with(&connection.vault)? {
        if id != connection.id
            && state == State::Active
            && let Some(earlier) = on.change.connection(&id)?
        {
            end(on, &earlier, State::Revoked, None)?;
        }
    }
    let id = connection.id;
    on.change.put_connection(&Connection {
        state: State::Active,
        progress: None,
        active: on.now,
        ..connection
    })?;
    on.tell_of(Kind::ConnectionActive, &Conversation::Connection(id))
}

/// Ends a connection on this side: its keys are destroyed, what waits in it fails, groups with that
/// vault lose it.
pub(crate) fn end(
    on: &mut Changing<'_>,
    connection: &Connection,
    state: State,
    tell: Option<Kind>,
) -> Result<(), Stop> {
    let id = connection.id;
    for entry in on.change.outgoing_on(&id)? {
        on.change.remove_outgoing(&entry)?;
        if let Some(message) = entry.outgoing.message {
            on.change.fail_message(&message, Failed::Refused)?;
            on.message_changed()?;
        }
    }
    on.change.remove_channel(&id)?;
    on.change.put_connection(&Connection {
        state,
        progress: None,
        ..connection.clone()
    })?;
    circle::lost(on, connection)?;
    match tell {
        Some(kind) => on.tell_of(kind, &Conversation::Connection(id)),
        None => Ok(()),
    }
}

/// Ends a connection on this side and tells the other vault, behind everything that was said. Its
/// keys are destroyed at once: what waits in the outbox is sealed already.
pub(crate) fn end_and_say(
    on: &mut Changing<'_>,
    connection: &Connection,
    state: State,
    content: &Content,
) -> Result<(), Stop> {
    if on.change.channel(&connection.id)?.is_some() {
        channel::say(on, &connection.id, content, None)?;
    }
    let waiting = on.change.outgoing_on(&connection.id)?;
    on.change.remove_channel(&connection.id)?;
    on.change.put_connection(&Connection {
        state,
        progress: None,
        ..connection.clone()
    })?;
    for entry in waiting {
        on.change.forget_said(entry.number)?;
    }
    circle::lost(on, connection)
}

/// A connection in a state where an owner can still decide.
pub(crate) fn undecided(on: &Changing<'_>, id: &ConnectionId) -> Result<Connection, Stop> {
    let connection = on.change.connection(id)?.ok_or(Code::NotFound)?;
    match connection.state {
        State::Agreeing | State::Pending | State::Approved => Ok(connection),
        _ => Err(Code::InvalidValue.into()),
    }
}
