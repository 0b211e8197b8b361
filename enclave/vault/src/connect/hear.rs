//! What comes in a connection: in order, each once.
//!
//! What comes too early waits, and its sender keeps it until it was applied: when the keys are
//! replaced before that, it is said again in its turn. What does not open, comes under a sequence
//! that was used before or after something else than this vault has applied, or acknowledges what this
//! vault has not said, means that one of the two vaults was restored: the connection is resumed, and whoever said it is told to try again.

use std::cmp::Ordering;

use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::early::Early;
use vettid_store::{StoreError, View};
use vettid_wire::content::{Content, Parcel, Said, Talk};
use vettid_wire::id::{ConnectionId, DeliveryId, VaultId};
use vettid_wire::operation::connection::State;
use vettid_wire::time::UnixMillis;
use vettid_wire::{cbor, limits};

use super::channel::Link;
use super::receive::{Verdict, came};
use super::{channel, contents, healing, resume};
use crate::effect::Changing;
use crate::mls::{Heard, Mls, NotMls};
use crate::stop::Stop;

/// Something said in a connection has come.
pub(crate) fn talk(
    on: &mut Changing<'_>,
    delivery: &DeliveryId,
    talk: &Talk,
) -> Result<Verdict, Stop> {
    let Some(connection) = on.change.connection(&talk.connection)? else {
        return Ok(Verdict::Never);
    };
    if connection.state == State::Blocked {
        return Ok(Verdict::Ignored);
    }
    let Some(mut channel) = on.change.channel(&talk.connection)? else {
        return Ok(Verdict::Never);
    };
    match talk.generation.cmp(&channel.generation) {
        // It was said again since; or whoever says it was restored, and asks for a new group when it
        // hears this.
        Ordering::Less => return Ok(Verdict::Never),
        Ordering::Equal if talk.sequence > channel.received => {}
        // What its sender has given up came all the same, and what took its place says nothing.
        Ordering::Equal
            if on
                .change
                .is_heard(&connection.id, talk.sequence, &talk.mark)? =>
        {
            return Ok(Verdict::Taken);
        }
        Ordering::Equal | Ordering::Greater => return resume::ask(on, &connection, channel),
    }
    let next = channel.received.saturating_add(1);
    if talk.sequence > next {
        return wait(on, delivery, talk, channel);
    }
    match apply(on, &connection, &mut channel, talk)? {
        Ok(()) => {
            settle_gap(on, &connection.id)?;
            Ok(Verdict::Taken)
        }
        Err(NotMls::NotAllowed) => Ok(Verdict::Never),
        Err(_) => resume::ask(on, &connection, channel),
    }
}

/// Lets something wait for what is missing before it.
fn wait(
    on: &mut Changing<'_>,
    delivery: &DeliveryId,
    talk: &Talk,
    mut channel: Channel,
) -> Result<Verdict, Stop> {
    let early = Early {
        delivery: *delivery,
        body: cbor::encode(talk),
    };
    let (waiting, bytes) = on.change.count_early(&talk.connection)?;
    let fits = |count: u64, more: usize, most: usize| {
        usize::try_from(count).is_ok_and(|count| count.saturating_add(more) <= most)
    };
    if !fits(waiting.into(), 1, limits::EARLY)
        || !fits(bytes, early.body.len(), limits::EARLY_BYTES)
    {
        return Ok(Verdict::Later);
    }
    if channel.gap.is_none() {
        channel.gap = Some(on.now);
        on.change.put_channel(&channel)?;
    }
    on.change
        .insert_early(&talk.connection, talk.sequence, &early, on.now)?;
    Ok(Verdict::Waits)
}

/// Nothing is missing any more where nothing waits.
fn settle_gap(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    // What was applied may have ended the connection.
    let Some(mut channel) = on.change.channel(id)? else {
        return Ok(());
    };
    if channel.gap.is_some() && on.change.count_early(id)?.0 == 0 {
        channel.gap = None;
        on.change.put_channel(&channel)?;
    }
    Ok(())
}

