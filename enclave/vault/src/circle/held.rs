//! What was told to come again while this vault lacks a change of a group, or catches up: in memory
//! alone.
//!
//! While a vault catches up, what is said is taken in order, since what was held comes in no order
//! that means anything. Some of it never comes: not everything that is said is given to everybody. So
//! what is ahead waits until all that is held was offered once more, and nothing of it could be
//! taken. What is named once and not offered again keeps nothing waiting for long: nobody has
//! checked who named it.

use std::collections::BTreeMap;

use vettid_store::rows::group::Group;
use vettid_store::rows::taken::Came;
use vettid_wire::id::GroupId;
use vettid_wire::limits;
use vettid_wire::time::{HOUR, MINUTE, UnixMillis};

use crate::mls::Window;

/// What was told to come again in the groups of one vault.
#[derive(Debug, Default)]
pub(crate) struct Held {
    groups: BTreeMap<GroupId, Waiting>,
    /// When what does not come any more was forgotten last.
    cleared: UnixMillis,
}

/// What was told to come again in one group.
#[derive(Debug, Default)]
struct Waiting {
    /// When the vault had caught up, if it has since what is missing was.
    caught: Option<UnixMillis>,
    /// Nothing is waited for any more.
    over: bool,
    offers: BTreeMap<Came, Offer>,
}

/// How something was offered.
#[derive(Clone, Copy, Debug)]
struct Offer {
    /// When last.
    at: UnixMillis,
    /// How often it was ahead since something else that was held could be taken; none for what is of
    /// a later epoch than the group has.
    ahead: Option<u32>,
}

impl Offer {
    /// Whether it is still to come again: whoever has it would have offered it.
    fn is_alive(&self, now: UnixMillis) -> bool {
        now.since(self.at) < PATIENCE
    }
}

impl Held {
    /// How far apart messages of a group may be.
    pub(super) fn window(&mut self, group: &Group, now: UnixMillis) -> Window {
        let catches_up = group.caught.is_some_and(|at| now.since(at) < CATCHING);
        match catches_up && !self.waiting(group).over {
            true => Window::Ordered,
            false => Window::Usual,
        }
    }

    /// Something is of a later epoch than the group has.
    pub(super) fn early(&mut self, group: &Group, came: &Came, now: UnixMillis) {
        let offer = Offer {
            at: now,
            ahead: None,
        };
        self.put(group, came, offer);
    }

    /// Something comes before others of its sender. How far apart it may be from them now.
    pub(super) fn ahead(&mut self, group: &Group, came: &Came, now: UnixMillis) -> Window {
        let waiting = self.waiting(group);
        waiting.offers.retain(|_, offer| offer.is_alive(now));
        let known = waiting.offers.get(came).and_then(|offer| offer.ahead);
        let all = waiting.offers.values().filter_map(|offer| offer.ahead);
        let least = known.and_then(|_| all.min()).unwrap_or_default();
        let offer = Offer {
            at: now,
            ahead: Some(known.unwrap_or_default().saturating_add(1)),
        };
        self.put(group, came, offer);
        match least {
            0 => Window::Ordered,
            1 => Window::Near,
            _ => Window::Usual,
        }
    }

    /// Something need not come again. If it was held, others that are may be taken now.
    pub(super) fn settled(&mut self, group: &Group, came: &Came, now: UnixMillis) {
        let waiting = self.waiting(group);
        if waiting.offers.remove(came).is_none() {
            return;
        }
        waiting.begin();
        let mut rest = waiting.offers.values();
        waiting.over = !rest.any(|offer| offer.ahead.is_some() && offer.is_alive(now));
    }

    fn waiting(&mut self, group: &Group) -> &mut Waiting {
        if self.groups.len() >= limits::GROUPS && !self.groups.contains_key(&group.id) {
            // Of a group without anything, only time is lost.
            self.groups.retain(|_, waiting| !waiting.offers.is_empty());
        }
        let waiting = self.groups.entry(group.id).or_default();
        if waiting.caught != group.caught {
            (waiting.caught, waiting.over) = (group.caught, false);
            // It is not of a later epoch any more.
            for offer in waiting.offers.values_mut() {
                offer.ahead = Some(0);
            }
        }
        waiting
    }

