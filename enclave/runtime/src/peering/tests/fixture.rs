//! Enclaves of one network with hosts that carry what they are told to, seeded, without a clock.

use std::collections::VecDeque;
use std::time::Duration;

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{AttestedClaims, Attester as _, Bundle, Measurement, Policy};
use vettid_crypto::SeededEntropy;
use vettid_crypto::sign::SigningKey;
use vettid_session::{Claim, Evidence as ShownEvidence, Identity};
use vettid_wire::id::{DeliveryId, NodeId, VaultId};
use vettid_wire::link::federation::{Admitted, FromEnclave, NotAdmitted, Side};
use vettid_wire::network::{GovernanceKey, Network, ReferenceValue, ReleaseStatus, TrustRoot};
use vettid_wire::peer::{Delivered, Delivery, PeerMessage};
use vettid_wire::time::UnixMillis;

use crate::evidence::Evidence;
use crate::peering::{Event, Peering, Turn};
use crate::platform::{Attester, PlatformError};

pub(super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
pub(super) const PROGRAM: [u8; 48] = [7; 48];
pub(super) const OTHER_PROGRAM: [u8; 48] = [8; 48];

/// An attester whose clock is the test's, and that counts what it makes.
#[derive(Debug)]
pub(super) struct Machine {
    attester: EmulatedAttester,
    measurement: Measurement,
    pub(super) now: UnixMillis,
    pub(super) documents: u32,
    /// Registers of a debugged enclave instead of its own.
    pub(super) debug: bool,
}

impl Attester for Machine {
    fn release(&self) -> u32 {
        1
    }

    fn measurement(&self) -> Measurement {
        self.measurement
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
        self.documents += 1;
        let claims = AttestedClaims {
            user_data: Some(user_data),
            nonce: nonce.map(<[u8; 32]>::as_slice),
            public_key: None,
        };
        let mut document = self
            .attester
            .attest(&claims, self.now)
            .map_err(|_| PlatformError::NoDocument)?;
        if self.debug {
            zero_first_register(&mut document);
        }
        Ok(document)
    }
}

/// Makes of a document that of an enclave in debug mode; nobody gets as far as its signature.
fn zero_first_register(document: &mut [u8]) {
    let at = document
        .windows(PROGRAM.len())
        .position(|window| window == PROGRAM)
        .expect("PCR0");
    document[at..at + PROGRAM.len()].fill(0);
}

/// The root that documents of the network with this seed chain to.
pub(super) fn root(seed: u64) -> DevelopmentRoot {
    DevelopmentRoot::generate(NOW, &mut SeededEntropy::dangerous_new(seed))
}

/// A network that accepts [`PROGRAM`].
pub(super) fn network(seed: u64) -> Network {
    let accepted = measurement(PROGRAM).expect("not debug");
    Network {
        trust_root: TrustRoot::Emulated(root(seed).certificate().to_vec()),
        governance: vec![GovernanceKey([1; 32])],
        threshold: 1,
        reference_values: vec![ReferenceValue {
            release: 1,
            pcr0: *accepted.pcr0(),
            pcr1: *accepted.pcr1(),
            pcr2: *accepted.pcr2(),
            status: ReleaseStatus::Active,
        }],
        release_floor: 1,
        epoch: 2,
        bootstrap: vec![],
        relays: vec![],
    }
}

/// One enclave.
#[derive(Debug)]
pub(super) struct Enclave {
    pub(super) node: NodeId,
    pub(super) peer: Vec<u8>,
    pub(super) peering: Peering,
    pub(super) evidence: Evidence,
    pub(super) machine: Machine,
    pub(super) shows: Shows,
    /// All that it has shown.
    pub(super) shown: Vec<ShownEvidence>,
    entropy: SeededEntropy,
    links: u64,
}

/// What an enclave, or who passes for one, shows as its evidence.
#[derive(Debug)]
pub(super) enum Shows {
    /// Its supervisor has none yet.
    Nothing,
    /// What its own supervisor makes.
    Own,
    /// What a genuine enclave makes for it, as itself.
    OfOther(Box<Enclave>),
    /// What a genuine enclave has shown in another session.
    Recorded(ShownEvidence),
}

/// What an enclave said and did, sorted.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) frames: VecDeque<(u64, Vec<u8>)>,
    pub(super) admitted: Vec<(u64, Admitted)>,
    pub(super) refused: Vec<(u64, NotAdmitted)>,
    pub(super) messages: Vec<(NodeId, PeerMessage)>,
    pub(super) lost: Vec<NodeId>,
}

