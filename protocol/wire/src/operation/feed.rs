//! `feed.*`: what happened that an owner should know.

use minicbor::{Decode, Encode};

use super::message::Conversation;
use super::{Done, operation};
use crate::id::DeviceId;
use crate::time::UnixMillis;

/// `feed.list`: entries from a sequence on, oldest first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {
    /// Entries behind this sequence; zero for all.
    #[n(0)]
    pub after: u64,
    /// At most this many, and never more than a page.
    #[n(1)]
    pub limit: Option<u32>,
    /// Only what was not read.
    #[n(2)]
    pub unread: bool,
}
operation!(List => Entries, "feed.list", Session);

/// Some entries.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Entries {
    /// Entries in order.
    #[n(0)]
    pub entries: Vec<Entry>,
    /// Whether more follow.
    #[n(1)]
    pub more: bool,
}

/// One entry.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Entry {
    /// Sequence; grows by one an entry.
    #[n(0)]
    pub sequence: u64,
    /// When it happened.
    #[n(1)]
    pub at: UnixMillis,
    /// What happened.
    #[n(2)]
    pub kind: Kind,
    /// Device that it is about.
    #[n(3)]
    pub device: Option<DeviceId>,
    /// When it was read.
    #[n(4)]
    pub read: Option<UnixMillis>,
    /// Connection or group that it is about.
    #[n(5)]
    pub conversation: Option<Conversation>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Kind {
    /// A stale copy of the credential was presented: credential operations are frozen.
    #[n(0)]
    CloneAlarm,
    /// The credential was reported lost.
    #[n(1)]
    CredentialLost,
    /// A device was registered.
    #[n(2)]
    DeviceAdded,
    /// Identity and credential key were rotated.
    #[n(3)]
    IdentityRotated,
    /// The password was changed.
    #[n(4)]
    PasswordChanged,
    /// Somebody tried wrong passwords.
    #[n(5)]
    PasswordFailed,
    /// The PIN was changed.
    #[n(6)]
    PinChanged,
    /// Somebody tried wrong PINs.
    #[n(7)]
    PinFailed,
    /// The vault was set up.
    #[n(8)]
    VaultCreated,
    /// Another owner wants to be connected: compare the digits, then approve or decline.
    #[n(9)]
    ConnectionPending,
    /// A connection is active.
    #[n(10)]
    ConnectionActive,
    /// The other owner has declined a connection.
    #[n(11)]
    ConnectionDeclined,
    /// The other owner has ended a connection.
    #[n(12)]
    ConnectionRevoked,
    /// A message could not be delivered in time, or the other side does not take it.
    #[n(13)]
    MessageFailed,
    /// This vault was taken into a group.
    #[n(14)]
    GroupJoined,
    /// This vault is no longer a member of a group.
    #[n(15)]
    GroupLeft,
    /// A connection had lost its keys and was made anew, signed by the other vault's identity.
    #[n(16)]
    ConnectionHealed,
    /// Another owner invites this one into a group: accept or decline.
    #[n(17)]
    GroupInvited,
    /// This vault had fallen behind in a group and was added anew: what was said meanwhile may be
    /// missing.
    #[n(18)]
    GroupHealed,
    /// Somebody could not be added to a group of this vault: what it takes does not fit.
    #[n(19)]
    GroupNotAdded,
    /// The owner approved a later release of the enclave.
    #[n(20)]
    ReleaseApproved,
    /// The vault was opened by a later release of the enclave for the first time.
    #[n(21)]
    ReleaseMoved,
    /// An invitation that was accepted here is not valid any more: somebody else has used it, or it was
    /// taken back.
    #[n(22)]
    InvitationRefused,
    /// The digits that one of the owners has entered are not those of that side: the connection was
    /// ended.
    #[n(23)]
    CodesDiffered,
    /// A connection was not approved by both owners in time.
    #[n(24)]
    ConnectionLate,
    /// The keys of a connection were lost before both owners had approved it, and its digits with them: the
    /// connection was ended.
    #[n(25)]
    DigitsLost,
}

/// `feed.read`: marks entries up to a sequence as read.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Read {
    /// Newest entry that was read.
    #[n(0)]
    pub through: u64,
}
operation!(Read => Done, "feed.read", Session);
