//! Who is there: bootstrap nodes, what peers say of themselves, and the routing table.

use std::net::IpAddr;
use std::time::Duration;

use libp2p::multiaddr::Protocol as Part;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, identify};
use tokio::time::Instant;

use super::paths::DIRECT;
use super::state::Driver;
use crate::address;
use crate::behaviour;
use crate::streams::Protocol;

impl Driver {
    /// Makes first contact.
    pub(super) fn begin(&mut self) {
        let known: Vec<_> = self
            .config
            .known
            .iter()
            .filter_map(|text| address::parse_peer(text).ok())
            .take(MOST_KNOWN)
            .collect();
        for (peer, address) in known {
            self.connect(peer, vec![address]);
        }
        self.check_introducers(Instant::now());
    }

    /// Keeps in contact with bootstrap nodes: with all of them at the start and while no peer is
    /// known, else with one at a time.
    pub(super) fn check_introducers(&mut self, now: Instant) {
        let is_connected = |peer: &PeerId| self.swarm.is_connected(peer);
        let bootstrap = || self.introducers.iter().filter(|(_, i)| i.introduces);
        let in_contact = bootstrap().any(|(peer, _)| is_connected(peer));
        let knows_peers = self.connections.values().any(|c| c.admitted.is_some());
        if in_contact && knows_peers {
            return;
        }
        let due: Vec<_> = bootstrap()
            .filter(|(peer, introducer)| {
                !is_connected(peer) && introducer.retry.is_none_or(|retry| retry <= now)
            })
            .map(|(peer, introducer)| (*peer, introducer.addresses.clone()))
            .collect();
        for (peer, addresses) in due {
            if let Some(introducer) = self.introducers.get_mut(&peer) {
                introducer.retry = Some(now + pause(introducer.failures));
                introducer.failures = introducer.failures.saturating_add(1);
            }
            self.connect(peer, addresses);
        }
    }

    /// A bootstrap node or relay is connected, or this host is one and a node is.
    pub(super) fn on_introducer(&mut self, peer: PeerId) {
        if let Some(introducer) = self.introducers.get_mut(&peer) {
            introducer.failures = 0;
        }
    }

    pub(super) fn on_introducer_failed(&mut self, peer: PeerId) {
        if let Some(introducer) = self.introducers.get_mut(&peer) {
            let retry = Instant::now() + pause(introducer.failures);
            introducer.retry = Some(retry);
        }
    }

    pub(super) fn on_identified(&mut self, event: identify::Event) {
        let identify::Event::Received {
            connection_id,
            peer_id,
            info,
        } = event
        else {
            return;
        };
        if info.protocol_version != behaviour::network_version(&self.config) {
            // Another network: it is nobody's fault, and nothing comes of it.
            self.keep_out(connection_id);
            self.close(connection_id);
            return;
        }
        self.on_known(connection_id);
        self.learn(peer_id, connection_id, &info);
        if info.protocols.contains(&Protocol::Roster.name()) {
            self.ask_roster(peer_id, connection_id);
        }
    }

    /// Remembers few of the addresses that a peer names, if it serves Kademlia.
    fn learn(&mut self, peer: PeerId, id: ConnectionId, info: &identify::Info) {
        let kad = self.swarm.behaviour_mut().kad.inner();
        let mut names = info.protocols.iter();
        let serves = names.any(|name| kad.protocol_names().contains(name));
        let with_private = self.config.private_addresses;
        let usable = info
            .listen_addrs
            .iter()
            .map(|address| address::without_peer(address.clone(), &peer))
            .filter(|address| address::is_usable(address, with_private))
            .take(vettid_wire::limits::HOME_ADDRESSES);
        let usable = if serves { usable.collect() } else { Vec::new() };
        if let Some(connection) = self.connections.get_mut(&id) {
            if connection.named != usable {
                connection.direct.tries = 0;
                connection.direct.at = connection.direct.at.min(Instant::now() + DIRECT);
            }
            connection.named = usable;
        }
        self.route(id);
    }

    /// Takes the peer of a connection into the routing table, once it may be there.
    pub(super) fn route(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let may_route = connection.introduces || connection.admitted.is_some();
        if !may_route || connection.named.is_empty() {
            return;
        }
        let (peer, named) = (connection.peer, connection.named.clone());
        let from = address::ip(&connection.address);
        let is_crowded = self.is_crowded(peer, from);
        let kad = self.swarm.behaviour_mut().kad.inner();
        // What it does not name any more is forgotten.
        kad.remove_peer(&peer);
        self.neighbors.remove(&peer);
        if is_crowded {
            return;
        }
        for address in named {
            kad.add_address(&peer, address);
        }
        if let Some(from) = from {
            self.neighbors.put(peer, from);
        }
    }

    /// Whether a part of the routing table has its share of peers from one neighborhood: whoever
    /// has many addresses side by side shall not have all of it.
    fn is_crowded(&mut self, peer: PeerId, from: Option<IpAddr>) -> bool {
        let is_lab = self.config.private_addresses;
        let Some(from) = from.filter(|_| !is_lab && !self.introducers.contains_key(&peer)) else {
            return false;
        };
        let kad = self.swarm.behaviour_mut().kad.inner();
        if self.neighbors.is_long() {
            let buckets = kad.kbuckets().flat_map(|bucket| {
                let peers = bucket.iter().map(|entry| *entry.node.key.preimage());
                peers.collect::<Vec<_>>()
            });
            self.neighbors.keep(&buckets.collect());
        }
        let Some(bucket) = kad.kbucket(peer) else {
            return false;
        };
        let others = bucket.iter().map(|entry| *entry.node.key.preimage());
        self.neighbors
            .is_full(others.filter(|other| *other != peer), from)
    }

    /// Peers with an address each, to begin with after a restart.
    pub(super) fn known(&mut self) -> Vec<String> {
        let own = *self.swarm.local_peer_id();
        let kad = self.swarm.behaviour_mut().kad.inner();
        let target = libp2p::kad::KBucketKey::from(own);
        let nearest: Vec<_> = kad.find_closest_local_peers(&target, &own).collect();
        nearest
            .into_iter()
            .filter(|peer| !self.introducers.contains_key(&peer.node_id))
            .filter_map(|peer| {
                let address =
                    address::without_peer(peer.multiaddrs.first()?.clone(), &peer.node_id);
                Some(address.with(Part::P2p(peer.node_id)).to_string())
            })
            .take(MOST_KNOWN)
            .collect()
    }

    pub(super) fn connect(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let dial = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses)
            .build();
        // A dial that is under way already is as good.
        let _ = self.swarm.dial(dial);
    }
}

/// Pause before a bootstrap node or relay is tried again.
pub(super) fn pause(failures: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(1 << failures.min(8))
        .min(LONGEST_PAUSE)
}

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Peers that are remembered over a restart.
const MOST_KNOWN: usize = 16;
