//! Who is let in, and what admitted peers say to each other.

use super::fixture::{
    Enclave, NOW, OTHER_PROGRAM, PROGRAM, admit, answer, both_admitted, carry, connect, delivery,
    network,
};
use crate::boot::registers;
use vettid_attestation::emulated::measurement;
use vettid_wire::limits;
use vettid_wire::link::federation::{NotAdmitted, Side};
use vettid_wire::peer::PeerMessage;

#[test]
fn two_enclaves_of_one_network_admit_each_other_and_say_whom() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));

    let (_, outcome) = admit(&mut a, &mut b, NOW);

    assert!(both_admitted(&outcome), "{outcome:?}");
    let (_, seen_by_a) = &outcome.initiator.admitted[0];
    assert_eq!((seen_by_a.node, seen_by_a.release), (b.node, 1));
    assert_eq!(
        seen_by_a.measurement,
        registers(&measurement(PROGRAM).expect("not debug"))
    );
    assert_eq!(seen_by_a.expires, NOW.plus(limits::PEER_SESSION));
    assert_eq!(outcome.responder.admitted[0].1.node, a.node);
}

#[test]
fn messages_of_every_size_pass_both_ways() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (wire, _) = admit(&mut a, &mut b, NOW);
    let largest = delivery(limits::DELIVERY);

    a.send(b.node, &delivery(10), NOW);
    a.send(b.node, &largest, NOW);
    b.send(a.node, &answer(), NOW);
    let outcome = carry(&mut a, &mut b, &[wire], NOW);

    let expected = [(a.node, delivery(10)), (a.node, largest)];
    assert_eq!(outcome.responder.messages, expected);
    assert_eq!(outcome.initiator.messages, [(b.node, answer())]);
}

#[test]
fn a_node_without_a_session_is_reported_as_lost() {
    let mut a = Enclave::new(1);

    a.send(Enclave::new(2).node, &answer(), NOW);

    assert_eq!(a.heard().lost, [Enclave::new(2).node]);
}

#[test]
fn another_image_of_the_same_network_is_refused_and_gets_no_evidence() {
    let mut a = Enclave::of(&network(1), 1, OTHER_PROGRAM, 1);
    let mut b = Enclave::new(2);

    let (_, outcome) = admit(&mut a, &mut b, NOW);

    assert_eq!(outcome.responder.refused.len(), 1);
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Measurement);
    assert_eq!(b.machine.documents, 0);
}

#[test]
fn a_node_does_not_admit_itself() {
    let mut a = Enclave::new(1);
    let (peer, node) = (a.peer.clone(), a.node);

    let link = a.open(&peer, node, Side::Initiator, NOW);

    let heard = a.heard();
    assert_eq!(heard.refused, [(link, NotAdmitted::Identity)]);
    assert!(heard.frames.is_empty());
}

#[test]
fn garbage_of_a_peer_ends_its_link_and_no_other() {
    let (mut a, mut b, mut c) = (Enclave::new(1), Enclave::new(2), Enclave::new(3));
    let (ab, _) = admit(&mut a, &mut b, NOW);
    let (ac, _) = admit(&mut a, &mut c, NOW);

    a.hear(ab.initiator, b"no frame of any session", NOW);

    let heard = a.heard();
    assert_eq!(heard.refused, [(ab.initiator, NotAdmitted::Evidence)]);
    assert_eq!(heard.lost, [b.node]);
    a.send(c.node, &answer(), NOW);
    let outcome = carry(&mut a, &mut c, &[ac], NOW);
    assert_eq!(outcome.responder.messages, [(a.node, answer())]);
}

#[test]
fn a_delivery_over_the_limit_breaks_the_protocol() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (wire, _) = admit(&mut a, &mut b, NOW);

    a.send(b.node, &delivery(limits::DELIVERY + 1), NOW);
    let outcome = carry(&mut a, &mut b, &[wire], NOW);

    assert_eq!(outcome.responder.messages, [] as [(_, PeerMessage); 0]);
    let refused = [(wire.responder, NotAdmitted::Evidence)];
    assert_eq!(outcome.responder.refused, refused);
}

#[test]
fn a_link_number_is_never_used_twice_and_none_is_known_before_it_is_opened() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let wire = connect(&mut a, &mut b, NOW);

    assert!(a.peering.closed(wire.initiator + 1).is_err());
    assert!(a.peering.closed(0).is_err());
    assert!(a.peering.closed(wire.initiator).is_ok());
    // Frames that cross the end of their link are nothing.
    a.hear(wire.initiator, b"late", NOW);
    assert!(a.heard().refused.is_empty());
}
