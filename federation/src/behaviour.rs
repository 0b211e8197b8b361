//! What a host speaks: composition only.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::gossipsub::{RawMessage, TopicHash};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, autonat, connection_limits, gossipsub, identify, kad,
    memory_connection_limits, ping, relay,
};
use vettid_crypto::digest;
use vettid_wire::limits;
use vettid_wire::topic::Topic;

use crate::address;
use crate::circuits::Circuits;
use crate::config::{Config, Limits, RelayLimits, Role};
use crate::gate::{Access, Admits, Gated, Gates, Guard, KeptOut};
use crate::identified::Identified;
use crate::metrics::{Counter, Metrics};
use crate::punch::Punch;
use crate::reachability::{Pace, Reachability};
use crate::records::Homes;
use crate::streams::Streams;

/// All protocols of one host. Those that refuse connections come first, so that nothing is built
/// for a connection that is refused.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    guard: Guard,
    pub(crate) identify: Identified,
    ping: ping::Behaviour,
    pub(crate) streams: Streams,
    pub(crate) kad: Gated<kad::Behaviour<Homes>>,
    pub(crate) gossip: Toggle<Gated<Gossip>>,
    reachability: Toggle<Gated<Reachability>>,
    reachability_server: Toggle<autonat::v2::server::Behaviour>,
    circuits: Gated<relay::client::Behaviour>,
    relay: Toggle<relay::Behaviour>,
    pub(crate) punch: Toggle<Gated<Punch>>,
}

/// Gossip whose every copy is counted.
pub(crate) type Gossip = gossipsub::Behaviour<Counted>;

/// Counts what comes and changes nothing.
pub(crate) struct Counted(Counter);

/// What the behaviors share with the driver.
pub(crate) struct Shared {
    pub(crate) circuits: Circuits,
    pub(crate) gates: Gates,
    pub(crate) kept_out: KeptOut,
    pub(crate) introducers: HashSet<PeerId>,
    pub(crate) metrics: Metrics,
}

impl gossipsub::DataTransform for Counted {
    fn inbound_transform(&self, raw: RawMessage) -> std::io::Result<gossipsub::Message> {
        self.0.inc();
        Ok(gossipsub::Message {
            source: raw.source,
            data: raw.data,
            sequence_number: raw.sequence_number,
            topic: raw.topic,
        })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> std::io::Result<Vec<u8>> {
        Ok(data)
    }
}

/// Composes the protocols of a host; nothing when a constant of ours does not fit the library.
pub(crate) fn compose(
    config: &Config,
    key: &Keypair,
    circuits: relay::client::Behaviour,
    shared: &Shared,
) -> Result<Behaviour, &'static str> {
    let own = key.public().to_peer_id();
    let gates = &shared.gates;
    let is_node = config.role == Role::Node;
    let gossip = is_node
        .then(|| gossip(config, &shared.metrics))
        .transpose()?;
    let relay = match &config.role {
        Role::Relay(limits) => {
            let limits = relay_config(limits, shared.circuits.clone());
            Some(relay::Behaviour::new(own, limits))
        }
        Role::Bootstrap | Role::Node => None,
    };
    let kad_needs = Access::PEER.or(Access::INTRODUCER);
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(connection_limits(&config.limits)),
        memory: memory_connection_limits::Behaviour::with_max_bytes(config.limits.memory),
        guard: Guard::new(
            gates.clone(),
            shared.kept_out.clone(),
            shared.introducers.clone(),
            Admits {
                at_all: is_node,
                strangers: config.limits.strangers,
                of_one_network: config.limits.connections_per_network,
                of_one_neighborhood: config.limits.connections_per_neighborhood,
            },
            config.private_addresses,
        ),
        identify: Identified::new(
            identify::Behaviour::new(identify_config(config, key)),
            shared.introducers.clone(),
            config.private_addresses,
        ),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(PING)),
        streams: Streams::new(gates.clone(), !is_node),
        kad: Gated::new(kademlia(config, own), gates.clone(), kad_needs),
        gossip: gossip
            .map(|gossip| Gated::new(gossip, gates.clone(), Access::PEER).watched())
            .into(),
        reachability: (is_node && config.external.is_empty())
            .then(|| Reachability::new(Pace::default(), checkers(config)))
            .map(|client| Gated::new(client, gates.clone(), Access::INTRODUCER))
            .into(),
        reachability_server: (config.role == Role::Bootstrap)
            .then(autonat::v2::server::Behaviour::default)
            .into(),
        circuits: Gated::new(circuits, gates.clone(), Access::INTRODUCER),
        relay: relay.into(),
        punch: is_node
            .then(|| Gated::new(Punch::new(own), gates.clone(), Access::PEER))
            .into(),
    })
}

