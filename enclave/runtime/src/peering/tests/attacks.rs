//! Everybody who must not get in, or be taken for somebody else.

use super::fixture::{
    Enclave, NOW, PROGRAM, Shows, admit, answer, both_admitted, carry, connect, network,
};
use vettid_attestation::Policy;
use vettid_session::Evidence as ShownEvidence;
use vettid_wire::link::federation::{NotAdmitted, Side};
use vettid_wire::network::{Network, TrustRoot};
use vettid_wire::version;

/// Runs a handshake through `tamper`, which sees and may change every frame of the initiator; what
/// the first who refuses says.
fn refused_when(
    a: &mut Enclave,
    b: &mut Enclave,
    mut tamper: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> NotAdmitted {
    let wire = connect(a, b, NOW);
    let mut sent = 0;
    for _ in 0..5 {
        let from_a = a.heard();
        assert!(from_a.admitted.is_empty(), "admitted");
        if let [(_, why)] = from_a.refused[..] {
            return why;
        }
        for (_, frame) in from_a.frames {
            let frame = tamper(sent, frame);
            sent += 1;
            b.hear(wire.responder, &frame, NOW);
        }
        let from_b = b.heard();
        assert!(from_b.admitted.is_empty(), "admitted");
        if let [(_, why)] = from_b.refused[..] {
            return why;
        }
        for (_, frame) in from_b.frames {
            a.hear(wire.initiator, &frame, NOW);
        }
    }
    panic!("nobody refuses");
}

#[test]
fn evidence_of_an_earlier_session_is_refused_in_another() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let mut recorded = Vec::new();
    let first = connect(&mut a, &mut b, NOW);
    for frame in a.frames() {
        recorded.push(frame.clone());
        b.hear(first.responder, &frame, NOW);
    }
    for frame in b.frames() {
        a.hear(first.initiator, &frame, NOW);
    }
    recorded.extend(a.frames());

    // The whole recording, to a fresh link of the same enclave.
    let (peer, node) = (a.peer.clone(), a.node);
    let replayed = b.open(&peer, node, Side::Responder, NOW);
    for frame in &recorded {
        b.hear(replayed, frame, NOW);
    }
    let heard = b.heard();
    assert!(heard.admitted.is_empty());
    assert_eq!(heard.refused, [(replayed, NotAdmitted::Evidence)]);

    // And its evidence frame alone, inside a live handshake.
    let evidence = recorded[2].clone();
    let why = refused_when(&mut a, &mut b, |number, frame| {
        if number == 2 { evidence.clone() } else { frame }
    });
    assert_eq!(why, NotAdmitted::Evidence);
}

/// Carries frames between A and whoever says that it is B; what A makes of it.
fn judged(a: &mut Enclave, impostor: &mut Enclave) -> NotAdmitted {
    let wire = connect(a, impostor, NOW);
    let outcome = carry(a, impostor, &[wire], NOW);
    assert!(outcome.initiator.admitted.is_empty(), "admitted");
    assert_eq!(outcome.initiator.refused.len(), 1);
    outcome.initiator.refused[0].1
}

#[test]
fn a_man_in_the_middle_who_passes_on_genuine_evidence_gets_nowhere_on_either_side() {
    let (mut a, mut b, mut other) = (Enclave::new(1), Enclave::new(2), Enclave::new(3));
    // B has shown its evidence to somebody that it admitted; the middle has it.
    admit(&mut other, &mut b, NOW);
    let of_b = b.shown.last().cloned().expect("shown");
    let mut middle_as_b = Enclave::impostor(&b, Shows::Recorded(of_b));

    assert_eq!(judged(&mut a, &mut middle_as_b), NotAdmitted::Evidence);

    // What A has shown to the middle meanwhile is passed on to B.
    let of_a = a.shown.last().cloned().expect("shown");
    let mut middle_as_a = Enclave::impostor(&a, Shows::Recorded(of_a));
    let (_, outcome) = admit(&mut middle_as_a, &mut b, NOW);
    assert!(outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Evidence);
}

#[test]
fn known_evidence_without_its_document_does_not_count_for_another_session_either() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    admit(&mut a, &mut b, NOW);
    let Some(ShownEvidence::Enclave {
        bundle, signature, ..
    }) = a.shown.last().cloned()
    else {
        panic!("nothing shown");
    };
    // B knows A's document and spares it; what is left is a signature of the earlier session.
    let recorded = ShownEvidence::Enclave {
        document: None,
        bundle,
        signature,
    };
    let mut middle_as_a = Enclave::impostor(&a, Shows::Recorded(recorded));

    let (_, outcome) = admit(&mut middle_as_a, &mut b, NOW);

    assert!(outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Evidence);
}

