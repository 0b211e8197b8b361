//! The enclave's half of sessions, honest or not.

use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{AttestedClaims, Attester, Bundle};
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{Claim, Established, Evidence, Responder, ResponderProgress, ResponderTerms};
use vettid_wire::cbor;
use vettid_wire::id::{NetworkId, NodeId, SpaceId};
use vettid_wire::network::{
    GovernanceKey, Network, ReferenceValue, ReleaseStatus, SignedNetwork, TrustRoot,
};
use vettid_wire::time::UnixMillis;

use crate::entropy::OsEntropy;

pub(super) const SPACE: SpaceId = SpaceId([0x51; 16]);

/// One image in one node's enclave.
pub(super) struct Enclave {
    attester: EmulatedAttester,
    binding: SigningKey,
    bundle: Vec<u8>,
    static_key: X25519Secret,
    replayed: Option<Evidence>,
    /// Shows the first evidence it ever made, whatever the session.
    pub(super) replays: bool,
}

/// A side of a session at the node.
pub(super) enum Side {
    Opening(Option<Responder>),
    Open(Box<Established>),
}

impl Enclave {
    pub(super) fn new(node: NodeId, release: u32, program: u8, now: UnixMillis) -> Self {
        let measured = measurement([program; 48]).expect("not debug");
        let binding = SigningKey::from_seed(&[0x61; 32]);
        let bundle = Bundle::new(binding.verifying_key(), node, &[], None, release, [0; 32]);
        Self {
            attester: EmulatedAttester::new(root(now), &measured, &mut OsEntropy),
            bundle: bundle.expect("a bundle").to_bytes(),
            binding,
            static_key: X25519Secret::from_bytes(&[0x62; 32]),
            replayed: None,
            replays: false,
        }
    }

    /// Takes a handshake frame; what to answer. `None`: the vault wants no such session.
    pub(super) fn handshake(
        &mut self,
        side: &mut Option<Side>,
        frame: &[u8],
        network: NetworkId,
        epoch: u64,
        now: UnixMillis,
    ) -> Option<Vec<Vec<u8>>> {
        match side {
            None => {
                let terms = ResponderTerms::vault(network, SPACE, epoch, &self.static_key);
                let accepted = Responder::accept(&terms, now, frame, &mut OsEntropy);
                let (responder, frame) = accepted.ok()?;
                *side = Some(Side::Opening(Some(responder)));
                Some(vec![frame])
            }
            Some(Side::Opening(responder)) => {
                let responder = responder.take().expect("in order");
                match responder.handle(now, frame, None).ok()? {
                    ResponderProgress::Wait(responder) => {
                        *side = Some(Side::Opening(Some(responder)));
                        Some(Vec::new())
                    }
                    ResponderProgress::NeedEvidence { claim, state } => {
                        let evidence = self.prove(&claim, now);
                        let (session, frame) = state.supply(now, &evidence).expect("supplied");
                        *side = Some(Side::Open(Box::new(session)));
                        Some(vec![frame])
                    }
                }
            }
            Some(Side::Open(_)) => None,
        }
    }

    fn prove(&mut self, claim: &Claim, now: UnixMillis) -> Evidence {
        if let (true, Some(evidence)) = (self.replays, &self.replayed) {
            return evidence.clone();
        }
        let user_data = Bundle::commitment(&self.bundle);
        let claims = AttestedClaims {
            user_data: Some(&user_data),
            nonce: Some(&claim.nonce),
            public_key: None,
        };
        let document = self.attester.attest(&claims, now).expect("a document");
        let evidence =
            claim.prove_with_document(Some(document), self.bundle.clone(), &self.binding);
        self.replayed.get_or_insert_with(|| evidence.clone());
        evidence
    }
}

/// The network's root, the same for one creation time.
fn root(now: UnixMillis) -> DevelopmentRoot {
    let mut entropy = vettid_crypto::SeededEntropy::dangerous_new(7);
    DevelopmentRoot::generate(UnixMillis(now.0 / DAY * DAY), &mut entropy)
}

const DAY: u64 = 24 * 60 * 60 * 1000;

/// A network that accepts program 1 as release 1, program 2 as release 2 and so on to 3.
pub(super) fn network(epoch: u64, now: UnixMillis) -> Network {
    let value = |release: u8| {
        let measured = measurement([release; 48]).expect("not debug");
        ReferenceValue {
            release: release.into(),
            pcr0: *measured.pcr0(),
            pcr1: *measured.pcr1(),
            pcr2: *measured.pcr2(),
            status: ReleaseStatus::Active,
        }
    };
    Network {
        trust_root: TrustRoot::Emulated(root(now).certificate().to_vec()),
        governance: vec![GovernanceKey(governance().verifying_key().0)],
        threshold: 1,
        reference_values: (1..=3).map(value).collect(),
        release_floor: 1,
        epoch,
        bootstrap: Vec::new(),
        relays: Vec::new(),
    }
}

/// A signed network file.
pub(super) fn signed(network: &Network) -> Vec<u8> {
    cbor::encode(&SignedNetwork(vec![network.sign(&governance())]))
}

fn governance() -> SigningKey {
    SigningKey::from_seed(&[0x77; 32])
}
