//! Nodes in memory over days: partitions, clocks that differ, mailboxes that fill.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests"
)]

use vettid_tests::simulation::world::SOON;
use vettid_tests::simulation::{Seed, World};
use vettid_wire::id::ConnectionId;
use vettid_wire::limits;
use vettid_wire::link::federation::NotAdmitted;
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::message::Conversation;
use vettid_wire::time::{DAY, HOUR, MINUTE, SECOND};

fn two(seed: u64) -> (World, ConnectionId) {
    let mut world = World::new(seed, 2);
    world.enroll(0);
    world.enroll(1);
    let id = world.connect(0, 1);
    (world, id)
}

fn texts(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{of}{number}")).collect()
}

#[test]
fn what_was_said_in_a_partition_of_two_days_arrives_after_it() {
    for seed in 1..=2 {
        let _seed = Seed(seed);
        let (mut world, id) = two(seed);
        world.sky.vault_tick = 5 * MINUTE;
        world.sky.cut(0, 1);
        for number in 0..24 {
            world.say(0, id, &format!("a{number}"));
            world.run_for(HOUR);
            world.say(1, id, &format!("b{number}"));
            world.run_for(HOUR);
        }
        assert!(world.heard_from(0, id).is_empty() && world.heard_from(1, id).is_empty());

        world.sky.mend(0, 1);
        world.run_until("everything arrives", SOON, |world| {
            world.heard_from(0, id).len() >= 24 && world.heard_from(1, id).len() >= 24
        });

        world.run_for(10 * MINUTE);
        assert_eq!(world.heard_from(0, id), texts("b", 24));
        assert_eq!(world.heard_from(1, id), texts("a", 24));
        let waiting = world.connection(0, id).expect("known").waiting;
        assert_eq!(waiting, 0);
    }
}

#[test]
fn what_could_not_be_delivered_in_time_is_told_and_later_messages_arrive() {
    let _seed = Seed(1);
    let (mut world, id) = two(1);
    world.sky.vault_tick = HOUR;
    world.sky.cut(0, 1);
    world.say(0, id, "lost");
    world.run_for(limits::DELIVERY_TIME + 3 * HOUR);

    let conversation = Conversation::Connection(id);
    assert_eq!(world.failed(0, conversation), ["lost"]);
    assert!(world.feed(0).contains(&Kind::MessageFailed));
    world.sky.vault_tick = 30 * SECOND;
    world.sky.mend(0, 1);
    world.say(0, id, "found");
    world.say(1, id, "here");
    world.run_until("later ones arrive", SOON, |world| {
        !world.heard_from(0, id).is_empty() && !world.heard_from(1, id).is_empty()
    });

    assert_eq!(world.heard_from(1, id), ["found"]);
    assert_eq!(world.heard_from(0, id), ["here"]);
    assert_eq!(world.failed(0, conversation), ["lost"]);
}

#[test]
fn nodes_whose_clocks_differ_by_a_day_do_not_admit_each_other_and_lose_nothing() {
    for (seed, skew) in [(1, DAY.cast_signed()), (2, -DAY.cast_signed())] {
        for restarts in [false, true] {
            let _seed = Seed(seed);
            let (mut world, id) = two(seed);
            world.sky.vault_tick = 5 * MINUTE;
            world.nodes[1].skew = skew;
            world.kill(1);
            world.run_for(MINUTE);
            for number in 0..5 {
                world.say(0, id, &format!("a{number}"));
                world.say(1, id, &format!("b{number}"));
                world.run_for(HOUR);
            }
            assert!(world.heard_from(0, id).is_empty() && world.heard_from(1, id).is_empty());
            let told = world.nodes.iter().flat_map(|node| node.refused.clone());
            let told: Vec<NotAdmitted> = told.map(|(_, why)| why).collect();
            assert!(!told.is_empty(), "operators are told");

            world.nodes[1].skew = 0;
            if restarts {
                world.kill(1);
            }
            world.run_until("everything arrives", (MINUTE, 3 * HOUR), |world| {
                world.heard_from(0, id).len() >= 5 && world.heard_from(1, id).len() >= 5
            });

            world.run_for(10 * MINUTE);
            assert_eq!(world.heard_from(0, id), texts("b", 5));
            assert_eq!(world.heard_from(1, id), texts("a", 5));
        }
    }
}

#[test]
fn clocks_that_differ_by_minutes_harm_nothing() {
    let _seed = Seed(3);
    let (mut world, id) = two(3);
    world.nodes[1].skew = (4 * MINUTE).cast_signed();
    world.nodes[0].skew = -(30 * SECOND).cast_signed();
    for number in 0..10 {
        world.say(0, id, &format!("a{number}"));
        world.run_for(10 * MINUTE);
    }
    world.run_until("everything arrives", SOON, |world| {
        world.heard_from(1, id).len() >= 10
    });
    assert_eq!(world.heard_from(1, id), texts("a", 10));
}

/// More than a mailbox holds, from three owners: what it has no room for stays in their spools.
fn fill(count: usize) {
    let _seed = Seed(1);
    let mut world = World::new(1, 4);
    for node in 0..4 {
        world.enroll(node);
    }
    let connections = [1, 2, 3].map(|other| world.connect(0, other));
    world.sky.vault_tick = HOUR;
    world.lock(0);
    for number in 0..count {
        for (sender, id) in connections.iter().enumerate() {
            world.say(sender + 1, *id, &format!("{sender}-{number}"));
        }
    }
    world.run_for(10 * MINUTE);
    let holds = usize::try_from(limits::MAILBOX_MESSAGES).expect("small");
    let waits = 3 * count;
    assert_eq!(world.mail_of(0), waits.min(holds));
    let spooled: usize = world.nodes.iter().map(|node| node.spool.len()).sum();
    assert_eq!(spooled, waits.saturating_sub(holds));

    world.unlock(0);
    world.sky.vault_tick = 30 * SECOND;
    world.run_until("all are drained", (10 * SECOND, 2 * HOUR), |world| {
        let unread = connections.map(|id| world.connection(0, id).expect("known").unread);
        unread.iter().all(|unread| *unread as usize >= count)
    });
    world.run_until("all are acknowledged", (MINUTE, 2 * HOUR), |world| {
        let waiting = |(sender, id): (usize, &ConnectionId)| {
            world.connection(sender + 1, *id).expect("known").waiting
        };
        connections.iter().enumerate().map(waiting).sum::<u32>() == 0
    });
    assert_eq!(world.mail_of(0), 0);
    for (sender, id) in connections.iter().enumerate() {
        let expected: Vec<_> = (0..count)
            .map(|number| format!("{sender}-{number}"))
            .collect();
        assert!(world.heard_from(0, *id) == expected, "in order, each once");
    }
}

#[test]
fn ten_thousand_messages_wait_for_a_closed_vault_and_the_rest_in_spools() {
    fill(3_350);
}
