//! Numbered places for vault processes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Place of one vault process; decides its user id. Reused only after the process has ended.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Slot(u16);

impl Slot {
    /// The slot with this number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The slots that are free, lowest first.
#[derive(Debug)]
pub struct FreeSlots {
    freed: BTreeSet<Slot>,
    next: u16,
    limit: u16,
}

impl FreeSlots {
    /// Slots `0` to `limit - 1`, all free.
    #[must_use]
    pub const fn new(limit: u16) -> Self {
        Self {
            freed: BTreeSet::new(),
            next: 0,
            limit,
        }
    }

    /// Takes the lowest free slot; none when all are in use.
    pub fn take(&mut self) -> Option<Slot> {
        if let Some(slot) = self.freed.pop_first() {
            return Some(slot);
        }
        if self.next >= self.limit {
            return None;
        }
        let slot = Slot(self.next);
        self.next += 1;
        Some(slot)
    }

    /// Gives a slot back after its process has ended.
    pub fn release(&mut self, slot: Slot) {
        if slot.0 < self.next {
            self.freed.insert(slot);
        }
    }
}

/// The next `count` slots after `last`, the first ones behind the last ones. New slots come in last, so
/// whoever began anew only when none is left would never come to the first while others come.
pub(crate) fn next_of<T>(all: &BTreeMap<Slot, T>, last: Option<Slot>, count: usize) -> Vec<Slot> {
    let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
    let before = last.map(|last| all.range(..=last));
    all.range((behind, Bound::Unbounded))
        .chain(before.into_iter().flatten())
        .map(|(slot, _)| *slot)
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_its_turn_while_new_ones_come() {
        let mut all: BTreeMap<Slot, u32> = (0..100).map(|number| (Slot(number), 0)).collect();
        let mut last = None;
        for tick in 0..40 {
            for slot in next_of(&all, last, 16) {
                last = Some(slot);
                *all.get_mut(&slot).expect("there") += 1;
            }
            all.insert(Slot(100 + 2 * tick), 0);
            all.insert(Slot(101 + 2 * tick), 0);
        }

        let turns = (0..100).map(|number| all[&Slot(number)]);
        assert!(turns.min() >= Some(3));
    }

    #[test]
    fn each_of_a_few_has_one_turn_at_a_time() {
        let all: BTreeMap<Slot, ()> = [1, 4, 6].map(|number| (Slot(number), ())).into();
        let numbers = |last: Option<u16>| {
            let next = next_of(&all, last.map(Slot), 16);
            next.iter().map(|slot| slot.0).collect::<Vec<_>>()
        };

        assert_eq!(numbers(None), [1, 4, 6]);
        assert_eq!(numbers(Some(4)), [6, 1, 4]);
        assert_eq!(numbers(Some(5)), [6, 1, 4]);
        assert_eq!(numbers(Some(9)), [1, 4, 6]);
        assert_eq!(next_of(&BTreeMap::<Slot, ()>::new(), Some(Slot(1)), 16), []);
    }

    #[test]
    fn slots_are_bounded_and_the_lowest_free_one_is_reused() {
        let mut free = FreeSlots::new(3);
        let taken: Vec<_> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(taken, [Slot(0), Slot(1), Slot(2)]);

        free.release(Slot(2));
        free.release(Slot(1));
        free.release(Slot(7));

        assert_eq!(free.take(), Some(Slot(1)));
        assert_eq!(free.take(), Some(Slot(2)));
        assert_eq!(free.take(), None);
    }
}
