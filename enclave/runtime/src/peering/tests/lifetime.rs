//! Which session stays, and how long: deadlines, expiry, simultaneous dials, changes of the policy.

use super::fixture::{
    Enclave, NOW, Shows, Wire, admit, answer, both_admitted, carry, connect, network,
};
use vettid_attestation::Policy;
use vettid_wire::limits;
use vettid_wire::link::federation::{NotAdmitted, Side};
use vettid_wire::network::Network;
use vettid_wire::time::MINUTE;

#[test]
fn a_handshake_that_does_not_go_on_is_given_up_after_ten_seconds() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let wire = connect(&mut a, &mut b, NOW);
    a.heard();
    let almost = NOW.plus(limits::HANDSHAKE_TIME - 1);
    a.peering.tick(almost);
    b.peering.tick(almost);
    assert!(a.heard().refused.is_empty());

    let over = NOW.plus(limits::HANDSHAKE_TIME);
    a.peering.tick(over);
    b.peering.tick(over);

    assert_eq!(a.heard().refused, [(wire.initiator, NotAdmitted::Slow)]);
    assert_eq!(b.heard().refused, [(wire.responder, NotAdmitted::Slow)]);
}

#[test]
fn an_enclave_without_evidence_lets_go_and_says_that_it_was_not_the_peer() {
    for side in [Side::Initiator, Side::Responder] {
        let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
        match side {
            Side::Initiator => a.shows = Shows::Nothing,
            Side::Responder => b.shows = Shows::Nothing,
        }
        let wire = connect(&mut a, &mut b, NOW);

        let outcome = carry(&mut a, &mut b, &[wire], NOW);

        let (of_a, of_b) = (outcome.initiator, outcome.responder);
        assert!(of_a.admitted.is_empty() && of_b.admitted.is_empty());
        let (refused, link) = match side {
            Side::Initiator => (of_a.refused, wire.initiator),
            Side::Responder => (of_b.refused, wire.responder),
        };
        assert_eq!(refused, [(link, NotAdmitted::Unready)]);
    }
}

#[test]
fn peers_that_hold_sessions_and_say_nothing_keep_nobody_away() {
    let mut own = Enclave::new(1);
    own.peering.set_places(8);
    let mut peers: Vec<_> = (2..9).map(Enclave::new).collect();
    for peer in &mut peers[..6] {
        assert!(both_admitted(&admit(peer, &mut own, NOW).1));
    }

    // A quarter of the places is for whom this side begins to speak with.
    let wire = connect(&mut peers[6], &mut own, NOW);
    let refused = own.heard().refused;
    assert_eq!(refused, [(wire.responder, NotAdmitted::TooMany)]);
    let mut called: Vec<_> = (10..12).map(Enclave::new).collect();
    for peer in &mut called {
        assert!(both_admitted(&admit(&mut own, peer, NOW).1));
    }

    // All but one of the sessions have carried nothing for a minute.
    let later = NOW.plus(MINUTE);
    let spoken = peers[0].node;
    own.send(spoken, &answer(), later);
    own.heard();
    peers[6].peering.closed(wire.initiator).expect("known");
    peers[6].heard();
    let came = admit(&mut peers[6], &mut own, later).1;
    assert_eq!(came.initiator.admitted.len(), 1);
    assert_eq!(came.responder.lost.len(), 1, "gave its place");
    let called = admit(&mut own, &mut Enclave::new(20), later).1;
    assert_eq!(called.responder.admitted.len(), 1);
    assert_eq!(called.initiator.lost.len(), 1, "gave its place");

    own.send(spoken, &answer(), later);
    assert!(own.heard().lost.is_empty(), "the one that is used stays");
}

#[test]
fn a_session_ends_after_an_hour_and_a_new_one_can_be_opened() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (wire, _) = admit(&mut a, &mut b, NOW);
    let end = NOW.plus(limits::PEER_SESSION);
    a.peering.tick(end);
    assert!(a.heard().refused.is_empty());

    let later = end.plus(1);
    a.peering.tick(later);
    b.send(a.node, &answer(), later);

    let (of_a, of_b) = (a.heard(), b.heard());
    assert_eq!(of_a.refused, [(wire.initiator, NotAdmitted::Replaced)]);
    assert_eq!(of_a.lost, [b.node]);
    assert_eq!(of_b.refused, [(wire.responder, NotAdmitted::Replaced)]);
    assert_eq!(of_b.lost, [a.node]);
    let (_, outcome) = admit(&mut a, &mut b, later);
    assert!(both_admitted(&outcome), "{outcome:?}");
}

