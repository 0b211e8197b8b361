//! What peers say of themselves and of this host. Whoever connects can say it, so of this host's
//! own address only those are believed that introduce others, and few addresses of each.

use std::collections::HashSet;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, identify};
use tokio::time::Instant;

use crate::address;
use crate::bucket::Bucket;

/// Identify, of which others learn only what may be believed.
pub(crate) struct Identified {
    inner: identify::Behaviour,
    introducers: HashSet<PeerId>,
    private_addresses: bool,
    /// Who has spoken last: what follows is by this peer.
    speaker: Option<PeerId>,
    /// Addresses that this host may have, as others were told. Those who check them forget none.
    candidates: HashSet<Multiaddr>,
    room: Bucket,
}

impl Identified {
    pub(crate) fn new(
        inner: identify::Behaviour,
        introducers: HashSet<PeerId>,
        private_addresses: bool,
    ) -> Self {
        Self {
            inner,
            introducers,
            private_addresses,
            speaker: None,
            candidates: HashSet::new(),
            room: Bucket::new(CANDIDATES, ANOTHER, Instant::now()),
        }
    }

    /// Tells all who are connected where this host is now: the library does so of its own accord when it
    /// listens elsewhere, and not when it is found out from where it is reached.
    pub(crate) fn push(&mut self, peers: impl IntoIterator<Item = PeerId>) {
        self.inner.push(peers);
    }

    /// Whether the last speaker is believed about an address of this host.
    fn believes(&mut self, candidate: &Multiaddr, now: Instant) -> bool {
        let introduces = self.speaker.is_some_and(|p| self.introducers.contains(&p));
        if !introduces || !address::is_usable(candidate, self.private_addresses) {
            return false;
        }
        if self.candidates.contains(candidate) {
            return true;
        }
        let has_room = self.room.take(now);
        if has_room {
            self.candidates.insert(candidate.clone());
        }
        has_room
    }
}

impl NetworkBehaviour for Identified {
    type ConnectionHandler = THandler<identify::Behaviour>;
    type ToSwarm = identify::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner
            .handle_pending_inbound_connection(id, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_inbound_connection(id, peer, local, remote)
    }

    /// What a peer has said of itself is tried, as far as it may be dialed.
    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let said = self
            .inner
            .handle_pending_outbound_connection(id, peer, addresses, role)?;
        let usable = |address: &Multiaddr| address::is_usable(address, self.private_addresses);
        Ok(said.into_iter().filter(usable).collect())
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
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.inner.on_connection_handler_event(peer, id, event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let event = ready!(self.inner.poll(cx));
            match &event {
                // What follows from it comes right behind it.
                ToSwarm::GenerateEvent(identify::Event::Received { peer_id, .. }) => {
                    self.speaker = Some(*peer_id);
                }
                ToSwarm::NewExternalAddrCandidate(candidate)
                    if !self.believes(candidate, Instant::now()) =>
                {
                    continue;
                }
                _ => {}
            }
            return Poll::Ready(event);
        }
    }
}

/// Addresses that this host may have that are passed on at once.
const CANDIDATES: u32 = 64;
/// Time after which one more is.
const ANOTHER: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    fn identified(introducer: PeerId) -> Identified {
        let key = Keypair::generate_ed25519().public();
        let inner = identify::Behaviour::new(identify::Config::new("/test/1".into(), key));
        Identified::new(inner, HashSet::from([introducer]), false)
    }

    fn candidate(number: usize) -> Multiaddr {
        format!("/ip4/8.8.8.8/tcp/{}", number + 1)
            .parse()
            .expect("address")
    }

    #[test]
    fn strangers_are_not_believed_about_this_hosts_address() {
        let (introducer, now) = (PeerId::random(), Instant::now());
        let mut identified = identified(introducer);
        identified.speaker = Some(PeerId::random());
        assert!(!identified.believes(&candidate(0), now));

        identified.speaker = Some(introducer);
        assert!(identified.believes(&candidate(0), now));
        let private = "/ip4/10.0.0.1/tcp/1".parse().expect("address");
        assert!(!identified.believes(&private, now));
    }

    #[test]
    fn flood_of_addresses_is_bounded_and_known_ones_count_again() {
        let (introducer, now) = (PeerId::random(), Instant::now());
        let mut identified = identified(introducer);
        identified.speaker = Some(introducer);
        let mut believed = |from: usize, now| {
            let addresses = (from..from + 1_000).map(candidate);
            addresses.filter(|a| identified.believes(a, now)).count()
        };

        assert_eq!(believed(0, now), 64);
        assert_eq!(believed(0, now), 64);
        assert_eq!(believed(2_000, now), 0);
        assert_eq!(believed(2_000, now + ANOTHER), 1);
    }
}
