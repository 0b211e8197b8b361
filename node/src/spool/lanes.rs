//! What is offered to the enclave when. No I/O: inputs come as calls, outputs are [`Step`]s.
//!
//! Each lane offers its deliveries in their order, a few at first and up to
//! [`limits::LANE_WINDOW`] at a time once the peer takes them. After one comes back for later the
//! lane offers nothing more, waits until the rest has come back too, and rests. Then it goes on behind
//! what was put off, so that this holds up nothing that may be taken, and returns to the oldest when it
//! is through; only where a node is missing, or others have all the room, it begins with the same
//! again. While it rests, what is new is tried once, unless a node is missing. Lanes take turns, and so
//! do the spaces that they are of, so that none waits for another's peer. Where more wait than are
//! followed, a lane that rests after most failures gives way.

mod following;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use vettid_wire::id::{DeliveryId, LaneId, NodeId, SpaceId};
use vettid_wire::limits;
use vettid_wire::link::federation::SpoolOutcome;

use super::jitter::Jitter;
use super::lane::{Lane, State};
use super::resting::Resting;
use super::rows::{Known, Spooled};
use super::step::{Load, Step};
use super::turns::Turns;

/// Lanes followed at once; others wait in the table until there is room.
pub(crate) const LANES: usize = 65_536;

/// Deliveries of all lanes under way at once.
const UNDER_WAY: usize = 8_192;

/// Reads of the table at once.
const LOADS: usize = 4;

/// A delivery that was offered and is not settled by then counts as put off.
const UNSETTLED: Duration = Duration::from_secs(90);

/// Lanes of one node that are woken together, and the pause before the next.
const WOKEN: u32 = 64;
const WAKING: Duration = Duration::from_millis(50);

/// Failures after which a lane would rest as long as one that found all the room taken; and how far
/// that grows while it finds none, so that what waits there for long does not come all the time.
const CROWDED: u32 = 3;
const CROWDED_MORE: u32 = 5;

/// Every lane with something waiting.
pub(crate) struct Lanes {
    lanes: HashMap<LaneId, Lane>,
    /// Lanes with something to offer.
    turns: Turns,
    /// Deliveries under way, and when they are put off.
    under_way: HashMap<DeliveryId, (LaneId, Instant)>,
    /// When deliveries under way are put off, in the order of their offers.
    overdue: VecDeque<(Instant, DeliveryId)>,
    resting: Resting,
    /// Lanes that a node's admission wakes.
    wanting: HashMap<NodeId, BTreeSet<LaneId>>,
    jitter: Jitter,
    loads: usize,
    link: Option<u64>,
    links: u64,
    steps: VecDeque<Step>,
}

