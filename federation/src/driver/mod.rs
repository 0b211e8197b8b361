//! The driver: one task that owns the swarm, works on commands and moves everything that needs time.
//!
//! It never waits for a peer or for the host: streams have tasks of their own, and events for the
//! host queue here until there is room. While the queue is long the swarm rests, and with it whoever
//! fills it.

mod connections;
mod dialing;
mod discovery;
mod gossip;
mod links;
mod paths;
mod reach;
mod roster;
mod search;
mod state;
mod streams;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Swarm};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::address::{self, BadAddress};
use crate::behaviour::{self, Behaviour, BehaviourEvent, Shared};
use crate::boxed::Boxed;
use crate::circuits::Circuits;
use crate::config::{Config, RelayLimits, Role};
use crate::event::Event;
use crate::gate::{Gates, KeptOut};
use crate::handle::{Command, Handle};
use crate::key::HostKey;
use crate::link::Links;
use crate::listen;
use crate::metrics::Metrics;
use crate::transport;
use state::Driver;

/// Joins a network.
#[derive(Clone, Copy, Debug)]
pub struct Federation;

/// Why a host cannot join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A configured address is none, or lacks the PeerId of whom it leads to.
    #[error("{address}: {why}")]
    Address {
        /// As it is configured.
        address: String,
        /// What is wrong with it.
        why: BadAddress,
    },
    /// It cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// As it is configured.
        address: String,
        /// What the system said.
        cause: String,
    },
    /// A protocol cannot be set up.
    #[error("cannot set up {0}")]
    Protocol(&'static str),
    /// The transports cannot be set up.
    #[error("cannot set up transports: {0}")]
    Transport(std::io::Error),
}

impl Federation {
    /// Starts a host and returns when it listens. It runs on the current tokio runtime until
    /// [`Handle::stop`], or until the last handle or the receiver is dropped.
    pub async fn start(
        config: Config,
        key: HostKey,
    ) -> Result<(Handle, mpsc::Receiver<Event>), StartError> {
        let own = key.peer_id();
        let metrics = Metrics::default();
        let introducers = introducers(&config, &own)?;
        listen::check_all(&config.listen)?;
        let shared = Shared {
            circuits: match &config.role {
                Role::Relay(limits) => Circuits::new(limits),
                // They carry none, and nobody asks.
                Role::Bootstrap | Role::Node => Circuits::new(&RelayLimits::default()),
            },
            gates: Gates::default(),
            kept_out: KeptOut::new(),
            introducers: introducers.keys().copied().collect(),
            metrics: metrics.clone(),
        };
        let swarm = swarm(&config, key, &shared)?;
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (events, told) = mpsc::channel(EVENTS);
        let links = Links::new(&config.limits);
        let handle = Handle::new(commands, links.clone(), metrics.clone(), own.to_bytes());
        let mut driver = Driver::new(
            swarm,
            config,
            state::Parts {
                shared,
                introducers,
                events,
                links,
                metrics,
            },
        );
        driver.listen().await?;
        tokio::spawn(driver.run(asked));
        Ok((handle, told))
    }
}

fn swarm(
    config: &Config,
    key: HostKey,
    shared: &Shared,
) -> Result<Swarm<Boxed<Behaviour>>, StartError> {
    let key = key.into_keypair();
    let trusted = introducers(config, &key.public().to_peer_id())?
        .into_iter()
        .flat_map(|(peer, introducer)| {
            let ips = introducer.addresses.into_iter();
            ips.filter_map(move |a| Some((peer, address::ip(&a)?)))
        })
        .collect();
    let (private, handshake) = (config.private_addresses, config.limits.handshake);
    let (transport, circuits) =
        transport::build(&key, private, trusted, handshake).map_err(StartError::Transport)?;
    let behaviour =
        behaviour::compose(config, &key, circuits, shared).map_err(StartError::Protocol)?;
    let settings = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(config.limits.idle)
        .with_max_negotiating_inbound_streams(NEGOTIATING)
        .with_per_connection_event_buffer_size(CONNECTION_EVENTS);
    Ok(Swarm::new(
        transport,
        Boxed(behaviour),
        key.public().to_peer_id(),
        settings,
    ))
}

fn introducers(
    config: &Config,
    own: &PeerId,
) -> Result<HashMap<PeerId, state::Introducer>, StartError> {
    let mut found: HashMap<PeerId, state::Introducer> = HashMap::new();
    let relays = config.relays.iter().map(|text| (text, true));
    for (text, relays) in config.bootstrap.iter().map(|t| (t, false)).chain(relays) {
        let (peer, address) = address::parse_peer(text).map_err(|why| StartError::Address {
            address: text.clone(),
            why,
        })?;
        if peer == *own {
            continue;
        }
        let introducer = found.entry(peer).or_default();
        introducer.relays |= relays;
        introducer.introduces |= !relays;
        introducer.addresses.push(address);
    }
    Ok(found)
}

/// A listener that reports neither an address nor an end: what it names is not there to be had.
const NOT_BOUND: &str = "no address came up in time: is it one of this machine's?";

/// A listener that ended before it was there.
const ENDED: &str = "it ended at once";

