//! All that a caller may be told when the answer is no.

use minicbor::{Decode, Encode};

use crate::id::ConnectionId;

/// Why a request was refused, for the person who can act on it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Refusal {
    /// The reason.
    #[n(0)]
    pub code: Code,
    /// The limit that was met, with [`Code::LimitExceeded`].
    #[n(1)]
    pub limit: Option<Limit>,
    /// Seconds until it is worth trying again.
    #[n(2)]
    pub retry_after: Option<u64>,
    /// Version or number that is current, where the caller's is not.
    #[n(3)]
    pub current: Option<u64>,
    /// The connection that is there already, with [`Code::InvitationAccepted`].
    #[n(4)]
    pub connection: Option<ConnectionId>,
}

/// A bound and what exceeded it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Limit {
    /// Name of the bound.
    #[n(0)]
    pub limit: String,
    /// Largest accepted value.
    #[n(1)]
    pub max: u64,
    /// What was asked for.
    #[n(2)]
    pub size: u64,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal $text:literal,)+) => {
        /// Reason of a refusal. Numbers are never reused.
        #[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
        #[cbor(index_only)]
        pub enum Code {
            $($(#[doc = $doc])+ #[n($number)] $name,)+
        }

        impl Code {
            /// Every reason, for the table in the docs.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Short form for scripts.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// What happened and what to do, for people.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+),)+
                }
            }
        }
    };
}

codes! {
    /// The request is malformed: this app and this vault do not speak the same version.
    Malformed = 0 "malformed",
    /// The vault does not know this operation: the app is newer than the node, or the name is wrong.
    UnknownOperation = 1 "unknown-operation",
    /// The vault is locked: unlock it with the PIN.
    Locked = 2 "locked",
    /// This device is not registered with the vault, or it was revoked: pair it again.
    UnknownDevice = 3 "unknown-device",
    /// This device may not do that: use the app that enrolled the vault.
    NotAllowed = 4 "not-allowed",
    /// Prove the PIN again: it was proven too long ago.
    PinNeeded = 5 "pin-needed",
    /// The PIN is wrong.
    WrongPin = 6 "wrong-pin",
    /// Too many wrong attempts: wait before the next one.
    Wait = 7 "wait",
    /// Too many wrong attempts in all: only recovery helps now.
    Exhausted = 8 "exhausted",
    /// The password is wrong.
    WrongPassword = 9 "wrong-password",
    /// The node shows an older state of the vault than this device has seen, or another: nothing was served; tell the operator, and do not enroll again.
    RolledBack = 10 "rolled-back",
    /// The vault's records on the node are incomplete or altered: nothing was served; the operator must restore them.
    Damaged = 11 "damaged",
    /// The credential is an old copy: somebody may hold a clone; credential operations are frozen.
    CredentialStale = 12 "credential-stale",
    /// Credential operations are frozen after an alarm: rotate the identity with the current credential.
    CredentialFrozen = 13 "credential-frozen",
    /// The credential was not made by this vault.
    CredentialInvalid = 14 "credential-invalid",
    /// The one-time key was used before, expired, or is not known: take another one.
    TransactionKeySpent = 15 "transaction-key-spent",
    /// The owner's proof does not open: it was made for another request or key.
    ProofInvalid = 16 "proof-invalid",
    /// The request id was used for another request.
    RequestIdReused = 17 "request-id-reused",
    /// The request is larger, or asks for more, than is accepted.
    LimitExceeded = 18 "limit-exceeded",
    /// Nothing of that name or id is there.
    NotFound = 19 "not-found",
    /// Somebody changed it meanwhile: fetch the current version and try again.
    Conflict = 20 "conflict",
    /// A value is not acceptable: see the operation's documentation.
    InvalidValue = 21 "invalid-value",
    /// The invitation is not for this vault, or it was used.
    InvitationInvalid = 22 "invitation-invalid",
    /// This vault was set up before.
    AlreadyEnrolled = 23 "already-enrolled",
    /// Enrollment is not finished, or it took too long: begin again with a new invitation.
    NotEnrolled = 24 "not-enrolled",
    /// Too many requests: slow down.
    TooFast = 25 "too-fast",
    /// The node is busy or cannot store anything now: try again later, nothing was changed.
    Unavailable = 26 "unavailable",
    /// The key exists but cannot do that.
    KeyUnsuitable = 27 "key-unsuitable",
    /// A fault of ours: nothing was changed; report it.
    Internal = 28 "internal",
    /// The connection is not active: both owners must approve it first, and one that has ended is made anew by an invitation.
    NotConnected = 29 "not-connected",
    /// The digits are not alike: somebody may be between you; the connection was ended.
    CodesDiffer = 30 "codes-differ",
    /// Only the vault that created the group may do that, or this vault is not a member.
    NotCreator = 31 "not-creator",
    /// The node belongs to no federation, or the invitation is of another network.
    ForeignNetwork = 32 "foreign-network",
    /// The vault is sealed for another release of the enclave: nothing was served; the operator must run that release, and the owner can approve a later one there.
    OtherRelease = 33 "other-release",
    /// Keys were lost before both owners approved, and the digits with them: decline, and invite anew.
    DigitsLost = 34 "digits-lost",
    /// Nothing is left of the message that could be changed, or there is none of this id: 30 days after it was removed here, its sender can no longer have it removed everywhere.
    MessageGone = 35 "message-gone",
    /// The connection is over: to be connected again, one of you makes a new invitation.
    ConnectionOver = 36 "connection-over",
    /// The two vaults have not met yet: try again when the connection is pending.
    NotMet = 37 "not-met",
    /// The connection is active: end it with revoke, or without a word with block.
    ConnectionActive = 38 "connection-active",
    /// You have made this invitation yourself: give the link to the owner whom it is for.
    OwnInvitation = 39 "own-invitation",
    /// You have accepted this invitation before: see what became of the connection; if it is over, ask for a new link.
    InvitationAccepted = 40 "invitation-accepted",
    /// The invitation can no longer be used: ask for a new link.
    LinkExpired = 41 "link-expired",
    /// You are not invited into this group, or have decided before: whoever made it can invite you again.
    NotInvited = 42 "not-invited",
    /// This vault is not in the group: accept the invitation and wait to be let in. Whoever made it can invite you again after you have left; one that its creator has left is over.
    NotMember = 43 "not-member",
    /// The message is of another owner: only who sent it changes it, or has it removed everywhere; you can remove it here.
    NotSender = 44 "not-sender",
    /// You have blocked that owner: unblock the connection first.
    OwnerBlocked = 45 "owner-blocked",
}

