//! `message.*`: what owners say to each other.

use minicbor::{Decode, Encode};

use super::{Done, operation};
use crate::Secret;
use crate::attachment::Attachment;
use crate::id::{ConnectionId, GroupId, MessageId, VaultId};
use crate::time::UnixMillis;

/// Where messages belong.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Conversation {
    /// With one other owner.
    #[n(0)]
    Connection(#[n(0)] ConnectionId),
    /// With several.
    #[n(1)]
    Group(#[n(0)] GroupId),
}

impl core::convert::From<ConnectionId> for Conversation {
    fn from(id: ConnectionId) -> Self {
        Self::Connection(id)
    }
}

impl core::convert::From<GroupId> for Conversation {
    fn from(id: GroupId) -> Self {
        Self::Group(id)
    }
}

/// `message.send`: says something. It leaves when the other side can be reached.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Send {
    /// Where.
    #[n(0)]
    pub conversation: Conversation,
    /// Text; may be empty when there is an attachment.
    #[n(1)]
    pub text: Secret,
    /// Message that it answers.
    #[n(2)]
    pub reply_to: Option<MessageId>,
    /// Files, whose sealed chunks the node has already.
    #[n(3)]
    pub attachments: Vec<Attachment>,
    /// Disappears on both sides this long after it was read, ms.
    #[n(4)]
    pub disappear_after: Option<u64>,
}
operation!(Send => Sent, "message.send", Session, once);

/// A message that was taken.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Sent {
    /// Its id.
    #[n(0)]
    pub id: MessageId,
    /// Its place in the conversation.
    #[n(1)]
    pub sequence: u64,
}

/// `message.list`: a page of one conversation.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct List {
    /// Which.
    #[n(0)]
    pub conversation: Conversation,
    /// Before or behind which place.
    #[n(1)]
    pub from: From,
    /// At most this many, and never more than a page.
    #[n(2)]
    pub limit: Option<u32>,
}
operation!(List => Messages, "message.list", Session);

/// Where a page of a conversation is.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub enum From {
    /// The newest messages.
    #[n(0)]
    Newest,
    /// The newest before this place.
    #[n(1)]
    Before(#[n(0)] u64),
    /// The oldest behind this place.
    #[n(2)]
    Behind(#[n(0)] u64),
}

/// `message.changes`: messages of all conversations that are new or have changed, in the order of
/// the change. How a device catches up.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Changes {
    /// Changes behind this number; zero for all that there are.
    #[n(0)]
    pub behind: u64,
    /// At most this many, and never more than a page.
    #[n(1)]
    pub limit: Option<u32>,
}
operation!(Changes => Messages, "message.changes", Session);

/// Some messages: no more than a reply holds.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Messages {
    /// In the order of their places, or of their changes.
    #[n(0)]
    pub messages: Vec<Message>,
    /// Whether there are more.
    #[n(1)]
    pub more: bool,
    /// Conversations that were emptied, in the order of their changes: with [`Changes`] alone.
    #[n(2)]
    pub cleared: Vec<Cleared>,
}

/// A conversation that its owner has emptied: nothing up to this place is there any more.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Cleared {
    /// Which.
    #[n(0)]
    pub conversation: Conversation,
    /// Place of the last message that is gone.
    #[n(1)]
    pub through: u64,
    /// Number of the change, over all conversations.
    #[n(2)]
    pub change: u64,
}

impl Messages {
    /// Number of the newest change in a page of changes; none for an empty one.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        let messages = self.messages.iter().map(|message| message.change);
        messages
            .chain(self.cleared.iter().map(|it| it.change))
            .max()
    }

    /// As they are shown at a time.
    #[must_use]
    pub fn as_of(mut self, now: UnixMillis) -> Self {
        let messages = self.messages.into_iter();
        self.messages = messages.map(|message| message.as_of(now)).collect();
        self
    }
}

/// One message, as one vault keeps it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Message {
    /// Its id, the same in every vault; but where somebody else has used it before, one of this
    /// vault's own.
    #[n(0)]
    pub id: MessageId,
    /// Where it belongs.
    #[n(1)]
    pub conversation: Conversation,
    /// Its place in the conversation, on this side.
    #[n(2)]
    pub sequence: u64,
    /// Number of its newest change, over all conversations.
    #[n(3)]
    pub change: u64,
    /// Vault that sent it; absent for this one.
    #[n(4)]
    pub from: Option<VaultId>,
    /// When it was sent, by its sender's clock.
    #[n(5)]
    pub sent: UnixMillis,
    /// When it came, by this vault's clock.
    #[n(6)]
    pub received: Option<UnixMillis>,
    /// Text; absent when it was removed.
    #[n(7)]
    pub text: Option<Secret>,
    /// When its sender changed it last.
    #[n(8)]
    pub edited: Option<UnixMillis>,
    /// When it was removed. It is shown for [`REMOVED`](crate::limits::REMOVED) from then on, so that a
    /// device that was away learns of it.
    #[n(9)]
    pub removed: Option<UnixMillis>,
    /// Message that it answers.
    #[n(10)]
    pub reply_to: Option<MessageId>,
    /// Files.
    #[n(11)]
    pub attachments: Vec<Attachment>,
    /// Reactions, one of a vault at most and this one's first: the first
    /// [`REACTIONS`](crate::limits::REACTIONS) of them.
    #[n(12)]
    pub reactions: Vec<Reaction>,
    /// How far a message of this owner has come: the least of all recipients.
    #[n(13)]
    pub receipt: Option<Receipt>,
    /// Why it will not be delivered.
    #[n(14)]
    pub failed: Option<Failed>,
    /// Disappears this long after it was read, ms.
    #[n(15)]
    pub disappear_after: Option<u64>,
    /// Disappears then: from that time on it is shown as one that was removed.
    #[n(16)]
    pub disappears: Option<UnixMillis>,
    /// When this owner read it.
    #[n(17)]
    pub read: Option<UnixMillis>,
    /// How many reactions there are.
    #[n(18)]
    pub reacted: u32,
}

