use bytes::Bytes;

use super::super::turns::LANES_OF_SPACE;
use super::*;

/// The longest first pause.
const FIRST: Duration = Duration::from_millis(limits::RETRY_FIRST);
const NODE: NodeId = NodeId([1; 32]);
const OTHER: NodeId = NodeId([2; 32]);
const LATER: SpoolOutcome = SpoolOutcome::Later { node: None };
const NO_SESSION: SpoolOutcome = SpoolOutcome::Later { node: Some(NODE) };

fn lane(number: u64) -> LaneId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    LaneId(id)
}

/// The space of a lane: each has a thousand.
fn space(lane: LaneId) -> SpaceId {
    let mut id = lane.0;
    let number = u64::from_be_bytes(*id.first_chunk().expect("16 bytes"));
    id[..8].copy_from_slice(&(number / 1_000).to_be_bytes());
    SpaceId(id)
}

fn known(lane: LaneId, newest: u64) -> Known {
    let space = space(lane);
    Known {
        space,
        lane,
        newest,
    }
}

fn delivery(number: u64) -> DeliveryId {
    DeliveryId(lane(number).0)
}

/// The table, the enclave and the time that lanes work with.
struct World {
    lanes: Lanes,
    now: Instant,
    rows: BTreeSet<(LaneId, u64)>,
    stored: u64,
    offered: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut lanes = Lanes::new(seed);
        lanes.link_up();
        Self {
            lanes,
            now: Instant::now(),
            rows: BTreeSet::new(),
            stored: 0,
            offered: Vec::new(),
        }
    }

    fn spooled(number: u64) -> Spooled {
        Spooled {
            number,
            delivery: delivery(number),
            bytes: Bytes::from_static(b"sealed"),
        }
    }

    /// Stores the next delivery of a lane; its number.
    fn store(&mut self, lane: LaneId) -> u64 {
        self.store_in(space(lane), lane)
    }

    fn store_in(&mut self, space: SpaceId, lane: LaneId) -> u64 {
        self.stored += 1;
        self.rows.insert((lane, self.stored));
        self.lanes
            .stored(self.now, space, lane, Self::spooled(self.stored));
        self.stored
    }

    /// Has everything come back that is offered now.
    fn put_off_all(&mut self, outcome: SpoolOutcome) {
        loop {
            let offered = self.run();
            if offered.is_empty() {
                return;
            }
            offered
                .into_iter()
                .for_each(|number| self.settle(number, outcome));
        }
    }

    /// Does all that can be done now; what was offered.
    fn run(&mut self) -> Vec<u64> {
        let before = self.offered.len();
        while let Some(step) = self.lanes.step() {
            match step {
                Step::Offer(_, spooled) => self.offered.push(spooled.number),
                Step::Forget(id) => self.rows.retain(|(_, number)| delivery(*number) != id),
                Step::Load(load) => {
                    let behind = (load.lane, load.behind + 1);
                    let rows = self.rows.range(behind..=(load.lane, u64::MAX));
                    let rows: Vec<_> = rows
                        .take(load.count)
                        .map(|(_, number)| Self::spooled(*number))
                        .collect();
                    let all = rows.len() < load.count;
                    self.lanes.loaded(self.now, load, Some((rows, all)));
                }
            }
        }
        self.offered[before..].to_vec()
    }

    fn settle(&mut self, number: u64, outcome: SpoolOutcome) {
        self.lanes.settled(self.now, delivery(number), outcome);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.lanes.tick(self.now);
    }
}

#[test]
fn delivery_is_offered_at_once_and_forgotten_when_done() {
    let mut world = World::new(1);
    let first = world.store(lane(1));
    assert_eq!(world.run(), [first]);

    world.settle(first, SpoolOutcome::Done);

    world.run();
    assert!(world.rows.is_empty());
    assert_eq!(world.lanes.len(), 0);
}