/// Applies what waited for what has come, as much as one record holds: at least one, if there is one.
pub(crate) fn follow(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    let mut bytes = 0_usize;
    while bytes < SOME {
        let Some(mut channel) = on.change.channel(id)? else {
            return Ok(());
        };
        let next = channel.received.saturating_add(1);
        let Some(early) = on.change.early(id, next)? else {
            break;
        };
        if bytes > 0 && early.body.len() > SOME {
            break;
        }
        bytes = bytes.saturating_add(early.body.len());
        on.change.remove_one_early(id, next, &early.delivery)?;
        let talk: Result<Talk, _> = cbor::decode(&early.body);
        let Some(connection) = on.change.connection(id)? else {
            return Ok(());
        };
        let applied = match &talk {
            Ok(talk) => apply(on, &connection, &mut channel, talk)?,
            Err(_) => Err(NotMls::NotOpened),
        };
        let (Ok(talk), Ok(())) = (talk, applied) else {
            resume::ask(on, &connection, channel)?;
            return Ok(());
        };
        // Whoever did not hear that it waits sends it again.
        let (about, came) = ((*id).into(), came(&early.delivery, &Parcel::Talk(talk)));
        if !on.change.is_taken(&about, &came)? {
            on.change.take(&about, &came, on.now)?;
        }
    }
    settle_gap(on, id)
}

/// Opens the next of a connection and applies it.
fn apply(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &mut Channel,
    talk: &Talk,
) -> Result<Result<(), NotMls>, Stop> {
    // Said after something else than this vault has applied last: by one that was restored, or to one.
    if talk.after != channel.heard {
        return Ok(Err(NotMls::NotOpened));
    }
    let (heard, mark) = match hear(on, connection, channel, talk) {
        Ok(heard) => heard,
        Err(error) => return Ok(Err(error)),
    };
    // What is no content takes its place in the order all the same: the other vault has said it.
    let said = heard.said.as_ref();
    let said = said.map(|said| said.expose(|said| cbor::decode::<Said>(said)));
    channel.received = talk.sequence;
    channel.heard = talk.mark;
    on.change
        .insert_heard(&connection.id, talk.sequence, &talk.mark)?;
    let content = match &said {
        Some(Ok(said)) => Some(&said.content),
        _ => None,
    };
    let wears = content.is_some_and(channel::wears);
    channel.worn = channel.worn.saturating_add(u64::from(wears));
    if content != Some(&Content::Nothing) {
        channel.owed = channel.owed.or(Some(on.now));
    }
    on.change.put_channel(channel)?;
    match said {
        None => {
            let change = on.change;
            // Its own keys are renewed another time, if they cannot be now.
            if change.attempt(|| healing::answer(on, connection, channel)) == Err(Stop::Lost) {
                return Err(Stop::Lost);
            }
        }
        Some(Ok(said)) => {
            let whole = contents::acknowledged(on, connection, channel, (said.received, mark))?;
            contents::apply(on, connection, said)?;
            if !whole {
                ask_anew(on, &connection.id)?;
            }
        }
        Some(Err(_)) => {}
    }
    Ok(Ok(()))
}

/// Asks for a new group, if the connection still has one.
pub(crate) fn ask_anew(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    if let (Some(connection), Some(channel)) = (on.change.connection(id)?, on.change.channel(id)?) {
        resume::ask(on, &connection, channel)?;
    }
    Ok(())
}

fn hear(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &Channel,
    talk: &Talk,
) -> Result<(Heard, [u8; 8]), NotMls> {
    let inviter = connection.inviter;
    let mls = Mls::of(on, connection.id);
    let fits = |from: &VaultId, aad: &[u8]| {
        let link = channel::from_beside(aad).map(|(link, _)| link);
        link == Some(Link::of(talk)) && *from == connection.vault
    };
    let heard = mls.hear(&channel.mls, &talk.message, &fits, |_, epoch| {
        healing::is_turn_of(!inviter, epoch)
    })?;
    let (_, mark) = channel::from_beside(&heard.aad).ok_or(NotMls::NotAllowed)?;
    Ok((heard, mark))
}

/// Bytes of what waited that one record is given: what is in a group takes several times as many.
const SOME: usize = 128 * 1024;

/// Since when something is missing before what waits, to be asked for.
const GAP: u64 = 10 * vettid_wire::time::MINUTE;

/// Connections with something refused that are looked at in one round.
const AT_ONCE: u32 = 16;

/// Connections where something has been missing for too long, or was not understood.
pub(crate) fn broken(view: View<'_>, now: UnixMillis) -> Result<Vec<ConnectionId>, StoreError> {
    let before = UnixMillis(now.since(UnixMillis(GAP)));
    let mut broken = view.channels_with_gap(before)?;
    broken.extend(view.connections_refused(AT_ONCE)?);
    Ok(broken)
}
