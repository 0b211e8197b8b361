//! Whose turn it is: lanes of one space after the other's, so that no owner's many lanes or slow
//! peers keep another's waiting.

use std::collections::{BTreeSet, HashMap, VecDeque};

use vettid_wire::id::{LaneId, SpaceId};

/// Deliveries of one space under way at once.
pub(super) const UNDER_WAY: usize = 1_024;

/// Lanes of one space followed at once.
pub(crate) const LANES_OF_SPACE: usize = 4_096;

/// The lanes of each space that have something to offer.
#[derive(Debug, Default)]
pub(super) struct Turns {
    shares: HashMap<SpaceId, Share>,
    /// Spaces with lanes that wait, each once.
    order: VecDeque<SpaceId>,
    /// Spaces that have had as many lanes as they may: others of theirs may be in the table. A few
    /// bytes for each space that the node has.
    left_out: BTreeSet<SpaceId>,
    /// The same of all spaces.
    any_left_out: bool,
}

/// What one space has of the spool.
#[derive(Debug, Default)]
struct Share {
    lanes: usize,
    under_way: usize,
    waiting: VecDeque<LaneId>,
    /// In `order`.
    listed: bool,
}

impl Turns {
    /// Follows one more lane of a space, if it may have one more.
    pub(super) fn enter(&mut self, space: SpaceId) -> bool {
        if self.is_full(space) {
            return false;
        }
        let share = self.shares.entry(space).or_default();
        share.lanes = share.lanes.saturating_add(1);
        if share.lanes >= LANES_OF_SPACE {
            self.left_out.insert(space);
        }
        true
    }

    /// Whether a space has as many lanes as it may.
    pub(super) fn is_full(&self, space: SpaceId) -> bool {
        let share = self.shares.get(&space);
        share.is_some_and(|share| share.lanes >= LANES_OF_SPACE)
    }

    /// There is no room for more lanes, whosever they are.
    pub(super) const fn leave_out_any(&mut self) {
        self.any_left_out = true;
    }

    /// Whether lanes of a space may have been left out since the start.
    pub(super) fn has_left_out(&self, space: SpaceId) -> bool {
        self.any_left_out || self.left_out.contains(&space)
    }

    /// A lane of a space has nothing left.
    pub(super) fn leave(&mut self, space: SpaceId) {
        if let Some(share) = self.shares.get_mut(&space) {
            share.lanes = share.lanes.saturating_sub(1);
            if share.lanes == 0 {
                self.shares.remove(&space);
            }
        }
    }

    /// A lane has something to offer.
    pub(super) fn wait(&mut self, space: SpaceId, lane: LaneId) {
        if let Some(share) = self.shares.get_mut(&space) {
            share.waiting.push_back(lane);
            list(&mut self.order, space, share);
        }
    }

    /// The next lane that may offer something.
    pub(super) fn next(&mut self) -> Option<LaneId> {
        while let Some(space) = self.order.pop_front() {
            let Some(share) = self.shares.get_mut(&space) else {
                continue;
            };
            share.listed = false;
            if share.under_way >= UNDER_WAY {
                // Listed again when one comes back.
                continue;
            }
            let lane = share.waiting.pop_front();
            list(&mut self.order, space, share);
            if lane.is_some() {
                return lane;
            }
        }
        None
    }

    /// Whether a space may have one more delivery under way.
    pub(super) fn has_room(&self, space: SpaceId) -> bool {
        let share = self.shares.get(&space);
        share.is_none_or(|share| share.under_way < UNDER_WAY)
    }

    /// A delivery of a space is under way.
    pub(super) fn begin(&mut self, space: SpaceId) {
        if let Some(share) = self.shares.get_mut(&space) {
            share.under_way = share.under_way.saturating_add(1);
        }
    }

    /// A delivery of a space has come back.
    pub(super) fn end(&mut self, space: SpaceId) {
        if let Some(share) = self.shares.get_mut(&space) {
            share.under_way = share.under_way.saturating_sub(1);
            list(&mut self.order, space, share);
        }
    }

    /// Nothing is under way and nobody waits any more.
    pub(super) fn clear(&mut self) {
        self.order.clear();
        for share in self.shares.values_mut() {
            share.under_way = 0;
            share.waiting.clear();
            share.listed = false;
        }
    }
}

fn list(order: &mut VecDeque<SpaceId>, space: SpaceId, share: &mut Share) {
    if !share.listed && !share.waiting.is_empty() {
        share.listed = true;
        order.push_back(space);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEDY: SpaceId = SpaceId([1; 16]);
    const MODEST: SpaceId = SpaceId([2; 16]);

    fn lane(number: u8) -> LaneId {
        LaneId([number; 16])
    }

    #[test]
    fn spaces_take_turns_however_many_lanes_one_has() {
        let mut turns = Turns::default();
        for number in 1..=3 {
            assert!(turns.enter(GREEDY));
            turns.wait(GREEDY, lane(number));
        }
        assert!(turns.enter(MODEST));
        turns.wait(MODEST, lane(9));

        let order: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(order, [lane(1), lane(9), lane(2), lane(3)]);
    }

    #[test]
    fn space_with_its_share_under_way_waits_until_one_comes_back() {
        let mut turns = Turns::default();
        assert!(turns.enter(GREEDY) && turns.enter(MODEST));
        (0..UNDER_WAY).for_each(|_| turns.begin(GREEDY));
        turns.wait(GREEDY, lane(1));
        turns.wait(MODEST, lane(2));

        assert!(!turns.has_room(GREEDY) && turns.has_room(MODEST));
        assert_eq!((turns.next(), turns.next()), (Some(lane(2)), None));
        turns.end(GREEDY);
        assert_eq!((turns.next(), turns.next()), (Some(lane(1)), None));
    }

    #[test]
    fn one_space_has_a_share_of_the_lanes() {
        let mut turns = Turns::default();
        (0..LANES_OF_SPACE).for_each(|_| assert!(turns.enter(GREEDY)));

        assert!(!turns.enter(GREEDY));
        assert!(turns.enter(MODEST));
        turns.leave(GREEDY);
        assert!(turns.enter(GREEDY));
    }
}
