//! Sessions of one vault against real initiators, with evidence of an emulated attester.

use std::time::Duration;

use super::*;
use crate::evidence::Evidence as EnclaveEvidence;
use crate::platform::{Attester, PlatformError};
use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{AttestedClaims, Attester as _, Bundle, Measurement, Policy};
use vettid_crypto::SeededEntropy;
use vettid_crypto::sign::SigningKey;
use vettid_session::{Initiator, InitiatorProgress, InitiatorTerms, Verifier};
use vettid_wire::id::NodeId;
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};

const SPACE: SpaceId = SpaceId([3; 16]);
const NODE: NodeId = NodeId([4; 32]);
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

struct Emulated(EmulatedAttester);

impl Attester for Emulated {
    fn release(&self) -> u32 {
        1
    }

    fn measurement(&self) -> Measurement {
        measurement([7; 48]).expect("not debug")
    }

    fn trust_root(&self) -> TrustRoot {
        TrustRoot::Nitro
    }

    fn commit(&mut self, _: &[u8; 48]) -> Result<(), PlatformError> {
        Ok(())
    }

    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError> {
        let nonce = nonce.map(<[u8; 32]>::as_slice);
        let claims = AttestedClaims {
            user_data: Some(user_data),
            nonce,
            public_key: None,
        };
        self.0
            .attest(&claims, NOW)
            .map_err(|_| PlatformError::NoDocument)
    }
}

struct World {
    attester: Emulated,
    evidence: EnclaveEvidence,
    verifier: Verifier,
    sessions: Sessions,
    entropy: SeededEntropy,
    network: NetworkId,
    devices: u8,
}

/// A device with its half of an open session.
struct Device {
    route: Route,
    key: VerifyingKey,
    session: Established,
}

impl World {
    fn new() -> Self {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let root = DevelopmentRoot::generate(NOW, &mut entropy);
        let value = measurement([7; 48]).expect("not debug");
        let network = Network {
            trust_root: TrustRoot::Emulated(root.certificate().to_vec()),
            governance: vec![GovernanceKey([1; 32])],
            threshold: 1,
            reference_values: vec![ReferenceValue {
                release: 1,
                pcr0: *value.pcr0(),
                pcr1: *value.pcr1(),
                pcr2: *value.pcr2(),
                status: ReleaseStatus::Active,
            }],
            release_floor: 1,
            epoch: 2,
            bootstrap: vec![],
            relays: vec![],
        };
        let attester = Emulated(EmulatedAttester::new(root, &value, &mut entropy));
        let binding = SigningKey::generate(&mut entropy);
        let bundle =
            Bundle::new(binding.verifying_key(), NODE, &[], None, 1, [0; 32]).expect("bundle");
        Self {
            attester,
            evidence: EnclaveEvidence::new(binding, &bundle, network.id(), network.epoch),
            verifier: Verifier::new(Policy::of_network(&network).expect("policy")),
            sessions: Sessions::new(SPACE, network.id(), network.epoch, &mut entropy),
            network: network.id(),
            entropy,
            devices: 0,
        }
    }

    fn route(&mut self) -> Route {
        self.devices += 1;
        (
            DeviceRoute([self.devices; 16]),
            SessionId([self.devices; 16]),
        )
    }

    fn receive(&mut self, now: UnixMillis, kind: Kind, route: Route, body: &[u8]) -> Heard {
        self.sessions
            .receive(now, &wrap(kind, route, body), &mut self.entropy)
    }

