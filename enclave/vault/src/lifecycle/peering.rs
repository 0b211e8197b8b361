//! What an open vault does about other vaults, beside what its devices ask for.

use vettid_crypto::sign::SigningKey;
use vettid_wire::cbor;
use vettid_wire::content::Content;
use vettid_wire::id::{ConnectionId, DeliveryId, GroupId};
use vettid_wire::operation::connection::State as Connected;
use vettid_wire::peer::{Delivered, NotTaken};

use super::{State, Unlocked};
use crate::connect::receive::{self, Verdict};
use crate::connect::{channel, place, post, settled};
use crate::effect::Changing;
use crate::outside::Outside;
use crate::stop::Stop;
use crate::{Inbound, Place};

/// The current identity key of an open vault.
pub(crate) fn identity_key(state: &State) -> Option<SigningKey> {
    match state {
        State::Unlocked(open) => open.view().identity_key().ok().flatten(),
        _ => None,
    }
}

/// Takes in where the node is, and hands everything on that is still to be delivered.
pub(crate) fn place(state: &mut State, at: &Place, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    let settled = open.stir(out, |on| place::settle(on, at));
    unless_refused(settled)?;
    open.news.outbound = post::waiting(open.view()).unwrap_or_default();
    Ok(())
}

/// Takes something from another vault. Says what its sender is told.
pub(crate) fn receive(
    state: &mut State,
    inbound: &Inbound<'_>,
    out: &mut Outside<'_>,
) -> Result<Delivered, Stop> {
    let State::Unlocked(open) = state else {
        return Ok(Delivered::Refused(NotTaken::Busy));
    };
    let Some(parcel) = receive::parcel(inbound) else {
        return Ok(Verdict::Never.told());
    };
    let view = open.database.view();
    let known = |id: &[u8; 16]| {
        let connection = view
            .connection(&ConnectionId(*id))
            .is_ok_and(|it| it.is_some());
        connection || view.group(&GroupId(*id)).is_ok_and(|it| it.is_some())
    };
    if !open.flow.take(&parcel, out.now, known) {
        return Ok(Verdict::Later.told());
    }
    match open.stir(out, |on| receive::receive(on, inbound, &parcel)) {
        Ok(verdict) => Ok(verdict.told()),
        Err(Stop::Refused(refusal)) if refusal.limit.is_some() => Ok(Verdict::Full.told()),
        Err(Stop::Refused(_)) => Ok(Verdict::Never.told()),
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// Takes in what became of something that was sent.
pub(crate) fn settled(
    state: &mut State,
    delivery: &DeliveryId,
    outcome: Delivered,
    out: &mut Outside<'_>,
) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    unless_refused(open.stir(out, |on| settled::settle(on, delivery, outcome)))
}

/// Seals what is still to be said, as much in one record as it holds.
pub(crate) fn speak(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    while open.view().has_unsaid().unwrap_or(false) {
        match speak_some(open, out) {
            Ok(()) => {}
            Err(Stop::Lost) => return Err(Stop::Lost),
            Err(Stop::Refused(_)) => return Ok(()),
        }
    }
    Ok(())
}

fn speak_some(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    open.stir(out, |on| {
        let mut bytes = 0_usize;
        while bytes < SOME
            && let Some((connection, said)) = on.change.take_unsaid()?
        {
            bytes = bytes
                .saturating_add(said.len().saturating_mul(2))
                .saturating_add(STATE);
            let content: Result<Content, _> = said.expose(|said| cbor::decode_exact(said));
            if let Ok(content) = content {
                say(on, &connection, &content)?;
            }
        }
        Ok(())
    })
}

fn say(on: &mut Changing<'_>, connection: &ConnectionId, content: &Content) -> Result<(), Stop> {
    let found = on.change.connection(connection)?;
    match found.is_some_and(|found| found.state == Connected::Active) {
        true => channel::say(on, connection, content, None),
        false => Ok(()),
    }
}

/// A refusal of what nobody asked for is nobody's to hear.
fn unless_refused(result: Result<(), Stop>) -> Result<(), Stop> {
    match result {
        Err(Stop::Lost) => Err(Stop::Lost),
        Ok(()) | Err(Stop::Refused(_)) => Ok(()),
    }
}

/// Bytes that one record is given: half of what it holds.
const SOME: usize = vettid_wire::limits::RECORD / 2;
/// Bytes of a connection's keys that are written with everything said in it.
const STATE: usize = 6 * 1024;
