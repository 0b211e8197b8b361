//! What goes to other vaults, and what comes from them.

use vettid_wire::home::HomeNode;
use vettid_wire::id::{DeliveryId, NetworkId, NodeId, VaultId};
use vettid_wire::peer::Delivered;
use vettid_wire::time::UnixMillis;

use crate::Answer;

/// Something for another vault: it is in the outbox until [`Delivered`] says what became of it, and
/// is handed on again at every unlock until then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outbound {
    /// The same at every try.
    pub delivery: DeliveryId,
    /// For which vault.
    pub to: VaultId,
    /// Where that vault was, as far as this one knows.
    pub home: KnownHome,
    /// Useless after this.
    pub expires: UnixMillis,
    /// Sealed for that vault.
    pub body: Vec<u8>,
}

/// Where another vault was, as far as this one knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KnownHome {
    /// At this node, by an invitation.
    Node(HomeNode),
    /// As that vault itself has signed.
    Record(Vec<u8>),
}

/// Something from another vault, as its delivery carried it.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// Repeats carry the same id.
    pub delivery: DeliveryId,
    /// Sealed for this vault.
    pub body: &'a [u8],
}

/// What became of something from another vault.
#[derive(Debug)]
pub struct Received {
    /// What its sender is told, once the record that the answer names is durable.
    pub outcome: Delivered,
    /// What it led to.
    pub answer: Answer,
}

/// Where this vault's node is: part of its home record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Network of the node.
    pub network: NetworkId,
    /// Identity of its enclave.
    pub node: NodeId,
    /// PeerIds of its hosts; none when the node keeps to itself.
    pub peers: Vec<Vec<u8>>,
    /// Multiaddrs, best first.
    pub addresses: Vec<String>,
}
