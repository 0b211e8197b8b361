//! Dials: for a node that the enclave wants to talk to, one connection, by whichever of its hosts
//! answers.

use std::time::Duration;

use libp2p::connection_limits::Exceeded;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;
use tokio::time::Instant;
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;

use super::state::{Connection, Done, Driver, Fetch, Wanted};
use crate::address;
use crate::attachment::FetchError;
use crate::event::Event;
use crate::streams::{Opened, Protocol};

impl Driver {
    /// Has a link to a node, unless there is one or one is on its way. Who its hosts are, and where,
    /// is what somebody says: another node that is said to have the same host is tried on its own, and
    /// so is a node of which somebody else says something else.
    pub(super) fn dial(&mut self, home: &HomeNode) {
        if self.wanted.contains_key(home) {
            return;
        }
        let now = Instant::now();
        let peers = self.hosts(home);
        let waits = peers.iter().map(|peer| self.wait(home.node, peer, now));
        let wait = waits.min().flatten();
        if !self.is_node() || peers.is_empty() {
            self.unreachable(home.node, LATER);
        } else if let Some(wait) = wait {
            self.unreachable(home.node, wait);
        } else if self.wanted.len() >= self.config.limits.dials {
            self.dial_later(home);
        } else {
            self.make_room_for(home.node);
            self.dial_next(home.clone(), peers, now + self.config.limits.dialing, LATER);
        }
    }

    /// So that nobody who says untrue things of a node keeps others from dialing it, the oldest of too
    /// many tries ends.
    fn make_room_for(&mut self, node: NodeId) {
        let of_node = self.wanted.iter().filter(|(home, _)| home.node == node);
        if of_node.clone().count() < CLAIMS {
            return;
        }
        let oldest = of_node.min_by_key(|(_, wanted)| wanted.deadline);
        if let Some(oldest) = oldest.map(|(home, _)| home.clone()) {
            self.wanted.remove(&oldest);
        }
    }

    fn dial_later(&mut self, home: &HomeNode) {
        if self.to_dial.contains(home) {
            return;
        }
        let of_node = |other: &HomeNode| other.node == home.node;
        if self.to_dial.iter().filter(|other| of_node(other)).count() >= CLAIMS
            && let Some(oldest) = self.to_dial.iter().position(of_node)
        {
            self.to_dial.remove(oldest);
        }
        if self.to_dial.len() >= WAITING {
            self.unreachable(home.node, LATER);
        } else {
            self.to_dial.push_back(home.clone());
        }
    }

    /// How long a peer is not tried as a host of a node.
    fn wait(&self, node: NodeId, peer: &PeerId, now: Instant) -> Option<Duration> {
        let kept_out = self.shared.kept_out.wait(peer, now);
        kept_out.max(self.untrue.wait(&(node, *peer), now))
    }

    /// A dial has come to its end. If it has come through, whoever wanted it waits for the peer's
    /// word now.
    pub(super) fn dialed(&mut self, id: ConnectionId) {
        self.dialing.remove(&id);
        for wanted in self.wanted.values_mut() {
            if wanted.dial == Some(id) {
                wanted.dial = None;
            }
        }
    }

    /// A dial has failed: the next host of the node is tried, or the host is told.
    pub(super) fn on_dial_failed(&mut self, id: ConnectionId, peer: PeerId) {
        self.on_introducer_failed(peer);
        self.dialing.remove(&id);
        let is_connected = self.connections_of(peer).next().is_some();
        // Another dial of the same peer may have come through.
        let failed = |wanted: &Wanted| match wanted.dial {
            Some(dial) => dial == id && !is_connected,
            None => wanted.peer == peer && !is_connected,
        };
        for wanted in self.take_wanted(failed) {
            self.dial_next(wanted.home, wanted.others, wanted.deadline, LATER);
        }
        self.dialed(id);
    }

    /// A connection is gone: whoever has wanted its node meanwhile gets a new one.
    pub(super) fn dial_again(&mut self, peer: PeerId) {
        if self.connections_of(peer).next().is_some() {
            return;
        }
        for mut wanted in self.take_wanted(|w| w.peer == peer && w.dial.is_none()) {
            wanted.others.insert(0, peer);
            self.dial_next(wanted.home, wanted.others, wanted.deadline, LATER);
        }
    }

    /// A peer will not be talked to: whoever wants its node is told, unless it has another host.
    pub(super) fn give_up(&mut self, peer: PeerId, wait: Duration) {
        for wanted in self.take_wanted(|wanted| wanted.peer == peer) {
            self.dial_next(wanted.home, wanted.others, wanted.deadline, wait);
        }
    }

    /// A peer has named its node: it is no host of another, whoever said so.
    pub(super) fn on_named(&mut self, peer: PeerId, node: NodeId) {
        let now = Instant::now();
        for wanted in self.take_wanted(|w| w.peer == peer && w.home.node != node) {
            let wait = self.untrue.refuse((wanted.home.node, peer), now);
            self.dial_next(wanted.home, wanted.others, wanted.deadline, wait);
        }
    }

    fn take_wanted(&mut self, takes: impl Fn(&Wanted) -> bool) -> Vec<Wanted> {
        let taken = self.wanted.extract_if(|_, wanted| takes(wanted));
        taken.map(|(_, wanted)| wanted).collect()
    }

