//! Two vaults meet, over a network that does its worst.

use vettid_wire::id::ConnectionId;
use vettid_wire::operation::connection::{self, Ended, State};
use vettid_wire::operation::feed;
use vettid_wire::operation::invitation;
use vettid_wire::refusal::{Code, Refusal};
use vettid_wire::request::Outcome;

use crate::fixture::{self, Chaos, Net, refused};

#[test]
fn owners_meet_compare_digits_and_approve() {
    let mut net = Net::of(2);

    let id = net.meet(0, 1);

    let (a, b) = (net.owners[0].connection(id), net.owners[1].connection(id));
    assert_eq!((a.state, b.state), (State::Pending, State::Pending));
    assert!(a.safety_code.is_some() && a.safety_code == b.safety_code);
    assert_eq!(a.vault, net.owners[1].vault_id);
    assert_eq!(b.vault, net.owners[0].vault_id);
    assert!(!a.card.fields.is_empty() && !b.card.fields.is_empty());
    assert_eq!(net.owners[0].approve(id), Ok(State::Approved));
    net.run();
    assert_eq!(net.owners[1].connection_state(id), State::Pending);
    assert_eq!(net.owners[1].approve(id), Ok(State::Active));
    net.run();
    assert_eq!(net.owners[0].connection_state(id), State::Active);
    for owner in &mut net.owners {
        let kinds = owner.feed_kinds();
        assert!(kinds.contains(&feed::Kind::ConnectionPending));
        assert!(kinds.contains(&feed::Kind::ConnectionActive));
    }
}

#[test]
fn nothing_is_left_to_be_delivered_and_messages_go_both_ways() {
    let mut net = Net::of(2);
    let id = net.connect(0, 1);

    net.owners[0].say(id, "hello");
    net.owners[1].say(id, "hi");
    net.run();
    net.owners[0].say(id, "how are you?");
    net.run();

    assert_eq!(net.owners[0].lines(id), [">hello", "hi", ">how are you?"]);
    assert_eq!(net.owners[1].lines(id), [">hi", "hello", "how are you?"]);
    assert_eq!(net.on_the_way(), []);
}

#[test]
fn owners_meet_and_talk_over_a_wild_network() {
    for seed in 0..6 {
        let mut net = Net::seeded(2, seed, Chaos::WILD);
        let id = net.connect(0, 1);
        for number in 0..10 {
            net.owners[0].say(id, &format!("a{number}"));
            net.owners[1].say(id, &format!("b{number}"));
            if number % 3 == 0 {
                net.step();
            }
        }
        net.run();

        for (own, other) in [(0, "b"), (1, "a")] {
            let lines = net.owners[own].lines(id);
            let heard: Vec<_> = lines.iter().filter(|line| !line.starts_with('>')).collect();
            let expected: Vec<_> = (0..10).map(|number| format!("{other}{number}")).collect();
            assert!(heard.iter().copied().eq(&expected), "{seed}: {heard:?}");
        }
    }
}

/// How a connection has ended on both sides.
fn endings(net: &mut Net, id: ConnectionId) -> [Option<Ended>; 2] {
    net.run();
    [0, 1].map(|owner| net.owners[owner].connection(id).ended)
}

#[test]
fn both_owners_see_how_a_connection_has_ended() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);
    assert_eq!(endings(&mut net, id), [None, None]);
    net.owners[0]
        .call(&connection::Decline { id })
        .expect("declined");
    let ends = [Some(Ended::Declined), Some(Ended::DeclinedThere)];
    assert_eq!(endings(&mut net, id), ends);

    let (first, second) = (net.connect(0, 1), net.connect(1, 0));
    let ends = [Some(Ended::Replaced), Some(Ended::Replaced)];
    assert_eq!(endings(&mut net, first), ends);
    net.owners[1]
        .call(&connection::Revoke { id: second })
        .expect("revoked");
    let ends = [Some(Ended::RevokedThere), Some(Ended::Revoked)];
    assert_eq!(endings(&mut net, second), ends);

    let id = net.meet(0, 1);
    net.owners[0]
        .call(&connection::Block { id })
        .expect("blocked");
    assert_eq!(endings(&mut net, id), [Some(Ended::Blocked), None]);
    net.owners[0]
        .call(&connection::Unblock { id })
        .expect("unblocked");
    assert_eq!(endings(&mut net, id)[0], Some(Ended::Revoked));
}

