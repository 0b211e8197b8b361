//! What time asks for, some at a time.
//!
//! Each kind of thing is a transaction of its own, and each thing when one of its kind cannot be done:
//! what somebody else has broken must not keep anything else from being done.

use vettid_store::rows::outbox::Entry;
use vettid_store::{Room, StoreError, View};
use vettid_wire::content::Content;
use vettid_wire::id::{ConnectionId, GroupId, MessageId};
use vettid_wire::limits;
use vettid_wire::operation::connection::{Ended, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::{Conversation, Failed};
use vettid_wire::time::{DAY, UnixMillis};

use super::{channel, contents, ending, healing, hear, place, settled, unsaid};
use crate::circle::{creator, member};
use crate::effect::Changing;
use crate::lifecycle::Unlocked;
use crate::outside::Outside;
use crate::stop::{Stop, is_of};

/// Does what time asks for.
pub(crate) fn run(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    let now = out.now;
    forget(open, out)?;
    let expired = open.view().outbox_expired(now, SOME);
    each(open, out, expired, give_up)?;
    let expired = open.view().unsaid_expired(now, SOME);
    each(open, out, expired, unsaid::give_up)?;
    let homeless = open.view().outbox_homeless(SOME);
    each(open, out, homeless, give_up)?;
    let stored = open.view().outbox_stored(ago(now, DAY), SOME);
    each(open, out, stored, |on, entry| on.hand_on_again(entry))?;
    let over = open.view().messages_to_disappear(now, SOME);
    each(open, out, over, disappear)?;
    let late = late(open.view(), now);
    each(open, out, late, decline)?;
    part(open, out, place::refresh)?;
    part(open, out, place::announce)?;
    let broken = hear::broken(open.view(), now);
    each(open, out, broken, hear::ask_anew)?;
    let worn = healing::worn(open.view(), now);
    each(open, out, worn, healing::heal)?;
    let behind = member::behind(open.view(), now);
    each(open, out, behind, member::catch_up)?;
    let overtaken = creator::overtaken(open.view(), now);
    each(open, out, overtaken, creator::renew)?;
    for id in creator::waiting(open.view(), now).unwrap_or_default() {
        take_in(open, out, &id)?;
    }
    Ok(())
}

/// Tells other vaults what was applied of what they said, where that is longer ago than `after`.
pub(crate) fn answer_for(
    open: &mut Unlocked,
    after: u64,
    out: &mut Outside<'_>,
) -> Result<(), Stop> {
    let (before, mut last) = (ago(out.now, after), Vec::new());
    for _ in 0..ROUNDS {
        let owing = open.view().channels_owing(before, PILED, AT_ONCE);
        let owing = owing.unwrap_or_default();
        // None, or some that cannot be told now.
        if owing == last {
            break;
        }
        last.clone_from(&owing);
        each(open, out, Ok(owing), acknowledge)?;
    }
    Ok(())
}

/// Takes in whoever waits in a group: fewer at a time where one record does not hold more.
fn take_in(open: &mut Unlocked, out: &mut Outside<'_>, id: &GroupId) -> Result<(), Stop> {
    for at_once in [creator::AT_ONCE, creator::AT_ONCE / 4, 1] {
        let taken = open.stir_in(Room::Reserve, out, |on| {
            creator::take_some_in(on, id, at_once)
        });
        match taken {
            Err(Stop::Refused(why)) if is_of(&why, "record") => {}
            Err(Stop::Lost) => return Err(Stop::Lost),
            // What is to be tried again is.
            Ok(()) | Err(Stop::Refused(_)) => return Ok(()),
        }
    }
    part(open, out, |on| creator::pass_by(on, id)).map(drop)
}

/// Does one thing; whether it can be, is nobody's to hear.
fn part<T>(
    open: &mut Unlocked,
    out: &mut Outside<'_>,
    body: impl FnOnce(&mut Changing<'_>) -> Result<T, Stop>,
) -> Result<Option<T>, Stop> {
    match open.stir_in(Room::Reserve, out, body) {
        Ok(done) => Ok(Some(done)),
        Err(Stop::Refused(_)) => Ok(None),
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// Does the same with each of some: together, or one by one if one of them cannot be done.
fn each<T>(
    open: &mut Unlocked,
    out: &mut Outside<'_>,
    some: Result<Vec<T>, StoreError>,
    body: impl Fn(&mut Changing<'_>, &T) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let some = some.unwrap_or_default();
    if some.is_empty() {
        return Ok(());
    }
    let together = part(open, out, |on| some.iter().try_for_each(|it| body(on, it)))?;
    if together.is_none() {
        for it in &some {
            part(open, out, |on| body(on, it))?;
        }
    }
    Ok(())
}

fn ago(now: UnixMillis, span: u64) -> UnixMillis {
    UnixMillis(now.since(UnixMillis(span)))
}

/// What need not be known any more.
fn forget(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    part(open, out, |on| {
        let expired = ago(on.now, limits::DELIVERY_TIME);
        on.change.expire_invitations(on.now, ago(on.now, 7 * DAY))?;
        let removed = ago(on.now, limits::REMOVED);
        on.change.forget_removed(removed, REMOVED)?;
        on.change.forget_early(expired)?;
        for id in on
            .change
            .groups_dead(ago(on.now, DAY), ago(on.now, limits::APPROVAL))?
        {
            if !on.change.has_messages(&Conversation::Group(id))? {
                on.change.remove_group(&id)?;
            }
        }
        Ok(())
    })?;
    // As fast as they come, or faster.
    for _ in 0..ROUNDS {
        let forgotten = part(open, out, |on| {
            let expired = ago(on.now, limits::DELIVERY_TIME);
            Ok(on.change.forget_taken(expired, MANY)?)
        })?;
        if forgotten.is_none_or(|count| count == 0) {
            break;
        }
    }
    Ok(())
}

/// A delivery that could not be made in time, or that the other node kept and nobody has confirmed.
/// What follows in the same connection must not wait for it, so nothing takes its place.
fn give_up(on: &mut Changing<'_>, entry: &Entry) -> Result<(), Stop> {
    let link = match entry.outgoing.sequence {
        Some(_) => contents::link(on, entry)?,
        None => None,
    };
    on.change.remove_outgoing(entry)?;
    settled::fail(on, entry, Failed::Expired)?;
    let (Some(id), Some(link)) = (entry.outgoing.connection, link) else {
        return Ok(());
    };
    let (Some(connection), Some(channel)) = (on.change.connection(&id)?, on.change.channel(&id)?)
    else {
        return Ok(());
    };
    if link.sequence > channel.sent {
        return Ok(());
    }
    // The other vault may have applied what expired here: it has the same place.
    let place = (link, on.now.plus(limits::DELIVERY_TIME));
    let change = on.change;
    // Where nothing can be said, the other vault misses this and asks for a new group.
    match change
        .attempt(|| channel::say_as(on, (&connection, &channel), place, &Content::Nothing, None))
    {
        Err(Stop::Lost) => Err(Stop::Lost),
        Ok(()) | Err(Stop::Refused(_)) => Ok(()),
    }
}

/// Tells another vault what was applied where nothing else was said since: a node that kept it for
/// this vault cannot.
fn acknowledge(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    let change = on.change;
    match change.attempt(|| channel::say(on, id, &Content::Nothing, None)) {
        Err(Stop::Refused(_)) => {
            if let Some(mut channel) = on.change.channel(id)? {
                // Behind the others.
                channel.owed = Some(on.now);
                on.change.put_channel(&channel)?;
            }
            Ok(())
        }
        done => done,
    }
}

/// A message whose time is over.
fn disappear(on: &mut Changing<'_>, id: &MessageId) -> Result<(), Stop> {
    on.change.remove_message(id, on.now)?;
    on.change.index_message(id)?;
    on.message_changed()
}

/// Attempts that were not approved in time.
fn late(view: View<'_>, now: UnixMillis) -> Result<Vec<ConnectionId>, StoreError> {
    let mut late = Vec::new();
    for state in [State::Agreeing, State::Pending, State::Approved] {
        late.extend(view.connections_in(state, ago(now, limits::APPROVAL))?);
    }
    Ok(late)
}

fn decline(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    let told = Kind::ConnectionLate;
    let Some(connection) = on.change.connection(id)? else {
        return Ok(());
    };
    if connection.state == State::Agreeing {
        return ending::end(on, &connection, Ended::Late, Some(told));
    }
    // The other vault may have heard of an approval that this one did not.
    ending::end_and_say(on, &connection, Ended::Late, &Content::Decline)?;
    on.tell_of(told, &Conversation::Connection(*id))
}

/// Deliveries that wait in a connection while nothing is acknowledged in it by itself: whoever talks
/// and takes nothing must not fill the outbox with that.
pub(super) const PILED: u32 = 256;
/// Connections in which that is done in one record.
const AT_ONCE: u32 = 32;
/// Rows that one record forgets: with so many records, more than comes between two rounds.
const MANY: u32 = 10_000;
/// Records in which one thing is done at once.
const ROUNDS: u32 = 16;
/// Removed messages that one round forgets: a record names each.
const REMOVED: u32 = 5_000;
/// Entries and messages that one round ends: its record stays small.
const SOME: u32 = 100;
