//! What is said in a connection, applied.

use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::outbox::Entry;
use vettid_wire::cbor;
use vettid_wire::content::{Content, GroupChange, Parcel, Said};
use vettid_wire::home::Home;
use vettid_wire::id::GroupId;
use vettid_wire::operation::connection::{Ended, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Receipt};

use super::channel::Link;
use super::said::Voice;
use super::{Known, Progress, channel, ending, healing, known};
use crate::circle;
use crate::effect::Changing;
use crate::stop::Stop;

/// Applies what the other vault of a connection says. Before both owners have approved, only what
/// leads there counts.
pub(crate) fn apply(
    on: &mut Changing<'_>,
    connection: &Connection,
    said: Said,
) -> Result<(), Stop> {
    match (said.content, connection.state) {
        (Content::Nothing, _) => Ok(()),
        (Content::Approve, State::Pending | State::Approved) => approved(on, connection),
        // Also where it crosses this owner's approval: the other owner does not want the connection.
        (Content::Decline, _) => ending::end(
            on,
            connection,
            Ended::DeclinedThere,
            Some(Kind::ConnectionDeclined),
        ),
        (Content::CodesDiffer, _) => ending::end(
            on,
            connection,
            Ended::CodesDifferedThere,
            Some(Kind::CodesDiffered),
        ),
        (Content::Revoke, _) => ending::end(
            on,
            connection,
            Ended::RevokedThere,
            Some(Kind::ConnectionRevoked),
        ),
        (Content::Renew, _) => healing::asked(on, &connection.id),
        (Content::Home(record), _) => moved(on, connection, &record),
        (content, State::Active) => {
            on.change.touch_connection(&connection.id, on.now)?;
            let voice = Voice {
                conversation: Conversation::Connection(connection.id),
                from: connection.vault,
                at: said.at,
            };
            speak(on, connection, &voice, content)
        }
        // This vault was restored to before its owner approved: what is passed over is not delivered.
        (Content::Text(text), _) if on.change.count_outbox_on(&connection.id)? < ending::TOLD => {
            channel::say(on, &connection.id, &Content::NotKept(text.id), None)
        }
        _ => Ok(()),
    }
}

fn speak(
    on: &mut Changing<'_>,
    connection: &Connection,
    voice: &Voice,
    content: Content,
) -> Result<(), Stop> {
    match content {
        Content::Text(text) => voice.text(on, text),
        Content::Edit { id, text } => voice.edit(on, &id, text),
        Content::Remove(id) => voice.remove(on, &id),
        Content::React { to, reaction } => voice.react(on, &to, reaction.as_deref()),
        Content::Read(read) => voice.read(on, &read),
        Content::Group { id, change } => of_group(on, connection, &id, change),
        Content::NotKept(id) => voice.not_kept(on, &id),
        _ => Ok(()),
    }
}

/// What is said about a group. What cannot be done there does not hold up the connection.
fn of_group(
    on: &mut Changing<'_>,
    connection: &Connection,
    id: &GroupId,
    said: GroupChange,
) -> Result<(), Stop> {
    let change = on.change;
    match change.attempt(|| circle::changed(on, connection, id, said)) {
        Err(Stop::Refused(why)) if why.limit.is_none() => Ok(()),
        done => done,
    }
}

/// The other owner wants the connection.
fn approved(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    let mut connection = connection.clone();
    if connection.state == State::Approved {
        return match connection.safety_code {
            Some(_) => ending::begin(on, connection),
            None => ending::without_digits(on, &connection),
        };
    }
    if let Some(Progress::Agreed { welcomed, .. }) = Progress::of(connection.progress.as_ref())? {
        connection.progress = Progress::Agreed {
            welcomed,
            approved: true,
        }
        .keep();
        on.change.put_connection(&connection)?;
    }
    Ok(())
}

/// The other vault is somewhere else now.
fn moved(on: &mut Changing<'_>, connection: &Connection, record: &[u8]) -> Result<(), Stop> {
    let known = Known::decode(&connection.home)?;
    // Signatures cost the most.
    if !Home::claimed(record).is_some_and(|claimed| known.is_older_than(&claimed)) {
        return Ok(());
    }
    if let Some(home) = known::open_home(record, &connection.vault, on.now)
        && shows_no_less(on, connection, &home)?
    {
        on.change.put_connection(&Connection {
            home: cbor::encode(&Known::record(&home, record)),
            ..connection.clone()
        })?;
    }
    Ok(())
}

/// Whether a record shows the newest identity of the other vault that this one knows.
fn shows_no_less(on: &Changing<'_>, connection: &Connection, home: &Home) -> Result<bool, Stop> {
    let Some(mut channel) = on.change.channel(&connection.id)? else {
        return Ok(false);
    };
    let rotations = known::rotations(&home.identity);
    if rotations > channel.rotations {
        channel.rotations = rotations;
        on.change.put_channel(&channel)?;
    }
    Ok(rotations >= channel.rotations)
}

/// The other vault has applied everything up to a sequence, and `mark` says what it took for that.
///
/// False if that is nothing this vault knows to have said: it was restored, and has used sequences
/// again, or is about to. Then nothing is acknowledged, so that it is all said again.
pub(super) fn acknowledged(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &Channel,
    (received, mark): (u64, [u8; 8]),
) -> Result<bool, Stop> {
    if received > channel.sent {
        return Ok(false);
    }
    let waiting = on.change.outgoing_through(&connection.id, received)?;
    let newest = waiting
        .iter()
        .find(|entry| entry.outgoing.sequence == Some(received));
    if let Some(newest) = newest
        && link(on, newest)?.is_none_or(|link| link.mark != mark)
    {
        return Ok(false);
    }
    for entry in waiting {
        on.change.remove_outgoing(&entry)?;
        if let Some(id) = entry.outgoing.message
            && on.change.raise_receipt(&id, Receipt::Delivered)?.is_some()
        {
            on.message_changed()?;
        }
    }
    Ok(true)
}

/// The place of something that was said and not acknowledged.
pub(super) fn link(on: &Changing<'_>, entry: &Entry) -> Result<Option<Link>, Stop> {
    let body = on.change.body(entry.outgoing.body)?;
    Ok(match cbor::decode(&body) {
        Ok(Parcel::Talk(talk)) => Some(Link::of(&talk)),
        _ => None,
    })
}
