//! One of two vaults is restored to an older state, or dies at any step.

use vettid_wire::id::ConnectionId;
use vettid_wire::limits;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed;
use vettid_wire::peer::Delivered;
use vettid_wire::time::MINUTE;

use crate::fixture::{Net, refused, text};
use vettid_wire::operation::message::Conversation;
use vettid_wire::refusal::Code;

/// Connected, and both have said something.
fn talking() -> (Net, ConnectionId) {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);
    net.owners[0].say(id, "a1");
    net.owners[1].say(id, "b1");
    net.run();
    (net, id)
}

/// What the other owner has said, in the order in which it is shown. Between the two directions there
/// is no order.
fn heard(net: &mut Net, own: usize, id: ConnectionId) -> Vec<String> {
    let lines = net.owners[own].lines(id).into_iter();
    lines.filter(|line| !line.starts_with('>')).collect()
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

        net.restore(which, &old);
        net.owners[which].say(id, "after");
        net.owners[1 - which].say(id, "other");
        net.run();
        net.advance(2 * MINUTE);
        net.tick();
        net.run();

        let (own, other) = if which == 0 { ('a', 'b') } else { ('b', 'a') };
        let all = |name: char, last: &str| {
            let mut all: Vec<_> = (1..5).map(|number| format!("{name}{number}")).collect();
            all.push(last.to_owned());
            all
        };
        assert_eq!(heard(&mut net, 1 - which, id), all(own, "after"), "{which}");
        // What was acknowledged before the restoration is lost to the restored side.
        let first = format!("{other}1");
        assert_eq!(heard(&mut net, which, id), [&first, "other"], "{which}");
        for owner in &mut net.owners {
            assert!(owner.feed_kinds().contains(&feed::Kind::ConnectionHealed));
        }
        net.owners[which].say(id, "on we go");
        net.run();
        assert_eq!(
            heard(&mut net, 1 - which, id).last().expect("line"),
            "on we go"
        );
    }
}

#[test]
fn restored_side_that_only_listens_asks_for_what_it_misses() {
    let (mut net, id) = talking();
    let old = net.owners[1].host.clone();
    net.owners[0].say(id, "missed");
    net.run();
    net.restore(1, &old);

    net.owners[0].say(id, "heard");
    net.run();
    net.advance(11 * MINUTE);
    net.tick();
    net.run();
    net.owners[0].say(id, "later");
    net.run();

    assert_eq!(heard(&mut net, 1, id), ["a1", "heard", "later"]);
}

#[test]
fn what_is_said_after_a_restoration_is_not_taken_for_what_was_said_before() {
    for which in [0, 1] {
        let (mut net, id) = talking();
        let old = net.owners[which].host.clone();
        for number in 1..4 {
            net.owners[which].say(id, &format!("before {number}"));
        }
        net.run();
        net.restore(which, &old);
        // The other vault acknowledges what the restored one does not know, before it hears what has
        // the same sequences now; that waits at its node.
        net.owners[1 - which].say(id, "acknowledged");
        let held = net.on_the_way();
        net.lose_everything();
        net.owners[1 - which].reopen();
        for number in 1..4 {
            net.owners[which].say(id, &format!("after {number}"));
        }
        net.run();
        for outbound in &held {
            net.owners[which].receive(outbound);
        }
        net.owners[1 - which].recover();
        for _ in 0..3 {
            net.drain_mail(1 - which);
            net.run();
            net.advance(2 * MINUTE);
            net.tick();
        }
        net.run();

        let heard = heard(&mut net, 1 - which, id);
        let (before, after) = heard.split_at(4);
        assert_eq!(before[1..], ["before 1", "before 2", "before 3"], "{which}");
        assert_eq!(after, ["after 1", "after 2", "after 3"], "{which}");
    }
}

