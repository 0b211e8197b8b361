//! Bodies of a node's HTTP API, in JSON.

use serde::{Deserialize, Serialize};

/// `POST /v1/enroll`: uses an invitation.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    /// Host's half of the invitation's secret, base64url without padding.
    pub token: String,
    /// Public NATS user key of the device.
    pub user: String,
}

/// Answer to [`Enroll`] and [`Renew`].
#[derive(Clone, Deserialize, Serialize)]
pub struct Credentials {
    /// NATS user JWT.
    pub jwt: String,
    /// When the JWT expires, Unix ms.
    pub expires: u64,
    /// Space of the vault, hexadecimal.
    pub space: String,
    /// Route of the device, hexadecimal.
    pub device: String,
    /// Where the bus is, best first.
    pub bus: Vec<String>,
    /// Encoding of the signed network file, base64.
    pub network: String,
}

/// `POST /v1/credentials`: a fresh JWT for a device that has one.
///
/// `signature` is by the NATS user key over [`renewal_text`], base64url without padding.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// Public NATS user key of the device.
    pub user: String,
    /// Now, Unix ms.
    pub time: u64,
    /// Signature.
    pub signature: String,
}

/// What a device signs to renew its credentials.
#[must_use]
pub fn renewal_text(user: &str, time: u64) -> Vec<u8> {
    vettid_crypto::Label::BusRenewal.frame(&[user.as_bytes(), &time.to_be_bytes()])
}

/// `PUT` and `GET /v1/attachments/{id}/{index}`: one sealed chunk of an attachment, as it is.
///
/// A device shows who it is in three headers: its public NATS user key, the time in Unix ms, and its
/// signature over [`attachment_text`], base64url without padding. `GET` takes `Range: bytes=N-`, and
/// the query `node` (text form), `peer` (base58) and `address` (multiaddr, repeatable) of the node
/// that stores the chunk, when that is another one.
pub const USER_HEADER: &str = "vettid-user";
/// Time of a request, Unix ms.
pub const TIME_HEADER: &str = "vettid-time";
/// Signature of a request.
pub const SIGNATURE_HEADER: &str = "vettid-signature";

/// What a device signs to store (`PUT`) or fetch (`GET`) a chunk.
#[must_use]
pub fn attachment_text(
    method: &str,
    id: crate::id::AttachmentId,
    index: u32,
    user: &str,
    time: u64,
) -> Vec<u8> {
    vettid_crypto::Label::AttachmentRequest.frame(&[
        method.as_bytes(),
        &id.0,
        &index.to_be_bytes(),
        user.as_bytes(),
        &time.to_be_bytes(),
    ])
}

/// Body of every refusal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// What is wrong.
    pub error: Reason,
}

/// What is wrong with an HTTP request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reason {
    /// Short form for programs: the text of a [`Code`].
    pub code: String,
    /// What to do, for people.
    pub message: String,
    /// Seconds until it is worth trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// What can be wrong with an HTTP request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Code {
    /// The id of an attachment is another space's.
    AttachmentTaken,
    /// There is no such chunk where it should be.
    AttachmentUnknown,
    /// A chunk is empty or too large.
    ChunkSize,
    /// The time of the request is not now.
    ClockWrong,
    /// A fault of the node.
    Internal,
    /// The invitation has expired.
    InvitationExpired,
    /// The operator has withdrawn the invitation.
    InvitationRevoked,
    /// There is no such invitation.
    InvitationUnknown,
    /// The invitation was used, by another key.
    InvitationUsed,
    /// The key belongs to an enrolled device.
    KeyInUse,
    /// The request does not say how long its body is.
    LengthRequired,
    /// The request is none of this API.
    Malformed,
    /// The path takes another method.
    MethodNotAllowed,
    /// The node that stores the chunk cannot be reached now.
    NodeUnreachable,
    /// There is nothing at the path.
    NotFound,
    /// The space has no room for more attachments.
    Quota,
    /// The chunk has no such range.
    Range,
    /// The signature is not by the key that the request names.
    SignatureWrong,
    /// The operator has locked the space out.
    Suspended,
    /// Too many requests come from the address.
    TooFast,
    /// The body did not come in time.
    TooSlow,
    /// The node cannot store or read anything now.
    Unavailable,
    /// No device has the key.
    UnknownDevice,
}

impl Code {
    /// Its text in [`Reason::code`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttachmentTaken => "attachment-taken",
            Self::AttachmentUnknown => "attachment-unknown",
            Self::ChunkSize => "chunk-size",
            Self::ClockWrong => "clock-wrong",
            Self::Internal => "internal",
            Self::InvitationExpired => "invitation-expired",
            Self::InvitationRevoked => "invitation-revoked",
            Self::InvitationUnknown => "invitation-unknown",
            Self::InvitationUsed => "invitation-used",
            Self::KeyInUse => "key-in-use",
            Self::LengthRequired => "length-required",
            Self::Malformed => "malformed",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NodeUnreachable => "node-unreachable",
            Self::NotFound => "not-found",
            Self::Quota => "quota",
            Self::Range => "range",
            Self::SignatureWrong => "signature-wrong",
            Self::Suspended => "suspended",
            Self::TooFast => "too-fast",
            Self::TooSlow => "too-slow",
            Self::Unavailable => "unavailable",
            Self::UnknownDevice => "unknown-device",
        }
    }
}

impl Reason {
    /// Whether this is what is wrong.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }

    /// Whether time alone may mend it, so that the same request is worth sending again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        [
            Code::NodeUnreachable,
            Code::TooFast,
            Code::TooSlow,
            Code::Unavailable,
        ]
        .into_iter()
        .any(|code| self.is(code))
    }
}

impl core::fmt::Debug for Enroll {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Enroll(..)")
    }
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl core::fmt::Debug for Renew {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Renew(..)")
    }
}