    /// Opens a session up to the point where the vault side needs its evidence.
    fn half_open(&mut self, now: UnixMillis) -> (Route, SigningKey, Initiator, EvidenceQuestion) {
        let route = self.route();
        let key = SigningKey::generate(&mut self.entropy);
        let secret = X25519Secret::generate(&mut self.entropy);
        let device = key.verifying_key();
        let terms = InitiatorTerms::app(self.network, SPACE, NODE, device, &secret);
        let (initiator, first) =
            Initiator::start(&terms, &self.verifier, now, &mut self.entropy).expect("starts");
        let second = body(self.receive(now, Kind::Handshake, route, &first));
        let Ok(InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        }) = initiator.handle(now, &second, &mut self.verifier)
        else {
            panic!("no claim");
        };
        assert!(matches!(
            self.receive(now, Kind::Handshake, route, &frame),
            Heard::Nothing
        ));
        let (initiator, fourth) = state
            .supply(now, &claim.prove_with_key(&key))
            .expect("supplies");
        match self.receive(now, Kind::Handshake, route, &fourth) {
            Heard::Ask(question) => (route, key, initiator, question),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, question: &EvidenceQuestion) -> Option<EvidenceAnswer> {
        self.evidence
            .answer(&mut self.attester, SPACE, question, Duration::ZERO)
            .ok()
    }

    fn open(&mut self, now: UnixMillis) -> Device {
        let (route, key, initiator, question) = self.half_open(now);
        let answer = self.answer(&question);
        let fifth = self
            .sessions
            .supply(now, question.ticket, answer)
            .expect("fifth");
        let fifth = Envelope::parse(&fifth).expect("envelope").body.to_vec();
        match initiator
            .handle(now, &fifth, &mut self.verifier)
            .expect("opens")
        {
            InitiatorProgress::Open(session) => Device {
                route,
                key: key.verifying_key(),
                session,
            },
            InitiatorProgress::NeedEvidence { .. } => panic!("not open"),
        }
    }
}

fn body(received: Heard) -> Vec<u8> {
    match received {
        Heard::Reply(envelope) => {
            let envelope = Envelope::parse(&envelope).expect("envelope");
            assert_ne!(envelope.kind, Kind::Reset);
            envelope.body.to_vec()
        }
        other => panic!("{other:?}"),
    }
}

fn is_reset(received: &Heard) -> bool {
    matches!(received, Heard::Reply(e) if Envelope::parse(e).unwrap().kind == Kind::Reset)
}

#[test]
fn a_device_proves_its_key_and_messages_go_both_ways() {
    let mut world = World::new();
    let mut device = world.open(NOW);
    let frames = device.session.seal(NOW, b"request").expect("seals");

    match world.receive(NOW, Kind::Transport, device.route, &frames[0]) {
        Heard::Messages(route, key, messages) => {
            assert_eq!((route, key), (device.route, device.key));
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].as_slice(), b"request");
        }
        other => panic!("{other:?}"),
    }
    let envelopes = world
        .sessions
        .seal(NOW, device.route, &[b"reply"])
        .expect("seals");
    let frame = Envelope::parse(&envelopes[0]).expect("envelope").body;
    assert_eq!(
        device
            .session
            .open(NOW, frame)
            .expect("opens")
            .expect("whole")
            .as_slice(),
        b"reply"
    );
}

#[test]
fn a_frame_of_an_unknown_session_is_answered_with_a_reset() {
    let mut world = World::new();
    let route = world.route();

    assert!(is_reset(&world.receive(
        NOW,
        Kind::Transport,
        route,
        b"frame"
    )));
    assert!(is_reset(&world.receive(
        NOW,
        Kind::Handshake,
        route,
        b"no handshake"
    )));
}

#[test]
fn what_is_no_envelope_and_resets_are_not_answered() {
    let mut world = World::new();
    let route = world.route();

    let noise = world.sessions.receive(NOW, b"noise", &mut world.entropy);
    assert!(matches!(noise, Heard::Nothing));
    assert!(matches!(
        world.receive(NOW, Kind::Reset, route, b""),
        Heard::Nothing
    ));
}

