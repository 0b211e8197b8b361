//! Evidence that is genuine, but not for this session, this role or these two.

use vettid_wire::id::SpaceId;

use super::fixture::*;
use crate::{
    Claim, Error, Evidence, Identity, Misuse, PeerIncompatible, PeerMisbehaved, Role, Statement,
    Transcript,
};

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

/// The vault's evidence with another statement signed.
fn signed(scene: &mut Scene, claim: &Claim, statement: Statement) -> Evidence {
    let document = scene.enclave.attest(Some(&claim.nonce), NOW);
    let claim = Claim {
        statement,
        ..*claim
    };
    claim.prove_with_document(
        Some(document),
        scene.enclave.bundle.clone(),
        &scene.enclave.binding,
    )
}

#[test]
fn evidence_signed_for_anything_else_is_refused() {
    let space = Identity::Space(SpaceId([0x52; 16]));
    let peer = Identity::Device(Device::new(0x29).public());
    for (what, change) in [
        ("role", Change::Role),
        ("session", Change::Transcript),
        ("epoch", Change::Epoch),
        ("space", Change::Own(space)),
        ("device", Change::Peer(peer)),
    ] {
        let outcome =
            Scene::new().open_with(|scene, claim| signed(scene, claim, change.of(claim.statement)));
        assert_eq!(
            refused(outcome),
            Some(PeerMisbehaved::Signature.into()),
            "{what}"
        );
    }
}

enum Change {
    Epoch,
    Own(Identity),
    Peer(Identity),
    Role,
    Transcript,
}

impl Change {
    fn of(self, all: Statement) -> Statement {
        match self {
            Self::Epoch => Statement {
                policy_epoch: EPOCH + 1,
                ..all
            },
            Self::Own(own) => Statement { own, ..all },
            Self::Peer(peer) => Statement { peer, ..all },
            Self::Role => Statement {
                role: Role::Initiator,
                ..all
            },
            Self::Transcript => Statement {
                transcript: Transcript([0; 32]),
                ..all
            },
        }
    }
}

#[test]
fn evidence_relayed_from_another_session_is_refused() {
    // The document even answers this session's nonce: only the signature tells.
    let mut elsewhere = Scene::seeded(500);
    let (_, _, other) = elsewhere.prove_app();

    let outcome = Scene::new().open_with(|scene, claim| signed(scene, claim, other.statement));

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Signature.into()));
}

#[test]
fn evidence_replayed_from_an_earlier_session_is_refused() {
    let mut scene = Scene::new();
    let (_, _, earlier) = scene.prove_app();
    let evidence = scene.enclave.prove(&earlier, NOW);
    let mut later = Scene::seeded(500);

    let outcome = later.open_with(|_, _| evidence);

    let error = vettid_attestation::AppraisalError::NonceMismatch;
    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Evidence(error).into())
    );
}

#[test]
fn evidence_of_a_device_replayed_in_another_session_is_refused() {
    let (_, earlier, _) = Scene::new().shake_hands();
    let mut scene = Scene::seeded(500);
    let evidence = earlier.prove_with_key(&scene.device.key);
    let (state, _, responder) = scene.shake_hands();
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    let outcome = owing(responder.handle(NOW, &frame, None));

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Signature.into()));
}

#[test]
fn own_evidence_sent_back_is_refused() {
    let mut enclaves = Enclaves::new();
    let mut first = None;

    let outcome = enclaves.open(Enclaves::strangers, |all, claim| {
        first.get_or_insert_with(|| all.prove(claim)).clone()
    });

    // Its document answers the other side's nonce; nothing else about it is looked at.
    let error = vettid_attestation::AppraisalError::NonceMismatch;
    assert_eq!(
        refused(outcome),
        Some(PeerMisbehaved::Evidence(error).into())
    );
}

#[test]
fn own_signature_sent_back_is_refused() {
    // A node that dials itself through a mirror: the same node and binding key at both ends, a
    // fresh document, but the signature that the initiator made.
    let mut enclaves = Enclaves::new();
    enclaves.initiator = Enclave::new(0x42);
    let mut first = None;

    let outcome = enclaves.open(Enclaves::strangers, |all, claim| {
        let statement = *first.get_or_insert(claim.statement);
        let document = all.responder.attest(Some(&claim.nonce), NOW);
        let bundle = all.responder.bundle.clone();
        let claim = Claim {
            statement,
            ..*claim
        };
        claim.prove_with_document(Some(document), bundle, &all.responder.binding)
    });

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Signature.into()));
}