#[test]
fn window_opens_as_a_peer_takes_deliveries_and_order_is_kept() {
    let mut world = World::new(1);
    let all: Vec<u64> = (0..100).map(|_| world.store(lane(1))).collect();
    let mut widest = 0;
    let mut under_way = world.run();
    assert_eq!(under_way.len(), 4);
    while let Some(number) = under_way.first().copied() {
        widest = widest.max(under_way.len());
        under_way.remove(0);
        world.settle(number, SpoolOutcome::Done);
        under_way.extend(world.run());
    }

    assert_eq!(world.offered, all);
    assert!(widest > 16 && widest <= limits::LANE_WINDOW, "{widest}");
}

#[test]
fn lane_that_is_put_off_waits_for_the_rest_then_rests_and_goes_on_behind_it() {
    let mut world = World::new(1);
    for _ in 0..8 {
        world.store(lane(1));
    }
    assert_eq!(world.run(), [1, 2, 3, 4]);

    world.settle(2, LATER);
    world.settle(1, SpoolOutcome::Done);
    world.settle(4, SpoolOutcome::Done);
    assert!(world.run().is_empty(), "one is still under way");
    world.settle(3, LATER);
    assert!(world.run().is_empty(), "the lane rests");
    world.pass(FIRST);

    assert_eq!(world.run(), [5, 6, 7, 8]);
    (5..=8).for_each(|number| world.settle(number, SpoolOutcome::Done));
    assert_eq!(world.run(), [2, 3], "the oldest have their turn again");
    for number in [2, 3] {
        world.settle(number, SpoolOutcome::Done);
    }
    world.run();
    assert!(world.rows.is_empty());
    assert_eq!(world.lanes.len(), 0);
}

#[test]
fn what_is_never_taken_holds_up_nothing_behind_it() {
    let mut world = World::new(1);
    for _ in 0..8 {
        world.store(lane(1));
    }
    let mut done = BTreeSet::new();
    for _ in 0..200 {
        for number in world.run() {
            let taken = number > 4;
            world.settle(number, if taken { SpoolOutcome::Done } else { LATER });
            done.extend(taken.then_some(number));
        }
        world.pass(Duration::from_millis(limits::RETRY_LATER));
    }
    assert_eq!(done, BTreeSet::from([5, 6, 7, 8]));
    world.put_off_all(LATER);
    let until = world.lanes.next_tick().expect("it rests");
    world.pass(FIRST);
    assert!(until > world.now && world.run().is_empty());

    // The pauses are long by now, and what is new does not wait for them.
    let new = world.store(lane(1));
    assert_eq!(world.run(), [new]);
    world.settle(new, SpoolOutcome::Done);
    assert_eq!(world.run(), [1, 2, 3, 4]);
    (1..=4).for_each(|number| world.settle(number, LATER));
    world.pass(FIRST);
    assert_eq!(world.run(), [1, 2, 3, 4], "pauses are short again");
}

#[test]
fn lane_is_tried_to_its_end_before_its_pauses_grow() {
    let mut world = World::new(1);
    for _ in 0..100 {
        world.store(lane(1));
    }
    let mut offered = Vec::new();
    for _ in 0..25 {
        for number in world.run() {
            offered.push(number);
            world.settle(number, LATER);
        }
        world.pass(FIRST);
    }

    assert_eq!(offered, (1..=100).collect::<Vec<_>>());
}

#[test]
fn what_is_new_and_not_taken_while_its_lane_rests_has_its_turn_like_the_others() {
    let mut world = World::new(1);
    let first = world.store(lane(1));
    world.run();
    for _ in 0..20 {
        world.settle(first, LATER);
        world.pass(Duration::from_millis(limits::RETRY_LATER));
        assert_eq!(world.run(), [first]);
    }
    world.settle(first, LATER);
    let new: Vec<u64> = (0..6).map(|_| world.store(lane(1))).collect();
    let tried = world.run();
    assert_eq!(tried, new[..4], "no more than a peer that takes none gets");
    let rest = world.lanes.resting.first();
    for number in tried {
        world.settle(number, LATER);
    }
    assert_eq!(world.lanes.resting.first(), rest);
    assert!(world.run().is_empty(), "the lane still rests");
    world.pass(Duration::from_millis(limits::RETRY_LATER));

    assert_eq!(world.run(), [first, new[0], new[1], new[2]]);
}

