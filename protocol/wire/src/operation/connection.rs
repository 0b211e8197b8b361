//! `connection.*`: bonds with other owners' vaults.

use minicbor::{Decode, Encode};

use super::invitation::Card;
use super::{Done, operation};
use crate::id::{ConnectionId, NodeId, VaultId};
use crate::time::UnixMillis;

/// `connection.list`: connections, newest activity first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {
    /// Of this state alone.
    #[n(0)]
    pub state: Option<State>,
    /// Archived ones instead of the others.
    #[n(1)]
    pub archived: bool,
    /// Of this tag alone.
    #[n(2)]
    pub tag: Option<String>,
    /// Continue behind this entry.
    #[n(3)]
    pub after: Option<Cursor>,
    /// At most this many, and never more than a page.
    #[n(4)]
    pub limit: Option<u32>,
}
operation!(List => Connections, "connection.list", Session);

/// Where a page of connections ended: the next one goes on there, whatever became of that entry. One
/// in which something was said meanwhile has moved before it.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Cursor {
    /// When something was sent or received last in the last entry seen.
    #[n(0)]
    pub active: UnixMillis,
    /// Its id.
    #[n(1)]
    pub id: ConnectionId,
}

/// Some connections.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Connections {
    /// The connections.
    #[n(0)]
    pub connections: Vec<Connection>,
    /// Whether more follow.
    #[n(1)]
    pub more: bool,
}

/// A connection as its vault keeps it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Connection {
    /// Its id.
    #[n(0)]
    pub id: ConnectionId,
    /// How far it has come.
    #[n(1)]
    pub state: State,
    /// Vault at the other end.
    #[n(2)]
    pub vault: VaultId,
    /// Node where that vault was last.
    #[n(3)]
    pub node: NodeId,
    /// Whether this vault has invited the other.
    #[n(4)]
    pub inviter: bool,
    /// What the other owner shows. Empty until both vaults have agreed on keys.
    #[n(5)]
    pub card: Card,
    /// Six digits that both owners must see alike. Absent until both vaults have agreed on keys.
    #[n(6)]
    pub safety_code: Option<String>,
    /// When this owner said that the digits are alike.
    #[n(7)]
    pub verified: Option<UnixMillis>,
    /// What this owner has set.
    #[n(8)]
    pub settings: Settings,
    /// When it began.
    #[n(9)]
    pub created: UnixMillis,
    /// When something was sent or received last.
    #[n(10)]
    pub active: UnixMillis,
    /// Messages that were not read.
    #[n(11)]
    pub unread: u32,
    /// Messages that were not delivered yet.
    #[n(12)]
    pub waiting: u32,
    /// How it has ended, if it has and this vault knows.
    #[n(13)]
    pub ended: Option<Ended>,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum State {
    /// The vaults are agreeing on keys.
    #[n(0)]
    Agreeing,
    /// This owner has to compare the digits and approve or decline.
    #[n(1)]
    Pending,
    /// This owner has approved, the other one not yet.
    #[n(2)]
    Approved,
    /// Both have approved.
    #[n(3)]
    Active,
    /// One of the owners has declined, or it took too long.
    #[n(4)]
    Declined,
    /// One of the owners has ended it.
    #[n(5)]
    Revoked,
    /// This owner takes nothing from the other any more, and the other is not told.
    #[n(6)]
    Blocked,
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Ended {
    /// This owner has declined it.
    #[n(0)]
    Declined,
    /// The other owner has.
    #[n(1)]
    DeclinedThere,
    /// This owner has entered other digits than this vault's.
    #[n(2)]
    CodesDiffered,
    /// The other owner has entered other digits than that vault's.
    #[n(3)]
    CodesDifferedThere,
    /// The keys were lost before both owners had approved, and the digits with them.
    #[n(4)]
    DigitsLost,
    /// Somebody else had used the invitation, or it was taken back.
    #[n(5)]
    InvitationRefused,
    /// It was not approved by both owners in time.
    #[n(6)]
    Late,
    /// This owner has revoked it.
    #[n(7)]
    Revoked,
    /// The other owner has.
    #[n(8)]
    RevokedThere,
    /// A later connection with the same vault has taken its place.
    #[n(9)]
    Replaced,
    /// This owner has blocked the other.
    #[n(10)]
    Blocked,
}

/// What an owner sets for a connection; the other side learns none of it.
#[derive(Clone, Debug, Default, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Settings {
    /// Name on this side.
    #[n(0)]
    pub alias: Option<String>,
    /// Words to find it by.
    #[n(1)]
    pub tags: Vec<String>,
    /// Shown first.
    #[n(2)]
    pub favorite: bool,
    /// Out of sight.
    #[n(3)]
    pub archived: bool,
    /// Makes no noise.
    #[n(4)]
    pub muted: bool,
    /// The other side is not told when messages are read.
    #[n(5)]
    pub no_read_receipts: bool,
}

/// `connection.get`: one connection.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Get {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Get => Connection, "connection.get", Session);

/// `connection.approve`: this owner wants it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Approve {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Approve => Connection, "connection.approve", Session, once);

/// `connection.decline`: this owner does not want it; its keys are destroyed.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Decline {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Decline => Done, "connection.decline", Session, once);

/// `connection.verify`: the owners have compared the digits.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Verify {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
    /// Digits that the other owner sees. Others than this vault's own end the connection.
    #[n(1)]
    pub safety_code: String,
}
operation!(Verify => Connection, "connection.verify", Session, once);

/// `connection.update`: replaces what this owner has set.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Update {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
    /// All settings.
    #[n(1)]
    pub settings: Settings,
}
operation!(Update => Connection, "connection.update", Session);

/// `connection.rotate`: renews the connection's keys now.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Rotate {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Rotate => Done, "connection.rotate", Session, once);

/// `connection.revoke`: ends it at once; the other side is told when it can be. Keys are destroyed.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Revoke {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Revoke => Done, "connection.revoke", Session, once);

/// `connection.block`: nothing of that vault gets through any more, invitations included, and it
/// is not told.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Block {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Block => Done, "connection.block", Session, once);

/// `connection.unblock`: that vault may be connected with again, by a new invitation.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Unblock {
    /// Which.
    #[n(0)]
    pub id: ConnectionId,
}
operation!(Unblock => Done, "connection.unblock", Session, once);
