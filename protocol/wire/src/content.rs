//! What vaults say to each other: the body of a delivery, and what is sealed in it.
//!
//! ```text
//!  delivery body = Parcel ── before keys: Hello, Offer, Answer, Welcome
//!                        ├── with keys:   Talk  ── MLS message ── Said { content }
//!                        ├── of a group:  Circle ── MLS message ── Said { content }
//!                        └── keys lost:   Resume
//! ```
//!
//! Nothing in a content says who speaks: that is who the keys belong to.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::Secret;
use crate::attachment::Attachment;
use crate::id::{ConnectionId, GroupId, MessageId, VaultId};
use crate::operation::invitation::Card;
use crate::time::UnixMillis;

/// Body of a delivery.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Parcel {
    /// Uses an invitation.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// Shows the key that the invitation commits to.
    #[n(1)]
    Offer(#[n(0)] Offer),
    /// An [`Answer`], sealed to that key.
    #[n(2)]
    Answer(#[n(0)] Sealed),
    /// A [`Welcome`], sealed under the key that the answer encloses.
    #[n(3)]
    Welcome(#[n(0)] Sealed),
    /// Something said in a connection.
    #[n(4)]
    Talk(#[n(0)] Talk),
    /// Something said in a group.
    #[n(5)]
    Circle(#[n(0)] Circle),
    /// A [`Resume`], sealed under the key that the connection keeps for it.
    #[n(6)]
    Resume(#[n(0)] Sealed),
}

/// Uses an invitation.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Hello {
    /// Id of the connection that begins, chosen by whoever was invited.
    #[n(0)]
    pub connection: ConnectionId,
    /// Digest of the invitation's token.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub token: [u8; 32],
    /// Signed home record of whoever was invited: where to answer.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub home: Vec<u8>,
}

/// Shows the key that an invitation commits to.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Offer {
    /// Which connection.
    #[n(0)]
    pub connection: ConnectionId,
    /// X-Wing key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: Vec<u8>,
    /// Commitment to the inviter's random number.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub nonce: [u8; 32],
}

/// Something sealed for a connection.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Sealed {
    /// Which connection.
    #[n(0)]
    pub connection: ConnectionId,
    /// Sealed bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// Exact bytes of a statement and who vouches for them.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Signed {
    /// What is stated: one of the structures below.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub core: Vec<u8>,
    /// Signature of the vault's identity.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// What whoever was invited states.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Answer {
    /// Statements that lead from its vault's id to the key that signs.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// MLS key package.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key_package: Vec<u8>,
    /// Random number for the digits.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub nonce: [u8; 32],
    /// What its owner shows.
    #[n(3)]
    pub card: Card,
    /// Key for the way back, 32 bytes.
    #[n(4)]
    pub reply_key: Secret,
}

/// What the inviter states.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Welcome {
    /// Statements that lead from its vault's id to the key that signs.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// Signed home record of its vault.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub home: Vec<u8>,
    /// MLS welcome to the group of two.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub welcome: Vec<u8>,
    /// Random number for the digits.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub nonce: [u8; 32],
    /// What its owner shows.
    #[n(4)]
    pub card: Card,
}

/// What a vault states whose connection's keys do not open what comes.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Resume {
    /// Statements that lead from its vault's id to the key that signs.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub identity: Vec<u8>,
    /// Signed home record of its vault.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub home: Vec<u8>,
    /// When it was made: a later one takes its place, an earlier one counts no more.
    #[n(2)]
    pub at: UnixMillis,
    /// What follows.
    #[n(3)]
    pub step: Step,
}

/// How far a new group has come. The inviter makes it.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Step {
    /// The inviter asks for a key package.
    #[n(0)]
    Ask,
    /// The other side hands one over.
    #[n(1)]
    KeyPackage {
        /// MLS key package.
        #[cbor(n(0), with = "minicbor::bytes")]
        package: Vec<u8>,
        /// Generation of the group that it knows.
        #[n(1)]
        generation: u64,
    },
    /// The inviter welcomes it into the new group.
    #[n(2)]
    Welcome {
        /// MLS welcome.
        #[cbor(n(0), with = "minicbor::bytes")]
        welcome: Vec<u8>,
        /// Digest of the key package that it is for.
        #[cbor(n(1), with = "minicbor::bytes")]
        package: [u8; 32],
        /// Generation of the new group: later than any that either side knows.
        #[n(2)]
        generation: u64,
    },
    /// The inviter has used that key package, and its welcome has arrived: who awaits it still was
    /// restored, and is to hand over a new one.
    #[n(3)]
    Used {
        /// Digest of the key package.
        #[cbor(n(0), with = "minicbor::bytes")]
        package: [u8; 32],
    },
}

