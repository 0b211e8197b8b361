//! What an open vault does when nothing else is going on.

use vettid_store::{Change, Room};
use vettid_wire::limits;
use vettid_wire::operation::item::{Cursor, List, Remove};
use vettid_wire::request::Operation as _;
use vettid_wire::time::{MINUTE, SECOND, UnixMillis};

use super::{State, checkpoint};
use crate::audit;
use crate::connect::rounds;
use crate::outside::Outside;
use crate::stop::Stop;

/// Time after which another vault is told what was applied of what it said, if nothing else was said
/// to it since, ms: its node may have kept it for this vault, and cannot tell.
const ANSWER: u64 = 5 * SECOND;
/// Time after its opening in which a vault empties its mailbox, ms. Whoever has said what is applied then
/// was told that it is stored, and is told more as soon as nothing follows: once for all of it.
const EMPTYING: u64 = 2 * MINUTE;
/// Time between two rounds of forgetting, ms.
const ROUND: u64 = 10 * MINUTE;
/// Kept replies that one round forgets: its record stays small.
const REPLIES: u32 = 1_000;

/// Forgets what need not be kept, writes a snapshot when it is due, gives memory back.
pub(crate) fn run(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    let kept_up = keep_up(state, out);
    if let State::Unlocked(open) = state {
        // Memory that cannot be given back is in use.
        let _ = open.database.shrink();
        open.at_hand.clear();
    }
    kept_up
}

fn keep_up(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    forget(state, out)?;
    round(state, out)?;
    checkpoint::take_if_due(state, out)
}

/// What time asks for between this vault and others.
fn round(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    if out.now.since(open.opened) < EMPTYING {
        rounds::answer_for(open, 0, out)?;
    } else if out.now >= open.next_answer {
        open.next_answer = out.now.plus(ANSWER);
        rounds::answer_for(open, ANSWER, out)?;
    }
    if out.now < open.next_round {
        return Ok(());
    }
    open.next_round = out.now.plus(MINUTE);
    rounds::run(open, out)
}

/// What cannot wait for the next unlock: other owners' messages were applied, and they are told so.
pub(crate) fn before_closing(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    match state {
        // Whatever was applied before now.
        State::Unlocked(open) => rounds::answer_for(open, 0, out),
        _ => Ok(()),
    }
}

/// Kept replies, one-time keys and trash whose time is over.
fn forget(state: &mut State, out: &mut Outside<'_>) -> Result<(), Stop> {
    let State::Unlocked(open) = state else {
        return Ok(());
    };
    if out.now < open.next_upkeep {
        return Ok(());
    }
    open.next_upkeep = out.now.plus(ROUND);
    let forgotten = open.commit(Room::Reserve, out, |change, out| {
        let before = UnixMillis(out.now.since(UnixMillis(limits::IDEMPOTENCY)));
        change.remove_answered(before, REPLIES)?;
        change.remove_expired_transaction_keys(out.now)?;
        empty_trash(change, out.now)
    });
    match forgotten {
        Err(Stop::Refused(_)) | Ok(()) => Ok(()),
        Err(Stop::Lost) => Err(Stop::Lost),
    }
}

/// Destroys items that were in the trash for too long.
fn empty_trash(change: &Change<'_>, now: UnixMillis) -> Result<(), Stop> {
    let mut page = List {
        category: None,
        tag: None,
        favorite: false,
        removed: true,
        after: None,
        limit: None,
    };
    loop {
        let trash = change.items(&page)?;
        for item in &trash.items {
            if item
                .removed
                .is_some_and(|removed| now.since(removed) > limits::TRASH)
            {
                change.erase_item(&item.id)?;
                audit::note(change, now, Remove::NAME, None, Some(&item.id.0), true)?;
            }
        }
        let Some(last) = trash.items.last().filter(|_| trash.more) else {
            return Ok(());
        };
        page.after = Some(Cursor {
            name: last.name.clone(),
            id: last.id,
        });
    }
}
