//! What comes in a connection: in order, each once.
//!
//! What comes too early waits. What does not open, or comes under a sequence that was used before,
//! means that one of the two vaults was restored: the connection is resumed, and whoever said it is
//! told to try again.

use std::cmp::Ordering;

use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_store::rows::early::Early;
use vettid_wire::content::{Content, Said, Talk};
use vettid_wire::id::DeliveryId;
use vettid_wire::operation::connection::State;
use vettid_wire::time::UnixMillis;
use vettid_wire::{cbor, limits};

use super::receive::Verdict;
use super::{contents, healing, resume};
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
        return Ok(Verdict::Taken);
    }
    let Some(mut channel) = on.change.channel(&talk.connection)? else {
        return Ok(Verdict::Never);
    };
    match talk.generation.cmp(&channel.generation) {
        // It was said again since; or whoever says it was restored, and asks for a new group when it
        // hears this.
        Ordering::Less => return Ok(Verdict::Never),
        Ordering::Equal if talk.sequence > channel.received => {}
        Ordering::Equal | Ordering::Greater => return resume::ask(on, &connection, channel),
    }
    let next = channel.received.saturating_add(1);
    if talk.sequence > next {
        return wait(on, delivery, talk, channel);
    }
    match apply(on, &connection, &mut channel, talk)? {
        Ok(()) => {
            follow(on, &connection)?;
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
    let waiting = on.change.count_early(&talk.connection.0)?;
    if usize::try_from(waiting).unwrap_or(usize::MAX) >= limits::EARLY {
        return Ok(Verdict::Later);
    }
    if channel.gap.is_none() {
        channel.gap = Some(on.now);
        on.change.put_channel(&channel)?;
    }
    let early = Early {
        delivery: *delivery,
        body: cbor::encode(talk),
    };
    on.change
        .insert_early(&talk.connection.0, talk.sequence, &early, on.now)?;
    Ok(Verdict::Taken)
}

/// Applies what waited for what has come now.
fn follow(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    let id = &connection.id;
    loop {
        // What was applied may have ended the connection.
        let Some(mut channel) = on.change.channel(id)? else {
            return Ok(());
        };
        let next = channel.received.saturating_add(1);
        let Some(early) = on.change.early(&id.0, next)? else {
            let gap = match on.change.count_early(&id.0)? {
                0 => None,
                _ => channel.gap,
            };
            if gap != channel.gap {
                channel.gap = gap;
                on.change.put_channel(&channel)?;
            }
            return Ok(());
        };
        on.change.remove_one_early(&id.0, next, &early.delivery)?;
        let talk: Result<Talk, _> = cbor::decode(&early.body);
        let Some(connection) = on.change.connection(id)? else {
            return Ok(());
        };
        let applied = match talk {
            Ok(talk) => apply(on, &connection, &mut channel, &talk)?,
            Err(_) => Err(NotMls::NotOpened),
        };
        if applied.is_err() {
            resume::ask(on, &connection, channel)?;
            return Ok(());
        }
    }
}

/// Opens the next of a connection and applies it.
fn apply(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &mut Channel,
    talk: &Talk,
) -> Result<Result<(), NotMls>, Stop> {
    let heard = match hear(on, connection, channel, talk) {
        Ok(heard) => heard,
        Err(error) => return Ok(Err(error)),
    };
    // What is no content takes its place in the order all the same: the other vault has said it.
    let said = heard.said.as_deref().map(cbor::decode::<Said>);
    channel.received = talk.sequence;
    channel.worn = channel.worn.saturating_add(1);
    if !matches!(
        said,
        Some(Ok(Said {
            content: Content::Nothing,
            ..
        }))
    ) {
        channel.owed = channel.owed.or(Some(on.now));
    }
    on.change.put_channel(channel)?;
    match said {
        None => healing::answer(on, connection, channel)?,
        Some(Ok(said)) => contents::apply(on, connection, said)?,
        Some(Err(_)) => {}
    }
    Ok(Ok(()))
}

fn hear(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &Channel,
    talk: &Talk,
) -> Result<Heard, NotMls> {
    let inviter = connection.inviter;
    let mls = Mls::new(on.change, connection.id.0, on.entropy);
    let heard = mls.hear(&channel.mls, &talk.message, None, |_, epoch| {
        healing::is_turn_of(!inviter, epoch)
    })?;
    if heard.from != connection.vault || heard.aad != talk.sequence.to_be_bytes() {
        return Err(NotMls::NotAllowed);
    }
    Ok(heard)
}

/// Applies everything that waits, with what is missing left out: the group that it belongs to is
/// about to be replaced, and what is missing will be said again in the new one.
pub(crate) fn drain(on: &mut Changing<'_>, connection: &Connection) -> Result<(), Stop> {
    let id = &connection.id;
    while let Some((place, early)) = on.change.first_early(&id.0)? {
        on.change.remove_one_early(&id.0, place, &early.delivery)?;
        let (Ok(talk), Some(mut channel)) =
            (cbor::decode::<Talk>(&early.body), on.change.channel(id)?)
        else {
            continue;
        };
        // A renewal of keys counts no more.
        if let Ok(Heard {
            said: Some(said), ..
        }) = hear(on, connection, &channel, &talk)
            && let Ok(said) = cbor::decode::<Said>(&said)
        {
            channel.received = talk.sequence;
            on.change.put_channel(&channel)?;
            contents::apply(on, connection, said)?;
        }
    }
    Ok(())
}

/// Since when something is missing before what waits, to be asked for.
const GAP: u64 = 10 * vettid_wire::time::MINUTE;

/// Connections with something refused that are looked at in one round.
const AT_ONCE: u32 = 16;

/// Asks anew where something has been missing for too long, or was not understood.
pub(crate) fn close_gaps(on: &mut Changing<'_>) -> Result<(), Stop> {
    let before = UnixMillis(on.now.since(UnixMillis(GAP)));
    let mut broken = on.change.channels_with_gap(before)?;
    broken.extend(on.change.connections_refused(AT_ONCE)?);
    for id in broken {
        let (Some(connection), Some(channel)) =
            (on.change.connection(&id)?, on.change.channel(&id)?)
        else {
            continue;
        };
        resume::ask(on, &connection, channel)?;
    }
    Ok(())
}
