//! Decides who may connect, before anything is built for a connection.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use tokio::time::Instant;

use super::{Access, Gates};
use crate::address;
use crate::backoff::Backoff;

/// Peers and addresses that are kept out. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct KeptOut(Arc<Mutex<Lists>>);

#[derive(Debug)]
struct Lists {
    peers: Backoff<PeerId>,
    addresses: Backoff<IpAddr>,
}

/// Refuses connections of those who are kept out, and to where nobody should be led; gives every
/// other connection its first access.
pub(crate) struct Guard {
    gates: Gates,
    kept_out: KeptOut,
    introducers: HashSet<PeerId>,
    admits: Admits,
    private_addresses: bool,
    /// Connections from others that are up or being made, and the network of each; none for one
    /// that came through a relay or from this machine.
    inbound: HashMap<ConnectionId, Option<IpAddr>>,
    networks: HashMap<IpAddr, usize>,
}

/// How many are let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admits {
    /// Whether peers are admitted here.
    pub(crate) at_all: bool,
    /// Connections from others that are not admitted.
    pub(crate) strangers: usize,
    /// Connections from one network.
    pub(crate) of_one_network: usize,
}

/// Why the guard refuses a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Denied {
    KeptOut,
    NetworkFull,
    NoUsableAddress,
    TooManyStrangers,
}

impl KeptOut {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Lists {
            peers: Backoff::new(0),
            // Several nodes may share an address.
            addresses: Backoff::new(2),
        })))
    }

    /// Keeps out a peer that was refused, and in the end its address; how long.
    pub(crate) fn refuse(&self, peer: PeerId, from: Option<IpAddr>, now: Instant) -> Duration {
        let mut lists = self.lock();
        if let Some(ip) = from.filter(|ip| !ip.is_loopback()) {
            lists.addresses.refuse(address::network(ip), now);
        }
        lists.peers.refuse(peer, now)
    }

    /// Keeps out a peer that has ended a connection without a word, or was too late: it may be
    /// busy, or this side was. For a short while, then.
    pub(crate) fn rest(&self, peer: PeerId, from: Option<IpAddr>, now: Instant) -> Duration {
        let mut lists = self.lock();
        if let Some(ip) = from.filter(|ip| !ip.is_loopback()) {
            let network = address::network(ip);
            lists.addresses.refuse_at_most(network, REST, now);
        }
        lists.peers.refuse_at_most(peer, REST, now)
    }

    /// A peer was admitted: its failures are forgotten.
    pub(crate) fn forgive(&self, peer: &PeerId, from: Option<IpAddr>) {
        let mut lists = self.lock();
        lists.peers.forgive(peer);
        if let Some(ip) = from {
            lists.addresses.forgive(&address::network(ip));
        }
    }

    /// How long a peer is kept out yet.
    pub(crate) fn wait(&self, peer: &PeerId, now: Instant) -> Option<Duration> {
        self.lock().peers.wait(peer, now)
    }

    /// How many peers are kept out.
    pub(crate) fn count(&self, now: Instant) -> usize {
        self.lock().peers.count(now)
    }

    fn keeps_out(&self, address: &Multiaddr, now: Instant) -> bool {
        // The first address of a relayed connection is the relay's.
        !address::is_relayed(address)
            && address::ip(address).is_some_and(|ip| {
                self.lock()
                    .addresses
                    .wait(&address::network(ip), now)
                    .is_some()
            })
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    pub(crate) fn new(
        gates: Gates,
        kept_out: KeptOut,
        introducers: HashSet<PeerId>,
        admits: Admits,
        private_addresses: bool,
    ) -> Self {
        Self {
            gates,
            kept_out,
            introducers,
            admits,
            private_addresses,
            inbound: HashMap::new(),
            networks: HashMap::new(),
        }
    }

    /// Counts a connection from others that is being made, if its network has room for it.
    fn count(&mut self, id: ConnectionId, remote: &Multiaddr) -> Result<(), Denied> {
        let network = address::ip(remote)
            .filter(|ip| !ip.is_loopback() && !address::is_relayed(remote))
            .map(address::network);
        if let Some(network) = network {
            let count = self.networks.entry(network).or_default();
            if *count >= self.admits.of_one_network {
                return Err(Denied::NetworkFull);
            }
            *count = count.saturating_add(1);
        }
        self.inbound.insert(id, network);
        Ok(())
    }

    /// A connection is gone.
    fn release(&mut self, id: ConnectionId) {
        self.gates.remove(id);
        let Some(network) = self.inbound.remove(&id).flatten() else {
            return;
        };
        if let Some(count) = self.networks.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.networks.remove(&network);
            }
        }
    }

    fn is_full_of_strangers(&self) -> bool {
        let is_stranger = |id: &&ConnectionId| self.gates.is_stranger(**id);
        let strangers = self.inbound.keys().filter(is_stranger).count();
        self.admits.at_all && strangers >= self.admits.strangers
    }

    fn let_in(
        &self,
        connection: ConnectionId,
        peer: PeerId,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        if self.kept_out.wait(&peer, Instant::now()).is_some() {
            return Err(Denied::KeptOut.into());
        }
        let access = if self.admits.at_all && !self.introducers.contains(&peer) {
            Access::ATTEST
        } else {
            Access::INTRODUCER
        };
        self.gates.set(connection, access);
        Ok(dummy::ConnectionHandler)
    }
}