#[test]
fn a_session_does_not_outlive_the_document_it_rests_on() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    admit(&mut a, &mut b, NOW);
    let half = NOW.plus(limits::PEER_SESSION / 2);

    // The second session spares both sides their documents, which are half an hour old.
    let (_, outcome) = admit(&mut a, &mut b, half);

    assert_eq!((a.machine.documents, b.machine.documents), (1, 1));
    let (_, admitted) = &outcome.initiator.admitted[0];
    assert_eq!(admitted.expires, NOW.plus(limits::DOCUMENT_AGE));
}

#[test]
fn a_stranger_who_says_it_is_a_known_node_and_fails_does_not_have_it_forgotten() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    admit(&mut a, &mut b, NOW);
    let mut stranger = Enclave::impostor(&b, Shows::Nothing);
    stranger.peer = vec![0xee; 38];
    for frame in [b"none".to_vec(), begun(&mut stranger, &a)] {
        let link = a.open(&stranger.peer, b.node, Side::Responder, NOW);
        a.hear(link, &frame, NOW);
        a.hear(link, b"none", NOW);
        let refused = a.heard().refused;
        assert!(matches!(refused[..], [(ended, _)] if ended == link));
    }

    let (_, outcome) = admit(&mut a, &mut b, NOW.plus(1));

    assert_eq!(outcome.initiator.admitted.len(), 1);
    assert_eq!((a.machine.documents, b.machine.documents), (1, 1));
}

/// The first frame of somebody who begins a session.
fn begun(by: &mut Enclave, with: &Enclave) -> Vec<u8> {
    by.open(&with.peer, with.node, Side::Initiator, NOW);
    by.frames().remove(0)
}

#[test]
fn a_session_is_renewed_before_it_expires_with_documents_made_anew() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (older, _) = admit(&mut a, &mut b, NOW);
    // Documents are counted on for 50 minutes.
    let soon = NOW.plus(limits::PEER_SESSION / 10 * 9);

    let newer = connect(&mut a, &mut b, soon);
    let outcome = carry(&mut a, &mut b, &[older, newer], soon);

    assert_eq!((a.machine.documents, b.machine.documents), (2, 2));
    for side in [&outcome.initiator, &outcome.responder] {
        let [(_, admitted)] = &side.admitted[..] else {
            panic!("admitted anew");
        };
        assert_eq!(admitted.expires, soon.plus(limits::PEER_SESSION));
    }
    let past = NOW.plus(limits::PEER_SESSION + 1);
    a.peering.tick(past);
    b.peering.tick(past);
    a.send(b.node, &answer(), past);
    let outcome = carry(&mut a, &mut b, &[newer], past);
    assert_eq!(outcome.responder.messages, [(a.node, answer())]);
}

#[test]
fn a_session_that_is_opened_anew_takes_the_place_of_the_older_one() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (older, _) = admit(&mut a, &mut b, NOW);

    let newer = connect(&mut a, &mut b, NOW);
    let outcome = carry(&mut a, &mut b, &[older, newer], NOW);

    assert_eq!(
        outcome.initiator.refused,
        [(older.initiator, NotAdmitted::Replaced)]
    );
    assert_eq!(
        outcome.responder.refused,
        [(older.responder, NotAdmitted::Replaced)]
    );
    // What was sent over the older one must be sent again.
    assert_eq!(outcome.initiator.lost, [b.node]);
    a.send(b.node, &answer(), NOW);
    let outcome = carry(&mut a, &mut b, &[newer], NOW);
    assert_eq!(outcome.responder.messages, [(a.node, answer())]);
}

/// Both hosts have dialed: A's link and B's link, each as both number it.
fn both_dial(a: &mut Enclave, b: &mut Enclave) -> (Wire, Wire) {
    let of_a = connect(a, b, NOW);
    let backwards = connect(b, a, NOW);
    let of_b = Wire {
        initiator: backwards.responder,
        responder: backwards.initiator,
    };
    (of_a, of_b)
}

