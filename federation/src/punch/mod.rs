//! Holes through address translation (DCUtR), punched again.
//!
//! The library tries right after two have met at a relay, with the addresses that it knew when they
//! connected, and gives up when a router, a busy machine or an address learned too late was in the way.
//! Here each try has a handler of its own, with what is known by then, on the connection that is there.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, SubstreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, dcutr};
use tokio::time::Instant;

use crate::bucket::Bucket;

/// DCUtR that can be asked to try again.
///
/// One dial at a time for a peer: the library takes a second one that gets through for a fault of its own
/// and panics. Few for all peers, and few from one connection: what a peer says is dialed.
pub(crate) struct Punch {
    inner: dcutr::Behaviour,
    relayed: HashMap<ConnectionId, Relayed>,
    /// Whom the library dials, or was just told something that may make it; and by which connection.
    dialing: HashMap<PeerId, Option<ConnectionId>>,
    renewed: VecDeque<ToSwarm<dcutr::Event, THandlerInEvent<Self>>>,
}

/// A connection through a relay.
struct Relayed {
    peer: PeerId,
    endpoint: ConnectedPoint,
    tries: Bucket,
}

/// Handler of one connection: that of the newest try.
pub(crate) struct Newest<H>(H);

/// What a [`Newest`] is told.
pub(crate) enum Told<H: ConnectionHandler> {
    /// This one takes the place of what is there.
    Renew(Box<H>),
    /// Something for the handler that is there.
    Inner(H::FromBehaviour),
}

impl Punch {
    pub(crate) fn new(own: PeerId) -> Self {
        Self {
            inner: dcutr::Behaviour::new(own),
            relayed: HashMap::new(),
            dialing: HashMap::new(),
            renewed: VecDeque::new(),
        }
    }

    /// Begins anew on a connection through a relay that the peer has dialed; on others that is the
    /// peer's part (DCUtR: the listening side asks).
    pub(crate) fn again(&mut self, id: ConnectionId) {
        let relayed = self.relayed.get(&id);
        let relayed = relayed.filter(|relayed| relayed.endpoint.is_listener());
        if relayed.is_some_and(|relayed| !self.dialing.contains_key(&relayed.peer)) {
            self.renew(id);
        }
    }

    /// Whether the library may hear what the handler of a connection says: it may dial then.
    fn may_dial(&mut self, id: ConnectionId, now: Instant) -> bool {
        let Some(relayed) = self.relayed.get_mut(&id) else {
            return true;
        };
        let has_room = self.dialing.len() < DIALS && !self.dialing.contains_key(&relayed.peer);
        has_room && relayed.tries.take(now)
    }

    /// A dial has come to its end.
    fn dialed(&mut self, id: ConnectionId) {
        self.dialing.retain(|_, dial| *dial != Some(id));
    }

    /// Gives a connection a handler that knows the addresses known by now.
    fn renew(&mut self, id: ConnectionId) {
        let Some(Relayed { peer, endpoint, .. }) = self.relayed.get(&id) else {
            return;
        };
        // The library keeps no record of handlers on relayed connections.
        let handler = match endpoint {
            ConnectedPoint::Listener {
                local_addr,
                send_back_addr,
            } => self.inner.handle_established_inbound_connection(
                id,
                *peer,
                local_addr,
                send_back_addr,
            ),
            ConnectedPoint::Dialer {
                address,
                role_override,
                port_use,
            } => self.inner.handle_established_outbound_connection(
                id,
                *peer,
                address,
                *role_override,
                *port_use,
            ),
        };
        if let Ok(handler) = handler {
            self.renewed.push_back(ToSwarm::NotifyHandler {
                peer_id: *peer,
                handler: NotifyHandler::One(id),
                event: Told::Renew(Box::new(handler)),
            });
        }
    }
}

impl NetworkBehaviour for Punch {
    type ConnectionHandler = Newest<THandler<dcutr::Behaviour>>;
    type ToSwarm = dcutr::Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner
            .handle_established_inbound_connection(id, peer, local, remote)
            .map(Newest)
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
            .map(Newest)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match &event {
            FromSwarm::ConnectionEstablished(new) if new.endpoint.is_relayed() => {
                let relayed = Relayed {
                    peer: new.peer_id,
                    endpoint: new.endpoint.clone(),
                    tries: Bucket::new(TRIES, ANOTHER, Instant::now()),
                };
                self.relayed.insert(new.connection_id, relayed);
            }
            FromSwarm::ConnectionEstablished(new) => {
                self.dialed(new.connection_id);
            }
            FromSwarm::DialFailure(failed) => self.dialed(failed.connection_id),
            FromSwarm::ConnectionClosed(closed) => {
                self.relayed.remove(&closed.connection_id);
            }
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
        if self.may_dial(id, Instant::now()) {
            self.dialing.insert(peer, None);
            self.inner.on_connection_handler_event(peer, id, event);
        }
        // The side that answers cannot know when it is asked next: it is ready once a try is over.
        let relayed = self.relayed.get(&id);
        if relayed.is_some_and(|relayed| relayed.endpoint.is_dialer()) {
            self.renew(id);
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(renewed) = self.renewed.pop_front() {
            return Poll::Ready(renewed);
        }
        let Poll::Ready(event) = self.inner.poll(cx) else {
            // What it was told has made it dial nobody.
            self.dialing.retain(|_, dial| dial.is_some());
            return Poll::Pending;
        };
        if let ToSwarm::Dial { opts } = &event
            && let Some(peer) = opts.get_peer_id()
        {
            self.dialing.insert(peer, Some(opts.connection_id()));
        }
        Poll::Ready(event.map_in(Told::Inner))
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Newest<H> {
    type FromBehaviour = Told<H>;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.0.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.0.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        self.0.poll(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.0.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, told: Self::FromBehaviour) {
        match told {
            Told::Renew(handler) => self.0 = *handler,
            Told::Inner(event) => self.0.on_behaviour_event(event),
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        self.0.on_connection_event(event);
    }
}

impl<H: ConnectionHandler> fmt::Debug for Told<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renew(_) => formatter.write_str("Renew"),
            Self::Inner(event) => formatter.debug_tuple("Inner").field(event).finish(),
        }
    }
}

/// Dials at once.
const DIALS: usize = 16;
/// Tries that one connection begins at once.
const TRIES: u32 = 8;
/// Time after which it may begin one more.
const ANOTHER: Duration = Duration::from_secs(60);