#[test]
fn a_genuine_enclave_of_the_same_image_but_another_node_is_refused() {
    let (mut a, b) = (Enclave::new(1), Enclave::new(2));
    // It signs for this very session, with a fresh document, but as the node that it is.
    let diverted = Shows::OfOther(Box::new(Enclave::new(3)));
    let mut impostor = Enclave::impostor(&b, diverted);

    assert_eq!(judged(&mut a, &mut impostor), NotAdmitted::Identity);
}

#[test]
fn a_genuine_enclave_that_was_not_wanted_does_not_get_as_far_as_evidence() {
    let (mut a, b, mut other) = (Enclave::new(1), Enclave::new(2), Enclave::new(3));
    let (a_peer, a_node) = (a.peer.clone(), a.node);
    a.open(&b.peer, b.node, Side::Initiator, NOW);
    let diverted = other.open(&a_peer, a_node, Side::Responder, NOW);
    for frame in a.frames() {
        other.hear(diverted, &frame, NOW);
    }

    let heard = other.heard();
    assert_eq!(heard.refused, [(diverted, NotAdmitted::Evidence)]);
    assert!(heard.frames.is_empty());
    assert!(a.shown.is_empty() && other.shown.is_empty());
}

#[test]
fn a_supervisor_makes_no_evidence_for_a_session_of_another_node() {
    let (mut a, b) = (Enclave::new(1), Enclave::new(2));
    let mut impostor = Enclave::impostor(&b, Shows::Own);
    let wire = connect(&mut a, &mut impostor, NOW);

    let outcome = carry(&mut a, &mut impostor, &[wire], NOW);

    assert!(impostor.shown.is_empty());
    assert!(outcome.initiator.admitted.is_empty());
}

#[test]
fn evidence_sent_back_to_whom_it_came_from_is_refused() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let wire = connect(&mut a, &mut b, NOW);
    for frame in a.frames() {
        b.hear(wire.responder, &frame, NOW);
    }
    for frame in b.frames() {
        a.hear(wire.initiator, &frame, NOW);
    }
    let sent = a.frames();

    a.hear(wire.initiator, &sent[1], NOW);

    let heard = a.heard();
    assert!(heard.admitted.is_empty());
    assert_eq!(heard.refused, [(wire.initiator, NotAdmitted::Evidence)]);
}

#[test]
fn an_enclave_whose_frames_are_all_led_back_to_it_admits_nobody() {
    let (mut a, b) = (Enclave::new(1), Enclave::new(2));
    let (peer, node) = (b.peer.clone(), b.node);
    let out = a.open(&peer, node, Side::Initiator, NOW);
    let back = a.open(&peer, node, Side::Responder, NOW);

    let mut refused = Vec::new();
    for _ in 0..5 {
        let heard = a.heard();
        assert!(heard.admitted.is_empty());
        refused.extend(heard.refused);
        for (link, frame) in heard.frames {
            let other = if link == out { back } else { out };
            a.hear(other, &frame, NOW);
        }
    }

    assert_eq!(refused, [(back, NotAdmitted::Evidence)]);
    assert!(a.shown.is_empty());
}

#[test]
fn another_version_is_refused_at_its_first_frame() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));

    let why = refused_when(&mut a, &mut b, |_, mut frame| {
        assert_eq!(frame[0], version::SESSION);
        frame[0] -= 1;
        frame
    });

    assert_eq!(why, NotAdmitted::Network);
}

#[test]
fn an_enclave_of_another_epoch_is_refused_in_both_directions() {
    let older = Network {
        epoch: 1,
        ..network(1)
    };
    for old_initiates in [true, false] {
        let (mut old, mut new) = (Enclave::of(&older, 1, PROGRAM, 1), Enclave::new(2));
        let outcome = if old_initiates {
            admit(&mut old, &mut new, NOW).1
        } else {
            admit(&mut new, &mut old, NOW).1
        };

        let refused = outcome.responder.refused;
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].1, NotAdmitted::Network);
        assert!(outcome.responder.admitted.is_empty());
        assert!(outcome.initiator.admitted.is_empty());
    }
}

#[test]
fn the_right_image_in_another_network_is_refused() {
    // The same image and the same root, but other governance: another network.
    let mut foreign = network(1);
    foreign.governance[0].0 = [9; 32];
    let mut a = Enclave::of(&foreign, 1, PROGRAM, 1);
    let mut b = Enclave::new(2);

    let (_, outcome) = admit(&mut a, &mut b, NOW);

    assert!(outcome.initiator.admitted.is_empty() && outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Evidence);
    assert!(a.shown.is_empty() && b.shown.is_empty());
}

