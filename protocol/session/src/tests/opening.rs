//! What works: each use, first contact and later, messages of every size.

use vettid_wire::{fragment, limits};

use super::fixture::*;
use crate::{
    Established, Identity, Initiator, InitiatorProgress, InitiatorTerms, ProvenPeer, Responder,
    ResponderTerms,
};

fn talk(left: &mut Established, right: &mut Established) {
    assert_eq!(carry(left, right, NOW, b"question"), b"question");
    assert_eq!(carry(right, left, NOW, b"answer"), b"answer");
}

#[test]
fn app_and_vault_open_a_session_and_talk() {
    let mut scene = Scene::new();

    let (mut app, mut vault) = scene.open();

    talk(&mut app, &mut vault);
    assert_eq!(app.transcript(), vault.transcript());
    assert_eq!(
        vault.peer(),
        &ProvenPeer::Keyholder(Identity::Device(scene.device.public()))
    );
    assert_eq!(app.peer().identity(), Identity::Space(SPACE));
    assert_eq!(app.expires(), NOW.plus(limits::DEVICE_SESSION));
    assert_eq!(vault.expires(), NOW.plus(limits::DEVICE_SESSION));
}

#[test]
fn vault_knows_the_device_before_it_owes_evidence() {
    let mut scene = Scene::new();

    let (_, state, claim) = scene.prove_app();

    let device = Identity::Device(scene.device.public());
    assert_eq!(state.peer(), &ProvenPeer::Keyholder(device));
    assert_eq!(claim.statement.peer, device);
    assert_eq!(claim.statement.own, Identity::Space(SPACE));
}

#[test]
fn backend_and_service_vault_open_a_session_and_talk() {
    let mut scene = Scene::new();
    let (key, node) = (scene.device.public(), scene.enclave.node);
    let terms = InitiatorTerms::backend(NETWORK, SPACE, node, key, &scene.device.static_key);
    let vault_terms =
        ResponderTerms::service_vault(NETWORK, SPACE, EPOCH, &scene.enclave.static_key);

    let verifier = &mut scene.device.verifier;
    let (initiator, frame) =
        Initiator::start(&terms, verifier, NOW, &mut random(1)).expect("started");
    let (responder, frame) =
        Responder::accept(&vault_terms, NOW, &frame, &mut random(2)).expect("accepted");
    let progress = initiator.handle(NOW, &frame, verifier).expect("finished");
    let InitiatorProgress::NeedEvidence {
        frame,
        claim,
        state,
    } = progress
    else {
        panic!("opened too early");
    };
    let responder = waiting(responder.handle(NOW, &frame, None));
    let evidence = claim.prove_with_key(&scene.device.key);
    let (initiator, frame) = state.supply(NOW, &evidence).expect("supplied");
    let (state, claim) = owing(responder.handle(NOW, &frame, None)).expect("proven");
    let evidence = scene.enclave.prove(&claim, NOW);
    let (mut vault, frame) = state.supply(NOW, &evidence).expect("supplied");
    let mut backend = scene.judge(initiator, &frame).expect("opened");

    talk(&mut backend, &mut vault);
    assert_eq!(vault.peer(), &ProvenPeer::Keyholder(Identity::Backend(key)));
}

#[test]
fn two_enclaves_open_a_session_and_talk() {
    let mut enclaves = Enclaves::new();

    let (mut left, mut right) = enclaves
        .open(Enclaves::strangers, Enclaves::prove)
        .expect("opened");

    talk(&mut left, &mut right);
    assert_eq!(
        left.peer().identity(),
        Identity::Node(enclaves.responder.node)
    );
    assert_eq!(
        right.peer().identity(),
        Identity::Node(enclaves.initiator.node)
    );
}

#[test]
fn session_of_enclaves_ends_with_the_peers_evidence() {
    let mut enclaves = Enclaves::new();

    let (left, right) = enclaves
        .open(Enclaves::strangers, Enclaves::prove)
        .expect("opened");

    assert_eq!(left.expires(), NOW.plus(limits::DOCUMENT_AGE));
    assert_eq!(right.expires(), NOW.plus(limits::DOCUMENT_AGE));
}

#[test]
fn introduced_initiator_is_taken_by_the_responder_that_expects_it() {
    let mut enclaves = Enclaves::new();

    let opened = enclaves.open(
        |all| {
            let expecting = all.responder_terms().expecting(all.initiator.node);
            (all.initiator_terms().introduced(), expecting)
        },
        Enclaves::prove,
    );

    let (mut left, mut right) = opened.expect("opened");
    talk(&mut left, &mut right);
}

#[test]
fn messages_of_every_size_arrive_whole_in_as_few_frames_as_possible() {
    let (mut app, mut vault) = Scene::new().open();
    let piece = fragment::PIECE;

    for size in [0, 1, 509, 510, piece - 1, piece, piece + 1, limits::REPLY] {
        let message = vec![0x6d; size];
        let frames = vault.seal(NOW, &message).expect("sealed");
        assert_eq!(frames.len(), size.div_ceil(piece).max(1), "{size}");
        let mut whole = None;
        for frame in frames {
            whole = app.open(NOW, &frame).expect("opened");
        }
        assert_eq!(whole.expect("complete").as_slice(), message, "{size}");
    }
}

#[test]
fn sizes_on_the_wire_are_the_buckets() {
    let (mut app, _) = Scene::new().open();

    for (size, bucket) in [(0, 512), (509, 512), (510, 1024), (16_382, 32_768)] {
        let frames = app.seal(NOW, &vec![1; size]).expect("sealed");
        assert_eq!(frames[0].len(), 8 + bucket + 16, "{size}");
    }
}

#[test]
fn two_sessions_of_the_same_two_share_no_keys() {
    let (mut first, _) = Scene::seeded(100).open();
    let (mut second, mut vault) = Scene::seeded(200).open();

    let frame = first.seal(NOW, b"question").expect("sealed").remove(0);

    assert_ne!(first.transcript(), second.transcript());
    assert_ne!(
        second.seal(NOW, b"question").expect("sealed")[0][8..],
        frame[8..]
    );
    assert_eq!(
        vault.open(NOW, &frame).map(|_| ()),
        Err(crate::PeerMisbehaved::FrameAltered.into())
    );
}

#[test]
fn session_prints_neither_keys_nor_messages() {
    let (app, _) = Scene::new().open();

    let text = format!("{app:?}");

    assert!(text.starts_with("Established { peer: Space("), "{text}");
    assert!(!text.contains("channel"), "{text}");
}

#[test]
fn every_state_can_move_to_another_thread() {
    fn moves<T: Send + 'static>() {}

    moves::<Initiator>();
    moves::<InitiatorProgress>();
    moves::<Responder>();
    moves::<crate::ResponderProgress>();
    moves::<Established>();
}
