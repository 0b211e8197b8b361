//! One of two vaults is restored to an older state, or dies at any step.

use vettid_store::rows::channel::Channel;
use vettid_wire::Secret;
use vettid_wire::cbor::{self, minicbor};
use vettid_wire::content::Parcel;
use vettid_wire::id::ConnectionId;
use vettid_wire::limits;
use vettid_wire::operation::connection::{self, State};
use vettid_wire::operation::feed;
use vettid_wire::peer::Delivered;
use vettid_wire::time::{MINUTE, SECOND};

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
    net.owners[0].say(id, "too");
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

/// How often the group of a connection was replaced.
fn generations(net: &mut Net, id: ConnectionId) -> [u64; 2] {
    [0, 1].map(|own| channel(net, own, id).generation)
}

fn channel(net: &mut Net, own: usize, id: ConnectionId) -> Channel {
    let view = net.owners[own].vault.database().view();
    view.channel(&id).expect("read").expect("keys")
}

/// The second vault misses something, while the first is closed, and has asked for a new group.
fn asking() -> (Net, ConnectionId) {
    let (mut net, id) = talking();
    net.owners[0].say(id, "lost");
    net.lose_everything();
    net.owners[0].say(id, "behind it");
    net.run();
    net.owners[0].reopen();
    net.advance(11 * MINUTE);
    net.owners[1].tick();
    net.run();
    (net, id)
}

/// One of two owners is there for ten minutes, and the other is not.
fn alone(net: &mut Net, own: usize) {
    net.owners[own].recover();
    net.drain_mail(own);
    net.advance(11 * MINUTE);
    for _ in 0..4 {
        net.advance(2 * MINUTE);
        net.owners[own].tick();
        net.run();
    }
    for _ in 0..10 {
        net.drain_mail(own);
        net.advance(20 * SECOND);
        net.run();
    }
    net.owners[own].reopen();
}

#[test]
fn owners_who_are_never_there_at_the_same_time_heal_their_connection_once() {
    for missing in [0, 1] {
        let (mut net, id) = talking();
        let other = 1 - missing;
        net.owners[other].say(id, "lost");
        net.lose_everything();
        net.owners[other].say(id, "behind it");
        net.run();
        net.owners[0].reopen();
        net.owners[1].reopen();

        for _ in 0..3 {
            for own in [missing, missing, missing, other] {
                alone(&mut net, own);
            }
        }

        for own in [0, 1] {
            net.owners[own].recover();
            net.drain_mail(own);
        }
        net.run();
        assert_eq!(heard(&mut net, missing, id)[1..], ["lost", "behind it"]);
        assert_eq!(generations(&mut net, id), [1, 1], "{missing}");
        assert_eq!(net.owners[0].connection(id).waiting, 0);
        net.owners[0].say(id, "on we go");
        net.run();
        assert_eq!(heard(&mut net, 1, id).last().expect("line"), "on we go");
    }
}

#[test]
fn key_package_is_one_delivery_however_often_it_is_asked_for() {
    let (mut net, _) = asking();
    let mut mail = vec![net.mail_of(0)];
    for _ in 0..6 {
        net.advance(2 * MINUTE);
        net.owners[1].tick();
        net.run();
        mail.push(net.mail_of(0));
    }
    assert!(
        mail[0] > 0 && mail.iter().all(|it| *it == mail[0]),
        "{mail:?}"
    );

    // Its node loses that: it is handed on again.
    net.lose_mail();
    net.advance(2 * MINUTE);
    net.owners[1].tick();
    net.run();
    assert_eq!(net.mail_of(0), 1);
}

#[test]
fn key_package_that_is_repeated_late_makes_no_other_group() {
    let (mut net, id) = asking();
    net.owners[0].recover();
    net.drain_mail(0);
    net.lose_everything();
    // The welcome is late, and its vault asks once more.
    let first = channel(&mut net, 1, id).stated;
    for _ in 0..2 {
        net.advance(2 * MINUTE);
        net.owners[1].tick();
        if channel(&mut net, 1, id).stated == first {
            net.run();
        }
    }
    let repeated = net.on_the_way();
    assert!(channel(&mut net, 1, id).stated > first);
    net.lose_everything();
    net.owners[0].recover();
    net.run();
    assert_eq!(generations(&mut net, id), [1, 1]);

    for outbound in repeated {
        net.owners[0].receive(&outbound);
        net.run();
    }

    assert_eq!(generations(&mut net, id), [1, 1]);
    net.owners[1].say(id, "on we go");
    net.run();
    assert_eq!(heard(&mut net, 0, id).last().expect("line"), "on we go");
}

