//! What a host can choose about its place in the network.

use std::time::Duration;

use vettid_wire::id::NetworkId;
use vettid_wire::limits;

/// A member of the network, or somebody who helps its members meet.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which network; other networks are not spoken to.
    pub network: NetworkId,
    /// What this host is in it.
    pub role: Role,
    /// Multiaddrs to listen on, TCP and QUIC.
    pub listen: Vec<String>,
    /// Multiaddrs at which this host is reached for certain; empty: they are found out.
    pub external: Vec<String>,
    /// Bootstrap nodes, multiaddrs that end in `/p2p/<PeerId>`.
    pub bootstrap: Vec<String>,
    /// Relays, multiaddrs that end in `/p2p/<PeerId>`.
    pub relays: Vec<String>,
    /// Peers of an earlier run, multiaddrs that end in `/p2p/<PeerId>`.
    pub known: Vec<String>,
    /// Loopback, private and in-memory addresses are announced and dialed: for a lab only.
    pub private_addresses: bool,
    /// Bounds.
    pub limits: Limits,
}

/// What a host is in the network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// First contact: discovery, reachability checks, the signed network file. Admits nobody.
    Bootstrap,
    /// The host of an enclave.
    Node,
    /// Carries bytes between nodes that cannot reach each other. Admits nobody.
    Relay(RelayLimits),
}

/// Bounds of one host. The defaults suit a node on a small machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections at once.
    pub connections: u32,
    /// Connections from others at once.
    pub connections_inbound: u32,
    /// Connections that are being made, in each direction.
    pub connections_pending: u32,
    /// Connections with one peer: two crossing dials, a relayed one, and a reachability check.
    pub connections_per_peer: u32,
    /// Connections from one network at once, an IPv4 address or 64 bits of IPv6; loopback aside.
    pub connections_per_network: usize,
    /// Connections from one neighborhood at once, 24 bits of IPv4 or 48 of IPv6; loopback aside.
    pub connections_per_neighborhood: usize,
    /// Connections from others that are not admitted yet: each has two links with the enclave at
    /// most, which has room for 1,024. A quarter of them may come through relays.
    pub strangers: usize,
    /// Links that strangers begin at once; so many more each second as [`Self::links_per_second`].
    pub links_at_once: u32,
    /// Links that strangers begin, a second: each costs the enclave a handshake.
    pub links_per_second: u32,
    /// No new connection beyond this much memory of the process, bytes.
    pub memory: usize,
    /// A connection without streams is closed after this long.
    pub idle: Duration,
    /// A connection must be secured by then.
    pub handshake: Duration,
    /// A connection that is not admitted by then is closed.
    pub admission: Duration,
    /// A node that is dialed must be connected and admitted by then.
    pub dialing: Duration,
    /// Frames that wait to be sent on one link.
    pub link_frames: usize,
    /// Bytes that wait to be sent on one link.
    pub link_bytes: usize,
    /// A peer that takes none of the bytes that wait for it is given up after this long.
    pub stalled: Duration,
    /// Streams of attachments that are served at once.
    pub attachments: usize,
    /// Of these, to one node.
    pub attachments_per_node: usize,
    /// Home records of others that are kept.
    pub records: usize,
    /// Home records of this node's vaults that are put into the network.
    pub own_records: usize,
    /// Home records that one peer may put in a minute.
    pub records_per_minute: u32,
    /// A home record is put again after this long.
    pub republish: Duration,
    /// Searches for a home at once; more wait for their turn.
    pub searches: usize,
    /// Nodes that are dialed at once; more wait for their turn. Far fewer than
    /// [`Self::connections_pending`]: whoever has many dialed that do not answer leaves room for
    /// bootstrap nodes, relays and Kademlia.
    pub dials: usize,
    /// Reservations at relays that are kept.
    pub reservations: usize,
    /// A relay must have answered by then.
    pub reserving: Duration,
    /// An address at which this host was reached is told to others for so long after it was lost: one that
    /// comes and goes would have every vault tell every contact each time.
    pub lingering: Duration,
}

/// What a relay gives, and to how many.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RelayLimits {
    /// Nodes that can be reached through it.
    pub reservations: usize,
    /// Reservations of one node.
    pub reservations_per_peer: usize,
    /// A reservation must be renewed within this time.
    pub reservation_time: Duration,
    /// Circuits at once.
    pub circuits: usize,
    /// Circuits of one node at once.
    pub circuits_per_peer: usize,
    /// Circuits that one network has asked for, an IPv4 address or 64 bits of IPv6; four times as
    /// many of its neighborhood, 24 bits of IPv4 or 48 of IPv6. Loopback aside.
    pub circuits_per_network: usize,
    /// A circuit is cut after this long.
    pub circuit_time: Duration,
    /// A circuit is cut after this many bytes.
    pub circuit_bytes: u64,
    /// Reservations and circuits that one node may ask for in a minute.
    pub requests_per_minute: u32,
    /// The same for one address, behind which many nodes may be.
    pub requests_per_minute_and_address: u32,
}

impl Config {
    /// A node of `network` that listens nowhere and knows nobody.
    #[must_use]
    pub fn new(network: NetworkId, role: Role) -> Self {
        Self {
            network,
            limits: Limits::of(&role),
            role,
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: Vec::new(),
            relays: Vec::new(),
            known: Vec::new(),
            private_addresses: false,
        }
    }
}

impl Limits {
    /// Defaults for a role: those who introduce others hold more connections.
    #[must_use]
    pub fn of(role: &Role) -> Self {
        match role {
            Role::Node => Self::default(),
            Role::Bootstrap | Role::Relay(_) => Self {
                connections: 12_000,
                connections_inbound: 10_000,
                connections_per_network: 32,
                ..Self::default()
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_536,
            connections_inbound: 1_280,
            connections_pending: 128,
            connections_per_peer: 4,
            connections_per_network: 64,
            connections_per_neighborhood: 128,
            strangers: 384,
            links_at_once: 400,
            links_per_second: 100,
            memory: 2 * 1024 * 1024 * 1024,
            idle: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            admission: Duration::from_millis(limits::ADMISSION_TIME),
            dialing: Duration::from_secs(30),
            link_frames: 4_096,
            link_bytes: 8 * 1024 * 1024,
            stalled: Duration::from_secs(30),
            attachments: 64,
            attachments_per_node: 8,
            records: 8_192,
            own_records: 20_000,
            records_per_minute: 600,
            republish: Duration::from_secs(3_600),
            searches: 64,
            dials: 64,
            reservations: 2,
            reserving: Duration::from_secs(20),
            lingering: Duration::from_secs(60),
        }
    }
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            reservations: 5_000,
            reservations_per_peer: 2,
            reservation_time: Duration::from_secs(3_600),
            circuits: 500,
            circuits_per_peer: 8,
            circuits_per_network: 32,
            circuit_time: Duration::from_secs(3_600),
            circuit_bytes: 1024 * 1024 * 1024,
            requests_per_minute: 60,
            requests_per_minute_and_address: 600,
        }
    }
}
