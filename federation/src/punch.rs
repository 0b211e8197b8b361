//! Holes through address translation (DCUtR), punched again.
//!
//! The library tries right after two have met at a relay, with the addresses that it knew when they
//! connected, and gives up when a gate, a busy machine or an address learned too late was in the way.
//! Here each try has a handler of its own, with what is known by then, on the connection that is there.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, SubstreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, dcutr};

/// DCUtR that can be asked to try again.
pub(crate) struct Punch {
    inner: dcutr::Behaviour,
    /// Connections through relays.
    relayed: HashMap<ConnectionId, (PeerId, ConnectedPoint)>,
    renewed: VecDeque<ToSwarm<dcutr::Event, THandlerInEvent<Self>>>,
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
            renewed: VecDeque::new(),
        }
    }

    /// Begins anew on a connection through a relay that the peer has dialed; on others that is the
    /// peer's part (DCUtR: the listening side asks).
    pub(crate) fn again(&mut self, id: ConnectionId) {
        let endpoint = self.relayed.get(&id).map(|(_, endpoint)| endpoint);
        if endpoint.is_some_and(ConnectedPoint::is_listener) {
            self.renew(id);
        }
    }

    /// Gives a connection a handler that knows the addresses known by now.
    fn renew(&mut self, id: ConnectionId) {
        let Some((peer, endpoint)) = self.relayed.get(&id) else {
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
                let relayed = (new.peer_id, new.endpoint.clone());
                self.relayed.insert(new.connection_id, relayed);
            }
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
        self.inner.on_connection_handler_event(peer, id, event);
        // The side that answers cannot know when it is asked next: it is ready once a try is over.
        let endpoint = self.relayed.get(&id).map(|(_, endpoint)| endpoint);
        if endpoint.is_some_and(ConnectedPoint::is_dialer) {
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
        self.inner.poll(cx).map(|event| event.map_in(Told::Inner))
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

#[cfg(test)]
mod tests {
    use libp2p::swarm::StreamUpgradeError;
    use libp2p::swarm::behaviour::ConnectionEstablished;
    use libp2p::swarm::handler::DialUpgradeError;

    use super::*;

    type Handler = THandler<Punch>;

    /// A connection through a relay; its handler.
    fn connected(punch: &mut Punch, id: ConnectionId, is_listener: bool) -> Handler {
        let relay: Multiaddr = format!("/ip4/192.0.2.1/tcp/1/p2p/{}/p2p-circuit", PeerId::random())
            .parse()
            .expect("address");
        let peer = PeerId::random();
        let (endpoint, handler) = if is_listener {
            let endpoint = ConnectedPoint::Listener {
                local_addr: relay.clone(),
                send_back_addr: relay.clone(),
            };
            let handler = punch.handle_established_inbound_connection(id, peer, &relay, &relay);
            (endpoint, handler)
        } else {
            let endpoint = ConnectedPoint::Dialer {
                address: relay.clone(),
                role_override: Endpoint::Dialer,
                port_use: PortUse::New,
            };
            let (role, port) = (Endpoint::Dialer, PortUse::New);
            let handler =
                punch.handle_established_outbound_connection(id, peer, &relay, role, port);
            (endpoint, handler)
        };
        punch.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
        handler.expect("handler")
    }

    /// Whether it asks for a stream; with what it wants back when it is answered.
    fn asks(handler: &mut Handler) -> Option<<Handler as ConnectionHandler>::OutboundOpenInfo> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match handler.poll(&mut cx) {
            Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol }) => {
                Some(protocol.into_upgrade().1)
            }
            _ => None,
        }
    }

    /// What the handler is told next.
    fn told(punch: &mut Punch) -> Option<THandlerInEvent<Punch>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(event) = punch.poll(&mut cx) {
            if let ToSwarm::NotifyHandler { event, .. } = event {
                return Some(event);
            }
        }
        None
    }

    #[test]
    fn one_that_was_refused_is_asked_again() {
        let (mut punch, id) = (Punch::new(PeerId::random()), ConnectionId::new_unchecked(1));
        let mut handler = connected(&mut punch, id, true);
        for _ in 0..5 {
            let info = asks(&mut handler).expect("it asks");
            let error = StreamUpgradeError::NegotiationFailed;
            let refused = DialUpgradeError { info, error };
            handler.on_connection_event(ConnectionEvent::DialUpgradeError(refused));
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event)) = handler.poll(&mut cx)
            else {
                panic!("its behaviour is told");
            };
            punch.on_connection_handler_event(PeerId::random(), id, event);
            assert!(told(&mut punch).is_none());
            assert!(asks(&mut handler).is_none());

            punch.again(id);

            handler.on_behaviour_event(told(&mut punch).expect("a handler"));
        }
    }

    #[test]
    fn the_side_that_answers_never_asks() {
        let (mut punch, id) = (Punch::new(PeerId::random()), ConnectionId::new_unchecked(1));
        let mut handler = connected(&mut punch, id, false);

        punch.again(id);

        assert!(told(&mut punch).is_none());
        assert!(asks(&mut handler).is_none());
    }
}
