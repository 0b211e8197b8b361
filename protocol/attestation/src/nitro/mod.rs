//! Attestation documents of the AWS Nitro Secure Module: form, chain and pinned root.
//!
//! The emulated attester makes documents of exactly this format under another root, so everything
//! here but the pinned root serves both.

pub(crate) mod certificate;
pub(crate) mod chain;
mod claims;
pub(crate) mod document;
pub(crate) mod root;

pub use certificate::{CertificateFault, MAX_CERTIFICATE};
pub use chain::ChainError;
pub use claims::{Claims, Field, MAX_CABUNDLE, MAX_MODULE_ID, MAX_USER_FIELD, PCR};
pub use document::{Document, DocumentError, own_claims};
pub use root::AWS_FINGERPRINT;
