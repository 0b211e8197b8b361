//! What comes for vaults from elsewhere.

use super::fixture::{
    ALL_DURABLE, NOW, PEER, World, answer, deliver, delivery, handed, id, put_request,
};
use crate::delivery::{Act, OutOfTurn, Progress};
use crate::slot::Slot;
use vettid_wire::id::NodeId;
use vettid_wire::limits;
use vettid_wire::link::federation::MailOutcome;
use vettid_wire::peer::{Delivered, NotTaken, PeerMessage};
use vettid_wire::time::SECOND;

const BUSY: Delivered = Delivered::Refused(NotTaken::Busy);

fn answered(number: u8, outcome: Delivered) -> Vec<Act> {
    vec![Act::Peer(PEER, answer(number, outcome))]
}

/// An open vault (6, in slot 1) that was delivered something; the ticket.
fn delivered() -> (World, u64) {
    let mut world = World::new();
    world.open(1, 6);
    world.hear_peer(PEER, deliver(6, 1));
    let acts = world.acts();
    let [(ticket, delivery)] = handed(&acts, 1)[..] else {
        panic!("{acts:?}");
    };
    assert_eq!(delivery, id(1));
    (world, ticket)
}

#[test]
fn an_open_vault_gets_it_and_its_sender_is_answered_when_the_record_is_durable() {
    let (mut world, ticket) = delivered();
    let waiting = Progress {
        first_waiting: Some(3),
    };

    let acts = world.received_after(1, ticket, 3, Delivered::Applied, waiting);
    assert_eq!(acts, []);

    let earlier = Progress {
        first_waiting: Some(3),
    };
    world.with(|courier, cx| courier.durable(Slot::new(1), earlier, cx));
    assert_eq!(world.acts(), []);
    let later = Progress {
        first_waiting: Some(4),
    };
    world.with(|courier, cx| courier.durable(Slot::new(1), later, cx));
    assert_eq!(world.acts(), answered(1, Delivered::Applied));
}

#[test]
fn a_refusal_of_the_vault_reaches_the_sender() {
    let (mut world, ticket) = delivered();
    let never = Delivered::Refused(NotTaken::Never);

    assert_eq!(world.received(1, ticket, never), answered(1, never));
}

#[test]
fn a_vault_process_that_ends_before_its_record_is_durable_has_taken_nothing() {
    let (mut world, ticket) = delivered();
    let waiting = Progress {
        first_waiting: Some(3),
    };
    world.received_after(1, ticket, 3, Delivered::Applied, waiting);
    world.hear_peer(PEER, deliver(6, 2));
    world.acts();

    world.with(|courier, cx| courier.ended(Slot::new(1), cx));

    let acts = world.acts();
    assert_eq!(acts, [answered(1, BUSY), answered(2, BUSY)].concat());
}

#[test]
fn what_is_for_a_closed_vault_is_stored_before_its_sender_is_answered() {
    for (outcome, told) in [
        (MailOutcome::Stored, Delivered::Stored),
        (MailOutcome::Full, Delivered::Refused(NotTaken::Full)),
        (MailOutcome::Unknown, Delivered::Refused(NotTaken::NotHere)),
        (MailOutcome::Failed, BUSY),
    ] {
        let mut world = World::new();
        world.hear_peer(PEER, deliver(6, 1));
        let acts = world.acts();
        let (request, _) = put_request(&acts).expect("stored");
        assert_eq!(acts.len(), 1);

        world.stored(request, outcome).expect("asked");

        assert_eq!(world.acts(), answered(1, told));
    }
}

#[test]
fn a_host_that_says_that_something_was_stored_which_was_never_asked_is_out_of_turn() {
    let mut world = World::new();
    world.hear_peer(PEER, deliver(6, 1));
    let (request, _) = put_request(&world.acts()).expect("stored");

    assert_eq!(
        world.stored(request + 1, MailOutcome::Stored),
        Err(OutOfTurn)
    );
    assert_eq!(world.page(request, &[]), Err(OutOfTurn));
}

#[test]
fn what_has_expired_is_not_taken() {
    let mut world = World::new();
    world.open(1, 6);
    let expired = vettid_wire::peer::Delivery {
        expires: NOW,
        ..delivery(6, 1)
    };

    world.hear_peer(PEER, PeerMessage::Deliver(expired));

    let never = Delivered::Refused(NotTaken::Never);
    assert_eq!(world.acts(), answered(1, never));
}

#[test]
fn a_ticket_counts_for_its_own_process_once() {
    let (mut world, ticket) = delivered();
    world.open(2, 7);
    world.acts();

    assert_eq!(world.received(2, ticket, Delivered::Applied), []);
    let done = answered(1, Delivered::Applied);
    assert_eq!(world.received(1, ticket, Delivered::Applied), done);
    assert_eq!(world.received(1, ticket, Delivered::Applied), []);
    for never_given in [0, ticket + 1] {
        let answer = (0, Delivered::Applied);
        let slot = Slot::new(1);
        let received =
            world.with(|courier, cx| courier.received(slot, never_given, answer, ALL_DURABLE, cx));
        assert_eq!(received, Err(OutOfTurn));
    }
}

#[test]
fn a_process_that_hangs_is_not_waited_for_and_its_late_answer_counts_for_nothing() {
    let (mut world, ticket) = delivered();
    assert_eq!(world.tick(30 * SECOND - 1), []);

    assert_eq!(world.tick(1), answered(1, BUSY));
    assert_eq!(world.received(1, ticket, Delivered::Applied), []);
}

#[test]
fn a_vault_that_is_too_slow_delays_its_own_senders_only() {
    let mut world = World::new();
    world.open(1, 6);
    world.open(2, 7);
    let mut taken = 0;
    for number in 0..1_100_u16 {
        let mut one = delivery(6, 0);
        one.id.0[..2].copy_from_slice(&number.to_be_bytes());
        world.hear_peer(PEER, PeerMessage::Deliver(one));
        taken += handed(&world.acts(), 1).len();
    }
    assert_eq!(taken, 1_024);

    world.hear_peer(PEER, deliver(7, 9));

    assert_eq!(handed(&world.acts(), 2).len(), 1);
}

#[test]
fn a_peer_that_floods_is_turned_away_and_others_are_not() {
    let mut world = World::new();
    let mut puts = 0;
    for number in 0..300_u16 {
        let mut one = delivery(6, 0);
        one.id.0[..2].copy_from_slice(&number.to_be_bytes());
        world.hear_peer(PEER, PeerMessage::Deliver(one));
        puts += usize::from(put_request(&world.acts()).is_some());
    }
    assert_eq!(puts, 256);

    world.hear_peer(NodeId([9; 32]), deliver(6, 1));

    assert!(put_request(&world.acts()).is_some());
    assert_eq!(limits::LANE_WINDOW, 32);
}
