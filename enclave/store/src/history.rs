//! The newest records of a log by their hashes, to be compared with what devices have seen.

use std::collections::VecDeque;

use vettid_wire::request::Head;

use crate::Freshness;

/// Number and hash of the newest record, and the hashes of some before it. 32 bytes a record.
#[derive(Debug)]
pub(crate) struct History {
    most: usize,
    head: Option<Head>,
    hashes: VecDeque<[u8; 32]>,
}

impl History {
    /// Nothing yet. The hashes of at most this many records are kept.
    pub(crate) const fn of_at_most(most: usize) -> Self {
        Self {
            most,
            head: None,
            hashes: VecDeque::new(),
        }
    }

    /// The same, of which the hashes of at most this many records are kept.
    pub(crate) fn shortened(&self, most: usize) -> Self {
        let left_out = self.hashes.len().saturating_sub(most);
        Self {
            most,
            head: self.head,
            hashes: self.hashes.iter().skip(left_out).copied().collect(),
        }
    }

    /// Takes the record behind the newest one.
    pub(crate) fn push(&mut self, head: Head) {
        if self.hashes.len() >= self.most {
            self.hashes.pop_front();
        }
        self.hashes.push_back(head.hash);
        self.head = Some(head);
    }

    /// Newest record; none before the first.
    pub(crate) const fn head(&self) -> Option<Head> {
        self.head
    }

    /// Compares the log with a head that somebody has seen: by its hash as far as hashes are kept,
    /// further back by its number alone.
    pub(crate) fn freshness(&self, seen: &Head) -> Freshness {
        Freshness::judge(seen, self.head, |number| self.hash_at(number))
    }

    fn hash_at(&self, number: u64) -> Option<[u8; 32]> {
        let behind = self.head?.number.checked_sub(number)?;
        let index = self
            .hashes
            .len()
            .checked_sub(1)?
            .checked_sub(usize::try_from(behind).ok()?)?;
        self.hashes.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: u64) -> Head {
        let byte = u8::try_from(number).expect("a byte");
        Head {
            number,
            hash: [byte; 32],
        }
    }

    fn history(most: usize, numbers: std::ops::RangeInclusive<u64>) -> History {
        let mut history = History::of_at_most(most);
        numbers.for_each(|number| history.push(head(number)));
        history
    }

    #[test]
    fn only_the_newest_hashes_are_kept() {
        let history = history(3, 4..=9);

        assert_eq!(history.head(), Some(head(9)));
        assert_eq!(history.hashes.len(), 3);
        let known: Vec<u64> = (0..=20)
            .filter(|number| history.hash_at(*number).is_some())
            .collect();
        assert_eq!(known, [7, 8, 9]);
        assert_eq!(history.hash_at(7), Some([7; 32]));
    }

    #[test]
    fn shortened_history_keeps_the_newest_and_no_more_later() {
        for (most, known) in [(2, 2), (3, 3), (9, 3)] {
            let mut history = history(3, 1..=5).shortened(most);
            assert_eq!(history.head(), Some(head(5)));
            assert_eq!(history.hashes.len(), known);
            assert_eq!(history.hash_at(5), Some([5; 32]));

            (6..=20).for_each(|number| history.push(head(number)));

            assert_eq!(history.hashes.len(), most);
            assert_eq!(history.hash_at(20), Some([20; 32]));
        }
    }

    #[test]
    fn empty_history_is_older_than_anything_seen() {
        assert_eq!(
            History::of_at_most(3).freshness(&head(1)),
            Freshness::RolledBack { seen: 1, found: 0 }
        );
    }
}