#[test]
fn lane_of_a_missing_node_begins_with_the_same_again_and_tries_nothing_new() {
    let mut world = World::new(1);
    for _ in 0..8 {
        world.store(lane(1));
    }
    world.put_off_all(NO_SESSION);
    assert_eq!(world.offered, [1, 2, 3, 4]);
    world.store(lane(1));
    assert!(world.run().is_empty());

    world.lanes.admitted(world.now, NODE);

    assert_eq!(world.run(), [1, 2, 3, 4]);
}

#[test]
fn lane_that_gives_way_has_nothing_under_way_any_more() {
    let mut world = World::new(1);
    for number in 0..LANES_OF_SPACE as u64 {
        world.store_in(CROWD, lane(number));
    }
    world.put_off_all(LATER);
    let tried: Vec<u64> = (0..LANES_OF_SPACE as u64)
        .map(|number| world.store_in(CROWD, lane(number)))
        .take(4)
        .collect();
    let under_way = world.run();
    assert!(under_way.len() >= 4);

    let late: Vec<u64> = (0..LANES_OF_SPACE as u64)
        .map(|number| world.store_in(CROWD, lane(99_999 + number)))
        .collect();

    world.run();
    let still = |number: &u64| world.lanes.under_way.contains_key(&delivery(*number));
    assert!(!tried.iter().any(still) && late.iter().any(still));
    under_way
        .into_iter()
        .for_each(|number| world.settle(number, SpoolOutcome::Done));
    world.run();
    assert!(
        tried
            .iter()
            .all(|tried| world.rows.iter().all(|(_, number)| number != tried))
    );
}

#[test]
fn admission_of_the_missing_node_wakes_its_lanes_and_no_others() {
    let mut world = World::new(1);
    for number in 1..=3 {
        world.store(lane(number));
    }
    world.run();
    world.settle(1, NO_SESSION);
    world.settle(2, SpoolOutcome::Later { node: Some(OTHER) });
    world.settle(3, LATER);

    world.lanes.admitted(world.now, NODE);

    assert_eq!(world.run(), [1]);
}

/// More at once than its link holds would close the link.
#[test]
fn node_that_many_lanes_wait_for_gets_a_few_of_them_at_a_time() {
    let mut world = World::new(1);
    for number in 0..200 {
        world.store(lane(number));
    }
    for number in world.run() {
        world.settle(number, NO_SESSION);
    }
    assert!(world.run().is_empty());

    world.lanes.admitted(world.now, NODE);

    let mut woken = vec![world.run().len()];
    for _ in 0..3 {
        world.pass(WAKING);
        woken.push(world.run().len());
    }
    assert!(woken.iter().all(|woken| *woken > 0), "{woken:?}");
    // Some rests may be over by themselves in the meantime.
    assert!(woken.iter().all(|woken| *woken <= 128), "{woken:?}");
    assert_eq!(woken.iter().sum::<usize>(), 200);
}

#[test]
fn admission_while_the_rest_of_a_round_is_under_way_is_not_missed() {
    let mut world = World::new(1);
    let (first, second) = (world.store(lane(1)), world.store(lane(1)));
    world.run();
    world.settle(first, NO_SESSION);

    world.lanes.admitted(world.now, NODE);
    world.settle(second, NO_SESSION);

    assert_eq!(world.run(), [first, second]);
}

#[test]
fn pauses_grow_and_a_success_makes_them_short_again() {
    let mut world = World::new(7);
    let first = world.store(lane(1));
    world.run();
    for _ in 0..30 {
        world.settle(first, LATER);
        world.pass(Duration::from_millis(limits::RETRY_LATER));
        assert_eq!(world.run(), [first]);
    }
    world.settle(first, SpoolOutcome::Done);
    let second = world.store(lane(1));
    world.run();
    world.settle(second, LATER);
    world.pass(Duration::from_millis(limits::RETRY_FIRST));

    assert_eq!(world.run(), [second]);
}

#[test]
fn thousand_lanes_of_a_silent_peer_delay_no_other() {
    let mut world = World::new(1);
    for number in 0..1_000 {
        for _ in 0..10 {
            world.store(lane(number));
        }
    }
    world.run();
    let other = world.store(lane(5_000));

    assert_eq!(world.run(), [other]);
}

