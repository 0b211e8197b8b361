//! Dishonest and different endpoints in the first three messages.

use vettid_crypto::ml_kem;
use vettid_wire::cbor;
use vettid_wire::id::{NetworkId, NetworkKind, NodeId, SpaceId};
use vettid_wire::limits;
use vettid_wire::time::SECOND;

use super::fixture::*;
use crate::message::{Challenge, Hello, Reply, with_version};
use crate::noise::{Handshake, Psk};
use crate::{
    Error, Initiator, InitiatorTerms, Misuse, PeerIncompatible, PeerMisbehaved, Responder,
    ResponderTerms, Role,
};

fn refused<T>(outcome: Result<T, Error>) -> Option<Error> {
    outcome.map(|_| ()).err()
}

#[test]
fn other_version_is_named() {
    let scene = Scene::new();
    let (_, mut frame) = scene.start();

    frame[0] = 2;

    let error = PeerIncompatible::Version { theirs: 2 };
    assert_eq!(refused(scene.accept(&frame)), Some(error.into()));
}

#[test]
fn version_changed_on_the_way_opens_nothing() {
    // An initiator of another version, whose version byte somebody changed to ours.
    let scene = Scene::new();
    let other = scene.app_terms().prologue.of_version(2);
    let frame = first_message(&scene, &other);

    assert_eq!(
        refused(scene.accept(&frame)),
        Some(PeerMisbehaved::Handshake.into())
    );
}

fn first_message(scene: &Scene, prologue: &[u8]) -> Vec<u8> {
    let key = ml_kem::DecapsulationKey::generate(&mut random(1)).encapsulation_key();
    let hello = cbor::encode(&Hello::new(key).expect("sized"));
    let mut noise = Handshake::new(
        Role::Initiator,
        &scene.device.static_key,
        prologue,
        &mut random(2),
    )
    .expect("made");
    with_version(&noise.write(&hello).expect("written"))
}

#[test]
fn other_network_space_or_use_opens_nothing() {
    let scene = Scene::new();
    let (node, key, own) = (
        scene.enclave.node,
        scene.device.public(),
        &scene.device.static_key,
    );
    let other_space = SpaceId([0x52; 16]);
    let nitro = NetworkId {
        kind: NetworkKind::Nitro,
        ..NETWORK
    };
    let other_network = NetworkId {
        anchors: [1; 32],
        ..NETWORK
    };

    for (what, terms) in [
        (
            "space",
            InitiatorTerms::app(NETWORK, other_space, node, key, own),
        ),
        (
            "network",
            InitiatorTerms::app(other_network, SPACE, node, key, own),
        ),
        (
            "kind of network",
            InitiatorTerms::app(nitro, SPACE, node, key, own),
        ),
        (
            "use",
            InitiatorTerms::backend(NETWORK, SPACE, node, key, own),
        ),
        (
            "use",
            InitiatorTerms::enclave(NETWORK, NodeId(key.0), node, own),
        ),
        ("introduction", scene.app_terms().introduced()),
    ] {
        let (_, frame) =
            Initiator::start(&terms, &scene.device.verifier, NOW, &mut random(1)).expect("started");
        let error = refused(scene.accept(&frame));
        assert_eq!(error, Some(PeerMisbehaved::Handshake.into()), "{what}");
    }
}

#[test]
fn responder_that_expects_another_initiator_opens_nothing() {
    let mut enclaves = Enclaves::new();

    let outcome = enclaves.open(
        |all| {
            let expecting = all.responder_terms().expecting(NodeId([9; 32]));
            (all.initiator_terms().introduced(), expecting)
        },
        Enclaves::prove,
    );

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Handshake.into()));
}

#[test]
fn session_of_another_node_with_the_wanted_space_does_not_reach_the_app() {
    // A carrier sends the app's frames to a genuine enclave of another node that serves a space of
    // the same id: the handshake succeeds, the evidence is of the wrong node.
    let mut scene = Scene::new();
    let wanted = scene.enclave.node;
    let (initiator, state, claim) = scene.prove_app();
    let mut other = Enclave::new(0x32);
    let (_, frame) = state
        .supply(NOW, &other.prove(&claim, NOW))
        .expect("supplied");

    assert_ne!(other.node, wanted);
    let error = PeerMisbehaved::OtherNode(other.node);
    assert_eq!(refused(scene.judge(initiator, &frame)), Some(error.into()));
}

#[test]
fn points_of_low_order_are_refused_in_every_message() {
    let mut scene = Scene::new();
    let prologue = scene.app_terms().prologue.to_bytes();
    let zero = [0; 32];

    // Message 1 with the ephemeral replaced: its payload's key follows from the ephemeral alone.
    let frame = low_order_first_message(&prologue, zero);
    assert_eq!(
        refused(scene.accept(&frame)),
        Some(PeerMisbehaved::LowOrderPoint.into())
    );

    // Message 2 with the ephemeral replaced.
    let (initiator, first) = scene.start();
    let (_, mut second) = scene.accept(&first).expect("accepted");
    second[..32].fill(0);
    let error = refused(scene.finish(initiator, &second));
    assert_eq!(error, Some(PeerMisbehaved::LowOrderPoint.into()));
}

