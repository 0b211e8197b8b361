//! A behaviour that is asleep on connections without its access.

use std::iter::Take;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, UpgradeInfo};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, FullyNegotiatedInbound,
    InboundUpgradeSend, ListenUpgradeError, UpgradeInfoSend,
};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, Stream, SubstreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};

use super::{Access, Gate, Gates};

/// `B`, served only on connections with one kind of its access.
pub(crate) struct Gated<B> {
    inner: B,
    gates: Gates,
    needs: Access,
    watched: bool,
}

/// Handler of [`Gated`] on one connection.
pub(crate) struct GatedHandler<H> {
    inner: H,
    gate: Arc<Gate>,
    needs: Access,
    watched: bool,
}

/// The protocols of `U`, or none.
pub(crate) struct GatedUpgrade<U> {
    inner: U,
    open: bool,
}

impl<B> Gated<B> {
    pub(crate) const fn new(inner: B, gates: Gates, needs: Access) -> Self {
        Self {
            inner,
            gates,
            needs,
            watched: false,
        }
    }

    /// The same; its connections note when it has asked for a stream. One protocol at most.
    pub(crate) fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    pub(crate) const fn inner(&mut self) -> &mut B {
        &mut self.inner
    }

    fn handler<H>(&self, inner: H, connection: ConnectionId) -> GatedHandler<H> {
        GatedHandler {
            inner,
            gate: self.gates.of(connection),
            needs: self.needs,
            watched: self.watched,
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = GatedHandler<THandler<B>>;
    type ToSwarm = B::ToSwarm;

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
        let inner = self
            .inner
            .handle_established_inbound_connection(id, peer, local, remote)?;
        Ok(self.handler(inner, id))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner
            .handle_pending_outbound_connection(id, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self
            .inner
            .handle_established_outbound_connection(id, peer, address, role, port)?;
        Ok(self.handler(inner, id))
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
        self.inner.poll(cx)
    }
}

impl<H: ConnectionHandler> ConnectionHandler for GatedHandler<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = GatedUpgrade<H::InboundProtocol>;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        let open = self.gate.allows(self.needs);
        self.inner
            .listen_protocol()
            .map_upgrade(|inner| GatedUpgrade { inner, open })
    }

    fn connection_keep_alive(&self) -> bool {
        self.gate.allows(self.needs) && self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        self.gate.waker.register(cx.waker());
        if !self.gate.allows(self.needs.to_ask()) {
            return Poll::Pending;
        }
        let polled = self.inner.poll(cx);
        if let Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { .. }) = &polled
            && self.watched
        {
            self.gate.asked.store(true, Ordering::Release);
        }
        polled
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
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
        let event = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info }) => {
                ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info })
            }
            ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error }) => {
                ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error })
            }
            ConnectionEvent::FullyNegotiatedOutbound(event) => {
                ConnectionEvent::FullyNegotiatedOutbound(event)
            }
            ConnectionEvent::DialUpgradeError(event) => ConnectionEvent::DialUpgradeError(event),
            ConnectionEvent::AddressChange(event) => ConnectionEvent::AddressChange(event),
            ConnectionEvent::LocalProtocolsChange(event) => {
                ConnectionEvent::LocalProtocolsChange(event)
            }
            ConnectionEvent::RemoteProtocolsChange(event) => {
                ConnectionEvent::RemoteProtocolsChange(event)
            }
            _ => return,
        };
        self.inner.on_connection_event(event);
    }
}

impl<U: UpgradeInfoSend> UpgradeInfo for GatedUpgrade<U> {
    type Info = U::Info;
    type InfoIter = Take<U::InfoIter>;

    fn protocol_info(&self) -> Self::InfoIter {
        let offered = if self.open { usize::MAX } else { 0 };
        self.inner.protocol_info().take(offered)
    }
}

impl<U: InboundUpgradeSend> InboundUpgrade<Stream> for GatedUpgrade<U> {
    type Output = U::Output;
    type Error = U::Error;
    type Future = U::Future;

    fn upgrade_inbound(self, stream: Stream, info: Self::Info) -> Self::Future {
        self.inner.upgrade_inbound(stream, info)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use libp2p::ping;

    use super::*;

    /// Whether it is noted that a protocol has asked for a stream.
    async fn notes(watch: impl Fn(Gated<ping::Behaviour>) -> Gated<ping::Behaviour>) -> bool {
        let (gates, id) = (Gates::default(), ConnectionId::new_unchecked(1));
        let ping = ping::Behaviour::default();
        let mut ping = watch(Gated::new(ping, gates.clone(), Access::ATTEST));
        let address = "/memory/1".parse().expect("address");
        let (peer, role, port) = (PeerId::random(), Endpoint::Dialer, PortUse::New);
        let handler = ping.handle_established_outbound_connection(id, peer, &address, role, port);
        let mut handler = handler.expect("handler");
        let mut cx = Context::from_waker(std::task::Waker::noop());

        assert!(handler.poll(&mut cx).is_pending());
        assert!(!gates.has_asked(id));
        gates.set(id, Access::ATTEST);
        poll_fn(|cx| handler.poll(cx)).await;

        gates.has_asked(id)
    }

    #[tokio::test]
    async fn stream_that_a_watched_protocol_asks_for_is_noted() {
        assert!(notes(Gated::watched).await);
        assert!(!notes(|ping| ping).await);
    }
}
