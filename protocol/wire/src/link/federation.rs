//! Frames between host and enclave about other nodes: sessions with their enclaves, deliveries,
//! mailboxes and homes.
//!
//! The host carries bytes, keeps what is sealed for later, and decides when to try again. What is
//! for whom, from whom, and whether a peer may come in is the enclave's alone.
//!
//! ```text
//!  host: a connection to a peer's host is up ──▶ Open{link} ── Frame ⇄ Frame ── Admitted | Refused
//!  vault has something for another vault ──▶ Spool{lane, delivery} ── stored when its record is durable
//!  host: a lane has something due ──▶ Due{delivery} ──▶ enclave delivers ──▶ Settled{done | later}
//!  a delivery for a closed vault ──▶ MailPut ── MailStored ──▶ answered to the peer
//!  a vault was unlocked ──▶ MailRead ── MailPage … ──▶ MailDrop when applied and durable
//! ```
//!
//! A *link* is one stream between two hosts that carries one session between their enclaves. The
//! host numbers links from 1 and never reuses a number within one connection to its enclave.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use crate::home::HomeNode;
use crate::id::{DeliveryId, LaneId, MailboxId, NodeId, SpaceId};
use crate::time::UnixMillis;

/// What a host says about other nodes.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum ToEnclave {
    /// A stream to a peer's host is up: begin a session, or expect one.
    #[n(0)]
    Open {
        /// Number of the link.
        #[n(0)]
        link: u64,
        /// PeerId that the transport has proven.
        #[cbor(n(1), with = "minicbor::bytes")]
        peer: Vec<u8>,
        /// Node that this host dialed, or that the other host says it is. Proven by the session.
        #[n(2)]
        node: NodeId,
        /// Who begins.
        #[n(3)]
        side: Side,
    },
    /// The peer's enclave sent a message of the session.
    #[n(1)]
    Frame {
        /// On which link.
        #[n(0)]
        link: u64,
        /// The message.
        #[cbor(n(1), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// The stream is gone.
    #[n(2)]
    Closed {
        /// Which.
        #[n(0)]
        link: u64,
    },
    /// A stored delivery is due.
    #[n(3)]
    Due {
        /// Its lane.
        #[n(0)]
        lane: LaneId,
        /// Which.
        #[n(1)]
        delivery: DeliveryId,
        /// As it was stored.
        #[cbor(n(2), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// Answers [`FromEnclave::MailPut`].
    #[n(4)]
    MailStored {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// What became of it.
        #[n(1)]
        outcome: MailOutcome,
    },
    /// Answers [`FromEnclave::MailRead`].
    #[n(5)]
    MailPage {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Items in the order of their arrival; empty when there are no more.
        #[n(1)]
        items: Vec<Mail>,
    },
    /// Answers [`FromEnclave::FindHome`].
    #[n(6)]
    Homes {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Sealed records, at most [`crate::limits::HOME_ANSWERS`]; unverified.
        #[n(1)]
        records: Vec<ByteVec>,
    },
    /// Where this node can be reached now.
    #[n(7)]
    Reachable {
        /// Multiaddrs, best first.
        #[n(0)]
        addresses: Vec<String>,
    },
    /// A newer network file of the same network.
    #[n(8)]
    Network(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Not every [`FromEnclave::Spool`] of a space was stored: its vault hands on again what waits.
    #[n(9)]
    Unkept {
        /// Which space.
        #[n(0)]
        space: SpaceId,
    },
}

/// Who begins the session of a link.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum Side {
    /// This node: its host has dialed.
    #[n(0)]
    Initiator,
    /// The other node.
    #[n(1)]
    Responder,
}

/// What became of something for a mailbox.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum MailOutcome {
    /// It is durable, now or since an earlier try.
    #[n(0)]
    Stored,
    /// The mailbox is full.
    #[n(1)]
    Full,
    /// No vault here has this mailbox.
    #[n(2)]
    Unknown,
    /// It cannot be stored now.
    #[n(3)]
    Failed,
}

