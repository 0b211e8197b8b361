//! Attestation and sessions against stock Noise XX, CPU of both sides counted.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use vettid_attestation::{Cache, NonceExpectation, appraise};
use vettid_crypto::SeededEntropy;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{
    Initiator, InitiatorProgress, InitiatorTerms, Responder, ResponderProgress, ResponderTerms,
    Verifier,
};
use vettid_wire::id::SpaceId;

use crate::enclave::{EPOCH, Enclave, NETWORK, NOW};
use crate::figure::Figure;
use crate::rounds::side_by_side;
use crate::size::Size;

/// Repetitions in one round.
const TIMES: u32 = 200;
const NONCE: [u8; 32] = [5; 32];

/// An appraisal with nothing cached: five P-384 verifications.
pub(crate) fn cold(size: Size) -> Result<Figure> {
    let stock = Stock::new()?;
    let mut enclave = Enclave::numbered(1)?;
    let document = enclave.document(&NONCE)?;
    let (ours, reference) = side_by_side(
        size,
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
pub(crate) fn cached_session(size: Size) -> Result<Figure> {
    let stock = Stock::new()?;
    let mut enclave = Enclave::numbered(1)?;
    let mut verifier = Verifier::new(enclave.policy.clone());
    let mut app = App::new();
    app.session(&mut enclave, &mut verifier)?;
    let (ours, reference) = side_by_side(
        size,
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
        let space = SpaceId([5; 16]);
        let key = self.device.verifying_key();
        let mut app = InitiatorTerms::app(NETWORK, space, enclave.node, key, &self.device_static);
        if let Some(known) = self.known.clone() {
            app = app.knowing(known);
        }
        let vault = ResponderTerms::vault(NETWORK, space, EPOCH, &self.vault_static);
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
