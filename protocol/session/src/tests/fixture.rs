//! Seeded endpoints: a vault's enclave, an app, another enclave, and the link between two of them.

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{
    AttestedClaims, Attester, Bundle, Policy, ReferenceValue, Trust, TrustAnchor,
};
use vettid_crypto::SeededEntropy;
use vettid_crypto::digest::sha256;
use vettid_crypto::sign::{SigningKey, VerifyingKey};
use vettid_crypto::x25519::X25519Secret;
use vettid_wire::id::{NetworkId, NetworkKind, NodeId, SpaceId};
use vettid_wire::time::UnixMillis;

use crate::rekey::Schedule;
use crate::{
    Claim, Error, Established, Evidence, Initiator, InitiatorProgress, InitiatorTerms,
    ProvingInitiator, ProvingResponder, Responder, ResponderProgress, ResponderTerms, Verifier,
};

pub(super) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
pub(super) const EPOCH: u64 = 3;
pub(super) const SPACE: SpaceId = SpaceId([0x51; 16]);
pub(super) const NETWORK: NetworkId = NetworkId {
    kind: NetworkKind::Emulated,
    anchors: [0x4e; 32],
};
const PROGRAM: [u8; 48] = [0x11; 48];

pub(super) fn random(seed: u64) -> SeededEntropy {
    SeededEntropy::dangerous_new(seed)
}

fn root() -> DevelopmentRoot {
    DevelopmentRoot::generate(NOW, &mut random(0))
}

/// A policy of the fixture's network.
pub(super) fn policy(epoch: u64) -> Policy {
    let trust = Trust::Emulated(TrustAnchor::parse(root().certificate()).expect("a root"));
    let measurement = measurement(PROGRAM).expect("not debug");
    let values = vec![ReferenceValue {
        measurement,
        release: 1,
    }];
    Policy::new(trust, values, 1)
        .expect("accepts somebody")
        .with_epoch(epoch)
}

pub(super) fn verifier() -> Verifier {
    Verifier::new(policy(EPOCH))
}

/// One enclave with a binding key, a node identity and a Noise static, all from one byte.
pub(super) struct Enclave {
    pub(super) attester: EmulatedAttester,
    pub(super) binding: SigningKey,
    pub(super) bundle: Vec<u8>,
    pub(super) node: NodeId,
    pub(super) static_key: X25519Secret,
    pub(super) current: Option<Vec<u8>>,
}

impl Enclave {
    pub(super) fn new(byte: u8) -> Self {
        Self::running(PROGRAM, byte)
    }

    /// One that runs another image.
    pub(super) fn running(program: [u8; 48], byte: u8) -> Self {
        let measurement = measurement(program).expect("not debug");
        let binding = SigningKey::from_seed(&[byte; 32]);
        let node = NodeId(SigningKey::from_seed(&[byte ^ 0x80; 32]).verifying_key().0);
        let bundle = Bundle::new(binding.verifying_key(), node, &[], None, 1, [0; 32]);
        Self {
            attester: EmulatedAttester::new(root(), &measurement, &mut random(byte.into())),
            bundle: bundle.expect("a bundle").to_bytes(),
            binding,
            node,
            static_key: X25519Secret::from_bytes(&[byte; 32]),
            current: None,
        }
    }

    /// A new document; it is the current one from now on.
    pub(super) fn attest(&mut self, nonce: Option<&[u8]>, now: UnixMillis) -> Vec<u8> {
        let user_data = Bundle::commitment(&self.bundle);
        let claims = AttestedClaims {
            user_data: Some(&user_data),
            nonce,
            public_key: None,
        };
        let document = self.attester.attest(&claims, now).expect("a document");
        self.current = Some(document.clone());
        document
    }

    /// As a supervisor does: no document if the peer knows the current one.
    pub(super) fn prove(&mut self, claim: &Claim, now: UnixMillis) -> Evidence {
        let hash = self.current.as_deref().map(sha256);
        let known = claim.known_document.is_some() && claim.known_document == hash;
        let document = (!known).then(|| self.attest(Some(&claim.nonce), now));
        claim.prove_with_document(document, self.bundle.clone(), &self.binding)
    }
}

/// An owner's app.
pub(super) struct Device {
    pub(super) key: SigningKey,
    pub(super) static_key: X25519Secret,
    pub(super) verifier: Verifier,
}

