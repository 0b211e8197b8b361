//! A peer that keeps to no rule: bare streams, and Kademlia for asking.

use std::time::Duration;

use futures::StreamExt as _;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, Swarm, identify, kad};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{PATIENCE, network};
use crate::gate::{Access, Gates};
use crate::key::HostKey;
use crate::records::Homes;
use crate::streams::{Opened, Protocol, Streams};
use crate::{behaviour, transport};

#[derive(NetworkBehaviour)]
struct Bare {
    streams: Streams,
    identify: Toggle<identify::Behaviour>,
    kad: kad::Behaviour<Homes>,
}

enum Ask {
    Find(oneshot::Sender<bool>),
    Offered(oneshot::Sender<Vec<String>>),
    Open(Protocol, oneshot::Sender<Option<Opened>>),
}

/// Drives one raw connection to one host.
pub(super) struct Raw {
    asks: mpsc::Sender<Ask>,
    pub(super) closed: oneshot::Receiver<()>,
}

impl Raw {
    pub(super) async fn start(address: &str) -> Self {
        Self::with_key(address, HostKey::generate()).await
    }

    pub(super) async fn with_key(address: &str, key: HostKey) -> Self {
        Self::connect(address, key, true).await
    }

    /// Does not say who it is, so that its connection takes the place of no other of the same key.
    pub(super) async fn quiet(address: &str, key: HostKey) -> Self {
        Self::connect(address, key, false).await
    }

    async fn connect(address: &str, key: HostKey, identifies: bool) -> Self {
        let key = key.into_keypair();
        let own = key.public().to_peer_id();
        let gates = Gates::default();
        let (transport, _circuits) =
            transport::build(&key, true, std::collections::HashSet::new(), PATIENCE)
                .expect("transport");
        let config = super::node();
        let version = behaviour::network_version(&config);
        let name = format!("/vettid/{}/kad/1", network());
        let name = libp2p::StreamProtocol::try_from_owned(name).expect("name");
        let identify = identify::Config::new(version, key.public());
        let bare = Bare {
            streams: Streams::new(gates.clone(), false),
            identify: identifies
                .then(|| identify::Behaviour::new(identify))
                .into(),
            kad: kad::Behaviour::with_config(own, Homes::new(own, 10, 10), kad::Config::new(name)),
        };
        let settings = libp2p::swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::from_secs(60));
        let mut swarm = Swarm::new(transport, bare, own, settings);
        swarm
            .dial(address.parse::<libp2p::Multiaddr>().expect("address"))
            .expect("dials");
        let (asks, asked) = mpsc::channel(16);
        let (closing, closed) = oneshot::channel();
        let (up, is_up) = oneshot::channel();
        tokio::spawn(drive(swarm, gates, asked, up, closing));
        timeout(PATIENCE, is_up)
            .await
            .expect("in time")
            .expect("up");
        Self { asks, closed }
    }

    /// Opens a stream, if it is let.
    pub(super) async fn open(&mut self, protocol: Protocol) -> Option<Opened> {
        self.ask(|reply| Ask::Open(protocol, reply)).await
    }

    /// Whether a search at the host finds nothing.
    pub(super) async fn finds_nothing(&mut self) -> bool {
        self.ask(Ask::Find).await
    }

    /// Protocols that the host says it serves.
    pub(super) async fn offered(&mut self) -> Vec<String> {
        self.ask(Ask::Offered).await
    }

    async fn ask<T>(&mut self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> T {
        let (reply, answer) = oneshot::channel();
        assert!(self.asks.send(ask(reply)).await.is_ok(), "has stopped");
        timeout(PATIENCE, answer)
            .await
            .expect("in time")
            .expect("answered")
    }
}

async fn drive(
    mut swarm: Swarm<Bare>,
    gates: Gates,
    mut asked: mpsc::Receiver<Ask>,
    up: oneshot::Sender<()>,
    closing: oneshot::Sender<()>,
) {
    let (mut up, mut closing) = (Some(up), Some(closing));
    let mut host: Option<(PeerId, ConnectionId)> = None;
    let mut offered: Option<Vec<String>> = None;
    let mut waiting: Vec<oneshot::Sender<Vec<String>>> = Vec::new();
    let mut searches = std::collections::HashMap::new();
    loop {
        tokio::select! {
            ask = asked.recv() => match (ask, host) {
                (None, _) => return,
                (Some(Ask::Open(protocol, reply)), Some((peer, id))) => {
                    let stream = swarm.behaviour_mut().streams.open(peer, id, protocol);
                    tokio::spawn(async move { reply.send(stream.await.ok()).ok() });
                }
                (Some(Ask::Find(reply)), Some((peer, _))) => {
                    let address = "/memory/1".parse().expect("address");
                    swarm.behaviour_mut().kad.add_address(&peer, address);
                    let query = swarm.behaviour_mut().kad.get_record(vec![1; 32].into());
                    searches.insert(query, reply);
                }
                (Some(Ask::Offered(reply)), _) => match &offered {
                    Some(offered) => drop(reply.send(offered.clone())),
                    None => waiting.push(reply),
                },
                (Some(_), None) => return,
            },
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                    gates.set(connection_id, Access::PEER);
                    host = Some((peer_id, connection_id));
                    up.take().map(|up| up.send(()));
                }
                SwarmEvent::ConnectionClosed { .. } => {
                    closing.take().map(|closing| closing.send(()));
                }
                SwarmEvent::OutgoingConnectionError { .. } => {
                    up.take();
                    closing.take().map(|closing| closing.send(()));
                }
                SwarmEvent::Behaviour(BareEvent::Identify(identify::Event::Received { info, .. })) => {
                    let names: Vec<_> = info.protocols.iter().map(ToString::to_string).collect();
                    for reply in waiting.drain(..) {
                        let _ = reply.send(names.clone());
                    }
                    offered = Some(names);
                }
                SwarmEvent::Behaviour(BareEvent::Kad(kad::Event::OutboundQueryProgressed {
                    id, stats, step, ..
                })) if step.last => {
                    if let Some(reply) = searches.remove(&id) {
                        let _ = reply.send(stats.num_successes() == 0);
                    }
                }
                _ => {}
            },
        }
    }
}
