//! Sealing through AWS KMS with recipient attestation, from inside an enclave.
//!
//! ```text
//! first boot ── CreateKey, with the one policy that it will ever have ──▶ KMS
//!            ── GenerateDataKey, document ───────────────────────────▶     only for what booted here
//! later      ── DescribeKey, GetKeyPolicy, ListGrants ───────────────▶     is it still ours alone?
//!            ── Decrypt, document ───────────────────────────────────▶     only for what booted here
//!            ◀── CMS around the data key ─────────────────────────────     opens with a key of this answer
//! root       ══ sealed under the data key, vouched for by a document, kept by the host
//! ```
//!
//! The host carries TLS bytes and hands over credentials; it can keep the enclave from serving and no
//! more. The root is drawn inside the enclave: neither the host alone, which has it sealed, nor the
//! key service alone, which knows the data key, has it. What the host shows at a later boot counts only
//! with a document of this very image over it, so that no root comes from anywhere else.
//!
//! | provided | not provided |
//! |---|---|
//! | a root that only one measured image gets, on whatever host | a root for two releases: each has its own key |
//! | a key whose policy never let anybody else near it and that no caller can change | protection from AWS itself, which runs the key service and can change any policy |
//! | certificates under Amazon's own roots alone, TLS 1.3 | other partitions than `aws` |
//!
//! Blocking, over any stream: the caller bounds the time.

mod api;
mod envelope;
mod failure;
mod http;
mod policy;
mod sigv4;
mod tls;
mod unseal;

pub use failure::{KeyFault, KmsError, Refusal};
pub use policy::{BadRole, PolicyFault};
pub use tls::Roots;
pub use unseal::{Attests, Terms, Unsealed, unseal};

/// Parsers of what is received, for fuzzing alone.
#[cfg(fuzzing)]
pub mod fuzzed {
    use vettid_wire::key_arn::KeyArn;

    /// An envelope.
    pub fn envelope(bytes: &[u8]) {
        let _ = crate::envelope::parse(bytes);
    }

    /// An answer over HTTP.
    pub fn answer(bytes: &[u8]) {
        let _ = crate::http::parse(bytes, "Decrypt");
    }

    /// The policy of a key.
    pub fn policy(bytes: &[u8]) {
        let key: Result<KeyArn, _> = "arn:aws:kms:eu-central-1:111122223333:key/1".parse();
        if let (Ok(text), Ok(key)) = (core::str::from_utf8(bytes), key) {
            let _ = crate::policy::check(text, &key, "0a");
        }
    }
}
