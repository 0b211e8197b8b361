//! Dials: for a node that the enclave wants to talk to, one connection, by whichever of its hosts
//! answers.

use std::time::Duration;

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;
use tokio::time::Instant;
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;

use super::state::{Done, Driver, Fetch, Wanted};
use crate::address;
use crate::attachment::FetchError;
use crate::event::Event;
use crate::streams::{Opened, Protocol};

impl Driver {
    /// Has a link to a node, unless there is one or one is on its way.
    pub(super) fn dial(&mut self, home: &HomeNode) {
        let peers = self.hosts(home);
        if !self.is_node() || peers.is_empty() {
            self.unreachable(home.node, LATER);
            return;
        }
        let connected = |peer: &PeerId| self.connections_of(*peer).next().map(|(id, _)| id);
        if let Some(id) = peers.iter().find_map(connected) {
            if !self.live.values().any(|link| link.connection == id) {
                self.open_link(id);
            }
            return;
        }
        if peers.iter().any(|peer| self.wanted.contains_key(peer)) {
            return;
        }
        let now = Instant::now();
        let waits = peers.iter().map(|p| self.shared.kept_out.wait(p, now));
        if let Some(wait) = waits.min().flatten() {
            self.unreachable(home.node, wait);
        } else if self.wanted.len() >= MOST_WANTED {
            self.unreachable(home.node, LATER);
        } else {
            self.dial_next(home.clone(), peers, now + DIALING);
        }
    }

    /// A dial has failed: the next host of the node is tried, or the host is told.
    pub(super) fn on_dial_failed(&mut self, peer: PeerId) {
        self.on_introducer_failed(peer);
        if self.connections_of(peer).next().is_some() {
            return;
        }
        if let Some(wanted) = self.wanted.remove(&peer) {
            self.dial_next(wanted.home, wanted.others, wanted.deadline);
        }
    }

    /// A connection is gone: whoever has wanted its node meanwhile gets a new one.
    pub(super) fn dial_again(&mut self, peer: PeerId) {
        if self.connections_of(peer).next().is_some() {
            return;
        }
        if let Some(mut wanted) = self.wanted.remove(&peer) {
            wanted.others.insert(0, peer);
            self.dial_next(wanted.home, wanted.others, wanted.deadline);
        }
    }

    /// A peer will not be talked to: whoever wants its node is told.
    pub(super) fn give_up(&mut self, peer: PeerId, wait: Duration) {
        if let Some(wanted) = self.wanted.remove(&peer) {
            self.unreachable(wanted.home.node, wait);
        }
    }

    pub(super) fn check_dials(&mut self, now: Instant) {
        let late: Vec<_> = self
            .wanted
            .iter()
            .filter(|(_, wanted)| wanted.deadline <= now)
            .map(|(peer, _)| *peer)
            .collect();
        for peer in late {
            self.give_up(peer, LATER);
        }
        self.fail_fetches(|fetch| fetch.deadline <= now);
    }

    /// Opens a stream for a chunk of an attachment, once the node is admitted.
    pub(super) fn fetch(
        &mut self,
        from: &HomeNode,
        reply: oneshot::Sender<Result<Opened, FetchError>>,
    ) {
        let node = from.node;
        if let Some((id, peer)) = self.admitted(node) {
            self.open_attachment(id, peer, reply);
            return;
        }
        if self.fetches.len() >= MOST_FETCHES {
            // A caller that is gone needs no answer.
            let _ = reply.send(Err(FetchError::Unreachable));
            return;
        }
        self.fetches.push(Fetch {
            node,
            reply,
            deadline: Instant::now() + FETCHING,
        });
        self.dial(from);
    }

    /// A node and this one have admitted each other: what waited to be fetched from it goes on.
    pub(super) fn start_fetches(&mut self, node: NodeId) {
        let Some((id, peer)) = self.admitted(node) else {
            return;
        };
        let (ready, waiting) = std::mem::take(&mut self.fetches)
            .into_iter()
            .partition::<Vec<_>, _>(|fetch| fetch.node == node);
        self.fetches = waiting;
        for fetch in ready {
            self.open_attachment(id, peer, fetch.reply);
        }
    }

    fn open_attachment(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        reply: oneshot::Sender<Result<Opened, FetchError>>,
    ) {
        let streams = &mut self.swarm.behaviour_mut().streams;
        let stream = streams.open(peer, id, Protocol::Attachment);
        self.wait_for(async move {
            Done::Fetch {
                reply,
                stream: stream.await.ok(),
            }
        });
    }

    /// A connection on which a node and this one have admitted each other; a direct one rather than a relayed.
    fn admitted(&self, node: NodeId) -> Option<(ConnectionId, PeerId)> {
        self.connections
            .iter()
            .filter(|(_, c)| c.admitted.is_some_and(|a| a.mutual && a.node == node))
            .min_by_key(|(_, connection)| connection.relayed)
            .map(|(id, connection)| (*id, connection.peer))
    }

    fn unreachable(&mut self, node: NodeId, retry: Duration) {
        self.tell(Event::Unreachable { node, retry });
        self.fail_fetches(|fetch| fetch.node == node);
    }

    fn fail_fetches(&mut self, fails: impl Fn(&Fetch) -> bool) {
        let (failed, waiting) = std::mem::take(&mut self.fetches)
            .into_iter()
            .partition::<Vec<_>, _>(fails);
        self.fetches = waiting;
        for fetch in failed {
            // A caller that is gone needs no answer.
            let _ = fetch.reply.send(Err(FetchError::Unreachable));
        }
    }

    /// Dials the first of `peers` that can be dialed.
    fn dial_next(&mut self, home: HomeNode, mut peers: Vec<PeerId>, deadline: Instant) {
        let with_private = self.config.private_addresses;
        let addresses: Vec<Multiaddr> = home
            .addresses
            .iter()
            .filter_map(|text| address::parse(text).ok())
            .filter(|address| address::is_usable(address, with_private))
            .collect();
        while !peers.is_empty() {
            let peer = peers.remove(0);
            let dial = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses.clone())
                .extend_addresses_through_behaviour()
                .build();
            // Another part may be dialing the same peer; its connection serves as well.
            let outcome = self.swarm.dial(dial);
            if outcome.is_ok() || is_dialing(&outcome) {
                let wanted = Wanted {
                    home,
                    others: peers,
                    deadline,
                };
                self.wanted.insert(peer, wanted);
                return;
            }
        }
        self.unreachable(home.node, LATER);
    }

    /// Hosts of a node, without this one.
    fn hosts(&self, home: &HomeNode) -> Vec<PeerId> {
        let own = *self.swarm.local_peer_id();
        home.peers
            .iter()
            .filter_map(|bytes| PeerId::from_bytes(bytes).ok())
            .filter(|peer| *peer != own)
            .take(MOST_HOSTS)
            .collect()
    }
}

fn is_dialing(outcome: &Result<(), DialError>) -> bool {
    matches!(outcome, Err(DialError::DialPeerConditionFalse(_)))
}

/// Nodes that are dialed at once.
const MOST_WANTED: usize = 256;
/// Hosts of one node that are tried.
const MOST_HOSTS: usize = 4;
/// A node must be connected and admitted by then.
const DIALING: Duration = Duration::from_secs(30);
/// Pause that is asked for when nothing better is known.
const LATER: Duration = Duration::from_secs(10);
/// Chunks that wait for a node to be admitted.
const MOST_FETCHES: usize = 64;
/// Longest such wait.
const FETCHING: Duration = Duration::from_secs(30);
