//! Why something was not done, by who can act on it.

use vettid_wire::http::Reason;
use vettid_wire::refusal::Refusal;

use crate::attachment::AttachmentFault;
use crate::keystore::KeystoreError;
use crate::trust::TrustError;

/// Why something was not done. The text says what happened and what to do, and holds no secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vault refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The node refused, over HTTP: invitation or bus credentials.
    #[error("{}", .0.message)]
    NodeRefused(Reason),
    /// What the owner entered cannot be used.
    #[error(transparent)]
    Unacceptable(#[from] Unacceptable),
    /// The node, or what it says, is not trusted. Nothing was sent to it.
    #[error(transparent)]
    Untrusted(#[from] TrustError),
    /// The node was not reached, or did not answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// What this device keeps cannot be used.
    #[error(transparent)]
    Local(#[from] KeystoreError),
    /// An attachment, or a file of it, is not as it must be.
    #[error(transparent)]
    Attachment(#[from] AttachmentFault),
    /// A fault of this app or of its node's program.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Who can do something about an [`Error`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Actor {
    /// Whoever made this app.
    Developer,
    /// The network between, or time.
    Network,
    /// The node's operator.
    Operator,
    /// The owner.
    Owner,
}

impl Error {
    /// Who can do something about it.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        match self {
            Self::Refused(_) | Self::Unacceptable(_) | Self::Local(_) => Actor::Owner,
            Self::NodeRefused(_) | Self::Untrusted(_) => Actor::Operator,
            Self::Unreachable(_) => Actor::Network,
            Self::Attachment(fault) => fault.actor(),
            Self::Fault(_) => Actor::Developer,
        }
    }

    /// Short form for scripts. A refusal keeps the code it came with.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.code.as_str(),
            Self::NodeRefused(reason) => &reason.code,
            Self::Unacceptable(error) => error.code(),
            Self::Untrusted(error) => error.code(),
            Self::Unreachable(error) => error.code(),
            Self::Local(error) => error.code(),
            Self::Attachment(error) => error.code(),
            Self::Fault(error) => error.code(),
        }
    }

    /// Whether trying the same again later can help.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What an owner entered cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unacceptable {
    /// The device's name is empty or too long.
    #[error("a device name has 1 to 64 bytes")]
    DeviceName,
    /// The vault was set up by an earlier call, with another PIN or password.
    #[error("this vault was set up with the PIN and password that were entered first: enter those")]
    EnteredBefore,
    /// The invitation is too old.
    #[error("the invitation has expired: ask the operator for a new one")]
    InvitationExpired,
    /// Not a PIN.
    #[error("a PIN has 6 to 32 decimal digits")]
    Pin,
    /// Not a password.
    #[error("a password has 8 to 1024 bytes")]
    Password,
}

impl Unacceptable {
    const fn code(self) -> &'static str {
        match self {
            Self::DeviceName => "device-name",
            Self::EnteredBefore => "entered-before",
            Self::InvitationExpired => "invitation-expired",
            Self::Pin => "pin-form",
            Self::Password => "password-form",
        }
    }
}

/// The node was not reached, or did not answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreachable {
    /// The bus is there, and nobody at the node takes what is sent. The request was never sent, and
    /// nothing of it is done later.
    #[error("the node does not run, though its bus does: try again later, or tell its operator")]
    Absent,
    /// The address is none.
    #[error("\"{0}\" is no address of a node")]
    Address(String),
    /// The bus cannot be reached.
    #[error("the node's bus cannot be reached: is the node running, and is this device online?")]
    Bus,
    /// The bus does not accept this device's credentials.
    #[error("the node's bus does not let this device in: its credentials may have been revoked")]
    BusRefused,
    /// Nothing answers at the node's address.
    #[error("nothing answers at {0}: is the node running, and is this device online?")]
    Http(String),
    /// The node answers, but not with what it must.
    #[error("{address} answers with status {status}, which no node does")]
    HttpAnswer {
        /// Where.
        address: String,
        /// HTTP status.
        status: u16,
    },
    /// The request was sent, its answer was lost, and the vault does not look at it any more. Whether it was
    /// carried out is not known.
    #[error(
        "no answer came, and it is not known whether the request was carried out. Since then: {0}"
    )]
    Since(Refusal),
    /// The session ended too often.
    #[error("the node ended the session again and again: try again later, or tell its operator")]
    Reset,
    /// No answer came. Whether the request was carried out is not known.
    #[error(
        "no answer came in time, and whether the request was carried out is not known: see whether it was \
         before asking again, or tell the node's operator"
    )]
    Unanswered,
}

impl Unreachable {
    const fn code(&self) -> &'static str {
        match self {
            Self::Absent => "node-absent",
            Self::Address(_) => "bad-address",
            Self::Bus => "bus-unreachable",
            Self::BusRefused => "bus-refused",
            Self::Http(_) => "node-unreachable",
            Self::HttpAnswer { .. } => "not-a-node",
            Self::Reset => "session-reset",
            Self::Since(_) | Self::Unanswered => "unanswered",
        }
    }
}

/// A fault of this app or of its node's program: the two do not understand each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A message of the vault is not of the expected form.
    #[error("the vault's answer cannot be read: app and node may be of different versions")]
    Answer,
    /// A key that this device keeps cannot be used.
    #[error("a key of this device cannot be used: report it")]
    Key,
    /// The request is larger than a vault takes.
    #[error("the request is larger than a vault takes")]
    RequestTooLarge,
    /// The app's own task has ended.
    #[error("the connection's task has ended: report it")]
    Stopped,
}

impl Fault {
    const fn code(self) -> &'static str {
        match self {
            Self::Answer => "answer-malformed",
            Self::Key => "key-unusable",
            Self::RequestTooLarge => "request-too-large",
            Self::Stopped => "stopped",
        }
    }
}
