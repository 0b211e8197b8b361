//! The newest durable record of every space that was open in this boot: a host that shows an older
//! log afterwards is caught even when the owner's app cannot tell.

use std::collections::{HashMap, VecDeque};

use vettid_wire::id::SpaceId;
use vettid_wire::request::Head;

/// Newest heads, at most so many; the space that was added first is forgotten first.
#[derive(Debug)]
pub struct Heads {
    limit: usize,
    heads: HashMap<SpaceId, Head>,
    order: VecDeque<SpaceId>,
}

impl Heads {
    /// Remembers at most `limit` spaces.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            heads: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// The newest head of a space, if one is remembered.
    #[must_use]
    pub fn of(&self, space: SpaceId) -> Option<Head> {
        self.heads.get(&space).copied()
    }

    /// A record became durable. An older one than is remembered changes nothing.
    pub fn note(&mut self, space: SpaceId, head: Head) {
        match self.heads.get_mut(&space) {
            Some(known) if known.number >= head.number => {}
            Some(known) => *known = head,
            None => {
                if self.heads.len() >= self.limit
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.heads.remove(&oldest);
                }
                self.heads.insert(space, head);
                self.order.push_back(space);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(number: u8) -> SpaceId {
        SpaceId([number; 16])
    }

    fn head(number: u64) -> Head {
        Head {
            number,
            hash: [7; 32],
        }
    }

    #[test]
    fn a_head_only_grows() {
        let mut heads = Heads::new(10);
        heads.note(space(1), head(5));
        heads.note(space(1), head(4));
        assert_eq!(heads.of(space(1)), Some(head(5)));

        heads.note(space(1), head(6));

        assert_eq!(heads.of(space(1)), Some(head(6)));
        assert_eq!(heads.of(space(2)), None);
    }

    #[test]
    fn so_many_spaces_are_remembered_and_no_more() {
        let mut heads = Heads::new(2);
        for number in 1..=3 {
            heads.note(space(number), head(1));
        }

        assert_eq!(heads.of(space(1)), None);
        assert_eq!(heads.of(space(2)), Some(head(1)));
        assert_eq!(heads.of(space(3)), Some(head(1)));
    }
}