impl Enclave {
    /// An enclave of the test's network, everything about it from one byte.
    pub(super) fn new(byte: u8) -> Self {
        Self::of(&network(1), 1, PROGRAM, byte)
    }

    /// An enclave that follows `network`, runs `program` and attests under the root of `seed`.
    pub(super) fn of(network: &Network, seed: u64, program: [u8; 48], byte: u8) -> Self {
        let mut entropy = SeededEntropy::dangerous_new(u64::from(byte) + 100);
        let measurement = measurement(program).expect("not debug");
        let binding = SigningKey::generate(&mut entropy);
        let (node, peer) = (NodeId([byte; 32]), vec![byte; 38]);
        let bundle = Bundle::new(
            binding.verifying_key(),
            node,
            std::slice::from_ref(&peer),
            None,
            1,
            [0; 32],
        )
        .expect("bundle");
        let policy = Policy::of_network(network).expect("policy");
        Self {
            node,
            peer,
            peering: Peering::new(network.id(), node, policy, &mut entropy),
            evidence: Evidence::new(binding, &bundle, network.id(), network.epoch),
            machine: Machine {
                attester: EmulatedAttester::new(root(seed), &measurement, &mut entropy),
                measurement,
                now: NOW,
                documents: 0,
                debug: false,
            },
            shows: Shows::Own,
            shown: Vec::new(),
            entropy,
            links: 0,
        }
    }

    /// Somebody who says that it is `of`, with keys of its own and without its evidence.
    pub(super) fn impostor(of: &Self, shows: Shows) -> Self {
        let (network, mut entropy) = (network(1), SeededEntropy::dangerous_new(77));
        let policy = Policy::of_network(&network).expect("policy");
        let mut impostor = Self::new(0xee);
        impostor.peering = Peering::new(network.id(), of.node, policy, &mut entropy);
        (impostor.node, impostor.peer) = (of.node, of.peer.clone());
        impostor.shows = shows;
        impostor
    }

    fn turn<T>(&mut self, now: UnixMillis, f: impl FnOnce(&mut Peering, &mut Turn<'_>) -> T) -> T {
        self.machine.now = now;
        let clock = Duration::from_millis(now.since(NOW));
        let (evidence, machine, shown) = (&mut self.evidence, &mut self.machine, &mut self.shown);
        let shows = &mut self.shows;
        let mut prove = |claim: &Claim| {
            let made = match shows {
                Shows::Nothing => None,
                Shows::Own => evidence.prove(machine, claim, clock).ok(),
                Shows::Recorded(recorded) => Some(recorded.clone()),
                Shows::OfOther(other) => {
                    let mut claim = *claim;
                    claim.statement.own = Identity::Node(other.node);
                    other.evidence.prove(&mut other.machine, &claim, clock).ok()
                }
            };
            shown.extend(made.clone());
            made
        };
        let mut turn = Turn {
            now,
            entropy: &mut self.entropy,
            prove: &mut prove,
        };
        f(&mut self.peering, &mut turn)
    }

    /// A stream to a peer; the link's number.
    pub(super) fn open(&mut self, peer: &[u8], node: NodeId, side: Side, now: UnixMillis) -> u64 {
        self.links += 1;
        let link = self.links;
        self.turn(now, |peering, turn| {
            peering.open(link, peer.to_vec(), node, side, turn)
        })
        .expect("new link");
        link
    }

    pub(super) fn hear(&mut self, link: u64, frame: &[u8], now: UnixMillis) {
        self.turn(now, |peering, turn| peering.hear(link, frame, turn))
            .expect("known link");
    }

    pub(super) fn send(&mut self, to: NodeId, message: &PeerMessage, now: UnixMillis) {
        self.peering.send(to, message, now);
    }

    /// Everything that happened since this was last asked.
    pub(super) fn heard(&mut self) -> Heard {
        let mut heard = Heard::default();
        while let Some(event) = self.peering.next_event() {
            match event {
                Event::Say(FromEnclave::Frame { link, bytes }) => {
                    heard.frames.push_back((link, bytes));
                }
                Event::Say(FromEnclave::Admitted { link, peer }) => {
                    heard.admitted.push((link, peer));
                }
                Event::Say(FromEnclave::Refused { link, why }) => heard.refused.push((link, why)),
                Event::Say(other) => panic!("{other:?}"),
                Event::Message(node, message) => heard.messages.push((node, message)),
                Event::Lost(node) => heard.lost.push(node),
                Event::Admitted(_) => {}
            }
        }
        heard
    }

    /// Frames that wait for the host; nothing else may have happened.
    pub(super) fn frames(&mut self) -> Vec<Vec<u8>> {
        let heard = self.heard();
        assert_eq!(heard.refused, []);
        heard.frames.into_iter().map(|(_, frame)| frame).collect()
    }
}

/// What both enclaves said until both fell silent.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) initiator: Heard,
    pub(super) responder: Heard,
}

