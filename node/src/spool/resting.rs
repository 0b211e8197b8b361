//! Lanes that rest: until when, and which of them has failed most often.

use std::collections::BTreeSet;
use std::time::Instant;

use vettid_wire::id::{LaneId, SpaceId};

/// Lanes that rest.
#[derive(Debug, Default)]
pub(super) struct Resting {
    until: BTreeSet<(Instant, LaneId)>,
    /// Those that have failed, by how often.
    failed: BTreeSet<(u32, LaneId)>,
    /// The same, space by space.
    failed_of: BTreeSet<(SpaceId, u32, LaneId)>,
}

/// A lane that rests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rest {
    pub(super) space: SpaceId,
    pub(super) lane: LaneId,
    pub(super) until: Instant,
    /// Failures in a row; where others had all the room it is none.
    pub(super) failures: u32,
}

impl Resting {
    pub(super) fn begin(&mut self, rest: Rest) {
        self.until.insert((rest.until, rest.lane));
        if rest.failures > 0 {
            self.failed.insert((rest.failures, rest.lane));
            self.failed_of
                .insert((rest.space, rest.failures, rest.lane));
        }
    }

    pub(super) fn end(&mut self, rest: Rest) {
        self.until.remove(&(rest.until, rest.lane));
        self.failed.remove(&(rest.failures, rest.lane));
        self.failed_of
            .remove(&(rest.space, rest.failures, rest.lane));
    }

    pub(super) fn clear(&mut self) {
        self.until.clear();
        self.failed.clear();
        self.failed_of.clear();
    }

    /// When the first rest is over, and whose.
    pub(super) fn first(&self) -> Option<(Instant, LaneId)> {
        self.until.first().copied()
    }

    /// The lane that has failed most often.
    pub(super) fn worst(&self) -> Option<LaneId> {
        self.failed.last().map(|(_, lane)| *lane)
    }

    /// The lane of a space that has failed most often.
    pub(super) fn worst_of(&self, space: SpaceId) -> Option<LaneId> {
        let all = (space, 0, LaneId([0; 16]))..=(space, u32::MAX, LaneId([u8::MAX; 16]));
        let mut of_space = self.failed_of.range(all);
        of_space.next_back().map(|(_, _, lane)| *lane)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SPACE: SpaceId = SpaceId([1; 16]);
    const OTHER: SpaceId = SpaceId([2; 16]);

    fn rest(space: SpaceId, lane: u8, until: Instant, failures: u32) -> Rest {
        Rest {
            space,
            lane: LaneId([lane; 16]),
            until,
            failures,
        }
    }

    #[test]
    fn worst_is_who_has_failed_most_often_in_a_space_and_of_all() {
        let (mut resting, now) = (Resting::default(), Instant::now());
        let rests = [
            rest(SPACE, 1, now, 3),
            rest(SPACE, 2, now, 7),
            rest(OTHER, 3, now, 9),
        ];
        rests.into_iter().for_each(|rest| resting.begin(rest));
        assert_eq!(resting.worst_of(SPACE), Some(LaneId([2; 16])));
        assert_eq!(resting.worst_of(OTHER), Some(LaneId([3; 16])));
        assert_eq!(resting.worst(), Some(LaneId([3; 16])));

        rests.into_iter().skip(1).for_each(|rest| resting.end(rest));

        assert_eq!(resting.worst_of(SPACE), Some(LaneId([1; 16])));
        assert_eq!(resting.worst_of(OTHER), None);
        assert_eq!(resting.worst(), Some(LaneId([1; 16])));
    }

    #[test]
    fn lane_that_only_found_no_room_is_not_the_worst() {
        let (mut resting, now) = (Resting::default(), Instant::now());
        let late = now + Duration::from_secs(1);
        resting.begin(rest(SPACE, 1, late, 0));
        resting.begin(rest(SPACE, 2, now, 0));

        assert_eq!(resting.first(), Some((now, LaneId([2; 16]))));
        assert_eq!((resting.worst_of(SPACE), resting.worst()), (None, None));
        resting.clear();
        assert_eq!(resting.first(), None);
    }
}