    pub(super) fn check_dials(&mut self, now: Instant) {
        for wanted in self.take_wanted(|wanted| wanted.deadline <= now) {
            self.unreachable(wanted.home.node, LATER);
        }
        while self.wanted.len() < self.config.limits.dials
            && let Some(home) = self.to_dial.pop_front()
        {
            let others = self.to_dial.len();
            self.dial(&home);
            if self.to_dial.len() > others {
                // There is no room for a dial yet, and it keeps its place.
                self.to_dial.rotate_right(1);
                break;
            }
        }
        self.fail_fetches(|fetch| fetch.deadline <= now || fetch.reply.is_closed());
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
        // Whoever has left holds no place.
        self.fetches.retain(|fetch| !fetch.reply.is_closed());
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

    /// Tells that a node was not reached, unless it is still tried elsewhere.
    fn unreachable(&mut self, node: NodeId, retry: Duration) {
        let mut tried = self.wanted.keys().chain(&self.to_dial);
        if tried.any(|home| home.node == node) {
            return;
        }
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

    /// Tries the first of `peers` that can be tried; tells the host when there is none.
    fn dial_next(
        &mut self,
        home: HomeNode,
        peers: Vec<PeerId>,
        deadline: Instant,
        retry: Duration,
    ) {
        let (node, now) = (home.node, Instant::now());
        let mut others = peers.into_iter();
        while let Some(peer) = others.next() {
            if self.wait(node, &peer, now).is_some() {
                continue;
            }
            let dial = match self.connected(peer) {
                Some((_, Some(other))) if other != node => continue,
                Some((id, admitted)) => {
                    if !self.live.values().any(|link| link.connection == id) {
                        self.open_link(id);
                    }
                    if admitted.is_some() {
                        return;
                    }
                    None
                }
                None => match self.start_dial(peer, &home) {
                    Dial::Started(dial) => Some(dial),
                    Dial::NotNeeded => None,
                    Dial::NoRoom => return self.dial_later(&home),
                    Dial::Failed => continue,
                },
            };
            let wanted = Wanted {
                home,
                peer,
                dial,
                others: others.collect(),
                deadline,
            };
            self.wanted.insert(wanted.home.clone(), wanted);
            return;
        }
        self.unreachable(node, retry);
    }

    /// A connection with a peer, and the node as which it is admitted.
    fn connected(&self, peer: PeerId) -> Option<(ConnectionId, Option<NodeId>)> {
        let admitted = |c: &Connection| c.admitted.map(|admission| admission.node);
        let connections = self.connections_of(peer).map(|(id, c)| (id, admitted(c)));
        connections.max_by_key(|(_, admitted)| admitted.is_some())
    }

    /// Dials a peer, whoever else may be dialing it elsewhere.
    fn start_dial(&mut self, peer: PeerId, home: &HomeNode) -> Dial {
        if self.dialing.len() >= self.config.limits.dials {
            return Dial::NoRoom;
        }
        let with_private = self.config.private_addresses;
        let addresses: Vec<Multiaddr> = home
            .addresses
            .iter()
            .filter_map(|text| address::parse(text).ok())
            .filter(|address| address::is_usable(address, with_private))
            .collect();
        let dial = DialOpts::peer_id(peer)
            .condition(PeerCondition::Disconnected)
            .addresses(addresses)
            .extend_addresses_through_behaviour()
            .build();
        let id = dial.connection_id();
        match self.swarm.dial(dial) {
            Ok(()) => {
                self.dialing.insert(id);
                Dial::Started(id)
            }
            Err(DialError::DialPeerConditionFalse(_)) => Dial::NotNeeded,
            Err(DialError::Denied { cause }) if cause.downcast_ref::<Exceeded>().is_some() => {
                Dial::NoRoom
            }
            Err(_) => Dial::Failed,
        }
    }

    /// Hosts of a node, without this one.
    fn hosts(&self, home: &HomeNode) -> Vec<PeerId> {
        let own = *self.swarm.local_peer_id();
        home.peers
            .iter()
            .filter_map(|bytes| PeerId::from_bytes(bytes).ok())
            .filter(|peer| *peer != own && !self.introducers.contains_key(peer))
            .take(MOST_HOSTS)
            .collect()
    }
}

/// What comes of a try to dial a peer.
enum Dial {
    Started(ConnectionId),
    /// A connection that is closing comes first.
    NotNeeded,
    /// As many dials are under way as may be.
    NoRoom,
    /// It cannot be dialed.
    Failed,
}

/// Nodes that may wait for their turn to be dialed.
const WAITING: usize = 1_024;
/// Different hosts that are tried at once for one node, each as somebody says.
const CLAIMS: usize = 8;
/// Hosts of one node that are tried.
const MOST_HOSTS: usize = 4;
/// Pause that is asked for when nothing better is known.
pub(super) const LATER: Duration = Duration::from_secs(10);
/// Chunks that wait for a node to be admitted.
const MOST_FETCHES: usize = 64;
/// Longest such wait.
const FETCHING: Duration = Duration::from_secs(30);
