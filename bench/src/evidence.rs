//! Attestation and sessions against stock Noise XX, CPU of both sides counted.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{
    AttestedClaims, Attester, Bundle, Cache, NonceExpectation, Policy, ReferenceValue, Trust,
    TrustAnchor, appraise,
};
use vettid_crypto::SeededEntropy;
use vettid_crypto::digest::sha256;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{
    Claim, Evidence, Initiator, InitiatorProgress, InitiatorTerms, Responder, ResponderProgress,
    ResponderTerms, Verifier,
};
use vettid_wire::id::{NetworkId, NetworkKind, NodeId, SpaceId};
use vettid_wire::time::UnixMillis;

use crate::figure::Figure;
use crate::rounds::side_by_side;

/// Repetitions in one round.
const TIMES: u32 = 200;
const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const NONCE: [u8; 32] = [5; 32];
const EPOCH: u64 = 1;

/// An appraisal with nothing cached: five P-384 verifications.
pub(crate) fn cold() -> Result<Figure> {
    let stock = Stock::new()?;
    let mut enclave = Enclave::new()?;
    let document = enclave.document(&NONCE)?;
    let (ours, reference) = side_by_side(
        || {
            timed(|| {
                let mut cache = Cache::default();
                let nonce = NonceExpectation::Fresh(&NONCE);
                appraise(
                    &document,
                    &enclave.bundle,
                    &enclave.policy,
                    nonce,
                    NOW,
                    &mut cache,
                )?;
                Ok(())
            })
        },
        || timed(|| stock.handshake()),
    )?;
    Ok(Figure::new(
        "evidence_cold_over_noise",
        ours,
        reference,
        "ms",
    ))
}

/// A complete session whose document both sides have seen before.
pub(crate) fn cached_session() -> Result<Figure> {
    let stock = Stock::new()?;
    let mut enclave = Enclave::new()?;
    let mut verifier = Verifier::new(enclave.policy.clone());
    let mut app = App::new();
    app.session(&mut enclave, &mut verifier)?;
    let (ours, reference) = side_by_side(
        || timed(|| app.session(&mut enclave, &mut verifier)),
        || timed(|| stock.handshake()),
    )?;
    Ok(Figure::new(
        "session_cached_over_noise",
        ours,
        reference,
        "ms",
    ))
}

fn timed(mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..TIMES {
        once()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES))
}

/// Stock Noise XX: both sides with static keys that they have had before.
struct Stock {
    initiator: Vec<u8>,
    responder: Vec<u8>,
}

impl Stock {
    fn new() -> Result<Self> {
        Ok(Self {
            initiator: stock()?.generate_keypair()?.private,
            responder: stock()?.generate_keypair()?.private,
        })
    }

    fn handshake(&self) -> Result<()> {
        let mut initiator = stock()?
            .local_private_key(&self.initiator)?
            .build_initiator()?;
        let mut responder = stock()?
            .local_private_key(&self.responder)?
            .build_responder()?;
        let (mut frame, mut read) = ([0; 1024], [0; 1024]);
        for turn in 0..3 {
            let (from, to) = match turn {
                1 => (&mut responder, &mut initiator),
                _ => (&mut initiator, &mut responder),
            };
            let length = from.write_message(&[], &mut frame)?;
            to.read_message(frame.get(..length).context("frame")?, &mut read)?;
        }
        initiator.into_transport_mode()?;
        responder.into_transport_mode()?;
        Ok(())
    }
}

fn stock() -> Result<snow::Builder<'static>> {
    Ok(snow::Builder::new(
        "Noise_XX_25519_ChaChaPoly_SHA256".parse()?,
    ))
}

/// An enclave that answers, as the supervisor and a vault process do together.
struct Enclave {
    attester: EmulatedAttester,
    binding: SigningKey,
    bundle: Vec<u8>,
    policy: Policy,
    node: NodeId,
    /// Digest of the document that is current.
    current: Option<[u8; 32]>,
}

impl Enclave {
    fn new() -> Result<Self> {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let root = DevelopmentRoot::generate(NOW, &mut entropy);
        let trust = Trust::Emulated(TrustAnchor::parse(root.certificate())?);
        let measurement = measurement([0x11; 48])?;
        let values = vec![ReferenceValue {
            measurement,
            release: 1,
        }];
        let binding = SigningKey::generate(&mut entropy);
        let node = NodeId(SigningKey::generate(&mut entropy).verifying_key().0);
        let bundle = Bundle::new(binding.verifying_key(), node, &[], None, 1, [0; 32])?.to_bytes();
        Ok(Self {
            attester: EmulatedAttester::new(root, &measurement, &mut entropy),
            binding,
            bundle,
            policy: Policy::new(trust, values, 1)?.with_epoch(EPOCH),
            node,
            current: None,
        })
    }

    fn document(&mut self, nonce: &[u8]) -> Result<Vec<u8>> {
        let claims = AttestedClaims {
            user_data: Some(&Bundle::commitment(&self.bundle)),
            nonce: Some(nonce),
            public_key: None,
        };
        Ok(self.attester.attest(&claims, NOW)?)
    }

    fn prove(&mut self, claim: &Claim) -> Result<Evidence> {
        let is_known = claim.known_document.is_some() && claim.known_document == self.current;
        let mut document = None;
        if !is_known {
            let made = self.document(&claim.nonce)?;
            self.current = Some(sha256(&made));
            document = Some(made);
        }
        Ok(claim.prove_with_document(document, self.bundle.clone(), &self.binding))
    }
}

/// An app that opens sessions.
struct App {
    device: SigningKey,
    device_static: X25519Secret,
    vault_static: X25519Secret,
    known: Option<vettid_session::KnownEnclave>,
    entropy: SeededEntropy,
}

impl App {
    fn new() -> Self {
        let mut entropy = SeededEntropy::dangerous_new(2);
        Self {
            device: SigningKey::generate(&mut entropy),
            device_static: X25519Secret::generate(&mut entropy),
            vault_static: X25519Secret::generate(&mut entropy),
            known: None,
            entropy,
        }
    }

    fn session(&mut self, enclave: &mut Enclave, verifier: &mut Verifier) -> Result<()> {
        let network = NetworkId {
            kind: NetworkKind::Emulated,
            anchors: [4; 32],
        };
        let space = SpaceId([5; 16]);
        let key = self.device.verifying_key();
        let mut app = InitiatorTerms::app(network, space, enclave.node, key, &self.device_static);
        if let Some(known) = self.known.clone() {
            app = app.knowing(known);
        }
        let vault = ResponderTerms::vault(network, space, EPOCH, &self.vault_static);
        let (initiator, frame) = Initiator::start(&app, verifier, NOW, &mut self.entropy)?;
        let (responder, frame) = Responder::accept(&vault, NOW, &frame, &mut self.entropy)?;
        let InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        } = initiator.handle(NOW, &frame, verifier)?
        else {
            bail!("initiator asked for no evidence");
        };
        let ResponderProgress::Wait(responder) = responder.handle(NOW, &frame, None)? else {
            bail!("responder did not wait for evidence");
        };
        let (initiator, frame) = state.supply(NOW, &claim.prove_with_key(&self.device))?;
        let ResponderProgress::NeedEvidence { claim, state } =
            responder.handle(NOW, &frame, None)?
        else {
            bail!("responder asked for no evidence");
        };
        let evidence = enclave.prove(&claim)?;
        let (_, frame) = state.supply(NOW, &evidence)?;
        let InitiatorProgress::Open(open) = initiator.handle(NOW, &frame, verifier)? else {
            bail!("session did not open");
        };
        self.known = open.known_enclave();
        Ok(())
    }
}