/// Bootstrap nodes check addresses. Relays carry connections that seem to come from anywhere.
fn checkers(config: &Config) -> HashSet<PeerId> {
    let known = config.bootstrap.iter();
    known
        .filter_map(|text| Some(address::parse_peer(text).ok()?.0))
        .collect()
}

/// What this host calls itself and its network; a host of another network is not talked to.
pub(crate) fn network_version(config: &Config) -> String {
    format!("/vettid/{}/1", config.network)
}

fn identify_config(config: &Config, key: &Keypair) -> identify::Config {
    // Listen addresses are hidden: only confirmed ones are told, and private ones never.
    identify::Config::new(network_version(config), key.public())
        .with_agent_version(concat!("vettid/", env!("CARGO_PKG_VERSION")).into())
        .with_hide_listen_addrs(true)
        .with_push_listen_addr_updates(true)
        .with_cache_size(ADDRESS_CACHE)
}

fn kademlia(config: &Config, own: PeerId) -> kad::Behaviour<Homes> {
    let homes = Homes::new(own, config.limits.records, config.limits.records_per_minute);
    // The library wants names that live as long as the program or are checked at run time.
    let name = StreamProtocol::try_from_owned(format!("/vettid/{}/kad/1", config.network))
        .unwrap_or(StreamProtocol::new("/vettid/kad/1"));
    let mut kad = kad::Config::new(name);
    kad.set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_record_ttl(Some(RECORD_TIME))
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_caching(kad::Caching::Disabled)
        .set_max_packet_size(KAD_PACKET)
        .set_query_timeout(SEARCH)
        .set_substreams_timeout(KAD_STREAM)
        // Whoever leads one path astray does not lead the others.
        .disjoint_query_paths(true);
    let mut kad = kad::Behaviour::with_config(own, homes, kad);
    if config.role != Role::Node {
        kad.set_mode(Some(kad::Mode::Server));
    }
    kad
}

fn gossip(config: &Config, metrics: &Metrics) -> Result<Gossip, &'static str> {
    let settings = gossipsub::ConfigBuilder::default()
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| {
            let parts = [message.topic.as_str().as_bytes(), message.data.as_slice()];
            gossipsub::MessageId::from(digest::sha256(&parts.concat()).to_vec())
        })
        .max_transmit_size(GOSSIP_PACKET)
        // Fewer copies than with the library's six: a node gets one from each of its mesh at most,
        // but not from whom it has passed it on to. Five hops still reach more than a thousand nodes.
        .mesh_n(MESH)
        .mesh_n_low(MESH - 1)
        .mesh_n_high(MESH_HIGH)
        .mesh_outbound_min(1)
        .flood_publish(false)
        .idontwant_message_size_threshold(IDONTWANT)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .max_ihave_messages_heartbeat(10)
        .build()
        .map_err(|_| "gossip settings")?;
    let anonymous = gossipsub::MessageAuthenticity::Anonymous;
    let counted = Counted(metrics.gossip_copies.clone());
    let mut gossip = Gossip::new_with_transform(anonymous, settings, counted)?;
    let mut scores = gossipsub::PeerScoreParams::default();
    if config.private_addresses {
        // In a lab all nodes share an address.
        scores.ip_colocation_factor_weight = 0.0;
    }
    for topic in Topic::ALL {
        let topic = gossipsub::IdentTopic::new(topic.name(&config.network));
        scores.topics.insert(topic.hash(), topic_score());
        gossip.subscribe(&topic).map_err(|_| "gossip topics")?;
    }
    gossip
        .with_peer_score(scores, gossipsub::PeerScoreThresholds::default())
        .map_err(|_| "gossip scores")?;
    Ok(gossip)
}