/// How one vault's owner has reacted.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Reaction {
    /// Whose; absent for this one.
    #[n(0)]
    pub from: Option<VaultId>,
    /// An emoji or a short word.
    #[n(1)]
    pub reaction: String,
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Receipt {
    /// It waits for the other side to be reached.
    #[n(0)]
    Waiting,
    /// The other node keeps it for a closed vault.
    #[n(1)]
    Stored,
    /// The other vault has it.
    #[n(2)]
    Delivered,
    /// The other owner has read it.
    #[n(3)]
    Read,
}

/// Why a message will not be delivered.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Failed {
    /// The other side could not be reached in time.
    #[n(0)]
    Expired,
    /// The other side does not take it, or has no room for it.
    #[n(1)]
    Refused,
}

/// `message.get`: one message.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Get {
    /// Which.
    #[n(0)]
    pub id: MessageId,
}
operation!(Get => Message, "message.get", Session);

/// `message.edit`: replaces the text of a message of this owner.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Edit {
    /// Which.
    #[n(0)]
    pub id: MessageId,
    /// New text.
    #[n(1)]
    pub text: Secret,
}
operation!(Edit => Done, "message.edit", Session, once);

/// `message.remove`: takes a message away.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Remove {
    /// Which.
    #[n(0)]
    pub id: MessageId,
    /// On every side; only for a message of this owner.
    #[n(1)]
    pub everywhere: bool,
}
operation!(Remove => Done, "message.remove", Session, once);

/// `message.clear`: empties a conversation up to a place, for this owner alone.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Clear {
    /// Which.
    #[n(0)]
    pub conversation: Conversation,
    /// Place of the newest message that goes.
    #[n(1)]
    pub through: u64,
}
operation!(Clear => Done, "message.clear", Session, once);

/// `message.search`: messages whose text matches.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Search {
    /// Words; each matches from its beginning, all must match.
    #[n(0)]
    pub text: Secret,
    /// In this conversation alone.
    #[n(1)]
    pub conversation: Option<Conversation>,
    /// At most this many, and never more than a page.
    #[n(2)]
    pub limit: Option<u32>,
    /// Continue behind this entry.
    #[n(3)]
    pub after: Option<Cursor>,
}
operation!(Search => Messages, "message.search", Session);

/// Where a page of what was found ended: the next one goes on there, whatever became of that
/// message. None of it changes while a message is kept.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Cursor {
    /// When the last message seen came; when it was sent, if this vault sent it.
    #[n(0)]
    pub at: UnixMillis,
    /// Its place in its conversation.
    #[n(1)]
    pub sequence: u64,
    /// Its id.
    #[n(2)]
    pub id: MessageId,
}

impl Message {
    /// As it is shown at a time: one whose time to disappear has come is gone, though its row may be
    /// cleared a little later.
    #[must_use]
    pub fn as_of(self, now: UnixMillis) -> Self {
        match self.disappears {
            Some(at) if at <= now && self.removed.is_none() => Self {
                text: None,
                removed: Some(at),
                attachments: Vec::new(),
                reactions: Vec::new(),
                reacted: 0,
                disappears: None,
                ..self
            },
            _ => self,
        }
    }

    /// Where a page ends of which this is the last that was found.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            at: self.received.unwrap_or(self.sent),
            sequence: self.sequence,
            id: self.id,
        }
    }
}

/// `message.mark-read`: this owner has read a conversation up to a place. The oldest are marked, as many
/// as one record holds.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct MarkRead {
    /// Which.
    #[n(0)]
    pub conversation: Conversation,
    /// Place of the newest message that was read.
    #[n(1)]
    pub through: u64,
}
operation!(MarkRead => Marked, "message.mark-read", Session);

/// What was marked as read.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Marked {
    /// Whether there may be more up to that place: the same request marks those.
    #[n(0)]
    pub more: bool,
}

/// `message.react`: sets or takes back this owner's reaction.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct React {
    /// To which message.
    #[n(0)]
    pub id: MessageId,
    /// The reaction; absent takes it back.
    #[n(1)]
    pub reaction: Option<String>,
}
operation!(React => Done, "message.react", Session, once);
