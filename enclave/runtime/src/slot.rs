//! Numbered places for vault processes.

use std::collections::BTreeSet;

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

#[cfg(test)]
mod tests {
    use super::*;

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