/// Invalid objects cost; being silent does not, since topics are quiet for days.
fn topic_score() -> gossipsub::TopicScoreParams {
    gossipsub::TopicScoreParams {
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -20.0,
        invalid_message_deliveries_decay: 0.99,
        ..gossipsub::TopicScoreParams::default()
    }
}

fn connection_limits(limits: &Limits) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.connections_pending))
        .with_max_pending_outgoing(Some(limits.connections_pending))
        .with_max_established_incoming(Some(limits.connections_inbound))
        .with_max_established(Some(limits.connections))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
}

fn relay_config(limits: &RelayLimits, circuits: Circuits) -> relay::Config {
    let mut config = relay::Config {
        max_reservations: limits.reservations,
        // The library lets one more.
        max_reservations_per_peer: limits.reservations_per_peer.saturating_sub(1),
        reservation_duration: limits.reservation_time,
        reservation_rate_limiters: Vec::new(),
        max_circuits: limits.circuits,
        max_circuits_per_peer: limits.circuits_per_peer.saturating_sub(1),
        max_circuit_duration: limits.circuit_time,
        max_circuit_bytes: limits.circuit_bytes,
        circuit_src_rate_limiters: Vec::new(),
    };
    // The library counts tokens that come back one by one.
    let rate = |per_minute: u32| {
        let tokens = NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
        (tokens, Duration::from_secs(60) / tokens.get())
    };
    let (tokens, pause) = rate(limits.requests_per_minute);
    config = config
        .reservation_rate_per_peer(tokens, pause)
        .circuit_src_per_peer(tokens, pause);
    let (tokens, pause) = rate(limits.requests_per_minute_and_address);
    config = config
        .reservation_rate_per_ip(tokens, pause)
        .circuit_src_per_ip(tokens, pause);
    // The last to be asked: what it allows is denied for want of room no more.
    let may_ask = move |peer, remote: &Multiaddr, _| circuits.ask(peer, remote);
    config.circuit_src_rate_limiters.push(Box::new(may_ask));
    config
}

/// Pause between signs of life on a connection.
const PING: Duration = Duration::from_secs(30);
/// Peers whose addresses are remembered beyond the routing table.
const ADDRESS_CACHE: usize = 256;
/// A peer's copy of a home record is kept this long; it is put again much earlier.
const RECORD_TIME: Duration = Duration::from_secs(48 * 3_600);
/// Largest Kademlia message: all records of a location, and addresses of closer peers.
const KAD_PACKET: usize = limits::HOME_ANSWERS * limits::HOME_RECORD + 64 * 1024;
/// Longest search.
const SEARCH: Duration = Duration::from_secs(15);
/// Longest question to one peer: it may have to be admitted first.
const KAD_STREAM: Duration = Duration::from_secs(10);
/// Largest gossip message: one object, or as many announcements.
const GOSSIP_PACKET: usize = 8 * limits::GOSSIP;
/// Peers that each object is passed on to.
const MESH: usize = 5;
/// Peers of a mesh from which on it takes no more.
pub(crate) const MESH_HIGH: usize = MESH + 1;
/// Objects from this size on are announced before they are sent, so that fewer come twice.
const IDONTWANT: usize = 256;
/// Gossip messages that wait for one peer.
const GOSSIP_QUEUE: usize = 512;

#[cfg(test)]
mod tests {
    use libp2p::swarm::THandler;

    use super::*;

    #[test]
    fn handlers_of_a_connection_stay_small() {
        let bytes = size_of::<THandler<Behaviour>>();

        assert!(bytes <= 8 * 1024, "{bytes} bytes for each connection");
    }
}