#[test]
fn whoever_has_invited_sees_that_the_other_thought_better_of_it() {
    let mut net = Net::of(2);
    let link = net.owners[0].invite();
    let id = net.owners[1].accept(link).expect("accepted");
    net.owners[1]
        .call(&connection::Decline { id })
        .expect("declined");

    let ends = [Some(Ended::DeclinedThere), Some(Ended::Declined)];
    assert_eq!(endings(&mut net, id), ends);
    let told = net.owners[0].feed_kinds();
    assert_eq!(told.last(), Some(&feed::Kind::ConnectionDeclined));
}

#[test]
fn second_vault_that_uses_an_invitation_gets_nothing() {
    let mut net = Net::of(3);
    let link = net.owners[0].invite();
    let first = net.owners[1].accept(link.clone()).expect("accepted");
    net.run();

    let second = net.owners[2].accept(link).expect("accepted");
    net.run();

    assert_eq!(net.owners[1].connection_state(first), State::Pending);
    let refused = net.owners[2].connection(second);
    assert_eq!(refused.state, State::Declined);
    assert_eq!(refused.ended, Some(Ended::InvitationRefused));
    let told = net.owners[2].feed_kinds();
    assert_eq!(told.last(), Some(&feed::Kind::InvitationRefused));
    let list = connection::List {
        state: None,
        archived: false,
        tag: None,
        after: None,
        limit: None,
    };
    assert_eq!(
        net.owners[0].call(&list).expect("list").connections.len(),
        1
    );
}

#[test]
fn own_link_and_one_that_was_used_here_before_are_told_for_what_they_are() {
    let mut net = Net::of(2);
    let link = net.owners[0].invite();
    let own = net.owners[0].accept(link.clone());
    assert_eq!(own, refused(Code::OwnInvitation));
    let first = net.owners[1].accept(link.clone()).expect("accepted");

    let again = net.owners[1].accept(link.clone());

    assert_eq!(again, Err(Refusal::accepted(first)));
    // Also when it has led to nothing, and can no longer be used.
    net.run();
    let decline = connection::Decline { id: first };
    net.owners[1].call(&decline).expect("declined");
    net.advance(8 * vettid_wire::time::DAY);
    assert_eq!(net.owners[1].accept(link), Err(Refusal::accepted(first)));
}

#[test]
fn canceled_and_expired_invitations_cannot_be_used() {
    let mut net = Net::of(2);
    let link = net.owners[0].invite();
    let invitations = net.owners[0].call(&invitation::List {}).expect("list");
    let id = invitations.invitations[0].id;
    net.owners[0]
        .call(&invitation::Cancel { id })
        .expect("canceled");

    let connection = net.owners[1].accept(link).expect("accepted");
    net.run();

    assert_eq!(net.owners[1].connection_state(connection), State::Declined);
    let told = net.owners[1].feed_kinds();
    assert_eq!(told.last(), Some(&feed::Kind::InvitationRefused));
    let late = net.owners[0].invite();
    net.advance(8 * vettid_wire::time::DAY);
    assert_eq!(net.owners[1].accept(late), refused(Code::LinkExpired));
}

#[test]
fn digits_that_differ_end_the_attempt_on_both_sides() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);
    let code = net.owners[0].connection(id).safety_code.expect("code");
    let other = if code == "000000" { "000001" } else { "000000" };

    let verify = |safety_code: &str| connection::Verify {
        id,
        safety_code: safety_code.into(),
    };
    let verified = net.owners[1].call(&verify(&code)).expect("alike");
    assert!(verified.verified.is_some());
    let owner = &mut net.owners[0];
    let request = fixture::encode(owner.next_request_id(), &verify(other));
    // Whoever is in between can take an answer away, and not the alarm.
    for _ in 0..2 {
        let answer = owner.send(&request).outcome;
        assert_eq!(answer, Outcome::Refused(Code::CodesDiffer.into()));
    }
    net.run();

    let ended = [0, 1].map(|owner| net.owners[owner].connection(id).ended);
    assert_eq!(
        ended,
        [Some(Ended::CodesDiffered), Some(Ended::CodesDifferedThere)]
    );
    for owner in &mut net.owners {
        assert_eq!(owner.connection_state(id), State::Declined);
        let told = owner.feed_kinds();
        assert_eq!(told.last(), Some(&feed::Kind::CodesDiffered));
    }
    assert!(net.owners[0].audited("connection.verify", false));
}

