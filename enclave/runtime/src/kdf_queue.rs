//! Who may hash a PIN or password now: each run takes 64 MiB and a core, so only so many at once.

use std::collections::{BTreeSet, VecDeque};

use crate::slot::Slot;

/// Runs under way and those that wait, first come first served. Pure.
#[derive(Debug)]
pub struct KdfQueue {
    at_once: usize,
    running: BTreeSet<Slot>,
    waiting: VecDeque<Slot>,
}

impl KdfQueue {
    /// Lets `at_once` runs happen together.
    #[must_use]
    pub const fn new(at_once: usize) -> Self {
        Self {
            at_once,
            running: BTreeSet::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The vault process in `slot` asks for a run. False when it has one or waits for one already,
    /// which an honest process never asks for; so the queue is no longer than there are slots.
    pub fn ask(&mut self, slot: Slot) -> bool {
        if self.running.contains(&slot) || self.waiting.contains(&slot) {
            return false;
        }
        self.waiting.push_back(slot);
        true
    }

    /// The vault process in `slot` has finished or ended.
    pub fn release(&mut self, slot: Slot) {
        self.running.remove(&slot);
        self.waiting.retain(|waiting| *waiting != slot);
    }

    /// The next vault process that may run now.
    pub fn grant(&mut self) -> Option<Slot> {
        if self.running.len() >= self.at_once {
            return None;
        }
        let slot = self.waiting.pop_front()?;
        self.running.insert(slot);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_run_at_once_and_the_first_who_asked_is_next() {
        let mut queue = KdfQueue::new(2);
        for number in 0..4 {
            assert!(queue.ask(Slot::new(number)));
        }

        assert_eq!(queue.grant(), Some(Slot::new(0)));
        assert_eq!(queue.grant(), Some(Slot::new(1)));
        assert_eq!(queue.grant(), None);
        queue.release(Slot::new(1));
        assert_eq!(queue.grant(), Some(Slot::new(2)));
    }

    #[test]
    fn a_process_that_dies_gives_back_its_run_and_its_place_in_the_queue() {
        let mut queue = KdfQueue::new(1);
        for number in 0..3 {
            queue.ask(Slot::new(number));
        }
        queue.grant();

        queue.release(Slot::new(1));
        queue.release(Slot::new(0));

        assert_eq!(queue.grant(), Some(Slot::new(2)));
    }

    #[test]
    fn one_process_cannot_ask_twice() {
        let mut queue = KdfQueue::new(1);

        assert!(queue.ask(Slot::new(0)));
        assert!(!queue.ask(Slot::new(0)));
        queue.grant();
        assert!(!queue.ask(Slot::new(0)));
    }
}
