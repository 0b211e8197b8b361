//! What vaults send: kept, offered, carried, answered.

use super::fixture::{
    Kept, NOW, OWN, PEER, World, answer, at, handed, id, page_request, put_request, record,
    settled, vault,
};
use crate::delivery::{Act, OutOfTurn, Sent, ToVault, Whereabouts};
use crate::log_line::LogEvent;
use crate::slot::Slot;
use vettid_wire::home as wire_home;
use vettid_wire::id::NodeId;
use vettid_wire::limits;
use vettid_wire::link::federation::{FromEnclave, SpoolOutcome, ToEnclave};
use vettid_wire::peer::{Delivered, NotTaken, PeerMessage};
use vettid_wire::time::MINUTE;

pub(super) const LATER: SpoolOutcome = SpoolOutcome::Later { node: None };

pub(super) fn at_peer() -> Whereabouts {
    Whereabouts::Node(at(PEER))
}

/// A sender in slot 1 (vault 5), with a session to [`PEER`].
pub(super) fn sender() -> World {
    let mut world = World::new();
    world.open(1, 5);
    world.courier.admitted(PEER);
    world
}

pub(super) fn sent_to(acts: &[Act]) -> Vec<NodeId> {
    acts.iter()
        .filter_map(|act| match act {
            Act::Peer(node, PeerMessage::Deliver(_)) => Some(*node),
            _ => None,
        })
        .collect()
}

pub(super) fn is_look_up(act: &Act) -> bool {
    matches!(act, Act::Host(FromEnclave::FindHome { .. }))
}

#[test]
fn what_a_vault_sends_is_kept_behind_its_record_and_carried_when_due() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    assert_eq!((kept.after, kept.delivery), (7, id(1)));

    let acts = world.due(&kept);

    let [Act::Peer(PEER, PeerMessage::Deliver(delivery))] = &acts[..] else {
        panic!("{acts:?}");
    };
    assert_eq!((delivery.to, delivery.id), (vault(6), id(1)));
    assert_eq!(delivery.body, [1; 40]);
}

#[test]
fn final_answers_end_it_and_reach_the_vault_and_others_have_it_offered_again() {
    for (outcome, is_final) in [
        (Delivered::Applied, true),
        (Delivered::Stored, true),
        (Delivered::Refused(NotTaken::Never), true),
        (Delivered::Refused(NotTaken::Full), false),
        (Delivered::Refused(NotTaken::Busy), false),
    ] {
        let mut world = sender();
        let kept = world.send(1, 6, 1, at_peer());
        world.due(&kept);

        world.hear_peer(PEER, answer(1, outcome));

        let acts = world.acts();
        if is_final {
            let ticket = 0;
            let delivery = id(1);
            let told = ToVault::Settled {
                ticket,
                delivery,
                outcome,
            };
            let done = settled(1, SpoolOutcome::Done);
            assert_eq!(acts, [Act::Vault(Slot::new(1), told), done]);
        } else {
            assert_eq!(acts, [settled(1, LATER)]);
        }
    }
}

#[test]
fn a_sender_that_was_closed_meanwhile_is_told_by_its_mailbox() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    world.with(|courier, cx| courier.ended(Slot::new(1), cx));
    world.due(&kept);

    world.hear_peer(PEER, answer(1, Delivered::Applied));

    let acts = world.acts();
    let (_, bytes) = put_request(&acts).expect("mailbox");
    assert_eq!(acts.last(), Some(&settled(1, SpoolOutcome::Done)));
    world.start(2, 5);
    let acts = world.claim(2, 5, &record(5, &[OWN], 2));
    let request = page_request(&acts).expect("asks");
    let mail = vettid_wire::link::federation::Mail { number: 1, bytes };
    world.page(request, &[mail]).expect("asked");
    let acts = world.acts();
    assert!(matches!(
        acts[..],
        [Act::Vault(_, ToVault::Settled { delivery, outcome: Delivered::Applied, .. })]
            if delivery == id(1)
    ));
}

#[test]
fn nobody_else_than_the_node_it_was_sent_to_answers_for_a_delivery() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    world.due(&kept);

    world.hear_peer(NodeId([9; 32]), answer(1, Delivered::Applied));
    world.hear_peer(PEER, answer(2, Delivered::Applied));

    assert_eq!(world.acts(), []);
}

#[test]
fn an_offer_that_is_repeated_is_carried_once_at_a_time() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    assert_eq!(sent_to(&world.due(&kept)), [PEER]);

    assert_eq!(world.due(&kept), []);

    // After its end the host may replay it: the recipient knows its id.
    world.hear_peer(PEER, answer(1, Delivered::Applied));
    world.acts();
    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}

#[test]
fn what_the_host_altered_or_offers_as_something_else_is_of_no_use() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    let other = world.send(1, 7, 2, at_peer());
    let mut altered = kept.clone();
    altered.bytes[60] ^= 1;
    let swapped = Kept {
        bytes: other.bytes.clone(),
        ..kept.clone()
    };
    let moved = Kept {
        lane: other.lane,
        ..kept.clone()
    };
    let cut = Kept {
        bytes: vec![],
        ..kept
    };
    for lie in [altered, swapped, moved, cut] {
        let acts = world.due(&lie);

        let done = settled(1, SpoolOutcome::Done);
        assert_eq!(acts, [Act::Log(LogEvent::KeptAltered), done]);
    }
}

#[test]
fn without_a_session_the_host_is_asked_to_dial_and_offers_it_again() {
    let mut world = sender();
    world.courier.lost(PEER);
    let kept = world.send(1, 6, 1, at_peer());

    let acts = world.due(&kept);

    assert!(acts.contains(&Act::Host(FromEnclave::Dial(at(PEER)))));
    let later = SpoolOutcome::Later { node: Some(PEER) };
    assert_eq!(acts.last(), Some(&settled(1, later)));
    assert!(acts.iter().any(is_look_up), "and where it is now");
    world.courier.admitted(PEER);
    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}