#[test]
fn welcome_that_a_node_has_lost_comes_again_when_its_key_package_does() {
    let (mut net, id) = asking();
    net.owners[1].reopen();
    net.owners[0].recover();
    net.drain_mail(0);
    net.run();
    net.lose_mail();
    net.owners[1].recover();
    for _ in 0..3 {
        net.run();
        net.advance(2 * MINUTE);
        net.tick();
    }
    net.run();

    assert_eq!(generations(&mut net, id), [1, 1]);
    net.owners[1].say(id, "on we go");
    net.run();
    assert_eq!(heard(&mut net, 0, id).last().expect("line"), "on we go");
}

#[test]
fn key_package_that_was_used_before_a_restoration_is_not_used_again() {
    let (mut net, id) = asking();
    let old = net.owners[1].host.clone();
    net.owners[0].recover();
    net.drain_mail(0);
    net.run();
    assert_eq!(generations(&mut net, id), [1, 1]);
    let used = channel(&mut net, 0, id).pending;

    net.restore(1, &old);
    for _ in 0..6 {
        net.advance(2 * MINUTE);
        net.tick();
        net.run();
    }

    assert_ne!(channel(&mut net, 0, id).pending, used);
    let [first, second] = generations(&mut net, id);
    assert!(first > 1 && first == second, "{first} {second}");
    net.owners[0].say(id, "on we go");
    net.run();
    assert_eq!(heard(&mut net, 1, id).last().expect("line"), "on we go");
}

/// Of what has the digest of a key package and not the package, another one is made.
#[test]
fn digest_of_a_key_package_is_no_key_package() {
    #[derive(minicbor::Encode)]
    #[cbor(map)]
    struct Earlier {
        #[n(0)]
        signer: Secret,
        #[cbor(n(1), with = "minicbor::bytes")]
        package: [u8; 32],
    }
    let (mut net, id) = asking();
    let (signer, package) = (Secret::new(vec![1; 32]), [2; 32]);
    let earlier = cbor::encode(&Earlier { signer, package });
    net.lose_mail();
    net.lose_everything();
    net.owners[1].forge(|on| {
        let mut channel = on.change.channel(&id).expect("read").expect("keys");
        channel.pending = Some(Secret::new(earlier));
        on.change.put_channel(&channel).expect("kept");
        on.withdraw_unsequenced(&id).expect("withdrawn");
    });

    net.owners[0].recover();
    for _ in 0..6 {
        net.advance(2 * MINUTE);
        net.tick();
        net.run();
    }

    assert_eq!(heard(&mut net, 1, id)[1..], ["lost", "behind it"]);
}

#[test]
fn key_package_whose_welcome_does_not_open_is_replaced() {
    let (mut net, id) = asking();
    net.owners[1].forge(|on| {
        let here = Conversation::Connection(id);
        on.change.remove_mls(&here).expect("removed");
    });
    assert!(channel(&mut net, 1, id).pending.is_some());
    net.owners[0].recover();
    net.drain_mail(0);
    let welcome = net.on_the_way().into_iter().find(|it| {
        let resumes = matches!(cbor::decode(&it.body), Ok(Parcel::Resume(_)));
        resumes && it.to != net.owners[0].vault_id
    });
    let outcome = net.owners[1].receive(&welcome.expect("welcome"));
    assert_eq!(outcome, Some(Delivered::Applied));
    for _ in 0..6 {
        net.run();
        net.advance(2 * MINUTE);
        net.tick();
    }

    let [first, second] = generations(&mut net, id);
    assert!(first > 1 && first == second, "{first} {second}");
    assert_eq!(heard(&mut net, 1, id)[1..], ["lost", "behind it"]);
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
