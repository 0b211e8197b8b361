//! Peers in memory that go back, go away, or were not meant: rolled back hosts, deleted vaults,
//! invitations that two use.
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
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed::Kind;
use vettid_wire::operation::invitation;
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::Code;
use vettid_wire::time::{HOUR, MINUTE, SECOND};

fn two(seed: u64) -> (World, ConnectionId) {
    let mut world = World::new(seed, 2);
    world.enroll(0);
    world.enroll(1);
    let id = world.connect(0, 1);
    (world, id)
}

fn await_heard(world: &mut World, owner: usize, id: ConnectionId, count: usize) {
    world.run_until("messages arrive", SOON, |world| {
        world.heard_from(owner, id).len() >= count
    });
}

fn say_all(world: &mut World, owner: usize, id: ConnectionId, texts: &[&str]) {
    for text in texts {
        world.say(owner, id, text);
    }
}

#[test]
fn host_that_goes_back_is_refused_by_the_owners_device_and_goes_on_when_it_shows_the_truth() {
    let _seed = Seed(1);
    let (mut world, id) = two(1);
    say_all(&mut world, 0, id, &["1", "2"]);
    await_heard(&mut world, 1, id, 2);
    let old = world.space(1).disk.clone();
    say_all(&mut world, 0, id, &["3", "4"]);
    await_heard(&mut world, 1, id, 4);
    let true_log = world.space(1).disk.clone();

    world.roll_back(1, old, false);
    world.say(0, id, "5");
    world.run_for(10 * MINUTE);
    let refusal = world.space(1).refusal.clone().map(|refusal| refusal.code);
    assert_eq!(refusal, Some(Code::RolledBack));
    assert!(!world.is_unlocked(1));
    world.roll_back(1, true_log, false);
    world.run_until("it opens", SOON, |world| world.is_unlocked(1));
    await_heard(&mut world, 1, id, 5);

    assert_eq!(world.heard_from(1, id), ["1", "2", "3", "4", "5"]);
}

#[test]
fn vault_that_was_restored_by_a_device_that_knows_nothing_gets_new_keys_and_every_message_once() {
    for seed in 1..=6 {
        for victim in [0, 1] {
            let _seed = Seed(seed);
            let (mut world, id) = two(seed);
            let peer = 1 - victim;
            say_all(&mut world, peer, id, &["1", "2"]);
            await_heard(&mut world, victim, id, 2);
            world.run_for(2 * MINUTE);
            let old = world.space(victim).disk.clone();
            say_all(&mut world, victim, id, &["x", "y"]);
            await_heard(&mut world, peer, id, 2);
            // As many as its dice say are on their way when the host goes back.
            let rest = world.sky.roll(2 * SECOND);
            say_all(&mut world, peer, id, &["3", "4"]);
            world.run_for(rest);

            world.roll_back(victim, old, true);
            world.run_until("it opens", SOON, |world| world.is_unlocked(victim));
            say_all(&mut world, peer, id, &["5"]);
            say_all(&mut world, victim, id, &["z"]);
            world.run_until("they talk again", (10 * SECOND, 2 * HOUR), |world| {
                let heard = world.heard_from(victim, id);
                heard.last().is_some_and(|last| last == "5")
                    && world.heard_from(peer, id).len() >= 3
            });
            world.run_for(20 * MINUTE);

            assert_eq!(world.heard_from(peer, id), ["x", "y", "z"]);
            // What the restored one had acknowledged before is not said again.
            let heard = world.heard_from(victim, id);
            let told: Vec<_> = heard.iter().map(String::as_str).collect();
            let mut sorted = told.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(told, sorted, "in order, each once");
            assert!(told.starts_with(&["1", "2"]) && told.ends_with(&["5"]));
            assert!(world.feed(victim).contains(&Kind::ConnectionHealed));
        }
    }
}

#[test]
fn owner_is_told_when_the_other_vault_is_gone_for_good() {
    let _seed = Seed(1);
    let (mut world, id) = two(1);
    let space = world.space(1).id;
    world.lock(1);
    world.nodes[1].mailboxes.remove(space);
    world.sky.vault_tick = HOUR;
    world.say(0, id, "are you there?");
    world.run_for(HOUR);
    // Sixteen days of sessions with a node that says so again and again would take long.
    world.sky.cut(0, 1);
    world.run_for(limits::DELIVERY_TIME);

    let conversation = Conversation::Connection(id);
    assert_eq!(world.failed(0, conversation), ["are you there?"]);
    assert!(world.feed(0).contains(&Kind::MessageFailed));
    let left: Vec<usize> = world.nodes.iter().map(|node| node.spool.len()).collect();
    // What takes the place of the message, and keys that were to be renewed.
    assert!(left[0] < 10 && left[1] == 0, "{left:?}");
}

#[test]
fn invitation_that_two_use_at_once_connects_one_and_tells_the_other() {
    for seed in 1..=4 {
        let _seed = Seed(seed);
        let mut world = World::new(seed, 3);
        for node in 0..3 {
            world.enroll(node);
        }
        let link = world.invite(0);
        let again = link.expose(|link| vettid_wire::Secret::new(link.to_vec()));
        let ids = [
            world.accept(1, link).expect("accepted"),
            world.accept(2, again).expect("accepted"),
        ];
        world.run_until("one may decide", SOON, |world| {
            ids.iter()
                .any(|id| world.state(0, *id) == Some(State::Pending))
        });
        world.run_for(10 * MINUTE);

        let known = ids.map(|id| world.state(0, id));
        let winner = usize::from(known[0].is_none());
        assert_eq!(known[winner], Some(State::Pending));
        assert_eq!(known[1 - winner], None, "a token is spent once");
        assert_eq!(world.state(winner + 1, ids[winner]), Some(State::Pending));
        let loser = world.state(2 - winner, ids[1 - winner]);
        assert_eq!(loser, Some(State::Declined));
        world.approve(0, winner + 1, ids[winner]);
        let list = world.call(0, &invitation::List {}).expect("listed");
        assert_eq!(list.invitations.len(), 1);
        let blocked = connection::Get {
            id: ids[1 - winner],
        };
        assert!(world.call(0, &blocked).is_err());
    }
}
