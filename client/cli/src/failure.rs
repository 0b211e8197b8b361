//! What went wrong, for people, for scripts and for the shell.

use serde_json::{Map, Value, json};
use vettid_sdk::attachment::AttachmentFault;
use vettid_sdk::wire::refusal::Code;
use vettid_sdk::{Error, Unreachable};

/// Everything was done.
pub(crate) const DONE: u8 = 0;
/// A fault of this program.
const FAULT: u8 = 1;
/// The command line or what was entered cannot be used.
const USAGE: u8 = 2;
/// Vault or node refused.
const REFUSED: u8 = 3;
/// The node was not reached, or did not answer.
const UNREACHABLE: u8 = 4;
/// The node is not trusted.
const UNTRUSTED: u8 = 5;
/// What this device keeps cannot be used.
const LOCAL: u8 = 6;
/// Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// Why a command was not done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// The audit chain does not hold together.
    BrokenAudit(String),
    /// Ctrl-C.
    Interrupted,
    /// The device's side of it.
    Sdk(Error),
    /// The command line or what was entered: code and message.
    Usage(&'static str, String),
    /// A file or stream of this machine: code and message.
    System(&'static str, String),
}

impl Failure {
    /// Something on the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage("usage", message.into())
    }

    /// What the shell sees.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::BrokenAudit(_) => UNTRUSTED,
            Self::Interrupted => INTERRUPTED,
            Self::Usage(..) => USAGE,
            Self::System(..) => LOCAL,
            Self::Sdk(error) => match error {
                // Not the owner's doing: the node is not to be trusted with this vault.
                Error::Refused(refusal) | Error::Unreachable(Unreachable::Since(refusal))
                    if matches!(refusal.code, Code::RolledBack) =>
                {
                    UNTRUSTED
                }
                Error::Refused(_) | Error::NodeRefused(_) => REFUSED,
                Error::Unacceptable(_) => USAGE,
                Error::Untrusted(_) => UNTRUSTED,
                Error::Unreachable(_) => UNREACHABLE,
                Error::Local(_) => LOCAL,
                Error::Attachment(fault) => match fault {
                    AttachmentFault::Altered(_) => UNTRUSTED,
                    AttachmentFault::Malformed
                    | AttachmentFault::Missing(_)
                    | AttachmentFault::NoNetwork => REFUSED,
                    AttachmentFault::TooLarge { .. } => USAGE,
                    _ => LOCAL,
                },
                _ => FAULT,
            },
        }
    }

    /// What scripts see.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), self.code().into());
        error.insert("message".into(), self.message().into());
        match self {
            Self::Sdk(Error::Refused(refusal)) => {
                if let Some(limit) = &refusal.limit {
                    let limit =
                        json!({ "limit": limit.limit, "max": limit.max, "size": limit.size });
                    error.insert("limit".into(), limit);
                }
                insert(&mut error, "retry_after", refusal.retry_after);
                insert(&mut error, "current", refusal.current);
                if let Some(connection) = &refusal.connection {
                    error.insert("connection".into(), connection.to_string().into());
                }
            }
            Self::Sdk(Error::NodeRefused(reason)) => {
                insert(&mut error, "retry_after", reason.retry_after);
            }
            _ => {}
        }
        json!({ "error": error })
    }

    /// What people see.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::BrokenAudit(why) => {
                format!("the audit chain is broken: {why}; keep an export, and ask for help")
            }
            Self::Interrupted => {
                "interrupted: what was asked for may have been done; look before you run it again"
                    .into()
            }
            Self::Sdk(error) => error.to_string(),
            Self::Usage(_, message) | Self::System(_, message) => message.clone(),
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::BrokenAudit(_) => "audit-broken",
            Self::Interrupted => "interrupted",
            Self::Sdk(error) => error.code(),
            Self::Usage(code, _) | Self::System(code, _) => code,
        }
    }
}

fn insert(error: &mut Map<String, Value>, name: &str, value: Option<u64>) {
    if let Some(value) = value {
        error.insert(name.into(), value.into());
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Sdk(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vettid_sdk::keystore::KeystoreError;
    use vettid_sdk::trust::TrustError;
    use vettid_sdk::wire::http::Reason;
    use vettid_sdk::wire::id::ConnectionId;
    use vettid_sdk::wire::refusal::{Code, Refusal};
    use vettid_sdk::{Fault, Unacceptable, Unreachable};

    #[test]
    fn exit_code_says_who_can_act() {
        let reason = Reason {
            code: "x".into(),
            message: "y".into(),
            retry_after: None,
        };
        for (failure, code) in [
            (Failure::from(Fault::Answer), 1),
            (Failure::usage("no"), 2),
            (Failure::from(Unacceptable::Pin), 2),
            (Failure::from(Refusal::new(Code::Locked)), 3),
            (Failure::from(Error::NodeRefused(reason)), 3),
            (Failure::from(Unreachable::Bus), 4),
            (Failure::from(Unreachable::Since(Code::Locked.into())), 4),
            (
                Failure::from(Unreachable::Since(Code::RolledBack.into())),
                5,
            ),
            (Failure::from(AttachmentFault::Altered(1)), 5),
            (Failure::from(AttachmentFault::Missing(1)), 3),
            (Failure::from(AttachmentFault::Exists("a".into())), 6),
            (
                Failure::from(AttachmentFault::TooLarge { size: 2, most: 1 }),
                2,
            ),
            (Failure::from(TrustError::NotBound), 5),
            (Failure::from(KeystoreError::NotEnrolled), 6),
            (Failure::System("file", "no".into()), 6),
            (Failure::BrokenAudit("event 3".into()), 5),
            (Failure::Interrupted, 130),
        ] {
            assert_eq!(failure.exit_code(), code, "{failure:?}");
        }
    }

    #[test]
    fn refusal_keeps_its_details_in_json() {
        let limit = Failure::from(Refusal::limit("item", 10, 11)).to_json();
        let wait = Failure::from(Refusal::wait(30)).to_json();
        let conflict = Failure::from(Refusal::conflict(7)).to_json();

        assert_eq!(
            limit["error"]["limit"],
            json!({ "limit": "item", "max": 10, "size": 11 })
        );
        assert_eq!(limit["error"]["code"], "limit-exceeded");
        assert_eq!(wait["error"]["retry_after"], 30);
        assert_eq!(conflict["error"]["current"], 7);
        let accepted = Failure::from(Refusal::accepted(ConnectionId([7; 16]))).to_json();
        assert_eq!(accepted["error"]["connection"], "07".repeat(16));
        assert_eq!(conflict["error"].get("retry_after"), None);
    }
}
