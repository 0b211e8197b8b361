//! Chunks of a snapshot that are on their way while the one before them is opened.

use std::collections::BTreeMap;

use vettid_crypto::seal;
use vettid_wire::limits;

/// Chunks that are asked for and not yet taken, at most: as much as keeps host and vault busy at the
/// same time, and half of the questions that a supervisor allows.
const CHUNKS: u32 = 4;

/// Bytes of a sealed chunk, at most.
const LARGEST: usize = limits::SNAPSHOT_CHUNK + seal::OVERHEAD;

/// One reading of a snapshot, in order.
#[derive(Debug)]
pub(super) struct ReadAhead {
    snapshot: u64,
    /// Next to be taken.
    first: u32,
    /// Next to be asked for.
    next: u32,
    /// Answers that have not come.
    due: u32,
    here: BTreeMap<u32, Option<Vec<u8>>>,
}

impl ReadAhead {
    /// Nothing is read.
    pub(super) const fn new() -> Self {
        Self {
            snapshot: 0,
            first: 0,
            next: 0,
            due: 0,
            here: BTreeMap::new(),
        }
    }

    /// Whether this chunk is the next of what is being read.
    pub(super) const fn continues(&self, snapshot: u64, index: u32) -> bool {
        self.snapshot == snapshot && self.first == index && self.next > index
    }

    /// Whether answers have not come yet.
    pub(super) const fn is_due(&self) -> bool {
        self.due > 0
    }

    /// Begins with this chunk; nothing may be due.
    pub(super) fn begin(&mut self, snapshot: u64, index: u32) {
        *self = Self {
            snapshot,
            first: index,
            next: index,
            ..Self::new()
        };
    }

    /// A chunk to ask for, while chunk `index` of `count` is needed; it counts as asked.
    pub(super) fn next_to_ask(&mut self, index: u32, count: u32) -> Option<u32> {
        let end = count.min(index.saturating_add(CHUNKS));
        // The one that is needed is asked for, whatever there should be.
        let wanted = self.next < end || self.next == index;
        wanted.then(|| {
            let asked = self.next;
            self.next = asked.saturating_add(1);
            self.due = self.due.saturating_add(1);
            asked
        })
    }

    /// Keeps an answer, unless nobody waits for it any more.
    pub(super) fn arrived(&mut self, snapshot: u64, index: u32, bytes: Option<&[u8]>) {
        self.due = self.due.saturating_sub(1);
        if snapshot == self.snapshot && (self.first..self.next).contains(&index) {
            // What is larger than a chunk can be is none: it would only take memory.
            let chunk = bytes.filter(|bytes| bytes.len() <= LARGEST);
            self.here.insert(index, chunk.map(<[u8]>::to_vec));
        }
    }

    /// Takes a chunk that is here; the next one is due to be taken then.
    pub(super) fn take(&mut self, index: u32) -> Option<Option<Vec<u8>>> {
        let chunk = self.here.remove(&index)?;
        self.first = index.saturating_add(1);
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(ahead: &mut ReadAhead, index: u32, count: u32) -> Vec<u32> {
        std::iter::from_fn(|| ahead.next_to_ask(index, count)).collect()
    }

    fn reading() -> ReadAhead {
        let mut ahead = ReadAhead::new();
        ahead.begin(7, 0);
        ahead
    }

    #[test]
    fn a_few_chunks_are_asked_for_ahead_and_none_beyond_the_last() {
        let mut ahead = reading();
        assert_eq!(asked(&mut ahead, 0, 6), [0, 1, 2, 3]);

        for index in 0..4 {
            ahead.arrived(7, index, Some(&[1]));
        }
        assert_eq!(ahead.take(0), Some(Some(vec![1])));

        assert!(ahead.continues(7, 1));
        assert_eq!(asked(&mut ahead, 1, 6), [4]);
        assert_eq!(ahead.take(1), Some(Some(vec![1])));
        assert_eq!(asked(&mut ahead, 2, 6), [5]);
        assert_eq!(asked(&mut ahead, 3, 6), Vec::<u32>::new());
    }

    #[test]
    fn answers_may_come_in_any_order_and_may_be_missing() {
        let mut ahead = reading();
        asked(&mut ahead, 0, 3);
        ahead.arrived(7, 2, Some(&[2]));
        ahead.arrived(7, 1, None);
        assert_eq!(ahead.take(0), None);
        ahead.arrived(7, 0, Some(&[0]));

        assert_eq!(ahead.take(0), Some(Some(vec![0])));
        assert_eq!(ahead.take(1), Some(None));
        assert_eq!(ahead.take(2), Some(Some(vec![2])));
        assert!(!ahead.is_due());
    }

    #[test]
    fn what_is_larger_than_a_chunk_is_none() {
        let mut ahead = reading();
        asked(&mut ahead, 0, 2);
        ahead.arrived(7, 0, Some(&vec![0; LARGEST]));
        ahead.arrived(7, 1, Some(&vec![0; LARGEST + 1]));

        assert_eq!(
            ahead.take(0).flatten().map(|chunk| chunk.len()),
            Some(LARGEST)
        );
        assert_eq!(ahead.take(1), Some(None));
    }

    #[test]
    fn a_chunk_is_asked_for_even_if_there_should_be_none() {
        assert_eq!(asked(&mut reading(), 0, 0), [0]);
    }

    #[test]
    fn what_was_not_asked_for_in_this_reading_is_dropped() {
        let mut ahead = reading();
        asked(&mut ahead, 0, 1);
        ahead.arrived(8, 0, Some(&[1]));
        ahead.arrived(7, 1, Some(&[1]));

        assert!(ahead.here.is_empty());
        assert!(!ahead.continues(7, 1) && !ahead.continues(8, 0));
    }
}
