//! Two owners on two nodes in memory: whatever dies at whichever step, each message arrives exactly
//! once and in order.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::simulation::world::SOON;
use vettid_tests::simulation::{Conditions, Seed, World};
use vettid_wire::id::ConnectionId;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::MINUTE;

/// Every how many steps something dies, unless all of them are asked for.
const STRIDE: u32 = 11;

/// Set for every step.
const EVERY_STEP: &str = "VETTID_EVERY_STEP";

fn stride() -> u32 {
    match std::env::var_os(EVERY_STEP) {
        Some(_) => 1,
        None => STRIDE,
    }
}

fn texts(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{of}{number}")).collect()
}

/// Both say so much, in turns.
fn talk(world: &mut World, id: ConnectionId, count: usize) {
    for number in 0..count {
        world.say(0, id, &format!("a{number}"));
        world.say(1, id, &format!("b{number}"));
    }
}

/// Everything has arrived once and in order, and nothing is left to be acknowledged.
fn settle(world: &mut World, id: ConnectionId, count: usize) {
    world.run_until("everything arrives", SOON, |world| {
        world.heard_from(0, id).len() >= count && world.heard_from(1, id).len() >= count
    });
    world.run_until("everything is acknowledged", SOON, |world| {
        [0, 1]
            .into_iter()
            .all(|owner| world.connection(owner, id).expect("known").waiting == 0)
    });
    world.run_for(3 * MINUTE);
    assert_eq!(world.heard_from(0, id), texts("b", count));
    assert_eq!(world.heard_from(1, id), texts("a", count));
    for owner in [0, 1] {
        let failed = world.failed(owner, Conversation::Connection(id));
        assert!(failed.is_empty(), "{owner} was told of {failed:?}");
    }
}

/// From the invitation to the last acknowledgment, with a node that dies at a step. Whether it did.
fn story(seed: u64, victim: usize, step: u32) -> bool {
    let _seed = Seed(seed);
    let mut world = World::new(seed, 2);
    for node in [0, 1] {
        world.enroll(node);
    }
    world.doom(victim, step);
    let id = world.connect(0, 1);
    talk(&mut world, id, 3);
    settle(&mut world, id, 3);
    world.sky.doom.is_none()
}

fn every_step(victim: usize) {
    let (mut step, mut died) = (1 + u32::try_from(victim).expect("few"), 0);
    while story(u64::from(step), victim, step) {
        died += 1;
        step += stride();
    }
    assert!(died > 5, "{died}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed, 2).under(Conditions::WILD);
        world.enroll(0);
        world.enroll(1);
        let id = world.connect(0, 1);
        talk(&mut world, id, 3);
        settle(&mut world, id, 3);
        (world.sky.now, world.sky.carried, world.sky.roll(u64::MAX))
    };

    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn the_inviting_node_dies_at_every_step_and_nothing_is_lost_or_repeated() {
    every_step(0);
}

#[test]
fn the_invited_node_dies_at_every_step_and_nothing_is_lost_or_repeated() {
    every_step(1);
}

#[test]
fn nodes_that_die_again_and_again_lose_and_repeat_nothing() {
    for seed in 1..=4 {
        let _seed = Seed(seed);
        let mut world = World::new(seed, 2);
        world.enroll(0);
        world.enroll(1);
        let id = world.connect(0, 1);
        for number in 0..20 {
            for (owner, of) in [(0, "a"), (1, "b")] {
                let (victim, steps) = (world.sky.roll(2), world.sky.roll(25));
                world.doom(
                    usize::try_from(victim).expect("few"),
                    1 + u32::try_from(steps).expect("few"),
                );
                world.say(owner, id, &format!("{of}{number}"));
            }
        }
        world.sky.doom = None;
        settle(&mut world, id, 20);
    }
}

#[test]
fn wires_that_break_and_delay_lose_and_repeat_nothing() {
    for seed in 1..=4 {
        let _seed = Seed(seed);
        let mut world = World::new(seed, 2).under(Conditions::WILD);
        world.enroll(0);
        world.enroll(1);
        let id = world.connect(0, 1);
        talk(&mut world, id, 25);
        settle(&mut world, id, 25);
    }
}

#[test]
fn hosts_that_lose_repeat_and_alter_what_they_keep_harm_availability_alone() {
    for seed in 1..=4 {
        let _seed = Seed(seed);
        let mut world = World::new(seed, 2);
        world.enroll(0);
        world.enroll(1);
        let id = world.connect(0, 1);
        world.sky.conditions = Conditions::LYING;
        for number in 0..12 {
            let sleeper = usize::try_from(world.sky.roll(2)).expect("few");
            world.lock(sleeper);
            let speaker = 1 - sleeper;
            let of = ["a", "b"][speaker];
            world.say(speaker, id, &format!("{of}{number}"));
            world.run_for(MINUTE);
            world.unlock(sleeper);
            let of = ["a", "b"][sleeper];
            world.say(sleeper, id, &format!("{of}{number}"));
        }
        world.sky.conditions = Conditions::FAIR;
        for _ in 0..3 {
            // What a host forgot is handed on again when its vault is unlocked.
            for owner in [0, 1] {
                world.lock(owner);
                world.unlock(owner);
            }
            world.run_for(15 * MINUTE);
        }
        settle(&mut world, id, 12);
    }
}