#[test]
fn nothing_is_decided_about_a_connection_that_is_over_or_has_not_begun() {
    let mut net = Net::of(2);
    let link = net.owners[0].invite();
    let id = net.owners[1].accept(link).expect("accepted");
    let verify = connection::Verify {
        id,
        safety_code: "123456".into(),
    };
    assert_eq!(net.owners[1].approve(id), refused(Code::NotMet));
    assert_eq!(net.owners[1].call(&verify), refused(Code::NotMet));
    net.run();
    let decline = connection::Decline { id };
    net.owners[0].call(&decline).expect("declined");
    net.run();

    for owner in &mut net.owners {
        assert_eq!(owner.approve(id), refused(Code::ConnectionOver));
        assert_eq!(owner.call(&verify), refused(Code::ConnectionOver));
        assert_eq!(owner.call(&decline), refused(Code::ConnectionOver));
        let revoked = owner.call(&connection::Revoke { id });
        assert_eq!(revoked, refused(Code::ConnectionOver));
    }
}

#[test]
fn yes_may_be_said_twice_and_no_only_before_a_connection_is_active() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);

    for state in [State::Approved, State::Approved] {
        assert_eq!(net.owners[0].approve(id), Ok(state));
    }
    net.run();
    for state in [State::Active, State::Active] {
        assert_eq!(net.owners[1].approve(id), Ok(state));
    }

    let declined = net.owners[1].call(&connection::Decline { id });
    assert_eq!(declined, refused(Code::ConnectionActive));
}

#[test]
fn no_that_crosses_a_yes_ends_the_connection_on_both_sides() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);
    net.owners[0].approve(id).expect("approved");
    net.run();
    let decline = connection::Decline { id };

    // The first owner thinks better of it while the approval of the other is on its way.
    net.owners[1].approve(id).expect("approved");
    assert_eq!(net.owners[1].connection_state(id), State::Active);
    net.owners[0].call(&decline).expect("declined");
    net.run();

    for owner in &mut net.owners {
        assert_eq!(owner.connection_state(id), State::Declined);
    }
    let told = net.owners[1].feed_kinds();
    assert_eq!(told.last(), Some(&feed::Kind::ConnectionDeclined));
}

#[test]
fn yes_that_comes_when_it_is_too_late_ends_on_both_sides_too() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);
    net.owners[0].approve(id).expect("approved");
    net.run();
    net.owners[0].clock.advance(7 * vettid_wire::time::DAY + 1);

    net.owners[1].approve(id).expect("approved");
    net.owners[0].tick();
    net.run();

    for owner in &mut net.owners {
        assert_eq!(owner.connection_state(id), State::Declined);
    }
}

#[test]
fn connection_without_digits_is_not_approved() {
    // Whoever is between two owners could have the keys made anew, which takes the digits away.
    for approved_before in [false, true] {
        let mut net = Net::of(2);
        let id = net.meet(0, 1);
        if approved_before {
            net.owners[0].approve(id).expect("approved");
        }
        net.owners[0].forge(|on| {
            let mut found = on.change.connection(&id).expect("row").expect("found");
            found.safety_code = None;
            on.change.put_connection(&found).expect("written");
        });

        if approved_before {
            net.owners[1].approve(id).expect("approved");
            net.run();
            for owner in &mut net.owners {
                assert_eq!(owner.connection_state(id), State::Declined);
            }
            let told = net.owners[0].feed_kinds();
            assert_eq!(told.last(), Some(&feed::Kind::DigitsLost));
            let ended = net.owners[0].connection(id).ended;
            assert_eq!(ended, Some(Ended::DigitsLost));
        } else {
            assert_eq!(net.owners[0].approve(id), refused(Code::DigitsLost));
            let verify = connection::Verify {
                id,
                safety_code: "123456".into(),
            };
            assert_eq!(net.owners[0].call(&verify), refused(Code::DigitsLost));
            assert_eq!(net.owners[0].connection_state(id), State::Pending);
        }
    }
}

#[test]
fn attempt_that_nobody_approves_ends_after_a_week() {
    let mut net = Net::of(2);
    let id = net.meet(0, 1);
    net.owners[0].approve(id).expect("approved");
    net.run();

    net.advance(7 * vettid_wire::time::DAY + 1);
    net.tick();

    for owner in &mut net.owners {
        let late = owner.connection(id);
        assert_eq!(
            (late.state, late.ended),
            (State::Declined, Some(Ended::Late))
        );
        assert_eq!(owner.feed_kinds().last(), Some(&feed::Kind::ConnectionLate));
    }
}