#[test]
fn space_whose_peers_are_slow_has_a_share_of_what_is_under_way_and_another_its_own() {
    let mut world = World::new(1);
    for number in 0..900 {
        for _ in 0..10 {
            world.store(lane(number));
        }
    }
    let under_way = world.run().len();
    assert!((1_024..1_024 + 4 * limits::LANE_WINDOW).contains(&under_way));

    let others: Vec<u64> = (0..3).map(|_| world.store(lane(1_000))).collect();
    assert_eq!(world.run(), others);
    let late = world.store(lane(999));
    assert!(world.run().is_empty());
    for number in 1..=200 {
        world.settle(number, NO_SESSION);
    }
    let next = world.run();
    assert!(!next.is_empty() && !next.contains(&late));
}

#[test]
fn lane_that_finds_all_room_taken_is_offered_again_soon_then_more_seldom_until_there_is_some() {
    let mut world = World::new(1);
    let first = world.store(lane(1));
    world.run();
    let mut rests = Vec::new();
    for _ in 0..60 {
        world.settle(first, SpoolOutcome::Crowded);
        assert!(world.run().is_empty());
        let began = world.now;
        let until = world.lanes.next_tick().expect("it rests");
        rests.push(until.duration_since(began));
        world.pass(until.duration_since(began));
        assert_eq!(world.run(), [first]);
    }
    assert!(rests[0] <= Duration::from_secs(1));
    let longest = Duration::from_millis(limits::RETRY_DOUBLING);
    assert!(rests.iter().all(|rest| *rest <= longest));
    assert!(rests.iter().any(|rest| *rest > longest / 2));

    // A failure after that is the first, and success makes the pauses short again.
    world.settle(first, LATER);
    world.pass(Duration::from_millis(limits::RETRY_FIRST));
    assert_eq!(world.run(), [first]);
    world.settle(first, SpoolOutcome::Done);
    let second = world.store(lane(1));
    world.run();
    world.settle(second, SpoolOutcome::Crowded);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.run(), [second]);
}

#[test]
fn what_is_never_settled_is_put_off_and_offered_again() {
    let mut world = World::new(1);
    let first = world.store(lane(1));
    world.run();
    world.pass(UNSETTLED);
    world.pass(Duration::from_millis(250));
    assert_eq!(world.run(), [first]);

    // An answer that comes late still counts.
    world.settle(first, SpoolOutcome::Done);
    world.run();
    assert!(world.rows.is_empty());
}

#[test]
fn everything_is_offered_anew_over_a_new_link() {
    let mut world = World::new(1);
    let (first, second) = (world.store(lane(1)), world.store(lane(2)));
    world.run();
    world.settle(second, LATER);

    world.lanes.link_down();
    assert!(world.run().is_empty());
    world.lanes.link_up();

    assert_eq!(world.run(), [first, second]);
    // What the old link had asked for is not mistaken.
    world.settle(first, SpoolOutcome::Done);
    world.settle(second, SpoolOutcome::Done);
    world.run();
    assert_eq!(world.lanes.len(), 0);
}

#[test]
fn lanes_of_an_earlier_run_are_offered_from_the_table() {
    let mut world = World::new(1);
    for number in 1..=6 {
        world.rows.insert((lane(1), number));
    }
    world.stored = 6;
    assert!(world.lanes.know(known(lane(1), 6)));

    assert_eq!(world.run(), [1, 2, 3, 4]);
}

#[test]
fn table_that_cannot_be_read_is_asked_again_after_a_pause() {
    let mut world = World::new(1);
    world.rows.insert((lane(1), 1));
    world.lanes.know(known(lane(1), 1));
    let Some(Step::Load(load)) = world.lanes.step() else {
        panic!("not asked for");
    };
    world.lanes.loaded(world.now, load, None);
    assert!(world.run().is_empty());
    world.pass(Duration::from_millis(250));

    assert_eq!(world.run(), [1]);
}

#[test]
fn expired_or_removed_deliveries_leave_no_lane_behind() {
    let mut world = World::new(1);
    world.lanes.know(known(lane(1), 9));

    assert!(world.run().is_empty());
    assert_eq!(world.lanes.len(), 0);
}