impl NetworkBehaviour for Guard {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if self.kept_out.keeps_out(remote, Instant::now()) {
            return Err(Denied::KeptOut.into());
        }
        Ok(self.count(id, remote)?)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.introducers.contains(&peer) && self.is_full_of_strangers() {
            return Err(Denied::TooManyStrangers.into());
        }
        self.let_in(id, peer)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let now = Instant::now();
        if peer.is_some_and(|peer| self.kept_out.wait(&peer, now).is_some()) {
            return Err(Denied::KeptOut.into());
        }
        let trusted = peer.is_some_and(|peer| self.introducers.contains(&peer));
        let usable = |a: &Multiaddr| trusted || address::is_usable(a, self.private_addresses);
        if addresses.iter().all(usable) {
            Ok(vec![])
        } else {
            Err(Denied::NoUsableAddress.into())
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.let_in(id, peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.release(closed.connection_id),
            FromSwarm::DialFailure(failure) => self.release(failure.connection_id),
            FromSwarm::ListenFailure(failure) => self.release(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeptOut => "kept out after a refusal",
            Self::NetworkFull => "its network has as many connections as it may",
            Self::TooManyStrangers => "too many wait to be admitted",
            Self::NoUsableAddress => "leads to an address that is not public",
        })
    }
}

impl std::error::Error for Denied {}

impl From<Denied> for ConnectionDenied {
    fn from(denied: Denied) -> Self {
        Self::new(denied)
    }
}

/// Longest that somebody is kept out for what may be nobody's fault.
const REST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_kept_out_after_several_refusals_and_loopback_never() {
        let kept_out = KeptOut::new();
        let now = Instant::now();
        let ip: IpAddr = "2a00::1".parse().expect("address");
        let neighbor: Multiaddr = "/ip6/2a00::2/tcp/1".parse().expect("address");
        let loopback: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().expect("address");
        for _ in 0..3 {
            assert!(!kept_out.keeps_out(&neighbor, now));
            kept_out.refuse(PeerId::random(), Some(ip), now);
            kept_out.refuse(PeerId::random(), address::ip(&loopback), now);
        }

        assert!(kept_out.keeps_out(&neighbor, now));
        assert!(!kept_out.keeps_out(&loopback, now));
        assert_eq!(kept_out.count(now), 6);
    }

    fn guard(strangers: usize) -> Guard {
        let admits = Admits {
            at_all: true,
            strangers,
            of_one_network: 3,
        };
        let kept_out = KeptOut::new();
        Guard::new(Gates::default(), kept_out, HashSet::new(), admits, false)
    }

    fn arrives(guard: &mut Guard, id: usize, remote: &str) -> bool {
        let id = ConnectionId::new_unchecked(id);
        let own: Multiaddr = "/ip4/8.8.8.8/tcp/1".parse().expect("address");
        let remote = remote.parse().expect("address");
        guard
            .handle_pending_inbound_connection(id, &own, &remote)
            .is_ok()
            && guard
                .handle_established_inbound_connection(id, PeerId::random(), &own, &remote)
                .is_ok()
    }

    #[test]
    fn one_network_has_few_connections_and_others_are_let_in() {
        let mut guard = guard(100);
        for id in 0..3 {
            assert!(arrives(&mut guard, id, &format!("/ip6/2a00::{id}/tcp/1")));
        }
        assert!(!arrives(&mut guard, 3, "/ip6/2a00::9/tcp/1"));
        assert!(arrives(&mut guard, 4, "/ip6/2a00:0:0:1::9/tcp/1"));
        for id in 10..20 {
            assert!(arrives(&mut guard, id, "/ip4/127.0.0.1/tcp/1"));
        }

        guard.release(ConnectionId::new_unchecked(1));
        assert!(arrives(&mut guard, 5, "/ip6/2a00::9/tcp/1"));
        assert!(!arrives(&mut guard, 6, "/ip6/2a00::9/tcp/1"));
    }

    #[test]
    fn strangers_are_bounded_and_admitted_peers_do_not_count() {
        let mut guard = guard(2);
        assert!(arrives(&mut guard, 1, "/ip4/8.8.1.1/tcp/1"));
        assert!(arrives(&mut guard, 2, "/ip4/8.8.2.1/tcp/1"));
        assert!(!arrives(&mut guard, 3, "/ip4/8.8.3.1/tcp/1"));

        guard
            .gates
            .set(ConnectionId::new_unchecked(1), Access::PEER);
        assert!(arrives(&mut guard, 4, "/ip4/8.8.4.1/tcp/1"));
    }

    #[test]
    fn private_address_that_others_ask_for_is_not_dialed() {
        let mut guard = guard(1);
        let mut dial = |address: &str| {
            let addresses = [address.parse().expect("address")];
            let id = ConnectionId::new_unchecked(1);
            guard
                .handle_pending_outbound_connection(id, None, &addresses, Endpoint::Dialer)
                .is_ok()
        };

        assert!(!dial("/ip4/169.254.169.254/tcp/80"));
        assert!(dial("/ip4/8.8.8.8/tcp/80"));
    }
}
