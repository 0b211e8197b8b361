//! Which lanes are followed: those that there is room for, and who makes room.

use vettid_wire::id::{LaneId, NodeId, SpaceId};

use super::super::lane::{Lane, State};
use super::{LANES, Lanes};

impl Lanes {
    /// The lane of this id, new if there is room for it.
    pub(super) fn follow(&mut self, space: SpaceId, id: LaneId) -> Option<&mut Lane> {
        if !self.lanes.contains_key(&id) {
            self.make_room(space);
            if self.lanes.len() >= LANES || !self.turns.enter(space) {
                return None;
            }
            self.lanes.insert(id, Lane::new(space));
            if self.lanes.len() >= LANES {
                self.turns.leave_out_any();
            }
        }
        self.lanes.get_mut(&id)
    }

    /// Where no more are followed, the lane that rests after most failures gives way to a new one:
    /// its deliveries wait in the table until that is looked through.
    fn make_room(&mut self, space: SpaceId) {
        let worst = if self.turns.is_full(space) {
            self.resting.worst_of(space)
        } else if self.lanes.len() >= LANES {
            self.resting.worst()
        } else {
            None
        };
        if let Some(worst) = worst {
            self.wake(worst);
            self.leave(worst);
        }
    }

    /// Ends the rest of a lane.
    pub(super) fn wake(&mut self, id: LaneId) {
        self.unwant(id);
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        if let Some(rest) = lane.rest(id) {
            self.resting.end(rest);
        }
        lane.state = State::Idle;
    }

    /// Drops a lane that has nothing left.
    pub(super) fn leave_if_done(&mut self, id: LaneId) {
        if self.lanes.get(&id).is_some_and(Lane::is_done) {
            self.leave(id);
        }
    }

    /// Follows a lane no more.
    fn leave(&mut self, id: LaneId) {
        self.unwant(id);
        if let Some(lane) = self.lanes.remove(&id) {
            if lane.under_way > 0 {
                self.under_way.retain(|_, (of, _)| *of != id);
                (0..lane.under_way).for_each(|_| self.turns.end(lane.space));
            }
            self.turns.leave(lane.space);
        }
    }

    /// A lane waits for a node.
    pub(super) fn want(&mut self, id: LaneId, node: NodeId) {
        self.unwant(id);
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.node = Some(node);
            self.wanting.entry(node).or_default().insert(id);
        }
    }

    fn unwant(&mut self, id: LaneId) {
        let Some(node) = self.lanes.get_mut(&id).and_then(|lane| lane.node.take()) else {
            return;
        };
        if let Some(lanes) = self.wanting.get_mut(&node) {
            lanes.remove(&id);
            if lanes.is_empty() {
                self.wanting.remove(&node);
            }
        }
    }
}
