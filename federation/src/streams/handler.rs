//! Streams on one connection.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, FullyNegotiatedInbound,
    FullyNegotiatedOutbound,
};
use libp2p::swarm::{Stream, StreamProtocol, SubstreamProtocol};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Open, Protocol};
use crate::gate::{Access, Gate};

/// A stream; counts against its peer until it is dropped.
#[derive(Debug)]
pub(crate) struct Opened {
    stream: Stream,
    _counted: Option<OwnedSemaphorePermit>,
}

/// Opens and accepts the streams of one connection.
pub(crate) struct Handler {
    gate: Arc<Gate>,
    serves_roster: bool,
    wanted: VecDeque<Open>,
    accepted: VecDeque<(Protocol, Opened)>,
    /// How many more streams of each protocol the peer may open; `None` until it opens one.
    free: [Option<Arc<Semaphore>>; 4],
}

/// Names the protocols of a stream; they need no exchange of their own.
pub(crate) struct Offer(Vec<StreamProtocol>);

impl Handler {
    pub(crate) fn new(gate: Arc<Gate>, serves_roster: bool) -> Self {
        Self {
            gate,
            serves_roster,
            wanted: VecDeque::new(),
            accepted: VecDeque::new(),
            free: [const { None }; 4],
        }
    }

    fn serves(&self, protocol: Protocol) -> bool {
        self.gate.allows(protocol.needs()) && (protocol != Protocol::Roster || self.serves_roster)
    }

    /// Takes a stream of a peer, unless it has too many.
    fn accept(&mut self, stream: Stream, name: &StreamProtocol) {
        let mut known = Protocol::ALL.into_iter().zip(&mut self.free);
        let found = known.find(|(known, _)| known.name() == *name);
        let Some((protocol, free)) = found else {
            return;
        };
        let free = free.get_or_insert_with(|| Arc::new(Semaphore::new(protocol.at_once())));
        if let Ok(permit) = free.clone().try_acquire_owned() {
            let opened = Opened {
                stream,
                _counted: Some(permit),
            };
            self.accepted.push_back((protocol, opened));
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = (Protocol, Opened);
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = oneshot::Sender<Opened>;

    fn listen_protocol(&self) -> SubstreamProtocol<Offer, ()> {
        let served = Protocol::ALL.into_iter().filter(|p| self.serves(*p));
        SubstreamProtocol::new(Offer(served.map(Protocol::name).collect()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.gate.allows(Access::PEER)
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Offer, oneshot::Sender<Opened>, (Protocol, Opened)>> {
        if let Some(accepted) = self.accepted.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(accepted));
        }
        match self.wanted.pop_front() {
            Some(Open { protocol, reply }) => {
                let protocol = SubstreamProtocol::new(Offer(vec![protocol.name()]), reply);
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, open: Open) {
        if self.wanted.len() < MOST_WANTED {
            self.wanted.push_back(open);
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Offer, Offer, (), oneshot::Sender<Opened>>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, name),
                ..
            }) => self.accept(stream, &name),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, _),
                info,
            }) => {
                let opened = Opened {
                    stream,
                    _counted: None,
                };
                // Whoever asked may have given up.
                let _ = info.send(opened);
            }
            // A sender that is dropped tells of the failure.
            _ => {}
        }
    }
}

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl AsyncRead for Opened {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, bytes)
    }
}

impl AsyncWrite for Opened {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Streams that this side waits for on one connection.
const MOST_WANTED: usize = 32;
