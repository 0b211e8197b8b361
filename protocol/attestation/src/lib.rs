//! Evidence, reference values and appraisal of AWS Nitro documents.
//!
//! The roles are those of RFC 9334:
//!
//! ```text
//!  endorser                                reference value provider
//!  AWS Nitro root, or a network's          the network file: releases and
//!  development root  (anchor)              their measurements  (reference, policy)
//!        │ endorses modules                        │
//!        ▼                                         ▼
//!  attester ──── evidence: document + bundle ───▶ verifier ──── Appraised<Peer> ───▶ relying party
//!  an enclave     (attester, binding)             (appraise)    until it expires      session, app
//! ```
//!
//! A document is a COSE_Sign1 that the platform's module signs: registers that say what booted, the
//! time, a chain of certificates, and three fields of the enclave's choice. `user_data` is the
//! digest of the *bundle*, which names the key that signs for the enclave in its sessions.
//!
//! Provided: the peer that holds the binding key runs, or ran within the largest age, one of the
//! accepted images in an enclave of the network's platform, and answered this verifier's
//! challenge. Not provided: that the bytes come from that peer (its binding key signs the session
//! for that), that its host shows its latest state, and anything about an emulated enclave beyond
//! what its host says.

mod anchor;
mod appraise;
mod attester;
mod binding;
mod cache;
#[cfg(any(test, feature = "emulated"))]
pub mod emulated;
mod evidence;
mod measurement;
pub mod nitro;
mod policy;
mod reference;
#[cfg(test)]
mod tests;

pub use anchor::{AnchorError, Emulated, Nitro, Platform, TrustAnchor};
pub use appraise::{
    AppraisalError, Appraised, EvidenceRefused, NonceExpectation, Peer, appraise, recall,
};
pub use attester::{AttestedClaims, Attester, NotAttested};
pub use binding::{Bundle, BundleError, MAX_HOST_PEER, MAX_HOST_PEERS};
pub use cache::{Cache, MAX_APPRAISALS, MAX_LINKS};
pub use evidence::{Archived, Evidence, Statement, Verified};
pub use measurement::{DebugMode, Measurement, MeasurementHead};
pub use policy::{MAX_REFERENCE_VALUES, Policy, PolicyError, Trust};
pub use reference::ReferenceValue;
