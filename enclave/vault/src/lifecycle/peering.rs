//! What an open vault does about other vaults, beside what its devices ask for.

use vettid_crypto::sign::SigningKey;
use vettid_store::Room;
use vettid_wire::content::Parcel;
use vettid_wire::id::DeliveryId;
use vettid_wire::operation::message::Conversation;
use vettid_wire::peer::{Delivered, NotTaken};
use vettid_wire::refusal::Code;

use super::{State, Unlocked};
use crate::circle;
use crate::connect::flow::Known;
use crate::connect::receive::{self, Verdict};
use crate::connect::unsaid::{self, Next};
use crate::connect::{hear, place, post, settled};
use crate::mls::is_current;
use crate::outside::Outside;
use crate::stop::{Stop, is_of};
use crate::{Inbound, Place};

/// The current identity key of an open vault.
pub(crate) fn identity_key(state: &State) -> Option<SigningKey> {
    match state {
        State::Unlocked(open) => open.view().identity_key().ok().flatten(),
        _ => None,
    }
}

/// Takes in where the node is. The first time after an unlock everything is handed on that is still to
/// be delivered: nothing of a vault is carried before it has a home, so what the unlock handed on may be
/// lost. Later changes of the place lose nothing.
pub(crate) fn place(state: &mut State, at: &Place, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    let settled = open.stir(out, |on| place::settle(on, at));
    unless_refused(settled)?;
    if !open.placed && open.news.home.is_some() {
        open.placed = true;
        hand_on(state);
    }
    Ok(())
}

/// Hands everything on that is still to be delivered.
pub(crate) fn hand_on(state: &mut State) {
    if let State::Unlocked(open) = state {
        open.news.outbound = post::waiting(open.view()).unwrap_or_default();
    }
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
    let known = |about: &Conversation| match about {
        Conversation::Connection(id) => {
            let found = view.connection(id).ok().flatten();
            found.map(|found| Known::Vault(found.vault))
        }
        Conversation::Group(id) => {
            let found = view.group(id).ok().flatten();
            // What members cannot have said must not keep what they say away.
            found
                .filter(|found| match &parcel {
                    Parcel::Circle(circle) if found.member => is_current(view, id, &circle.message),
                    _ => found.signer.is_some(),
                })
                .map(|_| Known::Group(*id))
        }
    };
    if !open.flow.take(&parcel, out.now, known) {
        return Ok(Verdict::Later.told());
    }
    let mut held = std::mem::take(&mut open.held);
    let received = open.stir(out, |on| receive::receive(on, &mut held, inbound, &parcel));
    open.held = held;
    match received {
        Ok(verdict) => Ok(verdict.told()),
        Err(Stop::Refused(refusal)) if refusal.limit.is_some() => Ok(Verdict::Full.told()),
        // A fault of this vault is not the sender's: what it says is not lost for that.
        Err(Stop::Refused(refusal)) if refusal.code == Code::Internal => Ok(Verdict::Later.told()),
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
    let settled = open.stir_in(Room::Reserve, out, |on| {
        settled::settle(on, delivery, outcome)
    });
    unless_refused(settled)
}

/// Does what a transaction has left to be done in others: deletes what was emptied, applies what waited
/// for what has come, puts members out, and seals what is still to be said, as much in one record as it
/// holds.
pub(crate) fn follow_up(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    clear(open, out)?;
    follow(open, out)?;
    tend(open, out)?;
    speak(open, out)
}

/// Deletes rows of emptied conversations, no more in one record than it holds. What is left goes at the
/// next turn: nothing of it is shown.
fn clear(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    for _ in 0..CLEARED_AT_ONCE {
        let Ok(Some(of)) = open.view().clearing() else {
            return Ok(());
        };
        match open.stir_in(Room::Reserve, out, |on| {
            Ok(on.change.clear_some(&of, CLEARED)?)
        }) {
            Ok(()) => {}
            Err(Stop::Lost) => return Err(Stop::Lost),
            Err(Stop::Refused(_)) => return Ok(()),
        }
    }
    Ok(())
}

/// Applies what waited in connections for what has come now. Where that cannot be, it waits on.
fn follow(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    loop {
        let mut moved = false;
        for id in open.view().channels_to_follow().unwrap_or_default() {
            match open.stir(out, |on| hear::follow(on, &id)) {
                Ok(()) => moved = true,
                Err(Stop::Lost) => return Err(Stop::Lost),
                Err(Stop::Refused(_)) => {}
            }
        }
        if !moved {
            return Ok(());
        }
    }
}

/// Puts members out of this vault's groups, and leaves those whose creator is lost.
fn tend(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    for id in open.view().groups_due().unwrap_or_default() {
        match open.stir_in(Room::Reserve, out, |on| circle::tend(on, &id)) {
            Ok(()) => continue,
            Err(Stop::Lost) => return Err(Stop::Lost),
            // There is no room: it is tried again.
            Err(Stop::Refused(why)) if is_of(&why, "database") => continue,
            Err(Stop::Refused(_)) => {}
        }
        match open.stir_in(Room::Reserve, out, |on| circle::break_up(on, &id)) {
            Err(Stop::Lost) => return Err(Stop::Lost),
            Ok(()) | Err(Stop::Refused(_)) => {}
        }
    }
    Ok(())
}

fn speak(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    while let Ok(Some(next)) = Next::of(open.view(), out.now) {
        let room = next.room(open.view()).unwrap_or(Room::Ordinary);
        match open.stir_in(room, out, |on| unsaid::say_some(on, room)) {
            Ok(()) => {}
            Err(Stop::Lost) => return Err(Stop::Lost),
            Err(Stop::Refused(_)) => return speak_singly(open, out),
        }
    }
    Ok(())
}

/// Each in a record of its own: what cannot be sealed holds nothing up but its own connection.
fn speak_singly(open: &mut Unlocked, out: &mut Outside<'_>) -> Result<(), Stop> {
    while let Ok(Some(next)) = Next::of(open.view(), out.now) {
        let room = next.room(open.view()).unwrap_or(Room::Ordinary);
        let said = open.stir_in(room, out, |on| unsaid::say(on, &next).map(drop));
        let outcome = match said {
            Err(Stop::Refused(why)) => {
                open.stir_in(Room::Reserve, out, |on| unsaid::hold(on, &next, &why))
            }
            said => said,
        };
        match outcome {
            Ok(()) => {}
            Err(Stop::Lost) => return Err(Stop::Lost),
            Err(Stop::Refused(_)) => return Ok(()),
        }
    }
    Ok(())
}

/// A refusal of what nobody asked for is nobody's to hear.
fn unless_refused(result: Result<(), Stop>) -> Result<(), Stop> {
    match result {
        Err(Stop::Lost) => Err(Stop::Lost),
        Ok(()) | Err(Stop::Refused(_)) => Ok(()),
    }
}

/// Rows of emptied conversations that one record deletes, and records of one turn.
const CLEARED: u32 = 5_000;
const CLEARED_AT_ONCE: u32 = 4;
