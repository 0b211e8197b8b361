//! One of two vaults is restored to an older state, or dies at any step.

use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed;
use vettid_wire::time::MINUTE;

use crate::fixture::{Net, text};
use vettid_wire::operation::message::Conversation;

/// Connected, and both have said something.
fn talking() -> (Net, ConnectionId) {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    net.owners[0].say(id, "a1");
    net.owners[1].say(id, "b1");
    net.run();
    (net, id)
}

fn restore(net: &mut Net, which: usize, old: &crate::fixture::MemoryHost) {
    net.lose_everything();
    let owner = &mut net.owners[which];
    owner.host = old.clone();
    owner.head = None;
    owner.outbound.clear();
    owner.recover();
}

#[test]
fn connection_heals_after_either_side_was_restored() {
    for which in [0, 1] {
        let (mut net, id) = talking();
        let old = net.owners[which].host.clone();
        for number in 2..5 {
            net.owners[0].say(id, &format!("a{number}"));
            net.owners[1].say(id, &format!("b{number}"));
            net.run();
        }

        restore(&mut net, which, &old);
        net.owners[which].say(id, "after");
        net.owners[1 - which].say(id, "other");
        net.run();
        net.advance(2 * MINUTE);
        net.tick();
        net.run();

        let lines = net.owners[1 - which].lines(id);
        assert_eq!(lines.last().map(String::as_str), Some("after"), "{lines:?}");
        let lines = net.owners[which].lines(id);
        assert!(lines.contains(&"other".to_owned()), "{lines:?}");
        for owner in &mut net.owners {
            assert!(owner.feed_kinds().contains(&feed::Kind::ConnectionHealed));
        }
        net.owners[which].say(id, "on we go");
        net.run();
        let lines = net.owners[1 - which].lines(id);
        assert_eq!(lines.last().map(String::as_str), Some("on we go"));
    }
}

#[test]
fn restored_side_that_only_listens_asks_for_what_it_misses() {
    let (mut net, id) = talking();
    let old = net.owners[1].host.clone();
    net.owners[0].say(id, "missed");
    net.run();
    restore(&mut net, 1, &old);

    net.owners[0].say(id, "heard");
    net.run();
    net.advance(11 * MINUTE);
    net.tick();
    net.run();
    net.owners[0].say(id, "later");
    net.run();

    let lines = net.owners[1].lines(id);
    assert_eq!(lines, ["a1", ">b1", "heard", "later"]);
}

#[test]
fn both_sides_meet_talk_and_die_at_every_step() {
    for which in [0, 1] {
        let mut survived = false;
        let mut step = 1;
        while !survived {
            let mut net = Net::of(2);
            net.owners[which].host.steps_left = Some(step);
            let id = live(&mut net);
            survived = net.owners[which].host.steps_left.is_some();
            for (own, expected) in [(0, ["b1", "b2"]), (1, ["a1", "a2"])] {
                let lines = net.owners[own].lines(id).into_iter();
                let heard: Vec<_> = lines.filter(|line| !line.starts_with('>')).collect();
                assert_eq!(heard, expected, "{which} died at {step}");
                assert_eq!(net.owners[own].connection_state(id), State::Active);
            }
            // Every step at first, then every third: the later ones are alike.
            step += if step < 24 { 1 } else { 3 };
        }
        assert!(step > 20, "{step}");
    }
}

fn live(net: &mut Net) -> ConnectionId {
    use vettid_wire::connect::Class;
    use vettid_wire::operation::invitation::{Accept, Card, Create};
    let link = net.owners[0].insist(&Create {
        class: Class::Remote,
        life: None,
        card: Card::default(),
        label: None,
    });
    let accept = Accept {
        link: link.link,
        card: Card::default(),
        alias: None,
    };
    let id = net.owners[1].insist(&accept).connection;
    net.run();
    for owner in &mut net.owners {
        owner.insist(&connection::Approve { id });
    }
    net.run();
    for round in 1..=2 {
        for (owner, name) in [(0, 'a'), (1, 'b')] {
            let send = text(Conversation::Connection(id), &format!("{name}{round}"));
            net.owners[owner].insist(&send);
        }
        net.run();
    }
    id
}
