//! `invitation.*`: meeting another owner.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::Secret;
use crate::connect::Class;
use crate::id::{ConnectionId, InvitationId, NodeId, VaultId};
use crate::time::UnixMillis;

/// What an owner shows of himself to one other: chosen anew for every connection. Nothing else of
/// a profile leaves, and this only to the vault at the other end.
#[derive(Clone, Debug, Default, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Card {
    /// Fields in the order in which they are shown.
    #[n(0)]
    pub fields: Vec<CardField>,
}

/// One field of a card.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct CardField {
    /// What it is: `name`, `email`, `phone` or any other word.
    #[n(0)]
    pub name: String,
    /// Its value.
    #[n(1)]
    pub value: Secret,
}

/// `invitation.create`: a link that one other owner can use once.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Create {
    /// How it will be handed over; decides how long it may live.
    #[n(0)]
    pub class: Class,
    /// Life, ms; absent: as long as the class allows.
    #[n(1)]
    pub life: Option<u64>,
    /// What whoever accepts will be shown.
    #[n(2)]
    pub card: Card,
    /// Note for the inviting owner himself; becomes the alias of the connection.
    #[n(3)]
    pub label: Option<String>,
}
operation!(Create => Created, "invitation.create", Session, once);

/// An invitation that was made.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Created {
    /// Its id.
    #[n(0)]
    pub id: InvitationId,
    /// The link; whoever holds it can use it.
    #[n(1)]
    pub link: Secret,
    /// Not usable after this.
    #[n(2)]
    pub expires: UnixMillis,
}

/// `invitation.list`: every invitation that is open, and those that ended within a week.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {}
operation!(List => Invitations, "invitation.list", Session);

/// Invitations, newest first.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Invitations {
    /// The invitations.
    #[n(0)]
    pub invitations: Vec<Invitation>,
}

/// One invitation, as its vault keeps it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Invitation {
    /// Its id.
    #[n(0)]
    pub id: InvitationId,
    /// How it is handed over.
    #[n(1)]
    pub class: Class,
    /// Note of its owner.
    #[n(2)]
    pub label: Option<String>,
    /// When it was made.
    #[n(3)]
    pub created: UnixMillis,
    /// Not usable after this.
    #[n(4)]
    pub expires: UnixMillis,
    /// What became of it.
    #[n(5)]
    pub state: State,
    /// Connection that it led to.
    #[n(6)]
    pub connection: Option<ConnectionId>,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum State {
    /// It waits to be used.
    #[n(0)]
    Open,
    /// Somebody has used it.
    #[n(1)]
    Used,
    /// Its owner took it back.
    #[n(2)]
    Canceled,
    /// Nobody used it in time.
    #[n(3)]
    Expired,
}

/// `invitation.cancel`: takes an invitation back.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Cancel {
    /// Which.
    #[n(0)]
    pub id: InvitationId,
}
operation!(Cancel => Done, "invitation.cancel", Session, once);

/// `invitation.inspect`: what a link says, before anything is done with it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Inspect {
    /// The link.
    #[n(0)]
    pub link: Secret,
}
operation!(Inspect => Inspected, "invitation.inspect", Session);

/// What a link says. None of it is proven.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Inspected {
    /// Vault that it names.
    #[n(0)]
    pub vault: VaultId,
    /// Node where that vault is.
    #[n(1)]
    pub node: NodeId,
    /// How it is handed over.
    #[n(2)]
    pub class: Class,
    /// Not usable after this.
    #[n(3)]
    pub expires: UnixMillis,
    /// It is of another network: it cannot be accepted here.
    #[n(4)]
    pub foreign: bool,
    /// It is of this vault itself.
    #[n(5)]
    pub own: bool,
    /// Connection with that vault that there is already.
    #[n(6)]
    pub known: Option<ConnectionId>,
}

/// `invitation.accept`: begins a connection. It becomes active when both owners have approved.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Accept {
    /// The link.
    #[n(0)]
    pub link: Secret,
    /// What the inviting owner will be shown.
    #[n(1)]
    pub card: Card,
    /// Name for it on this side.
    #[n(2)]
    pub alias: Option<String>,
}
operation!(Accept => Accepted, "invitation.accept", Session, once);

/// A connection that has begun.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Accepted {
    /// Its id.
    #[n(0)]
    pub connection: ConnectionId,
}
