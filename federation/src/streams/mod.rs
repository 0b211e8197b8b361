//! Raw streams of our own protocols, each on the connection it was meant for.

mod handler;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, StreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use tokio::sync::oneshot;

use crate::gate::{Access, Gates};

pub(crate) use handler::{Handler, Opened};

/// A protocol of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// First part of a session, until both enclaves have admitted each other.
    Attest,
    /// Chunks of attachments.
    Attachment,
    /// The rest of a session.
    MessageSpace,
    /// The signed network file.
    Roster,
}

/// A stream that a peer has opened.
#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
    pub(crate) protocol: Protocol,
    pub(crate) stream: Opened,
}

/// Has a handler open a stream; the answer is dropped when that fails.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) protocol: Protocol,
    pub(crate) reply: oneshot::Sender<Opened>,
}

/// Opens and accepts streams of [`Protocol`].
pub(crate) struct Streams {
    gates: Gates,
    serves_roster: bool,
    queue: VecDeque<ToSwarm<Inbound, Open>>,
}

impl Protocol {
    pub(crate) const ALL: [Self; 4] = [
        Self::Attest,
        Self::Attachment,
        Self::MessageSpace,
        Self::Roster,
    ];

    pub(crate) const fn name(self) -> StreamProtocol {
        StreamProtocol::new(match self {
            Self::Attest => "/vettid/attest/1",
            Self::Attachment => "/vettid/attachment/1",
            Self::MessageSpace => "/vettid/messagespace/1",
            Self::Roster => "/vettid/roster/1",
        })
    }

    /// Who may open it.
    const fn needs(self) -> Access {
        match self {
            Self::Attest => Access::ATTEST.or(Access::PEER),
            Self::Attachment => Access::PEER,
            // It waits unread until this side admits the peer, which may be a moment later.
            Self::MessageSpace => Access::ATTEST.or(Access::PEER),
            Self::Roster => Access::INTRODUCER,
        }
    }

    /// How many of a peer's streams are open at once on one connection.
    const fn at_once(self) -> usize {
        match self {
            // The one in use and the one that takes its place.
            Self::Attest | Self::MessageSpace => 2,
            Self::Attachment => 4,
            Self::Roster => 1,
        }
    }
}

impl Streams {
    pub(crate) const fn new(gates: Gates, serves_roster: bool) -> Self {
        Self {
            gates,
            serves_roster,
            queue: VecDeque::new(),
        }
    }

    /// Opens a stream on a connection.
    pub(crate) fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: Protocol,
    ) -> oneshot::Receiver<Opened> {
        let (reply, stream) = oneshot::channel();
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Open { protocol, reply },
        });
        stream
    }

    fn handler(&self, connection: ConnectionId) -> Handler {
        Handler::new(self.gates.of(connection), self.serves_roster)
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Inbound;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(id))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(id))
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        (protocol, stream): THandlerOutEvent<Self>,
    ) {
        // Each handler holds few streams, and the driver takes them at once.
        self.queue.push_back(ToSwarm::GenerateEvent(Inbound {
            peer,
            connection,
            protocol,
            stream,
        }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