impl Device {
    pub(super) fn new(byte: u8) -> Self {
        Self {
            key: SigningKey::from_seed(&[byte; 32]),
            static_key: X25519Secret::from_bytes(&[byte; 32]),
            verifier: verifier(),
        }
    }

    pub(super) fn public(&self) -> VerifyingKey {
        self.key.verifying_key()
    }
}

/// An app and the enclave of its vault.
pub(super) struct Scene {
    pub(super) device: Device,
    pub(super) enclave: Enclave,
    pub(super) now: UnixMillis,
    pub(super) schedule: Schedule,
    seed: u64,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::seeded(100)
    }

    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            device: Device::new(0x21),
            enclave: Enclave::new(0x31),
            now: NOW,
            schedule: Schedule::default(),
            seed,
        }
    }

    pub(super) fn with_schedule(mut self, frames: u64, time: u64) -> Self {
        self.schedule = Schedule { frames, time };
        self
    }

    pub(super) fn app_terms(&self) -> InitiatorTerms<'_> {
        let (device, node) = (self.device.public(), self.enclave.node);
        let mut terms = InitiatorTerms::app(NETWORK, SPACE, node, device, &self.device.static_key);
        terms.schedule = self.schedule;
        terms
    }

    pub(super) fn vault_terms(&self) -> ResponderTerms<'_> {
        let mut terms = ResponderTerms::vault(NETWORK, SPACE, EPOCH, &self.enclave.static_key);
        terms.schedule = self.schedule;
        terms
    }

    /// The app's first frame; the same at every call.
    pub(super) fn start(&self) -> (Initiator, Vec<u8>) {
        let mut entropy = random(self.seed);
        Initiator::start(
            &self.app_terms(),
            &self.device.verifier,
            self.now,
            &mut entropy,
        )
        .expect("started")
    }

    /// The vault's answer to it; the same at every call.
    pub(super) fn accept(&self, frame: &[u8]) -> Result<(Responder, Vec<u8>), Error> {
        let mut entropy = random(self.seed + 1);
        Responder::accept(&self.vault_terms(), self.now, frame, &mut entropy)
    }

    /// Up to the point where the app owes its evidence, and the vault waits for it.
    pub(super) fn shake_hands(&mut self) -> (ProvingInitiator, Claim, Responder) {
        let (initiator, frame) = self.start();
        let (responder, frame) = self.accept(&frame).expect("accepted");
        let (state, claim, frame) = self.finish(initiator, &frame).expect("finished");
        (
            state,
            claim,
            waiting(responder.handle(self.now, &frame, None)),
        )
    }

    /// The app's third message.
    pub(super) fn finish(
        &mut self,
        initiator: Initiator,
        frame: &[u8],
    ) -> Result<(ProvingInitiator, Claim, Vec<u8>), Error> {
        match initiator.handle(self.now, frame, &mut self.device.verifier)? {
            InitiatorProgress::NeedEvidence {
                frame,
                claim,
                state,
            } => Ok((state, claim, frame)),
            InitiatorProgress::Open(_) => panic!("opened too early"),
        }
    }

    /// Up to the point where the vault owes its evidence, and the app waits for it.
    pub(super) fn prove_app(&mut self) -> (Initiator, ProvingResponder, Claim) {
        let (state, claim, responder) = self.shake_hands();
        let evidence = claim.prove_with_key(&self.device.key);
        let (initiator, frame) = state.supply(self.now, &evidence).expect("supplied");
        let (state, claim) = owing(responder.handle(self.now, &frame, None)).expect("proven");
        (initiator, state, claim)
    }

    /// The whole session; app first.
    pub(super) fn open(&mut self) -> (Established, Established) {
        let (initiator, state, claim) = self.prove_app();
        let evidence = self.enclave.prove(&claim, self.now);
        let (vault, frame) = state.supply(self.now, &evidence).expect("supplied");
        (self.judge(initiator, &frame).expect("opened"), vault)
    }

    /// The vault's evidence replaced by `evidence`; what the app makes of it.
    pub(super) fn open_with(
        &mut self,
        evidence: impl FnOnce(&mut Self, &Claim) -> Evidence,
    ) -> Result<Established, Error> {
        let (initiator, state, claim) = self.prove_app();
        let evidence = evidence(self, &claim);
        let (_, frame) = state.supply(self.now, &evidence).expect("supplied");
        self.judge(initiator, &frame)
    }

    /// What the app makes of the vault's evidence.
    pub(super) fn judge(
        &mut self,
        initiator: Initiator,
        frame: &[u8],
    ) -> Result<Established, Error> {
        match initiator.handle(self.now, frame, &mut self.device.verifier)? {
            InitiatorProgress::Open(session) => Ok(session),
            InitiatorProgress::NeedEvidence { .. } => panic!("asked for evidence again"),
        }
    }
}