#[test]
fn what_was_under_way_to_a_node_that_is_lost_is_offered_again_when_it_is_back() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    world.due(&kept);

    world.courier.lost(PEER);

    let later = SpoolOutcome::Later { node: Some(PEER) };
    assert_eq!(world.acts(), [settled(1, later)]);
}

#[test]
fn a_peer_that_never_answers_is_not_waited_for() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    world.due(&kept);
    assert_eq!(world.tick(MINUTE - 1), []);

    assert_eq!(world.tick(1), [settled(1, LATER)]);
}

#[test]
fn an_expired_delivery_is_not_sent_and_its_vault_is_told() {
    let mut world = sender();
    let kept = world.send(1, 6, 1, at_peer());
    world.now = NOW.plus(limits::DELIVERY_TIME);

    let acts = world.due(&kept);

    assert!(sent_to(&acts).is_empty());
    assert_eq!(handed(&acts, 1), [(0, id(1))]);
    assert_eq!(acts.last(), Some(&settled(1, SpoolOutcome::Done)));
}

#[test]
fn a_vault_of_the_same_node_is_reached_without_any_session() {
    let mut world = World::new();
    world.open(1, 5);
    world.open(2, 6);
    let kept = world.send(1, 6, 1, Whereabouts::Record(record(6, &[OWN], 1)));

    let acts = world.due(&kept);
    let [(ticket, delivery)] = handed(&acts, 2)[..] else {
        panic!("{acts:?}");
    };
    assert_eq!(delivery, id(1));
    let acts = world.received(2, ticket, Delivered::Applied);

    assert_eq!(handed(&acts, 1), [(0, id(1))]);
    assert_eq!(acts.last(), Some(&settled(1, SpoolOutcome::Done)));
}

#[test]
fn a_vault_that_has_moved_is_looked_up_and_followed() {
    let mut world = sender();
    let moved = NodeId([3; 32]);
    world.courier.admitted(moved);
    let kept = world.send(1, 6, 1, at_peer());
    world.due(&kept);
    world.hear_peer(PEER, answer(1, Delivered::Refused(NotTaken::NotHere)));
    let acts = world.acts();
    let Some(Act::Host(FromEnclave::FindHome { request, location })) =
        acts.iter().find(|act| is_look_up(act)).cloned()
    else {
        panic!("{acts:?}");
    };
    assert_eq!(location, wire_home::location(&vault(6)));
    // While that is asked, the node that does not have it is not asked again.
    assert!(sent_to(&world.due(&kept)).is_empty());

    let sealed = |record: &[u8]| {
        let mut entropy = vettid_crypto::SeededEntropy::dangerous_new(3);
        wire_home::seal(&vault(6), record, &mut entropy).into()
    };
    let records = vec![
        sealed(&record(6, &[PEER], 1)),
        sealed(&record(6, &[moved], 4)),
        // Forged, and of another vault.
        sealed(&super::fixture::home(6, &[OWN], 9).sign(&super::fixture::key(7))),
        sealed(&record(7, &[OWN], 9)),
        vec![1; 200].into(),
    ];
    world
        .hear(ToEnclave::Homes { request, records })
        .expect("asked");

    assert_eq!(sent_to(&world.due(&kept)), [moved]);
}

#[test]
fn a_stale_record_does_not_take_the_place_of_a_newer_one() {
    let mut world = sender();
    let newer = Whereabouts::Record(record(6, &[PEER], 5));
    let kept = world.send(1, 6, 1, newer);
    assert_eq!(sent_to(&world.due(&kept)), [PEER]);

    let stale = Whereabouts::Record(record(6, &[NodeId([9; 32])], 4));
    let kept = world.send(1, 6, 2, stale);

    assert_eq!(sent_to(&world.due(&kept)), [PEER]);
}

#[test]
fn answers_to_look_ups_that_were_never_asked_are_out_of_turn() {
    let mut world = sender();
    let none = ToEnclave::Homes {
        request: 99,
        records: vec![],
    };
    assert_eq!(world.hear(none), Err(OutOfTurn));

    let kept = world.send(1, 6, 1, Whereabouts::Node(at(NodeId([8; 32]))));
    let acts = world.due(&kept);
    let Some(Act::Host(FromEnclave::FindHome { request, .. })) = acts.into_iter().find(is_look_up)
    else {
        panic!("no look-up");
    };
    let many = ToEnclave::Homes {
        request,
        records: vec![vec![].into(); limits::HOME_ANSWERS + 1],
    };
    assert_eq!(world.hear(many), Err(OutOfTurn));
}

#[test]
fn a_vault_without_a_home_sends_nothing_and_what_is_too_large_is_never_delivered() {
    let mut world = World::new();
    world.start(1, 5);
    let large = vec![0; limits::DELIVERY + 1];
    let sent = |body| Sent {
        delivery: id(1),
        to: vault(6),
        home: at_peer(),
        expires: NOW.plus(1),
        body,
    };
    let slot = Slot::new(1);

    let small = world.with(|courier, cx| courier.outbound(slot, 0, sent(&[1]), cx));
    assert_eq!(small, Ok(()));
    assert_eq!(world.act(), Act::Log(LogEvent::OutboundUnclaimed));
    let large = world.with(|courier, cx| courier.outbound(slot, 0, sent(&large), cx));
    assert_eq!(large, Ok(()));
    let settled = ToVault::Settled {
        ticket: 0,
        delivery: id(1),
        outcome: Delivered::Refused(NotTaken::Never),
    };
    assert_eq!(world.act(), Act::Vault(slot, settled));
}