#[test]
fn the_right_image_under_another_root_is_refused() {
    // It follows the network's file, but its documents chain to a root of its own.
    let mut a = Enclave::of(&network(1), 5, PROGRAM, 1);
    let mut b = Enclave::new(2);

    let (_, outcome) = admit(&mut a, &mut b, NOW);

    assert!(outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Evidence);
}

#[test]
fn a_genuine_enclave_behind_somebody_elses_host_is_refused() {
    for initiator_is_behind_it in [true, false] {
        let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
        // What the transport has proven is the PeerId of a host that the enclave does not attest.
        if initiator_is_behind_it {
            a.peer = vec![9; 38];
        } else {
            b.peer = vec![9; 38];
        }

        let (_, outcome) = admit(&mut a, &mut b, NOW);

        let judge = if initiator_is_behind_it {
            &outcome.responder
        } else {
            &outcome.initiator
        };
        assert!(judge.admitted.is_empty());
        assert_eq!(judge.refused[0].1, NotAdmitted::Identity);
    }
}

#[test]
fn an_enclave_in_debug_mode_is_refused() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    a.machine.debug = true;

    let (_, outcome) = admit(&mut a, &mut b, NOW);

    assert!(outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Measurement);
}

#[test]
fn emulated_evidence_is_refused_under_the_policy_of_hardware() {
    let hardware = Network {
        trust_root: TrustRoot::Nitro,
        ..network(1)
    };
    let (mut a, mut b) = (
        Enclave::of(&hardware, 1, PROGRAM, 1),
        Enclave::of(&hardware, 1, PROGRAM, 2),
    );

    let (_, outcome) = admit(&mut a, &mut b, NOW);

    assert!(outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Network);
}

#[test]
fn a_document_that_is_too_old_is_refused() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let later = NOW.plus(vettid_wire::limits::DOCUMENT_AGE + 1);
    let wire = connect(&mut a, &mut b, later);
    for frame in a.frames() {
        b.hear(wire.responder, &frame, later);
    }
    let reply = b.frames();
    // The initiator's clock has stopped: its document is of an hour ago.
    a.hear(wire.initiator, &reply[0], NOW);
    for frame in a.frames() {
        b.hear(wire.responder, &frame, later);
    }

    let heard = b.heard();
    assert!(heard.admitted.is_empty());
    assert_eq!(heard.refused, [(wire.responder, NotAdmitted::Evidence)]);
}

#[test]
fn every_frame_of_a_handshake_altered_anywhere_is_refused() {
    for number in 0..3 {
        for place in [1, 40, 400] {
            let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
            let why = refused_when(&mut a, &mut b, |at, mut frame| {
                if at == number {
                    let place = place.min(frame.len() - 1);
                    frame[place] ^= 1;
                }
                frame
            });
            assert_eq!(why, NotAdmitted::Evidence, "frame {number}, byte {place}");
        }
    }
}

#[test]
fn a_frame_of_another_session_in_place_of_the_evidence_is_refused() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    let (wire, outcome) = admit(&mut a, &mut b, NOW);
    assert!(both_admitted(&outcome));
    a.send(b.node, &answer(), NOW);
    let application = a.frames().remove(0);

    let (mut c, mut d) = (Enclave::new(1), Enclave::new(2));
    let why = refused_when(&mut c, &mut d, |number, frame| {
        if number == 2 {
            application.clone()
        } else {
            frame
        }
    });

    assert_eq!(why, NotAdmitted::Evidence);
    // The session that the frame belongs to takes it still.
    b.hear(wire.responder, &application, NOW);
    assert_eq!(b.heard().messages, [(a.node, answer())]);
}

#[test]
fn known_evidence_counts_for_nothing_once_the_policy_has_changed() {
    let (mut a, mut b) = (Enclave::new(1), Enclave::new(2));
    admit(&mut a, &mut b, NOW);
    let stricter = Network {
        epoch: 3,
        release_floor: 2,
        reference_values: vec![vettid_wire::network::ReferenceValue {
            release: 2,
            pcr0: [9; 48],
            pcr1: [9; 48],
            pcr2: [9; 48],
            status: vettid_wire::network::ReleaseStatus::Active,
        }],
        ..network(1)
    };
    for enclave in [&mut a, &mut b] {
        enclave
            .peering
            .adopt(Policy::of_network(&stricter).expect("policy"));
        enclave.evidence.adopt(3);
        enclave.heard();
    }

    let wire = connect(&mut a, &mut b, NOW);
    let outcome = carry(&mut a, &mut b, &[wire], NOW);

    assert!(outcome.responder.admitted.is_empty());
    assert_eq!(outcome.responder.refused[0].1, NotAdmitted::Measurement);
}
