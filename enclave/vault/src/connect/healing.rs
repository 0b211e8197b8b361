//! Renewal of a connection's keys, so that whoever has stolen them reads only for a while.
//!
//! Either side renews its own by a commit, in turns: whoever was invited in even epochs, the other
//! one in odd ones, so that two commits never meet. Whoever hears one and has old keys answers with
//! its own at once. Whoever wants to and has not the turn asks the other for its commit.

use vettid_store::rows::channel::Channel;
use vettid_store::rows::connection::Connection;
use vettid_store::{StoreError, View};
use vettid_wire::content::Content;
use vettid_wire::id::ConnectionId;
use vettid_wire::limits;
use vettid_wire::operation::connection::State;
use vettid_wire::time::{HOUR, MINUTE, UnixMillis};

use super::channel;
use super::rounds::PILED;
use crate::effect::Changing;
use crate::mls::Mls;
use crate::stop::Stop;

/// Whether a side may commit in an epoch.
pub(crate) const fn is_turn_of(inviter: bool, epoch: u64) -> bool {
    (epoch % 2 == 1) == inviter
}

/// Renews this vault's keys now, or asks the other vault for its turn.
pub(crate) fn begin(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    let (connection, mut channel) = channel::open(on, id)?;
    if has_turn(on, &connection, &channel)? {
        return channel::renew(on, &connection, &mut channel);
    }
    channel.renewing = Some(on.now);
    on.change.put_channel(&channel)?;
    channel::say(on, id, &Content::Renew, None)
}

/// The other vault has renewed its keys.
pub(crate) fn answer(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &mut Channel,
) -> Result<(), Stop> {
    let old = on.now.since(channel.healed) >= HOUR || channel.renewing.is_some();
    match old && has_room(on, &connection.id)? {
        true => channel::renew(on, connection, channel),
        false => Ok(()),
    }
}

/// The other vault asks for this one's commit.
pub(crate) fn asked(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    let (connection, mut channel) = channel::open(on, id)?;
    let rested = on.now.since(channel.healed) >= MINUTE;
    match rested && has_room(on, id)? && has_turn(on, &connection, &channel)? {
        true => channel::renew(on, &connection, &mut channel),
        false => Ok(()),
    }
}

/// Connections whose keys are old or worn, some at a time.
pub(crate) fn worn(view: View<'_>, now: UnixMillis) -> Result<Vec<ConnectionId>, StoreError> {
    let before = UnixMillis(now.since(UnixMillis(limits::HEAL_TIME)));
    view.channels_worn(before, limits::HEAL_MESSAGES, AT_ONCE)
}

/// Renews the keys of one of them. Where that cannot be, it is tried again in a day.
pub(crate) fn heal(on: &mut Changing<'_>, id: &ConnectionId) -> Result<(), Stop> {
    let active = on.change.connection(id)?;
    if active.is_some_and(|found| found.state == State::Active) {
        let change = on.change;
        if let Ok(()) = change.attempt(|| begin(on, id)) {
            return Ok(());
        }
    }
    if let Some(mut channel) = on.change.channel(id)? {
        channel.renewing = Some(on.now);
        on.change.put_channel(&channel)?;
    }
    Ok(())
}

/// Whether the other vault takes what is said: one that asks for commits and takes none must not fill the
/// outbox with them.
fn has_room(on: &Changing<'_>, id: &ConnectionId) -> Result<bool, Stop> {
    Ok(on.change.count_outbox_on(id)? < PILED)
}

fn has_turn(
    on: &mut Changing<'_>,
    connection: &Connection,
    channel: &Channel,
) -> Result<bool, Stop> {
    let epoch = Mls::of(on, connection.id).epoch(&channel.mls)?;
    Ok(is_turn_of(connection.inviter, epoch))
}

/// Connections whose keys are renewed in one round.
const AT_ONCE: u32 = 16;
