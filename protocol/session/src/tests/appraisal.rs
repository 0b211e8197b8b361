//! Documents that are wrong in a session; what is wrong in a document is tested in attestation.

use vettid_attestation::AppraisalError;
use vettid_wire::limits;

use super::fixture::*;
use crate::{Error, Misuse, PeerIncompatible, PeerMisbehaved, Verifier};

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

#[test]
fn document_without_or_with_another_nonce_is_refused_on_first_contact() {
    for (nonce, error) in [
        (None, AppraisalError::NonceMissing),
        (Some([9; 32]), AppraisalError::NonceMismatch),
    ] {
        let outcome = Scene::new().open_with(|scene, claim| {
            let document = scene
                .enclave
                .attest(nonce.as_ref().map(|n| n.as_slice()), NOW);
            let bundle = scene.enclave.bundle.clone();
            claim.prove_with_document(Some(document), bundle, &scene.enclave.binding)
        });
        assert_eq!(
            refused(outcome),
            Some(PeerMisbehaved::Evidence(error).into())
        );
    }
}

#[test]
fn evidence_without_a_document_is_refused_on_first_contact() {
    let outcome = Scene::new().open_with(|scene, claim| {
        claim.prove_with_document(None, scene.enclave.bundle.clone(), &scene.enclave.binding)
    });

    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::DocumentMissing.into())
    );
}

#[test]
fn enclave_with_another_image_is_refused_by_name() {
    let mut scene = Scene::new();
    scene.enclave = Enclave::running([0x12; 48], 0x31);

    let outcome = scene.open_with(|scene, claim| scene.enclave.prove(claim, NOW));

    assert!(matches!(
        refused(outcome),
        Some(Error::PeerIncompatible(PeerIncompatible::NotAccepted(
            AppraisalError::UnknownMeasurement(_)
        )))
    ));
}

#[test]
fn bundle_that_is_not_attested_is_refused() {
    let outcome = Scene::new().open_with(|scene, claim| {
        let document = scene.enclave.attest(Some(&claim.nonce), NOW);
        let other = Enclave::new(0x32);
        claim.prove_with_document(Some(document), other.bundle, &other.binding)
    });

    let error = AppraisalError::BundleMismatch;
    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Evidence(error).into())
    );
}

#[test]
fn stale_document_is_refused() {
    let outcome = Scene::new().open_with(|scene, claim| {
        let long_ago = vettid_wire::time::UnixMillis(NOW.0 - limits::DOCUMENT_AGE - 1);
        let document = scene.enclave.attest(Some(&claim.nonce), long_ago);
        let bundle = scene.enclave.bundle.clone();
        claim.prove_with_document(Some(document), bundle, &scene.enclave.binding)
    });

    let (age, limit) = (limits::DOCUMENT_AGE + 1, limits::DOCUMENT_AGE);
    let error = AppraisalError::Stale { age, limit };
    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Evidence(error).into())
    );
}

#[test]
fn enclave_is_not_accepted_without_a_verifier() {
    let mut enclaves = Enclaves::new();
    let (initiator_terms, responder_terms) = enclaves.strangers();
    let (initiator, frame) = crate::Initiator::start(
        &initiator_terms,
        &enclaves.verifiers[0],
        NOW,
        &mut random(1),
    )
    .expect("started");
    let (responder, frame) =
        crate::Responder::accept(&responder_terms, NOW, &frame, &mut random(2)).expect("accepted");
    let progress = initiator
        .handle(NOW, &frame, &mut enclaves.verifiers[0])
        .expect("finished");
    let crate::InitiatorProgress::NeedEvidence {
        frame,
        claim,
        state,
    } = progress
    else {
        panic!("opened too early");
    };
    let responder = waiting(responder.handle(NOW, &frame, None));
    let (_, frame) = state
        .supply(NOW, &enclaves.prove(&claim))
        .expect("supplied");

    let outcome = owing(responder.handle(NOW, &frame, None));

    assert_eq!(refused(outcome), Some(Misuse::NoVerifier.into()));
}

#[test]
fn policy_replaced_in_the_middle_is_noticed() {
    let mut scene = Scene::new();
    let (initiator, state, claim) = scene.prove_app();
    let evidence = scene.enclave.prove(&claim, NOW);
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    scene.device.verifier = Verifier::new(policy(EPOCH + 1));

    assert_eq!(
        refused(scene.judge(initiator, &frame)),
        Some(Misuse::PolicyChanged.into())
    );
}