/// Something said in a connection.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Talk {
    /// Which connection.
    #[n(0)]
    pub connection: ConnectionId,
    /// How often the MLS group of the connection was replaced, because keys were lost.
    #[n(1)]
    pub generation: u64,
    /// Place among everything that its sender has said in this group, from 1. This, and the two marks, are
    /// the same in the message's authenticated data.
    #[n(2)]
    pub sequence: u64,
    /// MLS message.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub message: Vec<u8>,
    /// Mark of what its sender has said before it; zeros for the first.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub after: [u8; 8],
    /// Drawn for this sequence: what a sender that was restored says under it has another.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub mark: [u8; 8],
}

/// Something said in a group.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Circle {
    /// Which group; its MLS group has the same id.
    #[n(0)]
    pub group: GroupId,
    /// MLS message.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub message: Vec<u8>,
}

/// What an MLS message says.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Said {
    /// When, by the clock of whoever says it.
    #[n(0)]
    pub at: UnixMillis,
    /// Sequence of what was applied last of the other side's, in a connection.
    #[n(1)]
    pub received: u64,
    /// What.
    #[n(2)]
    pub content: Content,
}

/// What is said.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum Content {
    /// Takes the place of something that was given up.
    #[n(0)]
    Nothing,
    /// The owner wants the connection.
    #[n(1)]
    Approve,
    /// The owner does not want it.
    #[n(2)]
    Decline,
    /// The owner has ended it.
    #[n(3)]
    Revoke,
    /// Please renew your keys: it is not this side's turn.
    #[n(4)]
    Renew,
    /// Where this vault is now: a signed home record.
    #[n(5)]
    Home(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// A message.
    #[n(6)]
    Text(#[n(0)] Text),
    /// Replaces the text of one of this owner's messages.
    #[n(7)]
    Edit {
        /// Which.
        #[n(0)]
        id: MessageId,
        /// New text.
        #[n(1)]
        text: Secret,
    },
    /// Takes one of this owner's messages away.
    #[n(8)]
    Remove(#[n(0)] MessageId),
    /// Sets or takes back a reaction.
    #[n(9)]
    React {
        /// To which message.
        #[n(0)]
        to: Named,
        /// The reaction.
        #[n(1)]
        reaction: Option<String>,
    },
    /// The owner has read these; at most [`READ`] messages.
    #[n(10)]
    Read(#[n(0)] Vec<ReadOf>),
    /// About a group of which this vault, or the other one, is the creator.
    #[n(11)]
    Group {
        /// Which.
        #[n(0)]
        id: GroupId,
        /// What.
        #[n(1)]
        change: GroupChange,
    },
    /// This message was not kept: there is no room for more of that vault's.
    #[n(12)]
    NotKept(#[n(0)] MessageId),
    /// The owner has entered other digits than this vault's: it ends the connection.
    #[n(13)]
    CodesDiffer,
}

/// A message as everybody can name it. Its sender chose its id, and two senders may choose the same: the
/// id alone could mean one message here and another there.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub struct Named {
    /// Whose message.
    #[n(0)]
    pub sender: VaultId,
    /// What that vault calls it.
    #[n(1)]
    pub id: MessageId,
}

/// What an owner has read of one sender.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct ReadOf {
    /// Whose messages, in a group; in a connection there is one other.
    #[n(0)]
    pub sender: Option<VaultId>,
    /// What that vault calls them.
    #[n(1)]
    pub ids: Vec<MessageId>,
}

/// A message.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Text {
    /// Its id, the same in every vault.
    #[n(0)]
    pub id: MessageId,
    /// Text; may be empty when there is an attachment.
    #[n(1)]
    pub text: Secret,
    /// Message that it answers.
    #[n(2)]
    pub reply_to: Option<Named>,
    /// Files.
    #[n(3)]
    pub attachments: Vec<Attachment>,
    /// Disappears on both sides this long after it was read, ms.
    #[n(4)]
    pub disappear_after: Option<u64>,
}

/// What happens to a group; always said in the connection of a member with the creator.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum GroupChange {
    /// Creator: join, please.
    #[n(0)]
    Invite {
        /// Its name.
        #[n(0)]
        name: String,
        /// What its id follows from, with the creator's: nobody else can invite into a group of that id.
        #[cbor(n(1), with = "minicbor::bytes")]
        seed: [u8; 16],
    },
    /// Member: this is how I can be added.
    #[n(1)]
    Join {
        /// MLS key package.
        #[cbor(n(0), with = "minicbor::bytes")]
        key_package: Vec<u8>,
        /// Digest of the state of the group that it has, if it has one: nothing is missing where the
        /// creator has the same.
        #[n(1)]
        state: Option<ByteVec>,
    },
    /// Creator: you are in.
    #[n(2)]
    Welcome {
        /// Its name.
        #[n(0)]
        name: String,
        /// MLS welcome.
        #[cbor(n(1), with = "minicbor::bytes")]
        welcome: Vec<u8>,
        /// Everybody in it but its creator and whoever is welcomed.
        #[n(2)]
        members: Vec<Peer>,
    },
    /// Creator: the group has changed.
    #[n(3)]
    Commit {
        /// MLS commit.
        #[cbor(n(0), with = "minicbor::bytes")]
        commit: Vec<u8>,
        /// Who is new in it.
        #[n(1)]
        added: Vec<Peer>,
    },
    /// Creator: it has another name.
    #[n(4)]
    Rename {
        /// The name.
        #[n(0)]
        name: String,
    },
    /// Creator: you are out, or the group is over.
    #[n(5)]
    Over,
    /// Member: I go.
    #[n(6)]
    Leave,
}