#[test]
fn an_altered_frame_ends_its_session_and_no_other() {
    let mut world = World::new();
    let (mut first, mut second) = (world.open(NOW), world.open(NOW));
    let mut frame = first.session.seal(NOW, b"x").expect("seals").remove(0);
    frame[20] ^= 1;

    assert!(is_reset(&world.receive(
        NOW,
        Kind::Transport,
        first.route,
        &frame
    )));

    assert!(world.sessions.seal(NOW, first.route, &[b"y"]).is_none());
    let frame = second.session.seal(NOW, b"z").expect("seals").remove(0);
    let received = world.receive(NOW, Kind::Transport, second.route, &frame);
    assert!(matches!(received, Heard::Messages(..)));
}

#[test]
fn a_handshake_frame_does_not_disturb_an_open_session() {
    let mut world = World::new();
    let mut device = world.open(NOW);

    let received = world.receive(NOW, Kind::Handshake, device.route, b"replayed");

    assert!(matches!(received, Heard::Nothing));
    let frame = device.session.seal(NOW, b"x").expect("seals").remove(0);
    let received = world.receive(NOW, Kind::Transport, device.route, &frame);
    assert!(matches!(received, Heard::Messages(..)));
}

#[test]
fn without_evidence_there_is_no_session() {
    let mut world = World::new();
    let (_, _, _, question) = world.half_open(NOW);

    let refused = world
        .sessions
        .supply(NOW, question.ticket, None)
        .expect("reset");

    assert_eq!(
        Envelope::parse(&refused).expect("envelope").kind,
        Kind::Reset
    );
    assert_eq!(world.sessions.count(), 0);
    assert_eq!(world.sessions.supply(NOW, question.ticket, None), None);
}

#[test]
fn half_open_sessions_are_bounded_and_expire() {
    let mut world = World::new();
    for offset in 0..20 {
        world.half_open(UnixMillis(NOW.0 + offset));
    }
    assert_eq!(world.sessions.half_open.len(), limits::HALF_OPEN_SESSIONS);

    world
        .sessions
        .expire(NOW.plus(limits::HANDSHAKE_TIME + 100));

    assert!(world.sessions.half_open.is_empty());
}

#[test]
fn of_too_many_sessions_the_one_unused_for_longest_gives_way() {
    let mut world = World::new();
    let mut devices: Vec<Device> = (0..8)
        .map(|offset| world.open(UnixMillis(NOW.0 + offset)))
        .collect();
    let later = NOW.plus(100);
    let frame = devices[0]
        .session
        .seal(later, b"x")
        .expect("seals")
        .remove(0);
    world.receive(later, Kind::Transport, devices[0].route, &frame);

    world.open(later);

    assert_eq!(world.sessions.count(), 8);
    assert!(
        world
            .sessions
            .seal(later, devices[1].route, &[b"y"])
            .is_none()
    );
    assert!(
        world
            .sessions
            .seal(later, devices[0].route, &[b"y"])
            .is_some()
    );
}

#[test]
fn a_session_ends_with_its_life_and_when_it_is_told_to() {
    let mut world = World::new();
    let (first, second) = (world.open(NOW), world.open(NOW));

    let goodbyes = world.sessions.end(|_, device| *device == first.key);
    assert_eq!(goodbyes.len(), 1);
    assert_eq!(
        world.sessions.open().collect::<Vec<_>>(),
        [(second.route, second.key)]
    );

    world.sessions.expire(NOW.plus(limits::DEVICE_SESSION + 1));
    assert_eq!(world.sessions.count(), 0);
}

#[test]
fn a_handshake_that_will_not_be_finished_is_reset_and_open_sessions_are_not() {
    let mut world = World::new();
    let open = world.open(NOW);
    let (route, _, _, question) = world.half_open(NOW);

    let told = world.sessions.give_up();

    assert_eq!(told, [reset(route)]);
    assert!(world.sessions.open().any(|(kept, _)| kept == open.route));
    let answer = world.answer(&question);
    assert!(
        world
            .sessions
            .supply(NOW, question.ticket, answer)
            .is_none()
    );
}