/// Something that waits in a mailbox.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Mail {
    /// Its number; grows in the order of arrival.
    #[n(0)]
    pub number: u64,
    /// Sealed.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// What an enclave says about other nodes.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum FromEnclave {
    /// A message of the session for the peer's enclave.
    #[n(0)]
    Frame {
        /// On which link.
        #[n(0)]
        link: u64,
        /// The message.
        #[cbor(n(1), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// Both enclaves have accepted each other.
    #[n(1)]
    Admitted {
        /// On which link.
        #[n(0)]
        link: u64,
        /// Who it is.
        #[n(1)]
        peer: Admitted,
    },
    /// The peer is not, or no longer, admitted; close the link.
    #[n(2)]
    Refused {
        /// Which link.
        #[n(0)]
        link: u64,
        /// For the operator.
        #[n(1)]
        why: NotAdmitted,
    },
    /// Have a connection to this node.
    #[n(3)]
    Dial(#[n(0)] HomeNode),
    /// Keep a delivery until [`FromEnclave::Settled`] or it expires; store it once record `after`
    /// of the space is durable. A delivery that is kept already stays as it is.
    #[n(4)]
    Spool {
        /// Space whose record it depends on.
        #[n(0)]
        space: SpaceId,
        /// That record.
        #[n(1)]
        after: u64,
        /// Deliveries of one lane stay in order.
        #[n(2)]
        lane: LaneId,
        /// Which.
        #[n(3)]
        delivery: DeliveryId,
        /// Not kept longer.
        #[n(4)]
        expires: UnixMillis,
        /// Sealed.
        #[cbor(n(5), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// What became of [`ToEnclave::Due`].
    #[n(5)]
    Settled {
        /// Which.
        #[n(0)]
        delivery: DeliveryId,
        /// What became of it.
        #[n(1)]
        outcome: SpoolOutcome,
    },
    /// Mailbox of a space.
    #[n(6)]
    Mailbox {
        /// Which space.
        #[n(0)]
        space: SpaceId,
        /// Its mailbox.
        #[n(1)]
        mailbox: MailboxId,
    },
    /// Store something in a mailbox, durably.
    #[n(7)]
    MailPut {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Which mailbox.
        #[n(1)]
        mailbox: MailboxId,
        /// Tells a repeat: it is stored once.
        #[n(2)]
        delivery: DeliveryId,
        /// Not kept longer.
        #[n(3)]
        expires: UnixMillis,
        /// Sealed.
        #[cbor(n(4), with = "minicbor::bytes")]
        bytes: Vec<u8>,
    },
    /// Read a page of a space's mailbox, [`crate::limits::MAIL_PAGE`] items at most.
    #[n(8)]
    MailRead {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Which space.
        #[n(1)]
        space: SpaceId,
        /// Items behind this number.
        #[n(2)]
        behind: u64,
    },
    /// Items of a space's mailbox are with their vault, or of no use any more; forget them once record
    /// `after` is durable. What the vault cannot take yet stays, and is read again.
    #[n(9)]
    MailDrop {
        /// Which space.
        #[n(0)]
        space: SpaceId,
        /// Record that holds what they said.
        #[n(1)]
        after: u64,
        /// Number of the last of them.
        #[n(2)]
        through: u64,
        /// They are all those behind this number.
        #[n(3)]
        behind: u64,
    },
    /// Put a home record into the network, and again until it expires.
    #[n(10)]
    PublishHome {
        /// Space whose record it is.
        #[n(0)]
        space: SpaceId,
        /// Where: [`crate::home::location`].
        #[cbor(n(1), with = "minicbor::bytes")]
        location: [u8; 32],
        /// Until when.
        #[n(2)]
        expires: UnixMillis,
        /// Sealed.
        #[cbor(n(3), with = "minicbor::bytes")]
        record: Vec<u8>,
    },
    /// Look a home record up in the network.
    #[n(11)]
    FindHome {
        /// Number of the question.
        #[n(0)]
        request: u64,
        /// Where.
        #[cbor(n(1), with = "minicbor::bytes")]
        location: [u8; 32],
    },
}

/// A peer that was admitted: what the operator's audit keeps.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(map)]
pub struct Admitted {
    /// Its node.
    #[n(0)]
    pub node: NodeId,
    /// Number of the release that it runs.
    #[n(1)]
    pub release: u32,
    /// PCR0, PCR1, PCR2, 48 bytes each.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub measurement: [u8; 144],
    /// It must be admitted anew by then.
    #[n(3)]
    pub expires: UnixMillis,
}

/// Why a peer is not admitted, for the operator; the peer learns only that it is not.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum NotAdmitted {
    /// It broke the protocol, or its evidence does not verify or was made for another session.
    #[n(0)]
    Evidence,
    /// Its image is not a reference value, or below the release floor.
    #[n(1)]
    Measurement,
    /// It is of another network, version or policy.
    #[n(2)]
    Network,
    /// It is not the node that was wanted, or its host is not one that it attests.
    #[n(3)]
    Identity,
    /// It took too long.
    #[n(4)]
    Slow,
    /// Its admission has expired or was replaced by a newer session.
    #[n(5)]
    Replaced,
    /// As many peers are admitted as may be.
    #[n(6)]
    TooMany,
    /// This enclave has no evidence to show yet.
    #[n(7)]
    Unready,
}

impl NotAdmitted {
    /// Whether it is the peer's fault, for which it is kept out: not what this side lacks, nor a file
    /// that one of the two does not have yet.
    #[must_use]
    pub const fn is_blame(self) -> bool {
        match self {
            Self::Evidence | Self::Identity | Self::Measurement => true,
            Self::Network | Self::Replaced | Self::Slow | Self::TooMany | Self::Unready => false,
        }
    }
}

/// What became of a delivery that was due.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
pub enum SpoolOutcome {
    /// It was delivered, or never will be: forget it.
    #[n(0)]
    Done,
    /// Try again later, in its lane's order.
    #[n(1)]
    Later {
        /// At once when this node is admitted.
        #[n(0)]
        node: Option<NodeId>,
    },
    /// Try again soon: others have all the room now, and nothing has failed.
    #[n(2)]
    Crowded,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use crate::link;

    #[test]
    fn frames_come_back_over_the_link() {
        let mail = ToEnclave::MailPage {
            request: 3,
            items: vec![Mail {
                number: 1,
                bytes: vec![2; 3],
            }],
        };
        let frame = link::FromHost::Federation(mail.clone());
        let mut stream = Vec::new();
        assert!(link::write(&frame, &mut stream));

        let (read, used) = link::read::<link::FromHost>(&stream)
            .expect("well-formed")
            .expect("complete");
        assert_eq!((read, used), (frame, stream.len()));
        assert_eq!(cbor::decode_exact(&cbor::encode(&mail)), Ok(mail));
    }

    #[test]
    fn frame_of_the_other_direction_is_refused() {
        let frame = link::FromEnclave::Federation(FromEnclave::FindHome {
            request: 1,
            location: [2; 32],
        });
        let bytes = cbor::encode(&frame);

        assert!(cbor::decode_exact::<link::FromHost>(&bytes).is_err());
    }
}
