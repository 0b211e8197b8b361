//! A handler that can tell again what its peer serves.

use std::collections::{HashSet, VecDeque};
use std::task::{Context, Poll};

use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, ProtocolSupport, ProtocolsChange,
};
use libp2p::swarm::{StreamProtocol, SubstreamProtocol};

/// Handler of one connection that can be made to tell again whether its peer checks addresses.
pub(crate) struct Recalling<H> {
    inner: H,
    serves: bool,
    queue: VecDeque<ProtocolSupport>,
}

/// What a [`Recalling`] is told.
#[derive(Debug)]
pub(crate) enum Told<T> {
    /// The behaviour does not know any more whether the peer checks addresses.
    Recall,
    /// Something for the handler that is wrapped.
    Inner(T),
}

impl<H> Recalling<H> {
    pub(super) const fn new(inner: H) -> Self {
        Self {
            inner,
            serves: false,
            queue: VecDeque::new(),
        }
    }

    /// Notes whether the peer checks addresses.
    fn note(&mut self, change: &ProtocolsChange<'_>) {
        let (mut named, serves) = match change {
            ProtocolsChange::Added(added) => (added.clone().collect::<Vec<_>>(), true),
            ProtocolsChange::Removed(removed) => (removed.clone().collect::<Vec<_>>(), false),
        };
        named.retain(|protocol| **protocol == CHECKS);
        if !named.is_empty() {
            self.serves = serves;
        }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Recalling<H> {
    type FromBehaviour = Told<H::FromBehaviour>;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        match self.queue.pop_front() {
            Some(support) => Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(support)),
            None => self.inner.poll(cx),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, told: Self::FromBehaviour) {
        match told {
            // The handler that is wrapped tells it when it learns it: it learns it anew.
            Told::Recall if self.serves => {
                let checks = HashSet::from([CHECKS]);
                self.queue
                    .push_back(ProtocolSupport::Removed(checks.clone()));
                self.queue.push_back(ProtocolSupport::Added(checks));
            }
            Told::Recall => {}
            Told::Inner(event) => self.inner.on_behaviour_event(event),
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
        if let ConnectionEvent::RemoteProtocolsChange(change) = &event {
            self.note(change);
        }
        self.inner.on_connection_event(event);
    }
}

/// What those speak who check addresses (libp2p, AutoNAT v2).
const CHECKS: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-request");