#[test]
fn lanes_beyond_the_bound_wait_in_the_table() {
    let mut lanes = Lanes::new(1);
    for number in 0..LANES as u64 {
        assert!(lanes.know(known(lane(number), 1)));
    }

    assert!(!lanes.know(known(lane(u64::MAX), 1)));
    assert!(lanes.know(known(lane(0), 2)));
    assert_eq!(lanes.len(), LANES);
}

/// The space whose lanes are as many as may be followed.
const CROWD: SpaceId = SpaceId([7; 16]);

#[test]
fn lane_that_has_failed_most_often_gives_way_to_a_new_one_of_its_space() {
    let mut world = World::new(1);
    let stored: Vec<u64> = (0..LANES_OF_SPACE as u64)
        .map(|number| world.store_in(CROWD, lane(number)))
        .collect();
    let worst = stored[7];
    let under_way = world.run();
    assert!(under_way.contains(&worst));
    for number in under_way {
        let outcome = if number == worst { NO_SESSION } else { LATER };
        world.settle(number, outcome);
    }
    world.put_off_all(LATER);
    world.lanes.admitted(world.now, NODE);
    world.put_off_all(LATER);

    let late = world.store_in(CROWD, lane(99_999));

    assert_eq!(world.run(), [late]);
    assert_eq!(world.lanes.len(), LANES_OF_SPACE);
    // What waits in the table of the one that gave way comes before what is stored after it.
    let newer = world.store_in(CROWD, lane(7));
    assert_eq!(world.run(), [worst, newer]);
    // Lanes of another space have room of their own.
    let other = world.store(lane(88_888));
    assert_eq!(world.run(), [other]);
    assert_eq!(world.lanes.len(), LANES_OF_SPACE + 1);
}

#[test]
fn lane_whose_peer_has_not_failed_gives_way_to_none() {
    let mut world = World::new(1);
    for number in 0..LANES_OF_SPACE as u64 {
        world.store_in(CROWD, lane(number));
    }
    world.put_off_all(SpoolOutcome::Crowded);

    world.store_in(CROWD, lane(99_999));

    assert!(world.run().is_empty());
    assert_eq!(world.lanes.len(), LANES_OF_SPACE);
}

#[test]
fn dead_lanes_of_many_spaces_give_way_to_the_first_of_another() {
    let mut world = World::new(1);
    for number in 0..LANES as u64 {
        world.store(lane(number));
    }
    world.put_off_all(LATER);

    let late = world.store_in(CROWD, lane(99_999));

    assert_eq!(world.run(), [late]);
    assert_eq!(world.lanes.len(), LANES);
}

/// Whatever happens, every delivery is done exactly once in the end and each lane keeps its order
/// among those that are done at their first offer of a round.
#[test]
fn every_delivery_is_done_in_the_end_whatever_peers_answer() {
    for seed in 0..200 {
        let mut world = World::new(seed);
        let mut dice = seed;
        let mut roll = |sides: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695);
            (dice >> 33) % sides
        };
        let mut under_way: Vec<u64> = Vec::new();
        for round in 0..400 {
            if round < 200 {
                world.store(lane(roll(5)));
            }
            under_way.extend(world.run());
            match roll(12) {
                0 => world.lanes.admitted(world.now, NODE),
                1 if round < 300 => {
                    world.lanes.link_down();
                    world.lanes.link_up();
                    under_way.clear();
                }
                2 => world.pass(Duration::from_millis(roll(400_000))),
                _ => {}
            }
            if under_way.is_empty() {
                continue;
            }
            let at = usize::try_from(roll(under_way.len() as u64)).expect("small");
            let number = under_way.remove(at);
            let outcome = match roll(6) {
                0 if round < 300 => LATER,
                1 if round < 300 => NO_SESSION,
                _ => SpoolOutcome::Done,
            };
            world.settle(number, outcome);
        }
        for _ in 0..400 {
            under_way.extend(world.run());
            for number in under_way.drain(..) {
                world.settle(number, SpoolOutcome::Done);
            }
            world.pass(Duration::from_millis(limits::RETRY_LATER));
        }

        assert!(world.rows.is_empty(), "seed {seed}: {:?}", world.rows);
        assert_eq!(world.lanes.len(), 0, "seed {seed}");
    }
}