impl Refusal {
    /// A bare reason.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            limit: None,
            retry_after: None,
            current: None,
            connection: None,
        }
    }

    /// A bound that was met.
    #[must_use]
    pub fn limit(name: &str, max: usize, size: usize) -> Self {
        let limit = Limit {
            limit: name.into(),
            max: max as u64,
            size: size as u64,
        };
        Self {
            limit: Some(limit),
            ..Self::new(Code::LimitExceeded)
        }
    }

    /// Try again after `seconds`.
    #[must_use]
    pub fn wait(seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(Code::Wait)
        }
    }

    /// Too many requests; slow down for `seconds`.
    #[must_use]
    pub fn too_fast(seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(Code::TooFast)
        }
    }

    /// The caller's version is not `current`.
    #[must_use]
    pub fn conflict(current: u64) -> Self {
        Self {
            current: Some(current),
            ..Self::new(Code::Conflict)
        }
    }

    /// The link was used before, for this connection.
    #[must_use]
    pub const fn accepted(connection: ConnectionId) -> Self {
        let mut refusal = Self::new(Code::InvitationAccepted);
        refusal.connection = Some(connection);
        refusal
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.code.advice().trim())?;
        if let Some(limit) = &self.limit {
            write!(
                f,
                " ({}: at most {}, was {})",
                limit.limit, limit.max, limit.size
            )?;
        }
        if let Some(seconds) = self.retry_after {
            write!(f, " (try again in {seconds} s)")?;
        }
        if let Some(current) = self.current {
            write!(f, " (current is {current})")?;
        }
        if let Some(connection) = &self.connection {
            write!(f, " (connection {connection})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_in_text_and_number() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let numbers: BTreeSet<_> = Code::ALL.iter().map(crate::cbor::encode).collect();

        assert_eq!(texts.len(), Code::ALL.len());
        assert_eq!(numbers.len(), Code::ALL.len());
    }

    #[test]
    fn limit_names_itself_the_bound_and_the_size() {
        let refusal = Refusal::limit("item", 10, 11);

        assert!(refusal.to_string().ends_with("(item: at most 10, was 11)"));
    }

    #[test]
    fn refusal_travels() {
        for refusal in [Refusal::wait(30), Refusal::accepted(ConnectionId([7; 16]))] {
            let decoded = crate::cbor::decode(&crate::cbor::encode(&refusal));
            assert_eq!(decoded, Ok(refusal));
        }
    }

    #[test]
    fn link_that_was_used_before_names_its_connection() {
        let refusal = Refusal::accepted(ConnectionId([7; 16])).to_string();

        let named = format!("(connection {})", "07".repeat(16));
        assert!(refusal.ends_with(&named), "{refusal}");
    }
}
