//! Why there is no sealing root.

use std::io;

use vettid_wire::key_arn::{BadArn, BadRegion};

use crate::policy::{BadRole, PolicyFault};

/// Why there is no sealing root. Nothing in it is secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KmsError {
    /// The name of a key is none.
    #[error("name of the sealing key: {0}")]
    Arn(#[from] BadArn),
    /// The host's credentials are none.
    #[error("host's AWS credentials are malformed")]
    BadCredentials,
    /// The host's region is none.
    #[error("region of the key service: {0}")]
    Region(#[from] BadRegion),
    /// A role for the new key's policy is none.
    #[error(transparent)]
    Role(#[from] BadRole),
    /// The connection broke or made no progress.
    #[error("connection to the key service: {0}")]
    Connection(io::ErrorKind),
    /// Whoever answers is not the key service: wrong certificate or broken TLS.
    #[error("key service did not prove that it is one")]
    NotGenuine,
    /// An answer is larger than such answers are.
    #[error("answer of the key service to {0} is too large")]
    TooLarge(&'static str),
    /// An answer is not of the form that the API has.
    #[error("answer of the key service to {0} is malformed")]
    Malformed(&'static str),
    /// The key service does not do what was asked.
    #[error("key service refused {0}: {1}")]
    Refused(&'static str, Refusal),
    /// The key is not as a sealing key must be.
    #[error("sealing key: {0}")]
    Key(#[from] KeyFault),
    /// The key's policy lets others near it, or could.
    #[error("policy of the sealing key: {0}")]
    Policy(#[from] PolicyFault),
    /// Somebody has a grant for the key.
    #[error("sealing key has grants: make a new key, which has none")]
    Grants,
    /// An answer is about another key than was asked for.
    #[error("key service answered for another key")]
    OtherKey,
    /// An answer carries its secret in the open.
    #[error("key service answered without encrypting for the enclave")]
    InTheOpen,
    /// What the answer encloses is not for this enclave, or of no form that is accepted.
    #[error("answer of the key service does not open")]
    Envelope,
    /// What the host kept is no sealed root, or does not open.
    #[error("sealed root that the host kept is damaged")]
    Damaged,
    /// What the host kept is under a key of another region.
    #[error(
        "sealed root that the host kept is under a key of another region than enclave.kms.region"
    )]
    KeptInRegion,
    /// What the host kept was sealed for another release.
    #[error(
        "vaults of this node are sealed for release {kept}, and this is release {running}: run the image of release {kept}"
    )]
    KeptForRelease {
        /// Release that sealed it.
        kept: u32,
        /// Release that runs.
        running: u32,
    },
    /// No document of this image on this platform vouches for the sealed root.
    #[error("sealed root was not made by this image on a platform that can prove it")]
    NotOwn,
    /// No key could be made that an answer is encrypted for.
    #[error("no recipient key could be made")]
    NoRecipientKey,
}

/// The key service's own word for a refusal, where it is one that an operator can act on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Policy or attestation do not allow it.
    #[error(
        "access denied: neither credentials nor image may be others than the key's policy names"
    )]
    AccessDenied,
    /// The credentials have expired, or are none.
    #[error("credentials are expired or unknown")]
    Credentials,
    /// The wrapped data key was altered, or belongs to another key.
    #[error("wrapped data key is not one of this key")]
    Ciphertext,
    /// The key is disabled, or its deletion is scheduled.
    #[error("key is disabled or to be deleted")]
    Disabled,
    /// There is no such key.
    #[error("no such key")]
    NotFound,
    /// Too much was asked.
    #[error("too many requests")]
    Throttled,
    /// The request with its attestation document is not accepted.
    #[error("attestation document is not accepted")]
    Document,
    /// The policy of a new key is not accepted.
    #[error("policy is not accepted: do the roles in enclave.kms exist?")]
    Policy,
    /// Anything else, by its HTTP status.
    #[error("HTTP status {0}")]
    Other(u16),
}

impl Refusal {
    /// Reads the `__type` of an error, with or without its namespace. `attested` is whether the request
    /// had a document.
    pub(crate) fn of(status: u16, kind: &str, attested: bool) -> Self {
        match kind.rsplit('#').next().unwrap_or_default() {
            "AccessDeniedException" => Self::AccessDenied,
            "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => Self::Credentials,
            "IncorrectKeyException" | "InvalidCiphertextException" => Self::Ciphertext,
            "DisabledException" | "KMSInvalidStateException" => Self::Disabled,
            "InvalidArnException" | "NotFoundException" => Self::NotFound,
            "LimitExceededException" | "ThrottlingException" => Self::Throttled,
            "MalformedPolicyDocumentException" => Self::Policy,
            "ValidationException" if attested => Self::Document,
            _ => Self::Other(status),
        }
    }
}

/// What is not as a sealing key must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// In a custom or external key store, whose operator may have the key.
    #[error("is in a custom key store")]
    CustomStore,
    /// Not enabled.
    #[error("is not enabled")]
    NotEnabled,
    /// Managed by a service of AWS for an account.
    #[error("is not managed by its account")]
    NotOwn,
    /// Imported: whoever imported it has it.
    #[error("was imported: whoever imported it has it")]
    Imported,
    /// Copied to other regions.
    #[error("exists in several regions")]
    SeveralRegions,
    /// Not a symmetric key for encryption.
    #[error("is not symmetric, for encryption")]
    NotSymmetric,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_known_by_name_with_and_without_namespace() {
        for (kind, refusal) in [
            ("AccessDeniedException", Refusal::AccessDenied),
            (
                "com.amazonaws.kms#AccessDeniedException",
                Refusal::AccessDenied,
            ),
            ("ExpiredTokenException", Refusal::Credentials),
            ("InvalidSignatureException", Refusal::Credentials),
            ("InvalidCiphertextException", Refusal::Ciphertext),
            ("DisabledException", Refusal::Disabled),
            ("KMSInvalidStateException", Refusal::Disabled),
            ("NotFoundException", Refusal::NotFound),
            ("ThrottlingException", Refusal::Throttled),
            ("MalformedPolicyDocumentException", Refusal::Policy),
            ("ValidationException", Refusal::Document),
            ("KMSInternalException", Refusal::Other(500)),
            ("", Refusal::Other(500)),
        ] {
            assert_eq!(Refusal::of(500, kind, true), refusal, "{kind}");
        }
        let without = Refusal::of(400, "ValidationException", false);
        assert_eq!(without, Refusal::Other(400));
    }
}
