//! A recorded session for `tests/vectors/session.json`: every input and every frame.
//!
//! For tests and tools only; everything in it is public. An implementation in another language
//! that draws the same bytes in the same order must give the same frames.

use core::error::Error;
use core::fmt::Write;

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{
    AttestedClaims, Attester, Bundle, Policy, ReferenceValue, Trust, TrustAnchor,
};
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_crypto::{Entropy, SeededEntropy};
use vettid_wire::id::{NetworkId, NetworkKind, NodeId, SpaceId};
use vettid_wire::limits;
use vettid_wire::time::UnixMillis;

use crate::{
    Claim, Established, Evidence, Initiator, InitiatorProgress, InitiatorTerms, Responder,
    ResponderProgress, ResponderTerms, Role, Transcript, Verifier,
};

/// One recorded session of an app with a vault: handshake, evidence with a document, one request,
/// one reply; after an hour one more request, whose key changes first; then both in one frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recording {
    /// Inputs by name, in the order of the protocol.
    pub inputs: Vec<(&'static str, Vec<u8>)>,
    /// Who sent each frame, and the frame.
    pub frames: Vec<(Role, Vec<u8>)>,
    /// The handshake hash.
    pub transcript: Transcript,
}

/// Records the session. The same at every call.
pub fn record() -> Result<Recording, Box<dyn Error>> {
    Scene::new()?.record()
}

impl Recording {
    /// The file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\n  \"inputs\": {\n");
        write_entries(&mut out, "    ", &self.inputs, |(name, bytes)| {
            format!("\"{name}\": \"{}\"", hex(bytes))
        });
        out.push_str("  },\n  \"frames\": [\n");
        write_entries(&mut out, "    ", &self.frames, |(from, bytes)| {
            format!(
                "{{ \"from\": \"{}\", \"bytes\": \"{}\" }}",
                from.as_str(),
                hex(bytes)
            )
        });
        out.push_str("  ],\n  \"transcript\": \"");
        out.push_str(&hex(&self.transcript.0));
        out.push_str("\"\n}\n");
        out
    }
}

struct Scene {
    network: NetworkId,
    space: SpaceId,
    node: NodeId,
    root: Vec<u8>,
    attester: EmulatedAttester,
    bundle: Vec<u8>,
    verifier: Verifier,
    initiator: Tape,
    responder: Tape,
    frames: Vec<(Role, Vec<u8>)>,
}

