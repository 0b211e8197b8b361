//! What the driver knows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use libp2p::core::transport::ListenerId;
use libp2p::kad::QueryId;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::Side;

use super::Outbox;
use super::connections::{LINK_AGAIN, LINKS};
use crate::attachment::FetchError;
use crate::backoff::Backoff;
use crate::behaviour::{Behaviour, Shared};
use crate::boxed::Boxed;
use crate::bucket::{Bucket, Buckets};
use crate::config::{Config, Limits};
use crate::event::{Event, Standing};
use crate::link::{LinkNews, Links, Steering};
use crate::metrics::Metrics;
use crate::neighbors::Neighbors;
use crate::records::{LOCATION, Published};
use crate::streams::Opened;

/// One host in the network.
pub(super) struct Driver {
    pub(super) swarm: Swarm<Boxed<Behaviour>>,
    pub(super) config: Config,
    pub(super) shared: Shared,
    pub(super) metrics: Metrics,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) outbox: Outbox,

    /// Node of this host, once its enclave has named it.
    pub(super) node: Option<NodeId>,
    /// When it was named.
    pub(super) named: Option<Instant>,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) standings: HashMap<PeerId, Standing>,

    pub(super) links: Links,
    pub(super) live: HashMap<u64, Link>,
    pub(super) last_link: u64,
    pub(super) news: mpsc::Receiver<LinkNews>,
    pub(super) news_sender: mpsc::Sender<LinkNews>,
    pub(super) pending: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,

    /// Nodes that are being dialed, by what somebody says of their hosts: two who name one node may
    /// say different things, and each is tried.
    pub(super) wanted: HashMap<HomeNode, Wanted>,
    /// Dials of nodes that are under way, those that nobody wants any more among them.
    pub(super) dialing: HashSet<ConnectionId>,
    /// Nodes that wait for their turn to be dialed.
    pub(super) to_dial: VecDeque<HomeNode>,
    /// Peers that were said to be hosts of a node and are not.
    pub(super) untrue: Backoff<(NodeId, PeerId)>,
    pub(super) fetches: Vec<Fetch>,
    pub(super) serving: Arc<Semaphore>,
    pub(super) serving_to: HashMap<NodeId, Arc<Semaphore>>,
    /// Links that strangers may begin.
    pub(super) strangers: Bucket,
    /// Links that each peer may begin on connections on which it is not admitted.
    pub(super) strangers_each: Buckets<PeerId>,

    pub(super) searches: HashMap<QueryId, Search>,
    /// Searches that wait for their turn.
    pub(super) to_search: VecDeque<(u64, [u8; LOCATION])>,
    /// Where peers of the routing table were connected from.
    pub(super) neighbors: Neighbors,
    pub(super) published: Published,
    pub(super) puts: HashMap<QueryId, [u8; LOCATION]>,
    pub(super) swept: Instant,

    pub(super) introducers: HashMap<PeerId, Introducer>,
    /// Where this host itself listens.
    pub(super) listeners: Vec<ListenerId>,
    pub(super) circuits: HashMap<ListenerId, PeerId>,
    /// Who holds a reservation here.
    pub(super) reserved: HashSet<PeerId>,
    pub(super) reachable: Vec<String>,
    /// Addresses of these that are gone, and until when they are told all the same.
    pub(super) lost: HashMap<Multiaddr, Instant>,
    pub(super) network_file: Option<Arc<[u8]>>,
}

/// What the driver is made from.
pub(super) struct Parts {
    pub(super) shared: Shared,
    pub(super) introducers: HashMap<PeerId, Introducer>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) links: Links,
    pub(super) metrics: Metrics,
}

/// A connection that is up.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: PeerId,
    pub(super) address: Multiaddr,
    pub(super) relayed: bool,
    /// This host has dialed.
    pub(super) dialed: bool,
    pub(super) since: Instant,
    /// The peer is a bootstrap node or relay, or this host is: it is never admitted.
    pub(super) introduces: bool,
    /// The peer has it too: it has spoken on it.
    pub(super) known: bool,
    /// It has been closed, and its end is not yet told.
    pub(super) closing: bool,
    pub(super) admitted: Option<Admission>,
    /// Addresses that the peer names, when it serves Kademlia.
    pub(super) named: Vec<Multiaddr>,
    /// A stream for a link is being opened.
    pub(super) opening: bool,
    /// A stream that came before this host knew its node, or when strangers began too many links.
    pub(super) early: Option<Opened>,
    /// Links that the peer may begin.
    pub(super) links: Bucket,
    /// When its protocols are woken next, once another connection with the same peer is gone.
    pub(super) woken: Option<Instant>,
    /// When the direct way is tried, on a relayed one.
    pub(super) direct: Again,
}

/// When something is tried next, and how often it was for nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Again {
    pub(super) at: Instant,
    pub(super) tries: u32,
}

