//! The decision on evidence: is this the peer that the policy accepts, now?

use vettid_crypto::digest::same;
use vettid_crypto::sign::VerifyingKey;
use vettid_wire::id::NodeId;
use vettid_wire::time::UnixMillis;

use crate::anchor::{Emulated, Nitro, Platform, TrustAnchor};
use crate::binding::{Bundle, BundleError};
use crate::cache::{Appraisal, Cache};
use crate::evidence::{Evidence, Statement};
use crate::measurement::{DebugMode, Measurement, MeasurementHead};
use crate::nitro::{ChainError, DocumentError};
use crate::policy::{Policy, Trust};

/// Appraises a document and its bundle against `policy`.
///
/// The document must be authentic, chained to the policy's root at `now`, not older than the
/// policy allows, answer `nonce`, be bound to `bundle`, and measure an accepted release that is the
/// one the bundle names. What is appraised is remembered in `cache`. The caller still checks that
/// the binding key signed the session: a document alone proves nothing about who sends it.
/// RFC 9334, section 8.5.
pub fn appraise(
    document: &[u8],
    bundle: &[u8],
    policy: &Policy,
    nonce: NonceExpectation<'_>,
    now: UnixMillis,
    cache: &mut Cache,
) -> Result<Appraised<Peer>, AppraisalError> {
    let statement = match policy.trust() {
        Trust::Nitro => verify::<Nitro>(document, &TrustAnchor::aws(), policy, now, cache)?,
        Trust::Emulated(anchor) => verify::<Emulated>(document, anchor, policy, now, cache)?,
    };
    check_age(&statement, policy, now)?;
    let commitment = check_bundle(&statement, bundle)?;
    let policy_id = policy.fingerprint();
    let known = || cache.knows_bundle(&commitment, &policy_id, now);
    check_nonce(&statement, nonce, known)?;
    let peer = accepted(&statement, Bundle::parse(bundle)?, policy)?;
    let expires = statement
        .valid_until
        .min(statement.timestamp.plus(policy.max_age()));
    let appraisal = Appraisal {
        policy: policy_id,
        commitment,
        peer: peer.clone(),
        expires,
    };
    cache.add_appraisal(appraisal, now);
    Ok(Appraised {
        value: peer,
        expires,
    })
}

/// The appraisal of a document that was appraised before, named by its SHA-256.
///
/// Found only under the same policy, before it ends, and with the bundle it is bound to. As
/// above, the binding key must still sign the session.
pub fn recall(
    document_hash: &[u8; 32],
    bundle: &[u8],
    policy: &Policy,
    now: UnixMillis,
    cache: &Cache,
) -> Result<Appraised<Peer>, AppraisalError> {
    let appraisal = cache
        .appraisal(document_hash, &policy.fingerprint(), now)
        .ok_or(AppraisalError::NotRemembered)?;
    if !same(&appraisal.commitment, &Bundle::commitment(bundle)) {
        return Err(AppraisalError::BundleMismatch);
    }
    Ok(Appraised {
        value: appraisal.peer.clone(),
        expires: appraisal.expires,
    })
}

/// Which challenge a document must answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NonceExpectation<'a> {
    /// This one, which the verifier drew for this session: on first contact and whenever the
    /// policy changed.
    Fresh(&'a [u8; 32]),
    /// None in particular: the peer renews its document for a bundle that was appraised under
    /// this very policy, and that appraisal has not ended.
    Renewal,
}

/// A peer's enclave, as its evidence shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// What booted.
    pub measurement: Measurement,
    /// The release that this is.
    pub release: u32,
    /// The key that signs for the enclave in its sessions.
    pub binding_key: VerifyingKey,
    /// The node whose enclave it is.
    pub node: NodeId,
    /// libp2p PeerIds that its hosts may have.
    pub host_peers: Vec<Vec<u8>>,
    /// Digest of its lasting ML-KEM key, if it has one.
    pub kem_key_hash: Option<[u8; 32]>,
    /// Digest of the configuration that it runs with.
    pub config_digest: [u8; 32],
    /// SHA-256 of the document.
    pub document_hash: [u8; 32],
}

/// Something that counts as appraised until it expires. Never sticky: every look asks the time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Appraised<T> {
    value: T,
    expires: UnixMillis,
}

impl<T> Appraised<T> {
    /// The value, while the appraisal lasts.
    pub fn at(&self, now: UnixMillis) -> Result<&T, AppraisalError> {
        if now <= self.expires {
            Ok(&self.value)
        } else {
            Err(AppraisalError::Expired)
        }
    }

    /// The last moment at which it counts: the chain's end or the largest age, whichever is first.
    #[must_use]
    pub const fn expires(&self) -> UnixMillis {
        self.expires
    }
}

