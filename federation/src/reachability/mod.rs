//! Whether this host can be reached from outside (AutoNAT v2), checked again and again.
//!
//! The library checks an address once. One that is opened later, in a router for example, would stay
//! unknown until the host is started anew; one that is gone, as most homes have another every few
//! days, would be told to others for good. Here everything begins anew in rounds: what is confirmed
//! is checked in each, and so are the last few addresses that others have seen this host at.

mod recalling;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use getrandom::SysRng;
use libp2p::PeerId;
use libp2p::autonat::v2::client;
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint, Multiaddr};
use libp2p::swarm::behaviour::{ConnectionEstablished, NewExternalAddrCandidate};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use rand_core::UnwrapErr;
use tokio::time::{Instant, Sleep, sleep};

use recalling::{Recalling, Told};

use crate::address::is_relayed;

/// The library's part, with the system's random numbers.
type Client = client::Behaviour<UnwrapErr<SysRng>>;

/// When things are checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// From one look at what is to be checked to the next.
    pub(crate) look: Duration,
    /// From one round to the next.
    pub(crate) round: Duration,
    /// The same at first, while this host is reached nowhere; twice as long each time, up to the above.
    pub(crate) first: Duration,
    /// The same when a confirmed address is in doubt.
    pub(crate) doubt: Duration,
}

/// The asking side of AutoNAT v2, in rounds.
pub(crate) struct Reachability {
    inner: Client,
    pace: Pace,
    /// Who is asked and believed: not everybody who says that it checks addresses.
    checkers: HashSet<PeerId>,
    connections: HashMap<ConnectionId, (PeerId, ConnectedPoint)>,
    /// Where others have seen this host, the latest last: each says so once in a connection.
    seen: VecDeque<Multiaddr>,
    /// Addresses at which this host was reached, with how many checks in a row have failed since.
    confirmed: HashMap<Multiaddr, u32>,
    queue: VecDeque<ToSwarm<client::Event, THandlerInEvent<Self>>>,
    next: Pin<Box<Sleep>>,
    /// Rounds in a row that began while this host was reached nowhere.
    vain: u32,
}

impl Reachability {
    pub(crate) fn new(pace: Pace, checkers: HashSet<PeerId>) -> Self {
        Self {
            inner: client(pace),
            pace,
            checkers,
            connections: HashMap::new(),
            seen: VecDeque::new(),
            confirmed: HashMap::new(),
            queue: VecDeque::new(),
            next: Box::pin(sleep(pace.first)),
            vain: 0,
        }
    }

    fn begin_round(&mut self) {
        self.inner = client(self.pace);
        let pause = if self.confirmed.is_empty() {
            self.vain = self.vain.saturating_add(1);
            self.pace.first.saturating_mul(1 << self.vain.min(10))
        } else {
            self.vain = 0;
            self.pace.round
        };
        self.round_in(pause.min(self.pace.round));
        for (id, (peer, endpoint)) in &self.connections {
            let established = FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: *peer,
                connection_id: *id,
                endpoint,
                failed_addresses: &[],
                other_established: 0,
            });
            self.inner.on_swarm_event(established);
            self.queue.push_back(ToSwarm::NotifyHandler {
                peer_id: *peer,
                handler: NotifyHandler::One(*id),
                event: Told::Recall,
            });
        }
        let seen = self.seen.iter();
        let seen = seen.filter(|address| !self.confirmed.contains_key(*address));
        for addr in self.confirmed.keys().chain(seen) {
            let candidate = NewExternalAddrCandidate { addr };
            let candidate = FromSwarm::NewExternalAddrCandidate(candidate);
            self.inner.on_swarm_event(candidate);
        }
    }

    fn see(&mut self, address: &Multiaddr) {
        self.seen.retain(|seen| seen != address);
        self.seen.push_back(address.clone());
        if self.seen.len() > SEEN {
            self.seen.pop_front();
        }
    }

    fn round_in(&mut self, time: Duration) {
        self.next.as_mut().reset(Instant::now() + time);
    }

    fn note(&mut self, event: &ToSwarm<client::Event, THandlerInEvent<Client>>) {
        match event {
            ToSwarm::ExternalAddrConfirmed(address) => {
                let is_new = self.confirmed.insert(address.clone(), 0).is_none();
                if is_new && self.confirmed.len() > 1 {
                    // It may have taken the place of another.
                    self.round_in(self.pace.doubt);
                }
            }
            ToSwarm::GenerateEvent(checked) if checked.result.is_err() => {
                self.doubt(&checked.tested_addr);
            }
            _ => {}
        }
    }

    /// An address was not reached. One failure may be its checker's.
    fn doubt(&mut self, address: &Multiaddr) {
        let Some(failures) = self.confirmed.get_mut(address) else {
            return;
        };
        *failures += 1;
        if *failures < FAILURES {
            self.round_in(self.pace.doubt);
        } else {
            self.confirmed.remove(address);
            let expired = ToSwarm::ExternalAddrExpired(address.clone());
            self.queue.push_back(expired);
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(5),
            round: Duration::from_secs(900),
            first: Duration::from_secs(15),
            doubt: Duration::from_secs(60),
        }
    }
}

fn client(pace: Pace) -> Client {
    let config = client::Config::default().with_probe_interval(pace.look);
    Client::new(UnwrapErr(SysRng), config)
}

impl NetworkBehaviour for Reachability {
    type ConnectionHandler = Recalling<THandler<Client>>;
    type ToSwarm = client::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_inbound_connection(id, peer, local, remote)
            .map(Recalling::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_outbound_connection(id, peer, address, role, port)
            .map(Recalling::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match &event {
            FromSwarm::ConnectionEstablished(new) => {
                let connection = (new.peer_id, new.endpoint.clone());
                self.connections.insert(new.connection_id, connection);
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.connections.remove(&closed.connection_id);
            }
            FromSwarm::NewExternalAddrCandidate(candidate) if is_relayed(candidate.addr) => return,
            FromSwarm::NewExternalAddrCandidate(candidate) => self.see(candidate.addr),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        // Nobody is reached directly through a relay.
        let connection = self.connections.get(&id);
        let is_direct = connection.is_some_and(|(_, endpoint)| !endpoint.is_relayed());
        if is_direct && self.checkers.contains(&peer) {
            self.inner.on_connection_handler_event(peer, id, event);
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Poll::Ready(event);
            }
            if self.next.as_mut().poll(cx).is_ready() {
                self.begin_round();
                continue;
            }
            let Poll::Ready(event) = self.inner.poll(cx) else {
                return Poll::Pending;
            };
            self.note(&event);
            return Poll::Ready(event.map_in(Told::Inner));
        }
    }
}

/// Addresses that are checked again without having been confirmed: address translation that gives another
/// to every connection shall not keep others busy.
const SEEN: usize = 4;
/// Checks in a row after which a confirmed address is none any more.
const FAILURES: u32 = 2;
