//! How a host stands in the network, for its operator.

use vettid_wire::id::NodeId;

/// How things are at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// Multiaddrs that this host listens on.
    pub listening: Vec<String>,
    /// Where it can be reached, best first.
    pub reachable: Vec<String>,
    /// Peers that are connected.
    pub peers: Vec<PeerStatus>,
    /// Relays that hold a reservation for this host, base58.
    pub relays: Vec<String>,
    /// Peers with their addresses, multiaddrs that end in `/p2p/<PeerId>`: worth trying after a
    /// restart, when no bootstrap node answers.
    pub known: Vec<String>,
    /// Peers in the routing table.
    pub routed: usize,
    /// Peers that are kept out now.
    pub refused: usize,
}

/// One connected peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerStatus {
    /// PeerId.
    pub peer: Vec<u8>,
    /// Its node, when it is admitted.
    pub node: Option<NodeId>,
    /// Address of the connection.
    pub address: String,
    /// Seconds until it must be admitted anew.
    pub expires: Option<u64>,
    /// A bootstrap node or relay: it is never admitted.
    pub introduces: bool,
}