impl Scene {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut entropy = SeededEntropy::dangerous_new(1);
        let root = DevelopmentRoot::generate(NOW, &mut entropy);
        let certificate = root.certificate().to_vec();
        let trust = Trust::Emulated(TrustAnchor::parse(&certificate)?);
        let measurement = measurement([0x11; 48])?;
        let values = vec![ReferenceValue {
            measurement,
            release: 1,
        }];
        let policy = Policy::new(trust, values, 1)?.with_epoch(EPOCH);
        let node = NodeId(SigningKey::from_seed(&[0x22; 32]).verifying_key().0);
        let binding = binding_key().verifying_key();
        let bundle = Bundle::new(binding, node, &[], None, 1, [0x33; 32])?.to_bytes();
        Ok(Self {
            network: NetworkId {
                kind: NetworkKind::Emulated,
                anchors: [0x44; 32],
            },
            space: SpaceId([0x55; 16]),
            node,
            root: certificate,
            attester: EmulatedAttester::new(root, &measurement, &mut entropy),
            bundle,
            verifier: Verifier::new(policy),
            initiator: Tape::new(2),
            responder: Tape::new(3),
            frames: Vec::new(),
        })
    }

    fn record(mut self) -> Result<Recording, Box<dyn Error>> {
        let device_static = X25519Secret::from_bytes(&DEVICE_STATIC);
        let vault_static = X25519Secret::from_bytes(&VAULT_STATIC);
        let device = SigningKey::from_seed(&DEVICE_SEED);
        let key = device.verifying_key();
        let app = InitiatorTerms::app(self.network, self.space, self.node, key, &device_static);
        let vault = ResponderTerms::vault(self.network, self.space, EPOCH, &vault_static);

        let (initiator, frame) = Initiator::start(&app, &self.verifier, NOW, &mut self.initiator)?;
        self.sent(Role::Initiator, &frame);
        let (responder, frame) = Responder::accept(&vault, NOW, &frame, &mut self.responder)?;
        self.sent(Role::Responder, &frame);
        let progress = initiator.handle(NOW, &frame, &mut self.verifier)?;
        let InitiatorProgress::NeedEvidence {
            frame,
            claim,
            state,
        } = progress
        else {
            return Err("initiator asked for no evidence".into());
        };
        self.sent(Role::Initiator, &frame);
        let ResponderProgress::Wait(responder) = responder.handle(NOW, &frame, None)? else {
            return Err("responder asked for evidence too early".into());
        };
        let (initiator, frame) = state.supply(NOW, &claim.prove_with_key(&device))?;
        self.sent(Role::Initiator, &frame);
        let progress = responder.handle(NOW, &frame, None)?;
        let ResponderProgress::NeedEvidence { claim, state } = progress else {
            return Err("responder asked for no evidence".into());
        };
        let (document, evidence) = self.prove(&claim)?;
        let (vault, frame) = state.supply(NOW, &evidence)?;
        self.sent(Role::Responder, &frame);
        let progress = initiator.handle(NOW, &frame, &mut self.verifier)?;
        let InitiatorProgress::Open(app) = progress else {
            return Err("session did not open".into());
        };
        self.exchange_messages(app, vault, document)
    }

    fn prove(&mut self, claim: &Claim) -> Result<(Vec<u8>, Evidence), Box<dyn Error>> {
        let claims = AttestedClaims {
            user_data: Some(&Bundle::commitment(&self.bundle)),
            nonce: Some(&claim.nonce),
            public_key: None,
        };
        let document = self.attester.attest(&claims, NOW)?;
        let bundle = self.bundle.clone();
        let evidence = claim.prove_with_document(Some(document.clone()), bundle, &binding_key());
        Ok((document, evidence))
    }

    fn exchange_messages(
        mut self,
        mut app: Established,
        mut vault: Established,
        document: Vec<u8>,
    ) -> Result<Recording, Box<dyn Error>> {
        let later = NOW.plus(limits::REKEY_TIME);
        let asked: [(_, &[&[u8]]); 3] = [
            (NOW, &[REQUEST]),
            (later, &[LATER_REQUEST]),
            (later, &[REQUEST, LATER_REQUEST]),
        ];
        for (now, messages) in asked {
            for frame in app.seal_all(now, messages)? {
                self.sent(Role::Initiator, &frame);
                vault.open_all(now, &frame)?;
            }
            for frame in vault.seal_all(now, &vec![REPLY; messages.len()])? {
                self.sent(Role::Responder, &frame);
                app.open_all(now, &frame)?;
            }
        }
        Ok(Recording {
            transcript: app.transcript(),
            inputs: self.inputs(document),
            frames: self.frames,
        })
    }

    fn inputs(&self, document: Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("network_id", self.network.to_bytes().to_vec()),
            ("space_id", self.space.0.to_vec()),
            ("node_id", self.node.0.to_vec()),
            ("policy_epoch", EPOCH.to_be_bytes().to_vec()),
            ("now_unix_millis", NOW.0.to_be_bytes().to_vec()),
            ("trust_root", self.root.clone()),
            ("device_seed", DEVICE_SEED.to_vec()),
            ("device_noise_static", DEVICE_STATIC.to_vec()),
            ("binding_seed", BINDING_SEED.to_vec()),
            ("vault_noise_static", VAULT_STATIC.to_vec()),
            ("initiator_randomness", self.initiator.drawn.clone()),
            ("responder_randomness", self.responder.drawn.clone()),
            ("bundle", self.bundle.clone()),
            ("document", document),
            ("request", REQUEST.to_vec()),
            ("later_request", LATER_REQUEST.to_vec()),
            ("reply", REPLY.to_vec()),
        ]
    }

    fn sent(&mut self, from: Role, frame: &[u8]) {
        self.frames.push((from, frame.to_vec()));
    }
}

/// Seeded randomness that remembers what was drawn.
struct Tape {
    source: SeededEntropy,
    drawn: Vec<u8>,
}

impl Tape {
    fn new(seed: u64) -> Self {
        Self {
            source: SeededEntropy::dangerous_new(seed),
            drawn: Vec::new(),
        }
    }
}

impl Entropy for Tape {
    fn fill(&mut self, out: &mut [u8]) {
        self.source.fill(out);
        self.drawn.extend_from_slice(out);
    }
}

fn binding_key() -> SigningKey {
    SigningKey::from_seed(&BINDING_SEED)
}

fn write_entries<T>(out: &mut String, indent: &str, entries: &[T], text: impl Fn(&T) -> String) {
    for (index, entry) in entries.iter().enumerate() {
        let end = if index + 1 == entries.len() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = writeln!(out, "{indent}{}{end}", text(entry));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const EPOCH: u64 = 7;
const DEVICE_SEED: [u8; 32] = [0x66; 32];
const DEVICE_STATIC: [u8; 32] = [0x77; 32];
const BINDING_SEED: [u8; 32] = [0x88; 32];
const VAULT_STATIC: [u8; 32] = [0x99; 32];
const REQUEST: &[u8] = b"request";
const LATER_REQUEST: &[u8] = b"request after an hour";
const REPLY: &[u8] = b"reply";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recording_is_the_same_every_time() {
        assert_eq!(record().expect("recorded"), record().expect("recorded"));
    }

    #[test]
    fn recording_has_the_handshake_the_evidence_the_changed_keys_and_a_batch() {
        let frames = record().expect("recorded").frames;

        let senders: Vec<Role> = frames.iter().map(|(from, _)| *from).collect();
        let (i, r) = (Role::Initiator, Role::Responder);
        assert_eq!(senders, [i, r, i, i, r, i, r, i, i, r, r, i, r]);
    }

    #[test]
    fn checked_in_vectors_are_what_this_code_makes() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/vectors/session.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("no {path}: write it with `cargo xtask vectors`");
            return;
        };

        assert_eq!(record().expect("recorded").to_json(), text);
    }
}