/// A member of a group, as its creator makes it known to the others.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Peer {
    /// Its vault.
    #[n(0)]
    pub vault: VaultId,
    /// Name that the creator gave it.
    #[n(1)]
    pub name: String,
    /// Its signed home record.
    #[n(2)]
    pub home: ByteVec,
}

/// Messages of one notice that they were read.
pub const READ: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use proptest::prelude::*;

    fn said(content: Content) -> Said {
        Said {
            at: UnixMillis(1),
            received: 2,
            content,
        }
    }

    #[test]
    fn contents_come_back() {
        let id = MessageId([1; 16]);
        let named = Named {
            sender: VaultId([5; 32]),
            id: MessageId([2; 16]),
        };
        let text = Text {
            id,
            text: Secret::from("hello"),
            reply_to: Some(named),
            attachments: vec![],
            disappear_after: Some(1),
        };
        let peer = Peer {
            vault: VaultId([3; 32]),
            name: "Ann".into(),
            home: vec![4; 5].into(),
        };
        for content in [
            Content::Nothing,
            Content::Text(text),
            Content::React {
                to: named,
                reaction: Some("👍".into()),
            },
            Content::Read(vec![ReadOf {
                sender: Some(named.sender),
                ids: vec![id],
            }]),
            Content::Group {
                id: GroupId([5; 16]),
                change: GroupChange::Commit {
                    commit: vec![6],
                    added: vec![peer],
                },
            },
        ] {
            let said = said(content);
            assert_eq!(cbor::decode(&cbor::encode(&said)), Ok(said));
        }
    }

    #[test]
    fn parcel_is_pinned() {
        let talk = Parcel::Talk(Talk {
            connection: ConnectionId([9; 16]),
            generation: 1,
            sequence: 2,
            message: vec![3],
            after: [6; 8],
            mark: [7; 8],
        });

        let mut expected = vec![0x82, 0x04, 0x81, 0xa6, 0x00, 0x50];
        expected.extend([9; 16]);
        expected.extend([0x01, 0x01, 0x02, 0x02, 0x03, 0x41, 0x03]);
        expected.extend([0x04, 0x48, 6, 6, 6, 6, 6, 6, 6, 6]);
        expected.extend([0x05, 0x48, 7, 7, 7, 7, 7, 7, 7, 7]);
        assert_eq!(cbor::encode(&talk), expected);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(bytes: Vec<u8>) {
            if let Ok(parcel) = cbor::decode::<Parcel>(&bytes) {
                prop_assert_eq!(cbor::encode(&parcel), bytes);
            }
        }
    }
}
