//! `group.*`: conversations of several vaults. The vault that created a group orders its changes.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::id::{ConnectionId, GroupId, VaultId};
use crate::time::UnixMillis;

/// `group.create`: a conversation with some of this owner's connections.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Create {
    /// Name that every member sees.
    #[n(0)]
    pub name: String,
    /// Whom to add.
    #[n(1)]
    pub members: Vec<ConnectionId>,
}
operation!(Create => Group, "group.create", Session, once);

/// A group as one vault keeps it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Group {
    /// Its id, the same in every vault.
    #[n(0)]
    pub id: GroupId,
    /// Its name.
    #[n(1)]
    pub name: String,
    /// Vault that created it; absent for this one.
    #[n(2)]
    pub creator: Option<VaultId>,
    /// All members but this vault.
    #[n(3)]
    pub members: Vec<Member>,
    /// Whether this vault is a member still.
    #[n(4)]
    pub member: bool,
    /// When it was created or joined.
    #[n(5)]
    pub since: UnixMillis,
    /// When something was sent or received last.
    #[n(6)]
    pub active: UnixMillis,
    /// Messages that were not read.
    #[n(7)]
    pub unread: u32,
    /// Whether this owner was invited and has neither accepted nor declined.
    #[n(8)]
    pub invited: bool,
    /// Whether this owner has accepted and the creator's vault has not added this one yet.
    #[n(9)]
    pub joining: bool,
}

/// A member of a group.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Member {
    /// Its vault.
    #[n(0)]
    pub vault: VaultId,
    /// Connection that this owner has with it.
    #[n(1)]
    pub connection: Option<ConnectionId>,
    /// Name that the creator gave it.
    #[n(2)]
    pub name: String,
    /// Whether it is in; one that is not was invited.
    #[n(3)]
    pub joined: bool,
}

/// `group.list`: a page of the groups.
#[derive(Clone, Debug, Decode, Default, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {
    /// Continue behind this entry.
    #[n(0)]
    pub after: Option<Cursor>,
    /// At most this many, and never more than a page or a reply holds.
    #[n(1)]
    pub limit: Option<u32>,
}
operation!(List => Groups, "group.list", Session);

/// Where a page of groups ended: the next one goes on there, whatever became of that entry. One in
/// which something was said meanwhile has moved before it.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Cursor {
    /// When something was sent or received last in the last entry seen.
    #[n(0)]
    pub active: UnixMillis,
    /// Its id.
    #[n(1)]
    pub id: GroupId,
}

/// Groups, newest activity first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Groups {
    /// The groups.
    #[n(0)]
    pub groups: Vec<Group>,
    /// Whether there are more.
    #[n(1)]
    pub more: bool,
}

/// `group.get`: one group.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Get {
    /// Which.
    #[n(0)]
    pub id: GroupId,
}
operation!(Get => Group, "group.get", Session);

/// `group.add`: takes one more in. By its creator alone.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Add {
    /// To which group.
    #[n(0)]
    pub id: GroupId,
    /// Whom.
    #[n(1)]
    pub member: ConnectionId,
}
operation!(Add => Group, "group.add", Session, once);

/// `group.accept`: this owner, who was invited, wants to be in. Its vault is a member when the
/// creator's vault has added it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Accept {
    /// Which group.
    #[n(0)]
    pub id: GroupId,
}
operation!(Accept => Group, "group.accept", Session, once);

/// `group.decline`: this owner, who was invited, does not want to be in.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Decline {
    /// Which group.
    #[n(0)]
    pub id: GroupId,
}
operation!(Decline => Done, "group.decline", Session, once);

/// `group.remove`: puts one out; it reads nothing later. By its creator alone.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Remove {
    /// From which group.
    #[n(0)]
    pub id: GroupId,
    /// Whom.
    #[n(1)]
    pub member: VaultId,
}
operation!(Remove => Group, "group.remove", Session, once);

/// `group.leave`: this vault goes. When its creator goes, the group ends.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Leave {
    /// Which.
    #[n(0)]
    pub id: GroupId,
}
operation!(Leave => Done, "group.leave", Session, once);

/// `group.rename`: another name for every member. By its creator alone.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Rename {
    /// Which.
    #[n(0)]
    pub id: GroupId,
    /// Its new name.
    #[n(1)]
    pub name: String,
}
operation!(Rename => Group, "group.rename", Session, once);
