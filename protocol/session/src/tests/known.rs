//! Sessions with an enclave whose document was appraised before.

use vettid_attestation::AppraisalError;
use vettid_crypto::digest::sha256;
use vettid_wire::limits;
use vettid_wire::time::{MINUTE, SECOND, UnixMillis};

use super::fixture::*;
use crate::message::Challenge;
use crate::{
    Claim, Error, Established, Evidence, Initiator, InitiatorProgress, KnownEnclave, Misuse,
    PeerMisbehaved,
};

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

/// A session that names what is known; `prove` makes the vault's evidence.
fn reopen(
    scene: &mut Scene,
    known: &KnownEnclave,
    prove: impl FnOnce(&mut Scene, &Claim) -> Evidence,
) -> Result<(Established, Established), Error> {
    let now = scene.now;
    let terms = scene.app_terms().knowing(known.clone());
    let (initiator, frame) =
        Initiator::start(&terms, &scene.device.verifier, now, &mut random(61)).expect("started");
    let (responder, frame) = scene.accept(&frame).expect("accepted");
    let (state, claim, frame) = scene.finish(initiator, &frame)?;
    let responder = waiting(responder.handle(now, &frame, None));
    let evidence = claim.prove_with_key(&scene.device.key);
    let (initiator, frame) = state.supply(now, &evidence)?;
    let (state, claim) = owing(responder.handle(now, &frame, None))?;
    let evidence = prove(scene, &claim);
    let (vault, frame) = state.supply(now, &evidence)?;
    Ok((scene.judge(initiator, &frame)?, vault))
}

fn known(scene: &mut Scene) -> KnownEnclave {
    scene.open().0.known_enclave().expect("an enclave")
}

fn honest(scene: &mut Scene, claim: &Claim) -> Evidence {
    let now = scene.now;
    scene.enclave.prove(claim, now)
}

#[test]
fn known_document_is_named_and_left_out() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    let hash = scene.enclave.current.as_deref().map(sha256);

    let (mut app, mut vault) = reopen(&mut scene, &known, |scene, claim| {
        assert_eq!(claim.known_document, hash);
        let evidence = honest(scene, claim);
        assert!(matches!(evidence, Evidence::Enclave { document: None, .. }));
        evidence
    })
    .expect("opened");

    assert_eq!(carry(&mut app, &mut vault, NOW, b"question"), b"question");
    assert_eq!(app.known_enclave(), Some(known));
}

#[test]
fn device_is_no_known_enclave() {
    let (_, vault) = Scene::new().open();

    assert_eq!(vault.known_enclave(), None);
}

#[test]
fn first_contact_names_nothing() {
    let mut scene = Scene::new();

    let (_, _, claim) = scene.prove_app();

    assert_eq!(claim.known_document, None);
}

#[test]
fn document_that_ends_within_the_handshake_is_not_named() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    let last = NOW.plus(limits::DOCUMENT_AGE - limits::HANDSHAKE_TIME);

    let named = |scene: &mut Scene, now: UnixMillis| {
        scene.now = now;
        let mut found = None;
        reopen(scene, &known, |scene, claim| {
            found = claim.known_document;
            honest(scene, claim)
        })
        .expect("opened");
        found.is_some()
    };

    assert!(named(&mut scene, last));
    assert!(!named(&mut scene, last.plus(1)));
}

#[test]
fn document_of_another_node_is_not_named() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    scene.enclave = Enclave::new(0x32);
    let mut named = None;

    let outcome = reopen(&mut scene, &known, |scene, claim| {
        named = claim.known_document;
        honest(scene, claim)
    });

    assert_eq!(refused(outcome), None);
    assert_eq!(named, None);
}

#[test]
fn responder_names_no_document_to_somebody_it_does_not_expect() {
    let mut enclaves = Enclaves::new();
    let (_, right) = enclaves
        .open(Enclaves::strangers, Enclaves::prove)
        .expect("opened");
    let of_initiator = right.known_enclave().expect("an enclave");
    let mut named = None;

    let opened = enclaves.open(
        |all| {
            let responder = all.responder_terms().knowing(of_initiator);
            (all.initiator_terms(), responder)
        },
        |all, claim| {
            named = named.or(claim.known_document);
            all.prove(claim)
        },
    );

    assert_eq!(refused(opened), None);
    assert_eq!(named, None);
}

#[test]
fn document_of_another_epoch_is_not_named() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    scene.device.verifier.policy = policy(EPOCH + 1);
    let terms = scene.app_terms().knowing(known);
    let entropy = &mut random(61);
    let (initiator, frame) =
        Initiator::start(&terms, &scene.device.verifier, NOW, entropy).expect("started");
    let (responder, frame) = scene.accept(&frame).expect("accepted");

    let (mut state, mut claim, frame) = scene.finish(initiator, &frame).expect("finished");

    // Past the vault's own check of the epoch, to see what it was asked for.
    let responder = waiting(responder.handle(NOW, &frame, None));
    state.bound.policy_epoch = EPOCH;
    claim.statement.policy_epoch = EPOCH;
    let evidence = claim.prove_with_key(&scene.device.key);
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");
    let (_, claim) = owing(responder.handle(NOW, &frame, None)).expect("proven");
    assert_eq!(claim.known_document, None);
}

