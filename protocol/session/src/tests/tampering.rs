//! A hostile carrier: every byte changed, frames cut, lengthened or swapped before the session opens.

use vettid_wire::limits;

use super::fixture::*;
use crate::{Error, PeerIncompatible, PeerMisbehaved};

/// The frame with one bit of each byte changed, in turn.
fn flips(frame: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..frame.len()).map(|index| {
        let mut flipped = frame.to_vec();
        flipped[index] ^= 1 << (index % 8);
        (index, flipped)
    })
}

fn altered(error: &Error) -> bool {
    matches!(
        error,
        Error::PeerMisbehaved(
            PeerMisbehaved::FrameAltered
                | PeerMisbehaved::FrameLost { .. }
                | PeerMisbehaved::FrameRepeated { .. }
        )
    )
}

#[test]
fn every_changed_byte_of_the_first_message_is_refused() {
    let scene = Scene::new();
    let (_, frame) = scene.start();

    for (index, flipped) in flips(&frame) {
        let expected: Error = match index {
            0 => PeerIncompatible::Version { theirs: flipped[0] }.into(),
            _ => PeerMisbehaved::Handshake.into(),
        };
        assert_eq!(scene.accept(&flipped).map(|_| ()), Err(expected), "{index}");
    }
}

#[test]
fn every_changed_byte_of_the_second_message_is_refused() {
    let mut scene = Scene::new();
    let (_, frame) = scene.start();
    let (_, frame) = scene.accept(&frame).expect("accepted");

    for (index, flipped) in flips(&frame) {
        let (initiator, _) = scene.start();
        let outcome = scene.finish(initiator, &flipped).map(|_| ());
        assert_eq!(outcome, Err(PeerMisbehaved::Handshake.into()), "{index}");
    }
}

#[test]
fn every_changed_byte_of_the_third_message_is_refused() {
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (_, second) = scene.accept(&first).expect("accepted");
    let (_, _, third) = scene.finish(initiator, &second).expect("finished");

    for (index, flipped) in flips(&third) {
        let (responder, _) = scene.accept(&first).expect("accepted");
        let outcome = responder.handle(NOW, &flipped, None).map(|_| ());
        assert_eq!(outcome, Err(PeerMisbehaved::Handshake.into()), "{index}");
    }
}

#[test]
fn every_changed_byte_of_the_apps_evidence_is_refused() {
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (_, second) = scene.accept(&first).expect("accepted");
    let (state, claim, third) = scene.finish(initiator, &second).expect("finished");
    let evidence = claim.prove_with_key(&scene.device.key);
    let (_, fourth) = state.supply(NOW, &evidence).expect("supplied");

    for (index, flipped) in flips(&fourth) {
        let (responder, _) = scene.accept(&first).expect("accepted");
        let responder = waiting(responder.handle(NOW, &third, None));
        let error = owing(responder.handle(NOW, &flipped, None))
            .map(|_| ())
            .expect_err("altered");
        assert!(altered(&error), "{index}: {error}");
    }
}

#[test]
fn every_changed_byte_of_the_vaults_evidence_is_refused() {
    let mut scene = Scene::new();
    let (_, state, claim) = scene.prove_app();
    let evidence = scene.enclave.prove(&claim, NOW);
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    // The document alone is some 3 KB; of its frame, every byte modulo a prime is enough.
    for (index, flipped) in flips(&frame).filter(|(index, _)| *index < 8 || index % 13 == 0) {
        let (initiator, _, _) = scene.prove_app();
        let error = scene
            .judge(initiator, &flipped)
            .map(|_| ())
            .expect_err("altered");
        assert!(altered(&error), "{index}: {error}");
    }
}

#[test]
fn every_changed_byte_of_an_application_frame_ends_the_session() {
    let mut scene = Scene::new();
    let frame = {
        let (mut app, _) = scene.open();
        app.seal(NOW, b"question").expect("sealed").remove(0)
    };

    for (index, flipped) in flips(&frame).filter(|(index, _)| *index < 8 || index % 5 == 0) {
        let (_, mut vault) = scene.open();
        let error = vault.open(NOW, &flipped).map(|_| ()).expect_err("altered");
        assert!(altered(&error), "{index}: {error}");
    }
}

#[test]
fn every_cut_of_a_handshake_message_is_refused() {
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (_, second) = scene.accept(&first).expect("accepted");
    let (_, _, third) = scene.finish(initiator, &second).expect("finished");

    assert_eq!(
        scene.accept(&[]).map(|_| ()),
        Err(PeerMisbehaved::FrameSize(0).into())
    );
    for length in (1..first.len()).step_by(7) {
        let error = scene.accept(&first[..length]).map(|_| ()).expect_err("cut");
        assert!(refused(&error), "{length}: {error}");
    }
    for length in (0..second.len()).step_by(7) {
        let (initiator, _) = scene.start();
        let error = scene
            .finish(initiator, &second[..length])
            .map(|_| ())
            .expect_err("cut");
        assert!(refused(&error), "{length}: {error}");
    }
    for length in 0..third.len() {
        let (responder, _) = scene.accept(&first).expect("accepted");
        let error = responder
            .handle(NOW, &third[..length], None)
            .map(|_| ())
            .expect_err("cut");
        assert!(refused(&error), "{length}: {error}");
    }
}

fn refused(error: &Error) -> bool {
    matches!(
        error,
        Error::PeerMisbehaved(PeerMisbehaved::Handshake | PeerMisbehaved::Malformed)
    )
}

#[test]
fn handshake_message_over_the_limit_is_refused_unread() {
    let mut scene = Scene::new();
    let huge = vec![1; limits::HANDSHAKE + 1];
    let size = Err(PeerMisbehaved::FrameSize(huge.len()).into());

    assert_eq!(scene.accept(&huge).map(|_| ()), size);
    let (initiator, first) = scene.start();
    assert_eq!(scene.finish(initiator, &huge).map(|_| ()), size);
    let (responder, _) = scene.accept(&first).expect("accepted");
    assert_eq!(responder.handle(NOW, &huge, None).map(|_| ()), size);
}

#[test]
fn evidence_frame_over_the_limit_is_refused_unread() {
    let mut scene = Scene::new();
    let huge = vec![0; limits::EVIDENCE + 8 + 16 + 1];
    let size = Err(PeerMisbehaved::FrameSize(huge.len()).into());

    let (_, _, responder) = scene.shake_hands();
    assert_eq!(owing(responder.handle(NOW, &huge, None)).map(|_| ()), size);
    let (initiator, _, _) = scene.prove_app();
    assert_eq!(scene.judge(initiator, &huge).map(|_| ()), size);
}

#[test]
fn frames_cannot_take_each_others_place() {
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (responder, second) = scene.accept(&first).expect("accepted");

    assert_eq!(
        scene.finish(initiator, &first).map(|_| ()),
        Err(PeerMisbehaved::Handshake.into())
    );
    assert_eq!(
        responder.handle(NOW, &second, None).map(|_| ()),
        Err(PeerMisbehaved::Handshake.into())
    );
}