/// Two honest hosts between two enclaves: one link, as both number it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) initiator: u64,
    pub(super) responder: u64,
}

/// Connects two enclaves through honest hosts; nothing is carried yet.
pub(super) fn connect(a: &mut Enclave, b: &mut Enclave, now: UnixMillis) -> Wire {
    let (a_peer, a_node) = (a.peer.clone(), a.node);
    let (b_peer, b_node) = (b.peer.clone(), b.node);
    Wire {
        responder: b.open(&a_peer, a_node, Side::Responder, now),
        initiator: a.open(&b_peer, b_node, Side::Initiator, now),
    }
}

/// Carries frames of these links both ways until there are none.
pub(super) fn carry(a: &mut Enclave, b: &mut Enclave, wires: &[Wire], now: UnixMillis) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        let (from_a, from_b) = (a.heard(), b.heard());
        let silent = from_a.frames.is_empty() && from_b.frames.is_empty();
        for (link, frame) in &from_a.frames {
            let wire = wires.iter().find(|wire| wire.initiator == *link);
            b.hear(wire.expect("carried link").responder, frame, now);
        }
        for (link, frame) in &from_b.frames {
            let wire = wires.iter().find(|wire| wire.responder == *link);
            a.hear(wire.expect("carried link").initiator, frame, now);
        }
        merge(&mut outcome.initiator, from_a);
        merge(&mut outcome.responder, from_b);
        if silent {
            return outcome;
        }
    }
}

fn merge(into: &mut Heard, heard: Heard) {
    into.admitted.extend(heard.admitted);
    into.refused.extend(heard.refused);
    into.messages.extend(heard.messages);
    into.lost.extend(heard.lost);
}

/// A session between two enclaves through honest hosts.
pub(super) fn admit(a: &mut Enclave, b: &mut Enclave, now: UnixMillis) -> (Wire, Outcome) {
    let wire = connect(a, b, now);
    let outcome = carry(a, b, &[wire], now);
    (wire, outcome)
}

/// Whether both let each other in.
pub(super) fn both_admitted(outcome: &Outcome) -> bool {
    let sides = [&outcome.initiator, &outcome.responder];
    sides
        .iter()
        .all(|heard| heard.admitted.len() == 1 && heard.refused.is_empty())
}

pub(super) fn delivery(size: usize) -> PeerMessage {
    PeerMessage::Deliver(Delivery {
        id: DeliveryId([1; 16]),
        to: VaultId([2; 32]),
        expires: NOW.plus(1_000_000),
        body: vec![3; size],
    })
}

pub(super) fn answer() -> PeerMessage {
    PeerMessage::Answer {
        id: DeliveryId([1; 16]),
        outcome: Delivered::Applied,
    }
}
