//! Whom a network accepts: trust root, reference values, release floor, age.

use vettid_crypto::digest::sha256;
use vettid_wire::limits;
use vettid_wire::network::{Network, ReleaseStatus, TrustRoot};

use crate::anchor::{AnchorError, Emulated, Platform, TrustAnchor};
use crate::appraise::AppraisalError;
use crate::evidence::{Evidence, Statement};
use crate::measurement::{DebugMode, Measurement};
use crate::reference::ReferenceValue;

/// Most reference values of one policy: a network runs a handful of releases at a time.
pub const MAX_REFERENCE_VALUES: usize = 64;

/// What a network's evidence must chain to. One of them, never both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trust {
    /// The development root of this network.
    Emulated(TrustAnchor<Emulated>),
    /// The pinned AWS Nitro root.
    Nitro,
}

/// Whom a network accepts. Accepts somebody by construction, and nobody it does not name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    trust: Trust,
    reference_values: Vec<ReferenceValue>,
    floor: u32,
    max_age: u64,
    skew: u64,
    epoch: u64,
}

/// Why values make no policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// No reference value: it would accept nobody.
    #[error("policy has no reference value")]
    Empty,
    /// No reference value is of a release at or above the floor: it would accept nobody.
    #[error("policy has no reference value at or above its release floor")]
    NothingAtFloor,
    /// More than [`MAX_REFERENCE_VALUES`].
    #[error("policy has too many reference values")]
    TooMany,
    /// One measurement is there twice, so its release is not certain.
    #[error("policy names one measurement twice")]
    DuplicateMeasurement,
    /// A reference value is that of debug mode.
    #[error("policy names debug mode as a reference value")]
    DebugMode,
    /// The emulated root is none.
    #[error(transparent)]
    Root(#[from] AnchorError),
}

impl Policy {
    /// A policy with the largest age and clock skew that the protocol allows, in epoch 0.
    pub fn new(
        trust: Trust,
        reference_values: Vec<ReferenceValue>,
        floor: u32,
    ) -> Result<Self, PolicyError> {
        if reference_values.is_empty() {
            return Err(PolicyError::Empty);
        }
        if reference_values.len() > MAX_REFERENCE_VALUES {
            return Err(PolicyError::TooMany);
        }
        if reference_values.iter().all(|value| value.release < floor) {
            return Err(PolicyError::NothingAtFloor);
        }
        if has_duplicate(&reference_values) {
            return Err(PolicyError::DuplicateMeasurement);
        }
        Ok(Self {
            trust,
            reference_values,
            floor,
            max_age: limits::DOCUMENT_AGE,
            skew: limits::CLOCK_SKEW,
            epoch: 0,
        })
    }

    /// What a network's file says; retired releases are none of its values. The caller has verified
    /// the file.
    pub fn of_network(network: &Network) -> Result<Self, PolicyError> {
        let trust = match &network.trust_root {
            TrustRoot::Nitro => Trust::Nitro,
            TrustRoot::Emulated(root) => Trust::Emulated(TrustAnchor::parse(root)?),
        };
        let values: Result<_, _> = network
            .reference_values
            .iter()
            .filter(|value| value.status != ReleaseStatus::Retired)
            .map(ReferenceValue::try_from)
            .collect();
        let policy = Self::new(trust, values?, network.release_floor)?;
        Ok(policy.with_epoch(network.epoch))
    }

    /// The same with a document age of at most `max_age` ms; only ever shorter.
    #[must_use]
    pub fn with_max_age(mut self, max_age: u64) -> Self {
        self.max_age = self.max_age.min(max_age);
        self
    }

    /// The same with a clock skew of at most `skew` ms; only ever smaller.
    #[must_use]
    pub fn with_skew(mut self, skew: u64) -> Self {
        self.skew = self.skew.min(skew);
        self
    }

    /// The same in another epoch. What was appraised in one epoch counts for nothing in the next.
    #[must_use]
    pub fn with_epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// What evidence must chain to.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The release that a measurement is, if it is accepted at all.
    #[must_use]
    pub fn release_of(&self, measurement: &Measurement) -> Option<u32> {
        self.reference_values
            .iter()
            .find(|value| value.measurement == *measurement)
            .map(|value| value.release)
    }

    /// The release that a measurement is, if it is at or above the floor.
    #[must_use]
    pub fn accepted_release_of(&self, measurement: &Measurement) -> Option<u32> {
        let release = self.release_of(measurement);
        release.filter(|release| *release >= self.floor)
    }

    /// What a document of this network's platform says that was authentic when it was made. Good for
    /// records: whom it speaks for today, and whether anybody accepts what it measures, is not asked.
    ///
    /// # Errors
    /// When it is none of this platform, or was not authentic.
    pub fn archived(&self, document: &[u8]) -> Result<Statement, AppraisalError> {
        match &self.trust {
            Trust::Nitro => archived(document, &TrustAnchor::aws()),
            Trust::Emulated(anchor) => archived(document, anchor),
        }
    }

    /// The lowest accepted release.
    #[must_use]
    pub const fn floor(&self) -> u32 {
        self.floor
    }

    /// The largest accepted age of a document, ms.
    #[must_use]
    pub const fn max_age(&self) -> u64 {
        self.max_age
    }

    /// How far an enclave's clock may run ahead of the verifier's, ms.
    #[must_use]
    pub const fn skew(&self) -> u64 {
        self.skew
    }

    /// Number of the policy; signed into every session's evidence.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Digest of everything the policy says, to tell what was appraised under another one.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        match &self.trust {
            Trust::Nitro => bytes.push(0),
            Trust::Emulated(anchor) => {
                bytes.push(1);
                bytes.extend_from_slice(anchor.root().key());
            }
        }
        for number in [self.floor.into(), self.max_age, self.skew, self.epoch] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for value in &self.reference_values {
            let Measurement { pcr0, pcr1, pcr2 } = &value.measurement;
            bytes.extend([pcr0, pcr1, pcr2].into_iter().flatten());
            bytes.extend_from_slice(&value.release.to_be_bytes());
        }
        sha256(&bytes)
    }
}

impl From<DebugMode> for PolicyError {
    fn from(_: DebugMode) -> Self {
        Self::DebugMode
    }
}

fn archived<P: Platform>(
    document: &[u8],
    anchor: &TrustAnchor<P>,
) -> Result<Statement, AppraisalError> {
    let archived = Evidence::<P>::parse(document)?.verify_archived(anchor)?;
    Ok(archived.statement().clone())
}

fn has_duplicate(values: &[ReferenceValue]) -> bool {
    values.iter().enumerate().any(|(index, value)| {
        values
            .iter()
            .take(index)
            .any(|earlier| earlier.measurement == value.measurement)
    })
}
