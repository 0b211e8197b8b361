//! What time asks for, some at a time.

use vettid_wire::content::Content;
use vettid_wire::limits;
use vettid_wire::operation::connection::State;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Failed;
use vettid_wire::time::{DAY, SECOND, UnixMillis};

use super::{channel, ending, healing, hear, place, settled};
use crate::circle::{creator, member};
use crate::effect::Changing;
use crate::stop::Stop;

/// Does what time asks for.
pub(crate) fn run(on: &mut Changing<'_>) -> Result<(), Stop> {
    let since = |span| UnixMillis(on.now.since(UnixMillis(span)));
    let (week, expired) = (since(7 * DAY), since(limits::DELIVERY_TIME));
    on.change.expire_invitations(on.now, week)?;
    on.change.forget_taken(expired, MANY)?;
    on.change.forget_early(expired)?;
    give_up(on)?;
    disappear(on)?;
    decline_late(on)?;
    place::refresh(on)?;
    place::announce(on)?;
    acknowledge(on)?;
    hear::close_gaps(on)?;
    healing::heal(on)?;
    member::catch_up(on)?;
    creator::take_all_in(on)
}

/// Deliveries that could not be made in time. What follows in the same connection must not wait for
/// them, so nothing takes their place.
fn give_up(on: &mut Changing<'_>) -> Result<(), Stop> {
    for entry in on.change.outbox_expired(on.now, SOME)? {
        on.change.remove_outgoing(&entry)?;
        if entry.stored {
            continue;
        }
        settled::fail(on, &entry, Failed::Expired)?;
        let (Some(id), Some(sequence)) = (entry.outgoing.connection, entry.outgoing.sequence)
        else {
            continue;
        };
        if let (Some(connection), Some(channel)) =
            (on.change.connection(&id)?, on.change.channel(&id)?)
            && sequence <= channel.sent
        {
            let place = (sequence, on.now.plus(limits::DELIVERY_TIME));
            channel::say_as(on, (&connection, &channel), place, &Content::Nothing, None)?;
        }
    }
    Ok(())
}

/// Tells other vaults what was applied where nothing else was said since: a node that kept it for
/// this vault cannot.
fn acknowledge(on: &mut Changing<'_>) -> Result<(), Stop> {
    let before = UnixMillis(on.now.since(UnixMillis(ACKNOWLEDGE)));
    for id in on.change.channels_owing(before, AT_ONCE)? {
        channel::say(on, &id, &Content::Nothing, None)?;
    }
    Ok(())
}

/// Messages whose time is over.
fn disappear(on: &mut Changing<'_>) -> Result<(), Stop> {
    for id in on.change.messages_to_disappear(on.now, SOME)? {
        on.change.remove_message(&id, on.now)?;
        on.change.index_message(&id)?;
        on.message_changed()?;
    }
    Ok(())
}

/// Attempts that were not approved in time.
fn decline_late(on: &mut Changing<'_>) -> Result<(), Stop> {
    let before = UnixMillis(on.now.since(UnixMillis(limits::APPROVAL)));
    for state in [State::Agreeing, State::Pending, State::Approved] {
        for id in on.change.connections_in(state, before)? {
            if let Some(connection) = on.change.connection(&id)? {
                ending::end(
                    on,
                    &connection,
                    State::Declined,
                    Some(Kind::ConnectionDeclined),
                )?;
            }
        }
    }
    Ok(())
}

/// Time after which something is acknowledged by itself, ms.
const ACKNOWLEDGE: u64 = 30 * SECOND;
/// Connections in which that is done in one round.
const AT_ONCE: u32 = 32;
/// Rows that one round forgets.
const MANY: u32 = 1_000;
/// Entries and messages that one round ends: its record stays small.
const SOME: u32 = 100;
