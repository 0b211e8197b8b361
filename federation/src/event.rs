//! What a host is told.

use std::time::Duration;

use vettid_wire::id::{AttachmentId, NodeId};
use vettid_wire::link::federation::Side;

use crate::attachment::Responder;
use vettid_wire::topic::Topic;

/// Something happened in the network. Events of one link come in order, `LinkOpen` first and
/// `Closed` last; a link that was never open is never closed.
#[derive(Debug)]
pub enum Event {
    /// A peer asks for a chunk of an attachment; only admitted peers can.
    AttachmentAsked {
        /// PeerId of who asks.
        peer: Vec<u8>,
        /// Which attachment.
        id: AttachmentId,
        /// Which chunk.
        index: u32,
        /// From which byte on.
        offset: u64,
        /// Takes the answer; dropped, it tells the peer that there is none.
        responder: Responder,
    },
    /// A link is gone.
    Closed {
        /// Which.
        link: u64,
    },
    /// The peer's enclave sent a message of the session.
    Frame {
        /// On which link.
        link: u64,
        /// The message.
        bytes: Vec<u8>,
    },
    /// An object was gossiped; it goes no further until [`crate::Handle::judge`].
    Gossip {
        /// Names it to `judge`.
        message: GossipId,
        /// Under which topic.
        topic: Topic,
        /// The object, at most [`vettid_wire::limits::GOSSIP`] bytes.
        bytes: Vec<u8>,
    },
    /// Ends a search for a home record.
    Homes {
        /// Number of the search.
        request: u64,
        /// Sealed records as they were found, unverified, at most
        /// [`vettid_wire::limits::HOME_ANSWERS`].
        records: Vec<Vec<u8>>,
    },
    /// A stream to a peer's host is up: its enclave and ours can talk.
    LinkOpen {
        /// Number of the link, from 1, never used twice.
        link: u64,
        /// PeerId that the transport has proven.
        peer: Vec<u8>,
        /// Node that was wanted, or that the other host names.
        node: NodeId,
        /// Who begins.
        side: Side,
    },
    /// A bootstrap node handed out its network file; unverified.
    Network {
        /// Encoding of a signed network file.
        bytes: Vec<u8>,
    },
    /// A peer came, went, was admitted or took another path.
    PeerChange {
        /// PeerId.
        peer: Vec<u8>,
        /// How it stands now.
        standing: Standing,
    },
    /// Where this host can be reached has changed.
    Reachable {
        /// Multiaddrs, best first, at most [`vettid_wire::limits::HOME_ADDRESSES`].
        addresses: Vec<String>,
    },
    /// A wanted node was not reached; nothing more is tried until it is dialed again.
    Unreachable {
        /// Which.
        node: NodeId,
        /// Dialing it earlier than this is in vain.
        retry: Duration,
    },
}

/// How a peer stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Its enclave and ours have admitted each other.
    Admitted {
        /// Its node.
        node: NodeId,
        /// How it is connected.
        path: Path,
    },
    /// Connected, not admitted.
    Connected {
        /// How it is connected.
        path: Path,
    },
    /// Not connected.
    Gone,
    /// Refused, and kept out for this long.
    Refused {
        /// How long.
        wait: Duration,
    },
}

/// How a peer is connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Path {
    /// Host to host.
    Direct,
    /// Through a relay.
    Relayed,
}

/// One gossiped object and who passed it on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GossipId {
    pub(crate) message: Vec<u8>,
    pub(crate) from: Vec<u8>,
}

/// What is done with a gossiped object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It is passed on.
    Accept,
    /// It goes no further; nobody is blamed.
    Ignore,
    /// It goes no further, and costs whoever passed it on.
    Reject,
}