/// Why evidence was not accepted. Safe to log; [`EvidenceRefused`] is all that the peer learns.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AppraisalError {
    /// The document has not the right form.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The chain does not lead to the root.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The leaf's key did not sign the document.
    #[error("document signature does not verify")]
    Signature,
    /// The enclave runs in debug mode, where its host reads along.
    #[error("enclave runs in debug mode")]
    DebugMode,
    /// Emulated evidence where hardware is asked for, or the other way round.
    #[error("evidence is of another platform than the network's")]
    WrongPlatform,
    /// The document is signed later than the clocks' skew allows.
    #[error("document is {ahead} ms in the future")]
    Future {
        /// How far ahead it is, ms.
        ahead: u64,
    },
    /// The document is too old.
    #[error("document is {age} ms old; limit is {limit} ms")]
    Stale {
        /// Its age, ms.
        age: u64,
        /// The largest accepted age, ms.
        limit: u64,
    },
    /// The document answers no challenge.
    #[error("document has no nonce")]
    NonceMissing,
    /// The nonce is not 32 bytes.
    #[error("nonce is not 32 bytes")]
    NonceLength,
    /// The document answers another challenge.
    #[error("nonce is another one")]
    NonceMismatch,
    /// A document without a fresh nonce, of somebody who was not appraised before.
    #[error("nothing is known that this document could renew")]
    NothingToRenew,
    /// The document is bound to nothing.
    #[error("document is bound to no bundle")]
    BundleMissing,
    /// The document is bound to another bundle.
    #[error("document is bound to another bundle")]
    BundleMismatch,
    /// The bundle has not the right form.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The policy does not name what booted.
    #[error("measurement {0} is not a reference value")]
    UnknownMeasurement(MeasurementHead),
    /// The release in the bundle is not the one that was measured.
    #[error("enclave says release {claimed}; its measurement is release {measured}")]
    ReleaseMismatch {
        /// The release in the bundle.
        claimed: u32,
        /// The release of the reference value.
        measured: u32,
    },
    /// The release was retired.
    #[error("release {release} is below the floor {floor}")]
    ReleaseBelowFloor {
        /// The peer's release.
        release: u32,
        /// The lowest accepted one.
        floor: u32,
    },
    /// No appraisal of that document is remembered under this policy.
    #[error("document was not appraised before")]
    NotRemembered,
    /// The appraisal has ended.
    #[error("appraisal has expired")]
    Expired,
}

/// All that a peer is told when its evidence was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("evidence refused")]
pub struct EvidenceRefused;

impl From<AppraisalError> for EvidenceRefused {
    fn from(_: AppraisalError) -> Self {
        Self
    }
}

impl From<DebugMode> for AppraisalError {
    fn from(_: DebugMode) -> Self {
        Self::DebugMode
    }
}

fn verify<P: Platform>(
    document: &[u8],
    anchor: &TrustAnchor<P>,
    policy: &Policy,
    now: UnixMillis,
    cache: &mut Cache,
) -> Result<Statement, AppraisalError> {
    let evidence = Evidence::<P>::parse(document)?;
    let verified = evidence.verify(anchor, now, policy.skew(), cache)?;
    Ok(verified.into_statement())
}

fn check_age(
    statement: &Statement,
    policy: &Policy,
    now: UnixMillis,
) -> Result<(), AppraisalError> {
    let ahead = statement.timestamp.since(now);
    if ahead > policy.skew() {
        return Err(AppraisalError::Future { ahead });
    }
    let (age, limit) = (now.since(statement.timestamp), policy.max_age());
    if age > limit {
        return Err(AppraisalError::Stale { age, limit });
    }
    Ok(())
}

fn check_bundle(statement: &Statement, bundle: &[u8]) -> Result<[u8; 48], AppraisalError> {
    let attested = statement
        .user_data
        .as_deref()
        .ok_or(AppraisalError::BundleMissing)?;
    let commitment = Bundle::commitment(bundle);
    if same(attested, &commitment) {
        Ok(commitment)
    } else {
        Err(AppraisalError::BundleMismatch)
    }
}

fn check_nonce(
    statement: &Statement,
    expected: NonceExpectation<'_>,
    known: impl FnOnce() -> bool,
) -> Result<(), AppraisalError> {
    let expected = match expected {
        NonceExpectation::Fresh(nonce) => nonce,
        NonceExpectation::Renewal if known() => return Ok(()),
        NonceExpectation::Renewal => return Err(AppraisalError::NothingToRenew),
    };
    match statement.nonce.as_deref() {
        None => Err(AppraisalError::NonceMissing),
        Some(nonce) if nonce.len() != expected.len() => Err(AppraisalError::NonceLength),
        Some(nonce) if same(nonce, expected) => Ok(()),
        Some(_) => Err(AppraisalError::NonceMismatch),
    }
}

/// Who it is, if the policy accepts what booted.
fn accepted(
    statement: &Statement,
    bundle: Bundle,
    policy: &Policy,
) -> Result<Peer, AppraisalError> {
    let measurement = statement.measurement;
    let release = policy
        .release_of(&measurement)
        .ok_or_else(|| AppraisalError::UnknownMeasurement(measurement.head()))?;
    if bundle.release != release {
        return Err(AppraisalError::ReleaseMismatch {
            claimed: bundle.release,
            measured: release,
        });
    }
    let floor = policy.floor();
    if release < floor {
        return Err(AppraisalError::ReleaseBelowFloor { release, floor });
    }
    Ok(Peer {
        measurement,
        release,
        binding_key: bundle.binding_key(),
        node: bundle.node,
        host_peers: bundle.host_peers().map(<[u8]>::to_vec).collect(),
        kem_key_hash: bundle.kem_key_hash(),
        config_digest: bundle.config_digest(),
        document_hash: statement.hash,
    })
}