pub(super) fn waiting(progress: Result<ResponderProgress, Error>) -> Responder {
    match progress.expect("taken") {
        ResponderProgress::Wait(responder) => responder,
        ResponderProgress::NeedEvidence { .. } => panic!("asked for evidence too early"),
    }
}

pub(super) fn owing(
    progress: Result<ResponderProgress, Error>,
) -> Result<(ProvingResponder, Claim), Error> {
    match progress? {
        ResponderProgress::NeedEvidence { claim, state } => Ok((state, claim)),
        ResponderProgress::Wait(_) => panic!("asked for nothing"),
    }
}

/// Seals, carries and opens one message.
pub(super) fn carry(
    from: &mut Established,
    to: &mut Established,
    now: UnixMillis,
    message: &[u8],
) -> Vec<u8> {
    let mut received = None;
    for frame in from.seal(now, message).expect("sealed") {
        assert!(
            received.is_none(),
            "message was complete before its last frame"
        );
        received = to.open(now, &frame).expect("opened");
    }
    received.expect("complete").to_vec()
}

/// Two enclaves, the initiator first.
pub(super) struct Enclaves {
    pub(super) initiator: Enclave,
    pub(super) responder: Enclave,
    pub(super) verifiers: [Verifier; 2],
    pub(super) now: UnixMillis,
}

impl Enclaves {
    pub(super) fn new() -> Self {
        Self {
            initiator: Enclave::new(0x41),
            responder: Enclave::new(0x42),
            verifiers: [verifier(), verifier()],
            now: NOW,
        }
    }

    pub(super) fn initiator_terms(&self) -> InitiatorTerms<'_> {
        let (own, peer) = (self.initiator.node, self.responder.node);
        InitiatorTerms::enclave(NETWORK, own, peer, &self.initiator.static_key)
    }

    pub(super) fn responder_terms(&self) -> ResponderTerms<'_> {
        ResponderTerms::enclave(
            NETWORK,
            self.responder.node,
            EPOCH,
            &self.responder.static_key,
        )
    }

    /// Opens a session under these terms; `forge` may replace each side's evidence.
    pub(super) fn open(
        &mut self,
        terms: impl FnOnce(&Self) -> (InitiatorTerms<'_>, ResponderTerms<'_>),
        mut forge: impl FnMut(&mut Self, &Claim) -> Evidence,
    ) -> Result<(Established, Established), Error> {
        let now = self.now;
        let (initiator_terms, responder_terms) = terms(self);
        let (initiator, frame) =
            Initiator::start(&initiator_terms, &self.verifiers[0], now, &mut random(1))?;
        let (responder, frame) = Responder::accept(&responder_terms, now, &frame, &mut random(2))?;
        let progress = initiator.handle(now, &frame, &mut self.verifiers[0])?;
        let InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        } = progress
        else {
            panic!("opened too early");
        };
        let responder = waiting(responder.handle(now, &frame, Some(&mut self.verifiers[1])));
        let evidence = forge(self, &claim);
        let (initiator, frame) = state.supply(now, &evidence)?;
        let (state, claim) = owing(responder.handle(now, &frame, Some(&mut self.verifiers[1])))?;
        let evidence = forge(self, &claim);
        let (opened, frame) = state.supply(now, &evidence)?;
        match initiator.handle(now, &frame, &mut self.verifiers[0])? {
            InitiatorProgress::Open(session) => Ok((session, opened)),
            InitiatorProgress::NeedEvidence { .. } => panic!("asked for evidence again"),
        }
    }

    /// The honest evidence of the side that the claim is for.
    pub(super) fn prove(&mut self, claim: &Claim) -> Evidence {
        let now = self.now;
        match claim.statement.role {
            crate::Role::Initiator => self.initiator.prove(claim, now),
            crate::Role::Responder => self.responder.prove(claim, now),
        }
    }

    /// The terms of a first contact.
    pub(super) fn strangers(&self) -> (InitiatorTerms<'_>, ResponderTerms<'_>) {
        (self.initiator_terms(), self.responder_terms())
    }
}
