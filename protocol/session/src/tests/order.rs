//! Frames at the wrong time: application data before evidence, evidence twice, rekeying too early.

use super::fixture::*;
use crate::channel::{EVIDENCE, REKEY};
use crate::{Error, Misuse, PeerMisbehaved};

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

#[test]
fn application_data_before_the_apps_evidence_is_refused() {
    let mut scene = Scene::new();
    let (mut state, _, responder) = scene.shake_hands();
    let frame = state
        .channel
        .seal([1, 0], b"question", NOW)
        .expect("sealed");

    let outcome = owing(responder.handle(NOW, &frame, None));

    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::ApplicationTooEarly.into())
    );
}

#[test]
fn application_data_before_the_vaults_evidence_is_refused() {
    let mut scene = Scene::new();
    let (initiator, mut state, _) = scene.prove_app();
    let frame = state.channel.seal([1, 0], b"answer", NOW).expect("sealed");

    let outcome = scene.judge(initiator, &frame);

    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::ApplicationTooEarly.into())
    );
}

#[test]
fn change_of_keys_before_evidence_is_refused() {
    let mut scene = Scene::new();
    let (mut state, _, responder) = scene.shake_hands();
    let frame = state.channel.seal(REKEY, &[], NOW).expect("sealed");

    let outcome = owing(responder.handle(NOW, &frame, None));

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Malformed.into()));
}

#[test]
fn evidence_that_is_no_evidence_is_refused() {
    for body in [&[][..], &[0x80], &[0xff; 200]] {
        let mut scene = Scene::new();
        let (mut state, _, responder) = scene.shake_hands();
        let frame = state.channel.seal(EVIDENCE, body, NOW).expect("sealed");

        let outcome = owing(responder.handle(NOW, &frame, None));

        assert_eq!(refused(outcome), Some(PeerMisbehaved::Malformed.into()));
    }
}

#[test]
fn evidence_in_an_open_session_ends_it() {
    let mut scene = Scene::new();
    let (_, _, claim) = scene.prove_app();
    let evidence = scene.enclave.prove(&claim, NOW);
    let (mut app, mut vault) = scene.open();
    let own = claim.statement.own;
    let body = evidence.to_body(own, EPOCH).expect("fits");
    let channel = vault.channel.as_mut().expect("open");
    let frame = channel.seal(EVIDENCE, &body, NOW).expect("sealed");

    assert_eq!(
        refused(app.open(NOW, &frame)),
        Some(PeerMisbehaved::EvidenceTwice.into())
    );
    assert_eq!(
        refused(app.seal(NOW, b"question")),
        Some(Misuse::Ended.into())
    );
}

#[test]
fn frame_with_an_unknown_control_header_ends_the_session() {
    for plaintext in [&[0, 0][..], &[0, 4], &[0, 2, 0, 1], &[0], &[]] {
        let (mut app, mut vault) = Scene::new().open();
        let mut padded = plaintext.to_vec();
        vettid_wire::padding::pad(&mut padded).expect("fits");
        let frame = vault.channel.as_mut().expect("open").seal_raw(&padded);

        let outcome = app.open(NOW, &frame);

        assert_eq!(
            refused(outcome),
            Some(PeerMisbehaved::Malformed.into()),
            "{plaintext:?}"
        );
    }
}
