//! Decides who may connect, before anything is built for a connection.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use tokio::time::Instant;

use super::crowd::{Admits, Crowd};
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
    admits_at_all: bool,
    private_addresses: bool,
    crowd: Crowd,
    /// Strangers that have made room for others.
    leaving: VecDeque<(PeerId, ConnectionId)>,
}

/// Why the guard refuses a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
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
            crowd: Crowd::new(gates.clone(), admits),
            gates,
            kept_out,
            introducers,
            admits_at_all: admits.at_all,
            private_addresses,
            leaving: VecDeque::new(),
        }
    }

    fn let_in(
        &self,
        connection: ConnectionId,
        peer: PeerId,
    ) -> Result<dummy::ConnectionHandler, ConnectionDenied> {
        if self.kept_out.wait(&peer, Instant::now()).is_some() {
            return Err(Denied::KeptOut.into());
        }
        let access = if self.admits_at_all && !self.introducers.contains(&peer) {
            Access::ATTEST
        } else {
            Access::INTRODUCER
        };
        self.gates.of(connection).set(access);
        Ok(dummy::ConnectionHandler)
    }
}

impl NetworkBehaviour for Guard {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if self.kept_out.keeps_out(remote, Instant::now()) {
            return Err(Denied::KeptOut.into());
        }
        Ok(self.crowd.begin(id, local, remote)?)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let handler = self.let_in(id, peer)?;
        if !self.introducers.contains(&peer) {
            self.leaving
                .extend(self.crowd.enter(id, peer, Instant::now())?);
        }
        Ok(handler)
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
        if addresses.len() <= ADDRESSES && addresses.iter().all(usable) {
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
            FromSwarm::ConnectionClosed(closed) => self.crowd.release(closed.connection_id),
            FromSwarm::DialFailure(failure) => self.crowd.release(failure.connection_id),
            FromSwarm::ListenFailure(failure) => self.crowd.release(failure.connection_id),
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
        match self.leaving.pop_front() {
            None => Poll::Pending,
            Some((peer_id, id)) => Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::One(id),
            }),
        }
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

/// Addresses of one dial: an honest peer has fewer, and each is tried.
const ADDRESSES: usize = 32;
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

    #[test]
    fn private_address_that_others_ask_for_is_not_dialed() {
        let admits = Admits {
            at_all: true,
            strangers: 1,
            of_one_network: 1,
            of_one_neighborhood: 1,
        };
        let (gates, kept_out) = (Gates::default(), KeptOut::new());
        let mut guard = Guard::new(gates, kept_out, HashSet::new(), admits, false);
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
