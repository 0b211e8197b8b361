//! One lane: how far it is and whether it rests.

use std::time::Instant;

use vettid_wire::id::{LaneId, NodeId, SpaceId};

use super::resting::Rest;

/// Deliveries under way of a lane that begins: a peer that takes none holds no more than these.
const FIRST_WINDOW: usize = 4;

/// What is known of a lane; its deliveries lie in the table.
pub(super) struct Lane {
    /// Whose it is.
    pub(super) space: SpaceId,
    /// Newest delivery that is stored.
    pub(super) newest: u64,
    /// This round began behind this one.
    pub(super) begun: u64,
    /// Everything behind that and up to this was offered in this round.
    pub(super) offered: u64,
    /// Earlier rounds of this pass over the lane have left some for the next pass.
    pub(super) left: bool,
    pub(super) under_way: usize,
    pub(super) window: usize,
    pub(super) failures: u32,
    /// Rounds since the last success in which others had all the room.
    pub(super) crowded: u32,
    /// One came back for later: the round ends when all have.
    pub(super) put_off: bool,
    /// One of them for another reason than that others have all the room.
    pub(super) failed: bool,
    /// One of them though no node is known to be missing: what is behind it may be taken.
    pub(super) refused: bool,
    /// The node that is missing was admitted before the round ended.
    pub(super) woken: bool,
    /// Missing node.
    pub(super) node: Option<NodeId>,
    pub(super) state: State,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum State {
    /// Nothing to offer, or no room for more.
    Idle,
    /// In `turn`.
    Queued,
    /// Being read.
    Loading,
    /// Until then, or until its node is admitted.
    Resting(Instant),
}

impl Lane {
    pub(super) const fn new(space: SpaceId) -> Self {
        Self {
            space,
            newest: 0,
            begun: 0,
            offered: 0,
            left: false,
            under_way: 0,
            window: FIRST_WINDOW,
            failures: 0,
            crowded: 0,
            put_off: false,
            failed: false,
            refused: false,
            woken: false,
            node: None,
            state: State::Idle,
        }
    }

    /// Forgets the pass; how often it failed or found no room is kept.
    pub(super) const fn begin_anew(&mut self) {
        self.return_to_oldest();
        self.begin_round();
    }

    /// Begins a pass over the lane.
    pub(super) const fn return_to_oldest(&mut self) {
        self.begun = 0;
        self.offered = 0;
        self.left = false;
    }

    /// Ends a round of which something was put off. The next one begins behind that, if others may be
    /// taken where it was not, and with the oldest after the last. Whether the pass is over with it.
    pub(super) const fn end_round(&mut self) -> bool {
        let goes_on = self.refused && self.offered < self.newest;
        if goes_on {
            self.begun = self.offered;
            self.left = true;
        } else if self.refused {
            self.return_to_oldest();
        } else {
            self.offered = self.begun;
        }
        self.begin_round();
        !goes_on
    }

    const fn begin_round(&mut self) {
        self.under_way = 0;
        self.window = FIRST_WINDOW;
        self.put_off = false;
        self.failed = false;
        self.refused = false;
        self.woken = false;
        self.state = State::Idle;
        // `node` stays for a lane that rests; a link that ends clears what waits for it.
    }

    /// Whether everything was offered and only what was put off is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.left && self.offered >= self.newest && self.is_idle()
    }

    /// Whether nothing is left.
    pub(super) fn is_done(&self) -> bool {
        !self.left && self.offered >= self.newest && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0 && self.state == State::Idle && !self.put_off
    }

    /// Whether it rests after a failure though no node is missing: what is new is worth a try.
    pub(super) const fn may_try_new(&self) -> bool {
        self.is_resting() && self.failures > 0 && self.node.is_none()
    }

    pub(super) const fn is_resting(&self) -> bool {
        matches!(self.state, State::Resting(_))
    }

    /// The rest that the lane of this id is in.
    pub(super) const fn rest(&self, lane: LaneId) -> Option<Rest> {
        match self.state {
            State::Resting(until) => Some(self.resting(lane, until)),
            _ => None,
        }
    }

    /// Has the lane of this id rest.
    pub(super) const fn begin_rest(&mut self, lane: LaneId, until: Instant) -> Rest {
        self.state = State::Resting(until);
        self.resting(lane, until)
    }

    const fn resting(&self, lane: LaneId, until: Instant) -> Rest {
        Rest {
            space: self.space,
            lane,
            until,
            failures: self.failures,
        }
    }

    pub(super) const fn room(&self) -> usize {
        self.window.saturating_sub(self.under_way)
    }
}