    /// Remembers an offer, if there is room: without it, time passes until others are not waited
    /// for.
    fn put(&mut self, group: &Group, came: &Came, offer: Offer) {
        if self.count() >= MOST && offer.at.since(self.cleared) >= MINUTE {
            self.cleared = offer.at;
            for waiting in self.groups.values_mut() {
                waiting.offers.retain(|_, it| it.is_alive(offer.at));
            }
        }
        let is_full = self.count() >= MOST;
        let waiting = self.waiting(group);
        if !is_full || waiting.offers.contains_key(came) {
            waiting.offers.insert(*came, offer);
        }
    }

    fn count(&self) -> usize {
        self.groups.values().map(|it| it.offers.len()).sum()
    }
}

impl Waiting {
    /// All that can be taken is to be offered again.
    fn begin(&mut self) {
        for ahead in self.offers.values_mut().filter_map(|it| it.ahead.as_mut()) {
            *ahead = 0;
        }
    }
}

/// Time that what was held while a change was missing is waited for, ms.
const CATCHING: u64 = HOUR / 2;
/// Time after which what was not offered again does not come, ms: more than the longest pause of a
/// sender's host, and than that of a mailbox.
const PATIENCE: u64 = 10 * MINUTE;
/// Offers that are remembered in all groups: what a mailbox holds.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_wire::id::DeliveryId;

    const NOW: UnixMillis = UnixMillis(1_000_000_000);

    fn group(caught: Option<UnixMillis>) -> Group {
        Group {
            id: GroupId([7; 16]),
            name: "friends".into(),
            creator: None,
            seed: None,
            member: true,
            invited: false,
            signer: None,
            told: true,
            behind: None,
            ahead: None,
            caught,
            asked: None,
            asks: 0,
            due: false,
            since: UnixMillis(0),
            active: UnixMillis(0),
        }
    }

    fn came(number: u32) -> Came {
        let mut delivery = [0; 16];
        delivery[..4].copy_from_slice(&number.to_be_bytes());
        Came {
            delivery: DeliveryId(delivery),
            tag: [0; 8],
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_makes_room_when_it_is_not_offered_again() {
        let (mut held, lacking) = (Held::default(), group(None));
        for number in 0..20_000 {
            held.early(&lacking, &came(number), NOW);
        }
        assert_eq!(held.count(), MOST);

        held.early(&lacking, &came(20_000), NOW.plus(PATIENCE));

        assert_eq!(held.count(), 1);
    }

    #[test]
    fn what_is_ahead_waits_until_all_that_is_held_was_offered_again_in_vain() {
        let (mut held, lacking) = (Held::default(), group(None));
        for number in 0..3 {
            held.early(&lacking, &came(number), NOW);
        }
        let group = group(Some(NOW));
        let mut ahead = |number| held.ahead(&group, &came(number), NOW);

        let windows = [ahead(1), ahead(1), ahead(2), ahead(2), ahead(0), ahead(0)];

        assert_eq!(windows[..5], [Window::Ordered; 5]);
        assert_eq!(windows[5], Window::Near);
        assert_eq!(ahead(1), Window::Usual);
        held.settled(&group, &came(1), NOW);
        assert_eq!(held.ahead(&group, &came(2), NOW), Window::Ordered);
    }

    #[test]
    fn order_ends_with_the_last_that_is_held_and_begins_with_the_next_change_that_was_missing() {
        let (mut held, lacking) = (Held::default(), group(None));
        held.early(&lacking, &came(0), NOW);
        held.early(&lacking, &came(1), NOW);
        let caught = group(Some(NOW));
        assert_eq!(held.window(&caught, NOW), Window::Ordered);

        held.settled(&caught, &came(0), NOW);
        assert_eq!(held.window(&caught, NOW), Window::Ordered);
        held.settled(&caught, &came(1), NOW);

        assert_eq!(held.window(&caught, NOW), Window::Usual);
        let again = group(Some(NOW.plus(1)));
        assert_eq!(held.window(&again, NOW.plus(1)), Window::Ordered);
        let late = NOW.plus(1 + CATCHING);
        assert_eq!(held.window(&again, late), Window::Usual);
    }
}