/// Message 1 as an initiator without a key would make it. Noise, section 5: the payload's key is
/// the second output of HKDF over the ephemeral, which everybody can compute.
fn low_order_first_message(prologue: &[u8], ephemeral: [u8; 32]) -> Vec<u8> {
    use snow::params::NoiseParams;
    use snow::resolvers::{CryptoResolver, DefaultResolver};

    let params: NoiseParams = "Noise_XXpsk3_25519_ChaChaPoly_SHA256"
        .parse()
        .expect("a pattern");
    let mut hash = DefaultResolver.resolve_hash(&params.hash).expect("a hash");
    let mut cipher = DefaultResolver
        .resolve_cipher(&params.cipher)
        .expect("a cipher");
    let mut digest = |parts: &[&[u8]]| {
        let mut out = [0; 32];
        hash.reset();
        parts.iter().for_each(|part| hash.input(part));
        hash.result(&mut out);
        out
    };
    let chaining = digest(&[params.name.as_bytes()]);
    let h = digest(&[&chaining, prologue]);
    let h = digest(&[&h, &ephemeral]);
    let (mut next, mut key) = ([0; 32], [0; 32]);
    hash.hkdf(&chaining, &ephemeral, 2, &mut next, &mut key, &mut []);
    let kem = ml_kem::DecapsulationKey::generate(&mut random(1)).encapsulation_key();
    let payload = cbor::encode(&Hello::new(kem).expect("sized"));
    let mut message = vec![0; 32 + payload.len() + 16];
    message[..32].copy_from_slice(&ephemeral);
    cipher.set(&key);
    cipher.encrypt(0, &h, &payload, &mut message[32..]);
    with_version(&message)
}

#[test]
fn initiator_without_the_kem_secret_opens_nothing() {
    // Two honest halves whose ML-KEM secrets differ: as when a responder alters its ciphertext, or
    // somebody who broke X25519 sits between.
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let prologue = scene.vault_terms().prologue.to_bytes();
    let mut noise = Handshake::new(
        Role::Responder,
        &scene.enclave.static_key,
        &prologue,
        &mut random(7),
    )
    .expect("made");
    let payload = noise.read(&first[1..]).expect("read");
    let hello: Hello = cbor::decode(&payload).expect("decoded");
    let (mut ciphertext, shared) =
        ml_kem::encapsulate(&*hello.encapsulation_key, &mut random(8)).expect("encapsulated");
    ciphertext[100] ^= 1;
    let reply = Reply::new(ciphertext, Challenge::new([1; 32], None)).expect("sized");
    let second = noise.write(&cbor::encode(&reply)).expect("written");
    noise.set_psk(&Psk::derive(&shared)).expect("set");

    let (_, _, third) = scene.finish(initiator, &second).expect("finished");

    assert_eq!(
        refused(noise.read(&third)),
        Some(PeerMisbehaved::Handshake.into())
    );
}

#[test]
fn malformed_kem_key_is_refused() {
    let scene = Scene::new();
    let prologue = scene.app_terms().prologue.to_bytes();
    let mut noise = Handshake::new(
        Role::Initiator,
        &scene.device.static_key,
        &prologue,
        &mut random(2),
    )
    .expect("made");
    let hello = Hello::new(vec![0xff; ml_kem::ENCAPSULATION_KEY]).expect("sized");
    let frame = with_version(&noise.write(&cbor::encode(&hello)).expect("written"));

    assert_eq!(
        refused(scene.accept(&frame)),
        Some(PeerMisbehaved::Malformed.into())
    );
}

#[test]
fn payload_that_is_no_hello_is_refused() {
    let scene = Scene::new();
    let prologue = scene.app_terms().prologue.to_bytes();

    for payload in [&[][..], &[0x80], &[0xff; 40]] {
        let mut noise = Handshake::new(
            Role::Initiator,
            &scene.device.static_key,
            &prologue,
            &mut random(2),
        )
        .expect("made");
        let frame = with_version(&noise.write(payload).expect("written"));
        assert_eq!(
            refused(scene.accept(&frame)),
            Some(PeerMisbehaved::Malformed.into())
        );
    }
}

#[test]
fn handshake_that_takes_too_long_is_given_up_by_both() {
    let late = NOW.plus(limits::HANDSHAKE_TIME);
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (responder, second) = scene.accept(&first).expect("accepted");
    let slow = Some(PeerMisbehaved::TooSlow.into());

    let verifier = &mut scene.device.verifier;
    assert_eq!(refused(initiator.handle(late, &second, verifier)), slow);
    assert_eq!(refused(responder.handle(late, &second, None)), slow);
}

#[test]
fn handshake_of_almost_ten_seconds_succeeds() {
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (_, second) = scene.accept(&first).expect("accepted");

    scene.now = NOW.plus(10 * SECOND - 1);

    assert_eq!(refused(scene.finish(initiator, &second)), None);
}

#[test]
fn own_evidence_that_comes_too_late_is_not_sent() {
    let mut scene = Scene::new();
    let (state, claim, _) = scene.shake_hands();
    let evidence = claim.prove_with_key(&scene.device.key);

    let outcome = state.supply(NOW.plus(limits::HANDSHAKE_TIME), &evidence);

    assert_eq!(refused(outcome), Some(Misuse::TooLate.into()));
}

#[test]
fn replayed_first_message_leads_nowhere() {
    // The responder draws anew, so nobody but the initiator can finish.
    let mut scene = Scene::new();
    let (initiator, first) = scene.start();
    let (_, second) = scene.accept(&first).expect("accepted");
    let (_, _, third) = scene.finish(initiator, &second).expect("finished");
    let terms: ResponderTerms<'_> = scene.vault_terms();
    let (again, _) =
        Responder::accept(&terms, NOW, &first, &mut random(77)).expect("accepted again");

    let outcome = again.handle(NOW, &third, None);

    assert_eq!(refused(outcome), Some(PeerMisbehaved::Handshake.into()));
}