#[test]
fn verifier_that_forgot_the_document_refuses_its_absence() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    scene.device.verifier = verifier();

    let outcome = reopen(&mut scene, &known, honest);

    assert_eq!(refused(outcome), Some(Misuse::DocumentForgotten.into()));
}

#[test]
fn document_whose_appraisal_ends_in_the_middle_is_refused() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    let start = NOW.plus(limits::DOCUMENT_AGE - 5 * SECOND);
    scene.now = start;
    let terms = scene.app_terms();
    let (initiator, frame) =
        Initiator::start(&terms, &scene.device.verifier, start, &mut random(61)).expect("started");
    let (responder, frame) = scene.accept(&frame).expect("accepted");
    let progress = initiator
        .handle(start, &frame, &mut scene.device.verifier)
        .expect("finished");
    let InitiatorProgress::NeedEvidence {
        frame,
        claim,
        mut state,
    } = progress
    else {
        panic!("opened too early");
    };
    // A side that names a document although it ends soon.
    let hash = known.appraised.at(NOW).expect("counts").document_hash;
    state.bound.asked = Challenge::new([0; 32], Some(hash));
    let responder = waiting(responder.handle(start, &frame, None));
    let evidence = claim.prove_with_key(&scene.device.key);
    let (initiator, frame) = state.supply(start, &evidence).expect("supplied");
    let (state, claim) = owing(responder.handle(start, &frame, None)).expect("proven");
    let bundle = scene.enclave.bundle.clone();
    let evidence = claim.prove_with_document(None, bundle, &scene.enclave.binding);
    let (_, frame) = state.supply(start, &evidence).expect("supplied");

    scene.now = NOW.plus(limits::DOCUMENT_AGE + 1);

    let outcome = scene.judge(initiator, &frame);
    assert_eq!(refused(outcome), Some(Misuse::DocumentForgotten.into()));
}

#[test]
fn other_bundle_for_a_known_document_is_refused() {
    let mut scene = Scene::new();
    let known = known(&mut scene);

    let outcome = reopen(&mut scene, &known, |_, claim| {
        let other = Enclave::new(0x32);
        claim.prove_with_document(None, other.bundle, &other.binding)
    });

    let error = AppraisalError::BundleMismatch;
    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Evidence(error).into())
    );
}

#[test]
fn known_document_needs_the_binding_key_all_the_same() {
    let mut scene = Scene::new();
    let known = known(&mut scene);

    let outcome = reopen(&mut scene, &known, |scene, claim| {
        let stranger = Device::new(0x29).key;
        claim.prove_with_document(None, scene.enclave.bundle.clone(), &stranger)
    });

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Signature.into()));
}

#[test]
fn renewed_document_without_our_nonce_is_taken_from_a_known_enclave() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    scene.now = NOW.plus(30 * MINUTE);

    let (app, _) = reopen(&mut scene, &known, |scene, claim| {
        let document = scene.enclave.attest(None, scene.now);
        let bundle = scene.enclave.bundle.clone();
        claim.prove_with_document(Some(document), bundle, &scene.enclave.binding)
    })
    .expect("opened");

    assert_ne!(app.known_enclave(), Some(known));
}

#[test]
fn restarted_enclave_must_answer_our_nonce() {
    let mut scene = Scene::new();
    let known = known(&mut scene);
    let node = scene.enclave.node;
    let restarted = |scene: &mut Scene| {
        scene.enclave = Enclave::new(0x33);
        let key = scene.enclave.binding.verifying_key();
        scene.enclave.node = node;
        scene.enclave.bundle = vettid_attestation::Bundle::new(key, node, &[], None, 1, [0; 32])
            .expect("a bundle")
            .to_bytes();
    };

    restarted(&mut scene);
    let outcome = reopen(&mut scene, &known, |scene, claim| {
        let document = scene.enclave.attest(None, NOW);
        let bundle = scene.enclave.bundle.clone();
        claim.prove_with_document(Some(document), bundle, &scene.enclave.binding)
    });
    let error = AppraisalError::NothingToRenew;
    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Evidence(error).into())
    );

    restarted(&mut scene);
    assert_eq!(refused(reopen(&mut scene, &known, honest)), None);
}

#[test]
fn two_enclaves_that_know_each_other_spare_both_documents() {
    let mut enclaves = Enclaves::new();
    let (left, right) = enclaves
        .open(Enclaves::strangers, Enclaves::prove)
        .expect("opened");
    let (of_responder, of_initiator) = (left.known_enclave(), right.known_enclave());
    let mut documents = 0;

    let opened = enclaves.open(
        |all| {
            let initiator = all.initiator_terms().introduced();
            let responder = all.responder_terms().expecting(all.initiator.node);
            (
                initiator.knowing(of_responder.expect("an enclave")),
                responder.knowing(of_initiator.expect("an enclave")),
            )
        },
        |all, claim| {
            let evidence = all.prove(claim);
            documents += usize::from(matches!(
                &evidence,
                Evidence::Enclave {
                    document: Some(_),
                    ..
                }
            ));
            evidence
        },
    );

    assert_eq!(refused(opened), None);
    assert_eq!(documents, 0);
}
