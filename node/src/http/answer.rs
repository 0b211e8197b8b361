//! The one shape of every refusal.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use vettid_wire::http::{Code, Failure, Reason};

use crate::attachment::{AttachmentError, FetchError};
use crate::bus::SignError;
use crate::database::{ReadError, WriteError};
use crate::space::{EnrollRefusal, RenewRefusal};

/// A request that was not granted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refused {
    status: StatusCode,
    code: Code,
    message: String,
    retry_after: Option<u64>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    pub(super) fn malformed(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::Malformed, message)
    }

    pub(super) fn too_fast(seconds: u64) -> Self {
        let message = "too many requests from this address: wait";
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, Code::TooFast, message);
        Self {
            retry_after: Some(seconds),
            ..refused
        }
    }

    pub(super) fn unavailable() -> Self {
        let message = "the node cannot store anything now: try again later, nothing was changed";
        let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message);
        Self {
            retry_after: Some(10),
            ..refused
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self {
            status,
            code,
            message,
            retry_after,
        } = self;
        let reason = Reason {
            code: code.as_str().to_owned(),
            message,
            retry_after,
        };
        let mut response = (status, Json(Failure { error: reason })).into_response();
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<EnrollRefusal> for Refused {
    fn from(refusal: EnrollRefusal) -> Self {
        let (status, code) = match refusal {
            EnrollRefusal::Expired => (StatusCode::GONE, Code::InvitationExpired),
            EnrollRefusal::KeyInUse => (StatusCode::CONFLICT, Code::KeyInUse),
            EnrollRefusal::Revoked => (StatusCode::GONE, Code::InvitationRevoked),
            EnrollRefusal::Unknown => (StatusCode::NOT_FOUND, Code::InvitationUnknown),
            EnrollRefusal::Used => (StatusCode::CONFLICT, Code::InvitationUsed),
        };
        Self::new(status, code, refusal.to_string())
    }
}

impl From<RenewRefusal> for Refused {
    fn from(refusal: RenewRefusal) -> Self {
        let code = match refusal {
            RenewRefusal::Suspended => Code::Suspended,
            RenewRefusal::Unknown => Code::UnknownDevice,
        };
        Self::new(StatusCode::FORBIDDEN, code, refusal.to_string())
    }
}

impl From<AttachmentError> for Refused {
    fn from(_: AttachmentError) -> Self {
        Self::unavailable()
    }
}

impl From<FetchError> for Refused {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Unknown => Self::new(
                StatusCode::NOT_FOUND,
                Code::AttachmentUnknown,
                "the node that stores it has no such chunk",
            ),
            FetchError::Unreachable => Self {
                retry_after: Some(30),
                ..Self::new(
                    StatusCode::BAD_GATEWAY,
                    Code::NodeUnreachable,
                    "the node that stores it cannot be reached now: try again later",
                )
            },
        }
    }
}

impl From<WriteError> for Refused {
    fn from(_: WriteError) -> Self {
        Self::unavailable()
    }
}

impl From<ReadError> for Refused {
    fn from(_: ReadError) -> Self {
        Self::unavailable()
    }
}

impl From<SignError> for Refused {
    fn from(error: SignError) -> Self {
        tracing::error!(%error, "no credentials can be issued");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "a fault of the node: report it",
        )
    }
}
