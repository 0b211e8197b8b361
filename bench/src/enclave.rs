//! Enclaves as sessions see them: evidence, keys and a policy, all in this process.

use anyhow::{Result, bail};
use vettid_attestation::emulated::{DevelopmentRoot, EmulatedAttester, measurement};
use vettid_attestation::{
    AttestedClaims, Attester, Bundle, Policy, ReferenceValue, Trust, TrustAnchor,
};
use vettid_crypto::SeededEntropy;
use vettid_crypto::digest::sha256;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::x25519::X25519Secret;
use vettid_session::{
    Claim, Established, Evidence, Initiator, InitiatorProgress, InitiatorTerms, Responder,
    ResponderProgress, ResponderTerms, Verifier,
};
use vettid_wire::id::{NetworkId, NetworkKind, NodeId};
use vettid_wire::time::UnixMillis;

/// Time of day in every session.
pub(crate) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
/// Policy epoch of every session.
pub(crate) const EPOCH: u64 = 1;
/// The network of every session.
pub(crate) const NETWORK: NetworkId = NetworkId {
    kind: NetworkKind::Emulated,
    anchors: [4; 32],
};

/// An enclave that answers, as the supervisor and a vault process do together.
pub(crate) struct Enclave {
    attester: EmulatedAttester,
    binding: SigningKey,
    /// What its documents commit to.
    pub(crate) bundle: Vec<u8>,
    /// What it accepts.
    pub(crate) policy: Policy,
    /// Its identity.
    pub(crate) node: NodeId,
    /// Digest of the document that is current.
    current: Option<[u8; 32]>,
}

impl Enclave {
    /// One of several that run the same image in one network.
    pub(crate) fn numbered(number: u64) -> Result<Self> {
        let root = DevelopmentRoot::generate(NOW, &mut SeededEntropy::dangerous_new(1));
        let mut entropy = SeededEntropy::dangerous_new(number.wrapping_add(1_000));
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

    /// A new attestation document.
    pub(crate) fn document(&mut self, nonce: &[u8]) -> Result<Vec<u8>> {
        let claims = AttestedClaims {
            user_data: Some(&Bundle::commitment(&self.bundle)),
            nonce: Some(nonce),
            public_key: None,
        };
        Ok(self.attester.attest(&claims, NOW)?)
    }

    /// Evidence for one session; a document only if the other side does not know the current one.
    pub(crate) fn prove(&mut self, claim: &Claim) -> Result<Evidence> {
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

/// Both ends of an open session between two enclaves.
pub(crate) fn session() -> Result<(Established, Established)> {
    let (mut here, mut there) = (Enclave::numbered(1)?, Enclave::numbered(2)?);
    let mut entropy = SeededEntropy::dangerous_new(3);
    let statics = [(); 2].map(|()| X25519Secret::generate(&mut entropy));
    let [here_static, there_static] = &statics;
    let mut here_verifier = Verifier::new(here.policy.clone());
    let mut there_verifier = Verifier::new(there.policy.clone());
    let opening = InitiatorTerms::enclave(NETWORK, here.node, there.node, here_static).introduced();
    let answering =
        ResponderTerms::enclave(NETWORK, there.node, EPOCH, there_static).expecting(here.node);

    let (initiator, frame) = Initiator::start(&opening, &here_verifier, NOW, &mut entropy)?;
    let (responder, frame) = Responder::accept(&answering, NOW, &frame, &mut entropy)?;
    let InitiatorProgress::NeedEvidence {
        frame,
        claim,
        state,
    } = initiator.handle(NOW, &frame, &mut here_verifier)?
    else {
        bail!("initiator asked for no evidence");
    };
    let (initiator, shown) = state.supply(NOW, &here.prove(&claim)?)?;
    let ResponderProgress::Wait(responder) =
        responder.handle(NOW, &frame, Some(&mut there_verifier))?
    else {
        bail!("responder did not wait for evidence");
    };
    let ResponderProgress::NeedEvidence { claim, state } =
        responder.handle(NOW, &shown, Some(&mut there_verifier))?
    else {
        bail!("responder asked for no evidence");
    };
    let (answered, frame) = state.supply(NOW, &there.prove(&claim)?)?;
    let InitiatorProgress::Open(opened) = initiator.handle(NOW, &frame, &mut here_verifier)? else {
        bail!("session did not open");
    };
    Ok((opened, answered))
}