#[test]
fn own_frames_sent_back_open_nothing() {
    let mut scene = Scene::new();
    let (state, claim, _) = scene.shake_hands();
    let evidence = claim.prove_with_key(&scene.device.key);
    let (initiator, frame) = state.supply(NOW, &evidence).expect("supplied");
    assert_eq!(
        refused(scene.judge(initiator, &frame)),
        Some(PeerMisbehaved::FrameAltered.into())
    );

    let (mut app, _) = scene.open();
    let frame = app.seal(NOW, b"question").expect("sealed").remove(0);
    assert_eq!(
        refused(app.open(NOW, &frame)),
        Some(PeerMisbehaved::FrameAltered.into())
    );
}

#[test]
fn device_that_signs_with_another_key_is_refused() {
    let mut scene = Scene::new();
    let (state, claim, responder) = scene.shake_hands();
    let signature = claim.statement.sign(&Device::new(0x29).key);
    let evidence = Evidence::Key {
        key: scene.device.public(),
        signature,
    };
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    let outcome = owing(responder.handle(NOW, &frame, None));

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Signature.into()));
}

#[test]
fn evidence_of_another_own_identity_is_not_sent() {
    let mut scene = Scene::new();
    let other = Device::new(0x29);
    let (state, claim, _) = scene.shake_hands();
    let outcome = state.supply(NOW, &claim.prove_with_key(&other.key));
    assert_eq!(refused(outcome), Some(Misuse::WrongEvidence.into()));

    let (state, claim, _) = scene.shake_hands();
    let enclave = scene.enclave.prove(&claim, NOW);
    assert_eq!(
        refused(state.supply(NOW, &enclave)),
        Some(Misuse::WrongEvidence.into())
    );

    let (_, state, claim) = scene.prove_app();
    let outcome = state.supply(NOW, &claim.prove_with_key(&other.key));
    assert_eq!(refused(outcome), Some(Misuse::WrongEvidence.into()));
}

#[test]
fn evidence_that_does_not_fit_is_not_sent() {
    let (_, state, claim) = Scene::new().prove_app();
    let key = Device::new(1).key;

    let outcome = state.supply(
        NOW,
        &claim.prove_with_document(Some(vec![0; 16_384]), vec![0; 9], &key),
    );

    assert!(matches!(
        refused(outcome),
        Some(Error::Misuse(Misuse::EvidenceTooLarge {
            limit: 16_381,
            size: 16_385..
        }))
    ));
}

#[test]
fn device_where_an_enclave_must_answer_is_refused() {
    let mut scene = Scene::new();
    let (initiator, mut state, claim) = scene.prove_app();
    let device = Device::new(0x29);
    state.bound.own = Identity::Device(device.public());
    let evidence = claim.prove_with_key(&device.key);
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    let outcome = scene.judge(initiator, &frame);

    assert_eq!(refused(outcome), Some(PeerMisbehaved::WrongEvidence.into()));
}

#[test]
fn enclave_where_a_device_must_ask_is_refused() {
    let mut scene = Scene::new();
    let (mut state, claim, responder) = scene.shake_hands();
    state.bound.own = Identity::Node(scene.enclave.node);
    let evidence = scene.enclave.prove(&claim, NOW);
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    let outcome = owing(responder.handle(NOW, &frame, Some(&mut verifier())));

    assert_eq!(refused(outcome), Some(PeerMisbehaved::WrongEvidence.into()));
}

#[test]
fn peer_in_another_epoch_is_named() {
    let mut scene = Scene::new();
    scene.device.verifier = crate::Verifier::new(policy(EPOCH + 1));
    let (state, claim, responder) = scene.shake_hands();
    let evidence = claim.prove_with_key(&scene.device.key);
    let (_, frame) = state.supply(NOW, &evidence).expect("supplied");

    let outcome = owing(responder.handle(NOW, &frame, None));

    let error = PeerIncompatible::PolicyEpoch {
        ours: EPOCH,
        theirs: EPOCH + 1,
    };
    assert_eq!(refused(outcome), Some(error.into()));
}