impl Lanes {
    /// No lanes yet; `seed` makes this node's pauses differ from others'.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            lanes: HashMap::new(),
            turns: Turns::default(),
            under_way: HashMap::new(),
            overdue: VecDeque::new(),
            resting: Resting::default(),
            wanting: HashMap::new(),
            jitter: Jitter::new(seed),
            loads: 0,
            link: None,
            links: 0,
            steps: VecDeque::new(),
        }
    }

    /// A link to the enclave begins: everything is offered anew.
    pub(crate) fn link_up(&mut self) {
        self.link_down();
        self.links = self.links.wrapping_add(1);
        self.link = Some(self.links);
        let mut ids: Vec<_> = self.lanes.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.state = State::Queued;
                self.turns.wait(lane.space, id);
            }
        }
    }

    /// The link is gone, and with it everything that was under way.
    pub(crate) fn link_down(&mut self) {
        self.link = None;
        self.loads = 0;
        self.turns.clear();
        self.under_way.clear();
        self.overdue.clear();
        self.resting.clear();
        self.wanting.clear();
        self.steps.retain(|step| matches!(step, Step::Forget(_)));
        self.lanes.values_mut().for_each(Lane::begin_anew);
    }

    /// The table has deliveries of a lane. False when there is no room for it.
    pub(crate) fn know(&mut self, known: Known) -> bool {
        let Some(lane) = self.follow(known.space, known.lane) else {
            return false;
        };
        lane.newest = lane.newest.max(known.newest);
        self.queue_if_due(known.lane);
        true
    }

    /// A delivery became durable.
    pub(crate) fn stored(&mut self, now: Instant, space: SpaceId, id: LaneId, spooled: Spooled) {
        let number = spooled.number;
        let has_link = self.link.is_some();
        let busy = self.under_way.len() >= UNDER_WAY || !self.turns.has_room(space);
        // The table may have older ones of a lane that there was no room for.
        let behind = !self.lanes.contains_key(&id) && self.turns.has_left_out(space);
        let Some(lane) = self.follow(space, id) else {
            return;
        };
        let is_next = lane.offered >= lane.newest && lane.state == State::Idle && !lane.put_off;
        let is_next = is_next && !behind;
        lane.newest = lane.newest.max(number);
        if has_link && lane.may_try_new() && !busy && lane.room() > 0 {
            return self.try_new(now, id, spooled);
        }
        if has_link && is_next && !busy && lane.room() > 0 {
            self.offer(now, id, spooled);
        } else {
            self.queue_if_due(id);
        }
    }

    /// What was read for a [`Step::Load`], and whether the lane has no more; nothing if it failed.
    pub(crate) fn loaded(&mut self, now: Instant, load: Load, read: Option<(Vec<Spooled>, bool)>) {
        if self.link != Some(load.link) {
            return;
        }
        self.loads = self.loads.saturating_sub(1);
        let Some(lane) = self.lanes.get_mut(&load.lane) else {
            return;
        };
        lane.state = State::Idle;
        let failed = read.is_none();
        let Some((rows, all)) = read.filter(|_| !lane.put_off) else {
            lane.put_off = true;
            lane.failed |= failed;
            return self.end_round(now, load.lane);
        };
        for spooled in rows {
            self.offer(now, load.lane, spooled);
        }
        if let Some(lane) = self.lanes.get_mut(&load.lane).filter(|_| all) {
            lane.offered = lane.offered.max(load.newest);
        }
        self.queue_if_due(load.lane);
        self.leave_if_done(load.lane);
    }

    /// What the enclave says of a delivery.
    pub(crate) fn settled(&mut self, now: Instant, delivery: DeliveryId, outcome: SpoolOutcome) {
        if outcome == SpoolOutcome::Done {
            self.steps.push_back(Step::Forget(delivery));
        }
        let Some((id, _)) = self.under_way.remove(&delivery) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        lane.under_way = lane.under_way.saturating_sub(1);
        self.turns.end(lane.space);
        if lane.is_resting() {
            if outcome != SpoolOutcome::Done {
                // It was tried beside the rounds and has its turn in one.
                return;
            }
            self.wake(id);
        }
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        match outcome {
            SpoolOutcome::Crowded => lane.put_off = true,
            SpoolOutcome::Done => {
                lane.failures = 0;
                lane.crowded = 0;
                lane.window = lane.window.saturating_mul(2).min(limits::LANE_WINDOW);
            }
            SpoolOutcome::Later { node } => {
                lane.put_off = true;
                lane.failed = true;
                match node {
                    Some(node) => self.want(id, node),
                    None => lane.refused = true,
                }
            }
        }
        self.end_round(now, id);
        self.queue_if_due(id);
        self.leave_if_done(id);
    }

    /// A node was admitted: what waits for it need not rest.
    pub(crate) fn admitted(&mut self, now: Instant, node: NodeId) {
        let waiting = self.wanting.remove(&node).unwrap_or_default();
        for (place, id) in (0_u32..).zip(waiting) {
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            lane.node = None;
            if let Some(rest) = lane.rest(id) {
                self.resting.end(rest);
                // All at once would be more than the link to the node holds.
                let pause = WAKING.saturating_mul(place / WOKEN);
                let until = now.checked_add(pause).unwrap_or(now).min(rest.until);
                if until > now {
                    self.resting.begin(lane.begin_rest(id, until));
                    continue;
                }
                lane.state = State::Idle;
                self.queue_if_due(id);
            } else {
                lane.woken = lane.put_off;
            }
        }
    }

    /// Ends rests and puts off what was not settled in time.
    pub(crate) fn tick(&mut self, now: Instant) {
        while let Some(&(deadline, delivery)) = self.overdue.front() {
            let waits = |(_, until): &(LaneId, Instant)| *until == deadline;
            let settled = !self.under_way.get(&delivery).is_some_and(waits);
            if !settled && deadline > now {
                break;
            }
            self.overdue.pop_front();
            if !settled {
                self.settled(now, delivery, SpoolOutcome::Later { node: None });
            }
        }
        while let Some((_, id)) = self.resting.first().filter(|(until, _)| *until <= now) {
            self.wake(id);
            self.queue_if_due(id);
        }
    }

    /// The next thing to do, if there is one now.
    pub(crate) fn step(&mut self) -> Option<Step> {
        if let Some(step) = self.steps.pop_front() {
            return Some(step);
        }
        let link = self.link?;
        while self.loads < LOADS && self.under_way.len() < UNDER_WAY {
            let id = self.turns.next()?;
            let Some(lane) = self.lanes.get_mut(&id).filter(|l| l.state == State::Queued) else {
                continue;
            };
            lane.state = State::Loading;
            self.loads = self.loads.saturating_add(1);
            return Some(Step::Load(Load {
                lane: id,
                behind: lane.offered,
                count: lane.room().max(1),
                newest: lane.newest,
                link,
            }));
        }
        None
    }

    /// When [`Self::tick`] has something to do.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let rested = self.resting.first().map(|(until, _)| until);
        let overdue = self.overdue.front().map(|(deadline, _)| *deadline);
        rested.into_iter().chain(overdue).min()
    }

    /// Lanes with something waiting.
    pub(crate) fn len(&self) -> usize {
        self.lanes.len()
    }

    fn offer(&mut self, now: Instant, id: LaneId, spooled: Spooled) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.offered = lane.offered.max(spooled.number);
        }
        self.try_new(now, id, spooled);
    }

    /// Offers one, in a round or beside it.
    fn try_new(&mut self, now: Instant, id: LaneId, spooled: Spooled) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let deadline = now.checked_add(UNSETTLED).unwrap_or(now);
        // One that is under way already stays so: its id was used twice.
        if let Entry::Vacant(place) = self.under_way.entry(spooled.delivery) {
            place.insert((id, deadline));
            lane.under_way = lane.under_way.saturating_add(1);
            self.turns.begin(lane.space);
            self.overdue.push_back((deadline, spooled.delivery));
            self.steps.push_back(Step::Offer(id, spooled));
        }
    }

    /// Queues a lane that has something to offer and enough room for it.
    fn queue_if_due(&mut self, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|_| self.link.is_some()) else {
            return;
        };
        if lane.is_at_end() {
            lane.return_to_oldest();
            // Unless something was taken in it.
            lane.failures = lane.failures.saturating_add(u32::from(lane.failures > 0));
        }
        let half_free = lane.under_way <= lane.window / 2;
        if lane.state == State::Idle && !lane.put_off && lane.offered < lane.newest && half_free {
            lane.state = State::Queued;
            self.turns.wait(lane.space, id);
        }
    }

    /// Lets a lane rest once everything of a round that was put off has come back.
    fn end_round(&mut self, now: Instant, id: LaneId) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let comes_back = lane.under_way > 0 || lane.state == State::Loading;
        if !lane.put_off || comes_back {
            return;
        }
        let (failed, woken) = (lane.failed, lane.woken);
        let is_pass_over = lane.end_round();
        let pause = if failed {
            // However long a lane is, all of it is tried before the pauses grow.
            let more = u32::from(is_pass_over || lane.failures == 0);
            lane.failures = lane.failures.saturating_add(more);
            lane.failures
        } else {
            // Nobody's failure, when others had all the room: at first it is tried again soon.
            let pause = CROWDED.saturating_add(lane.crowded.min(CROWDED_MORE));
            lane.crowded = lane.crowded.saturating_add(1);
            pause
        };
        let pause = self.jitter.pause(pause);
        if woken {
            self.queue_if_due(id);
            return;
        }
        let until = now.checked_add(pause).unwrap_or(now);
        self.resting.begin(lane.begin_rest(id, until));
    }
}

#[cfg(test)]
mod tests;