impl Driver {
    /// Binds all listeners and waits until they are bound.
    async fn listen(&mut self) -> Result<(), StartError> {
        let mut waiting = HashMap::new();
        for text in self.config.listen.clone() {
            let address = address::parse(&text).map_err(|why| StartError::Address {
                address: text.clone(),
                why,
            })?;
            let listener = self.swarm.listen_on(address);
            let listener = listener.map_err(|error| listen::failed(&text, &error))?;
            self.listeners.push(listener);
            waiting.insert(listener, text);
        }
        for text in self.config.external.clone() {
            let address = address::parse(&text).map_err(|why| StartError::Address {
                address: text.clone(),
                why,
            })?;
            self.swarm.add_external_address(address);
        }
        while !waiting.is_empty() {
            let next = timeout(BINDING, self.swarm.select_next_some()).await;
            let failed = |address: String, cause: &str| StartError::Listen {
                address,
                cause: cause.to_owned(),
            };
            let Ok(event) = next else {
                let address = waiting.into_values().next().unwrap_or_default();
                return Err(failed(address, NOT_BOUND));
            };
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    waiting.remove(listener_id);
                }
                SwarmEvent::ListenerClosed {
                    listener_id,
                    reason,
                    ..
                } => {
                    if let Some(address) = waiting.remove(listener_id) {
                        return Err(match reason {
                            Err(error) => listen::failed(&address, error),
                            Ok(()) => failed(address, ENDED),
                        });
                    }
                }
                _ => {}
            }
            self.on_swarm(event);
        }
        Ok(())
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Command>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.begin();
        // What waits for room must not borrow what works meanwhile.
        let events = self.events.clone();
        loop {
            let (has_events, has_room) = (!self.outbox.is_empty(), self.outbox.len() < OUTBOX);
            tokio::select! {
                command = asked.recv() => match command {
                    None | Some(Command::Stop) => break,
                    Some(command) => self.work(command),
                },
                permit = events.reserve(), if has_events => match permit {
                    Ok(permit) => if let Some(event) = self.outbox.pop_front() {
                        permit.send(event);
                    },
                    // The host listens no more.
                    Err(_) => break,
                },
                Some(news) = self.news.recv() => self.on_link(news),
                Some(done) = self.pending.next(), if !self.pending.is_empty() => self.on_done(done),
                event = self.swarm.select_next_some(), if has_room => self.on_swarm(event),
                _ = ticks.tick() => self.on_tick(Instant::now()),
            }
            if self.events.is_closed() {
                break;
            }
        }
        self.end_all();
    }

    fn work(&mut self, command: Command) {
        match command {
            Command::Admitted {
                link,
                node,
                expires,
            } => self.admit(link, node, expires),
            Command::Dial(node) => self.dial(&node),
            Command::DropRecord(location) => self.drop_record(&location),
            Command::EnclaveAway => self.forget_node(),
            Command::FetchAttachment { from, reply } => self.fetch(&from, reply),
            Command::FindRecord { request, location } => self.find(request, location),
            Command::Judge { message, verdict } => self.judge(message, verdict),
            Command::LocalNode(node) => self.name_node(node),
            Command::Publish { topic, object } => self.publish(topic, object),
            Command::PutRecord {
                location,
                record,
                expires,
            } => self.put_record(location, record, expires),
            Command::Refuse { link, why } => self.refuse(link, why),
            Command::ServeNetwork(file) => self.network_file = Some(file.into()),
            // Nobody waits for an answer that cannot be delivered.
            Command::Status(reply) => drop(reply.send(self.status())),
            Command::Stop => {}
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_established(peer_id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                ..
            } => self.on_closed(peer_id, connection_id),
            SwarmEvent::IncomingConnectionError { .. } => {
                self.metrics.connections_denied.inc();
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                connection_id,
                ..
            } => self.on_dial_failed(connection_id, peer),
            SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } => self.on_listening(listener_id, address),
            SwarmEvent::ListenerClosed { listener_id, .. } => self.on_not_listening(listener_id),
            SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. } => self.tell_reachable(),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(inbound) => self.on_stream(inbound),
            BehaviourEvent::Identify(event) => self.on_identified(event),
            BehaviourEvent::Kad(event) => self.on_kad(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Circuits(event) => self.on_circuit(&event),
            BehaviourEvent::Relay(event) => self.on_relay(&event),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Punch(event) => self.count_punch(event.result.is_ok()),
            BehaviourEvent::Reachability(_) | BehaviourEvent::ReachabilityServer(_) => {}
            BehaviourEvent::Limits(never)
            | BehaviourEvent::Memory(never)
            | BehaviourEvent::Guard(never) => match never {},
        }
    }

    fn on_tick(&mut self, now: Instant) {
        self.check_connections(now);
        self.check_links(now);
        self.start_early();
        self.check_dials(now);
        self.check_paths(now);
        self.wake_left(now);
        self.check_records(now);
        self.check_relays(now);
        self.check_lost(now);
        self.check_introducers(now);
    }

    /// Whether this host has an enclave to admit peers.
    fn is_node(&self) -> bool {
        self.config.role == Role::Node
    }

    /// Has the host told of something, after what it was told before.
    fn tell(&mut self, event: Event) {
        self.outbox.push_back(event);
    }

    fn end_all(&mut self) {
        for listener in self.listeners.drain(..) {
            // In memory an address is in use until it is given back. One that failed is gone.
            let _ = self.swarm.remove_listener(listener);
        }
        for link in self.live.values_mut() {
            link.steering.cancel();
        }
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // It may be closing already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }
}

type Outbox = VecDeque<Event>;

/// Commands that wait to be worked on.
const COMMANDS: usize = 256;
/// Events that wait for the host; each may hold a frame.
const EVENTS: usize = 256;
/// Events of the driver itself that wait for room among those.
const OUTBOX: usize = 1_024;
/// Streams of one connection whose protocol is not yet agreed on.
const NEGOTIATING: usize = 16;
/// Events of one connection that wait for the driver.
const CONNECTION_EVENTS: usize = 8;
/// Longest wait for a listener.
const BINDING: Duration = Duration::from_secs(10);
/// How finely time is kept here.
const TICK: Duration = Duration::from_millis(250);