/// Admission of a peer on one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) node: NodeId,
    /// The peer has admitted this side too.
    pub(super) mutual: bool,
    pub(super) expires: Instant,
    /// A new link is opened then.
    pub(super) renew: Instant,
}

/// A link that is up.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    pub(super) side: Side,
    /// The peer has admitted this side.
    pub(super) mutual: bool,
    /// Not admitted, or replaced by another: it ends then.
    pub(super) deadline: Option<Instant>,
    pub(super) steering: Steering,
}

/// A node that is being dialed, at the hosts that somebody has named.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) home: HomeNode,
    /// The host of it that is tried.
    pub(super) peer: PeerId,
    /// The dial that is under way for it; none while another, or a connection, may serve.
    pub(super) dial: Option<ConnectionId>,
    /// PeerIds of it that were not tried yet.
    pub(super) others: Vec<PeerId>,
    pub(super) deadline: Instant,
}

/// Somebody waits for a node to be admitted, to fetch from it.
#[derive(Debug)]
pub(super) struct Fetch {
    pub(super) node: NodeId,
    pub(super) reply: oneshot::Sender<Result<Opened, FetchError>>,
    pub(super) deadline: Instant,
}

/// A search for a home record.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) request: u64,
    pub(super) answers: Vec<Vec<Vec<u8>>>,
}

/// A bootstrap node or relay.
#[derive(Debug, Default)]
pub(super) struct Introducer {
    pub(super) addresses: Vec<Multiaddr>,
    pub(super) introduces: bool,
    pub(super) relays: bool,
    /// Not dialed, or not asked for a reservation, before this.
    pub(super) retry: Option<Instant>,
    pub(super) failures: u32,
    pub(super) reservation: Reservation,
    /// When its network file was asked for.
    pub(super) roster: Option<Instant>,
    /// Pause before it is asked for again where peers are in another policy.
    pub(super) soon: Duration,
}

/// How a reservation at a relay stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Reservation {
    #[default]
    None,
    Asked {
        listener: ListenerId,
        deadline: Instant,
    },
    Held {
        listener: ListenerId,
    },
}

/// Something that the driver has waited for.
pub(super) enum Done {
    Fetch {
        reply: oneshot::Sender<Result<Opened, FetchError>>,
        stream: Option<Opened>,
    },
    First {
        connection: ConnectionId,
        stream: Option<Opened>,
    },
    Roster {
        file: Option<Vec<u8>>,
    },
    Second {
        link: u64,
        stream: Option<Opened>,
    },
}

impl Driver {
    pub(super) fn new(swarm: Swarm<Boxed<Behaviour>>, config: Config, parts: Parts) -> Self {
        let (news_sender, news) = mpsc::channel(NEWS);
        let now = Instant::now();
        let strangers = links_of_strangers(&config.limits, now);
        let serving = Arc::new(Semaphore::new(config.limits.attachments));
        Self {
            swarm,
            config,
            shared: parts.shared,
            metrics: parts.metrics,
            events: parts.events,
            outbox: Outbox::new(),
            node: None,
            named: None,
            connections: HashMap::new(),
            standings: HashMap::new(),
            links: parts.links,
            live: HashMap::new(),
            last_link: 0,
            news,
            news_sender,
            pending: FuturesUnordered::new(),
            wanted: HashMap::new(),
            dialing: HashSet::new(),
            to_dial: VecDeque::new(),
            untrue: Backoff::new(0),
            fetches: Vec::new(),
            serving,
            serving_to: HashMap::new(),
            strangers,
            strangers_each: Buckets::new(LINKS, LINK_AGAIN),
            searches: HashMap::new(),
            to_search: VecDeque::new(),
            neighbors: Neighbors::default(),
            published: Published::default(),
            puts: HashMap::new(),
            swept: now,
            introducers: parts.introducers,
            listeners: Vec::new(),
            circuits: HashMap::new(),
            reserved: HashSet::new(),
            reachable: Vec::new(),
            lost: HashMap::new(),
            network_file: None,
        }
    }

    /// Has the driver told when something has come to an end.
    pub(super) fn wait_for(&self, done: impl Future<Output = Done> + Send + 'static) {
        self.pending.push(Box::pin(done));
    }

    /// Connections of a peer that stay.
    pub(super) fn connections_of(
        &self,
        peer: PeerId,
    ) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.connections
            .iter()
            .filter(move |(_, connection)| connection.peer == peer && !connection.closing)
            .map(|(id, connection)| (*id, connection))
    }

    /// Closes a connection.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closing = true;
        }
        self.swarm.close_connection(id);
    }
}

fn links_of_strangers(limits: &Limits, now: Instant) -> Bucket {
    let pause = Duration::from_secs(1) / limits.links_per_second.max(1);
    Bucket::new(limits.links_at_once, pause, now)
}

/// News of links that wait for the driver.
const NEWS: usize = 256;