#[test]
fn more_that_is_said_after_a_restoration_than_before_overtakes_nothing_and_nothing_is_lost() {
    for which in [0, 1] {
        let (mut net, id) = talking();
        let old = net.owners[which].host.clone();
        net.owners[which].say(id, "before");
        net.run();
        // The other vault has taken it, and its acknowledgment waits.
        net.advance(MINUTE);
        net.owners[1 - which].tick();
        let late = net.on_the_way();
        net.restore(which, &old);

        net.owners[which].say(id, "again 1");
        net.owners[which].say(id, "again 2");
        let said = net.on_the_way();
        // The second comes first to whoever waits for just that sequence, and is offered alone.
        let outcome = net.owners[1 - which].receive(said.last().expect("said"));
        assert_ne!(outcome, Some(Delivered::Applied), "{which}");
        for outbound in &late {
            net.owners[which].receive(outbound);
        }
        for _ in 0..4 {
            net.run();
            net.advance(2 * MINUTE);
            net.tick();
        }
        net.run();

        let heard = heard(&mut net, 1 - which, id);
        assert_eq!(heard[1..], ["before", "again 1", "again 2"], "{which}");
        assert_eq!(net.owners[which].connection(id).waiting, 0, "{which}");
    }
}

#[test]
fn what_expired_here_and_came_there_is_no_reason_for_new_keys() {
    let (mut net, id) = talking();
    net.owners[1].say(id, "noticed");
    net.run();
    net.owners[1].reopen();
    net.owners[0].say(id, "late");
    net.run();
    // By its own clock the first vault gives it up just before the other one is opened.
    net.owners[0].clock.advance(limits::DELIVERY_TIME + 1);
    net.owners[0].tick();
    let instead = net.on_the_way();
    net.lose_everything();

    net.owners[1].recover();
    net.drain_mail(1);
    for outbound in &instead {
        let outcome = net.owners[1].receive(outbound);
        assert_eq!(outcome, Some(Delivered::Applied));
    }
    net.advance(MINUTE);
    net.tick();
    net.run();
    net.owners[0].say(id, "on we go");
    net.run();

    assert_eq!(heard(&mut net, 1, id).last().expect("line"), "on we go");
    for owner in &mut net.owners {
        assert!(owner.connection(id).safety_code.is_some());
        assert!(!owner.feed_kinds().contains(&feed::Kind::ConnectionHealed));
    }
}

#[test]
fn backlog_beyond_one_record_is_said_again_in_order() {
    let (mut net, id) = talking();
    let old = net.owners[1].host.clone();
    net.owners[1].reopen();
    let long = "x".repeat(15 * 1024);
    let all: Vec<_> = (0..40).map(|number| format!("{number} {long}")).collect();
    for words in &all {
        net.owners[0].say(id, words);
    }
    net.run();
    net.lose_mail();
    net.restore(1, &old);

    net.owners[1].say(id, "what was it?");
    net.owners[0].say(id, "and this");
    net.run();
    for _ in 0..3 {
        net.advance(11 * MINUTE);
        net.tick();
        net.run();
    }

    let heard = heard(&mut net, 1, id);
    assert_eq!(heard[0], "a1");
    assert_eq!(heard[1..41], all);
    assert_eq!(heard[41..], ["and this"]);
}

#[test]
fn connection_that_was_made_anew_has_no_digits_that_prove_anything() {
    let (mut net, id) = talking();
    let old = net.owners[1].host.clone();
    let safety_code = net.owners[0].connection(id).safety_code.expect("digits");
    let verify = connection::Verify { id, safety_code };
    assert!(
        net.owners[0]
            .call(&verify)
            .expect("alike")
            .verified
            .is_some()
    );
    net.owners[0].say(id, "missed");
    net.run();
    net.restore(1, &old);

    net.owners[0].say(id, "heard");
    net.run();
    net.advance(11 * MINUTE);
    net.tick();
    net.run();

    assert!(
        net.owners[0]
            .feed_kinds()
            .contains(&feed::Kind::ConnectionHealed)
    );
    for owner in &mut net.owners {
        let healed = owner.connection(id);
        assert_eq!((healed.verified, healed.safety_code), (None, None));
    }
    assert_eq!(net.owners[0].call(&verify), refused(Code::NotFound));
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
                assert_eq!(heard(&mut net, own, id), expected, "{which} died at {step}");
                assert_eq!(net.owners[own].connection_state(id), State::Active);
            }
            // Every step at first, then every third: the later ones are alike.
            step += if step < 24 { 1 } else { 3 };
        }
        // Each side makes at least a record for each step of the meeting and for each message.
        assert!(step > 12, "{step}");
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