#[test]
fn of_two_simultaneous_sessions_both_sides_keep_the_one_that_the_smaller_id_began() {
    for smaller_dials_first in [true, false] {
        let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
        let (of_a, of_b) = if smaller_dials_first {
            both_dial(&mut a, &mut b)
        } else {
            let backwards = connect(&mut b, &mut a, NOW);
            let of_b = Wire {
                initiator: backwards.responder,
                responder: backwards.initiator,
            };
            (connect(&mut a, &mut b, NOW), of_b)
        };

        let outcome = carry(&mut a, &mut b, &[of_a, of_b], NOW);

        assert_eq!(
            outcome.initiator.refused,
            [(of_b.initiator, NotAdmitted::Replaced)]
        );
        assert_eq!(
            outcome.responder.refused,
            [(of_b.responder, NotAdmitted::Replaced)]
        );
        b.send(a.node, &answer(), NOW);
        let outcome = carry(&mut a, &mut b, &[of_a], NOW);
        assert_eq!(outcome.initiator.messages, [(b.node, answer())]);
    }
}

#[test]
fn a_peer_that_lost_its_session_comes_in_again_from_either_side() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (of_a, _) = admit(&mut a, &mut b, NOW);
    // B has begun anew and knows nothing; A's end is open still.
    let mut again = Enclave::new(2);
    let later = NOW.plus(limits::ADMISSION_TIME);

    let backwards = connect(&mut again, &mut a, later);
    let outcome = carry(&mut again, &mut a, &[backwards], later);

    assert_eq!(outcome.initiator.admitted.len(), 1);
    assert_eq!(
        outcome.responder.refused,
        [(of_a.initiator, NotAdmitted::Replaced)]
    );
    drop(b.heard());
}

#[test]
fn a_closed_stream_loses_its_node_at_once() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (wire, _) = admit(&mut a, &mut b, NOW);

    a.peering.closed(wire.initiator).expect("known");

    let heard = a.heard();
    assert_eq!((heard.lost, heard.refused), (vec![b.node], vec![]));
}

#[test]
fn a_newer_policy_ends_every_session_and_the_next_one_is_under_it() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (wire, _) = admit(&mut a, &mut b, NOW);
    let newer = Network {
        epoch: 3,
        ..network(1)
    };
    for enclave in [&mut a, &mut b] {
        let policy = Policy::of_network(&newer).expect("policy");
        enclave.peering.adopt(policy);
        enclave.evidence.adopt(3);
    }

    let heard = a.heard();
    assert_eq!(heard.refused, [(wire.initiator, NotAdmitted::Replaced)]);
    assert_eq!(heard.lost, [b.node]);
    b.heard();
    let (_, outcome) = admit(&mut a, &mut b, NOW);
    assert!(both_admitted(&outcome), "{outcome:?}");
    // What was known of each other under the earlier policy spares nobody a document.
    assert_eq!((a.machine.documents, b.machine.documents), (2, 2));
}

#[test]
fn a_handshake_does_not_outlive_the_policy_that_it_began_under() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let wire = connect(&mut a, &mut b, NOW);
    for frame in a.frames() {
        b.hear(wire.responder, &frame, NOW);
    }
    let newer = Network {
        epoch: 3,
        ..network(1)
    };
    a.peering.adopt(Policy::of_network(&newer).expect("policy"));
    a.evidence.adopt(3);

    for frame in b.frames() {
        a.hear(wire.initiator, &frame, NOW);
    }

    let heard = a.heard();
    assert_eq!(heard.refused, [(wire.initiator, NotAdmitted::Replaced)]);
    assert!(heard.frames.is_empty() && a.shown.is_empty());
}

#[test]
fn no_more_handshakes_are_under_way_than_may_be() {
    let mut a = Enclave::new(1);
    for number in 0..=limits::PEERS {
        let mut node = [3; 32];
        node[..8].copy_from_slice(&number.to_be_bytes());
        a.open(
            &[1; 38],
            vettid_wire::id::NodeId(node),
            Side::Responder,
            NOW,
        );
    }

    let refused = a.heard().refused;

    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].1, NotAdmitted::TooMany);
}
