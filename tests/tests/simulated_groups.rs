//! Groups in memory: five vaults on three nodes, one of which is down.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use std::collections::BTreeSet;

use vettid_tests::simulation::world::SOON;
use vettid_tests::simulation::{Conditions, Seed, World};
use vettid_wire::id::{ConnectionId, GroupId};
use vettid_wire::operation::group;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::{HOUR, MINUTE};

const NODES: [usize; 5] = [0, 0, 1, 1, 2];

/// The first of five owners is connected with all others.
fn five(seed: u64) -> (World, Vec<ConnectionId>) {
    let mut world = World::new(seed, 3);
    for node in NODES {
        world.enroll(node);
    }
    let connections = (1..5).map(|other| world.connect(0, other)).collect();
    (world, connections)
}

fn await_members(world: &mut World, id: GroupId, owners: &[usize], others: usize) {
    world.run_until("all see the group", SOON, |world| {
        owners
            .iter()
            .all(|owner| world.members(*owner, id) == Some(others))
    });
}

fn say_to(world: &mut World, owner: usize, id: GroupId, text: &str) {
    world
        .try_say(owner, Conversation::Group(id), text)
        .expect("said");
}

fn heard_in(world: &mut World, owner: usize, id: GroupId) -> Vec<String> {
    world.heard(owner, Conversation::Group(id))
}

/// Each of these has heard exactly this, in any order.
fn assert_heard(world: &mut World, id: GroupId, owners: &[usize], texts: &[String]) {
    for owner in owners {
        let heard = heard_in(world, *owner, id);
        let own = |text: &&String| !text.starts_with(&owner.to_string());
        let expected: BTreeSet<String> = texts.iter().filter(own).cloned().collect();
        assert_eq!(heard.len(), expected.len(), "{owner} heard {heard:?}");
        assert_eq!(heard.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

fn await_heard(world: &mut World, id: GroupId, owners: &[usize], counts: usize) {
    world.run_until("all hear all", (10_000, HOUR), |world| {
        owners
            .iter()
            .all(|owner| heard_in(world, *owner, id).len() >= counts)
    });
    world.run_for(5 * MINUTE);
}

#[test]
fn five_vaults_on_three_nodes_talk_while_one_node_is_down_and_who_was_removed_reads_nothing_later()
{
    for (seed, conditions) in [(1, Conditions::FAIR), (2, Conditions::WILD)] {
        let _seed = Seed(seed);
        let (mut world, connections) = five(seed);
        world.sky.conditions = conditions;
        world.take_down(2, HOUR);
        let id = world.found(0, &connections);
        for owner in [1, 2, 3] {
            world.join(owner, id);
        }
        await_members(&mut world, id, &[1, 2, 3], 3);
        let first: Vec<String> = (0..4).map(|owner| format!("{owner} early")).collect();
        for (owner, text) in first.iter().enumerate() {
            say_to(&mut world, owner, id, text);
        }
        await_heard(&mut world, id, &[0, 1, 2, 3], 3);
        assert!(!world.nodes[2].is_up());
        assert_heard(&mut world, id, &[0, 1, 2, 3], &first);

        world.run_until("the node is back", (MINUTE, 2 * HOUR), |world| {
            world.is_unlocked(4)
        });
        world.join(4, id);
        await_members(&mut world, id, &[0, 1, 2, 3, 4], 4);
        say_to(&mut world, 4, id, "4 late");
        await_heard(&mut world, id, &[0, 1, 2, 3], 4);
        // Who came late reads nothing of before.
        assert_heard(&mut world, id, &[4], &[]);
        let mut all = first;
        all.push("4 late".into());
        assert_heard(&mut world, id, &[0, 1, 2, 3], &all);

        let member = world.owners[3].vault;
        world
            .call(0, &group::Remove { id, member })
            .expect("removed");
        await_members(&mut world, id, &[0, 1, 2, 4], 3);
        for owner in [0, 1, 2, 4] {
            say_to(&mut world, owner, id, &format!("{owner} without"));
        }
        await_heard(&mut world, id, &[0, 1, 2], 7);
        await_heard(&mut world, id, &[4], 3);
        assert_heard(&mut world, id, &[3], &all);
        assert_eq!(world.members(3, id), None);
        let later = [0, 1, 2, 4].map(|owner| format!("{owner} without"));
        assert_heard(&mut world, id, &[4], &later);
        all.extend(later);
        assert_heard(&mut world, id, &[0, 1, 2], &all);
    }
}

#[test]
fn nodes_that_die_again_and_again_do_not_split_a_group() {
    for seed in 1..=2 {
        let _seed = Seed(seed);
        let (mut world, connections) = five(seed);
        let id = world.found(0, &connections[..3]);
        for owner in [1, 2, 3] {
            world.join(owner, id);
        }
        await_members(&mut world, id, &[0, 1, 2, 3], 3);
        let mut all = Vec::new();
        for round in 0..6 {
            let (node, steps) = (world.sky.roll(3), world.sky.roll(30));
            world.doom(
                usize::try_from(node).expect("few"),
                1 + u32::try_from(steps).expect("few"),
            );
            if round == 3 {
                let member = connections[3];
                world.call(0, &group::Add { id, member }).expect("added");
                world.join(4, id);
                await_members(&mut world, id, &[0, 1, 2, 3, 4], 4);
            }
            for owner in 0..4 {
                let text = format!("{owner} in {round}");
                say_to(&mut world, owner, id, &text);
                all.push(text);
            }
            world.run_for(MINUTE);
        }
        world.sky.doom = None;
        await_heard(&mut world, id, &[0, 1, 2, 3], 18);
        assert_heard(&mut world, id, &[0, 1, 2, 3], &all);
    }
}
