use std::collections::HashSet;

use futures::StreamExt as _;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Swarm, identify};
use tokio::sync::watch;

use super::raw::Raw;
use super::*;
use crate::config::RelayLimits;
use crate::event::Path;
use crate::gate::{Access, Gated, Gates};
use crate::{behaviour, transport};

fn relay() -> Config {
    config(Role::Relay(RelayLimits::default()))
}

/// A node that nobody can dial but through `relay`.
fn hidden(relay: &Host) -> Config {
    Config {
        listen: vec![],
        relays: vec![relay.address()],
        ..node()
    }
}

impl Host {
    /// Where it can be reached through a relay.
    async fn circuit(&mut self) -> HomeNode {
        let addresses = self
            .wait(|event| match event {
                Event::Reachable { addresses } if !addresses.is_empty() => Some(addresses),
                _ => None,
            })
            .await;
        assert!(addresses.iter().all(|text| text.ends_with("/p2p-circuit")));
        HomeNode {
            addresses,
            ..self.home()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_is_enough_where_there_is_no_other_path() {
    let relay = Host::start(relay(), 100, ADMITS).await;
    let mut a = Host::start(hidden(&relay), 1, ADMITS).await;
    let mut b = Host::start(hidden(&relay), 2, ADMITS).await;
    a.circuit().await;
    let home = b.circuit().await;

    a.handle.dial(home).await.expect("runs");
    let (link, _) = a.link().await;
    let standing = a.admitted(&b).await;

    let relayed = Standing::Admitted {
        node: b.node,
        path: Path::Relayed,
    };
    assert_eq!(standing, relayed);
    b.admitted(&a).await;
    a.handle
        .frame(link, b"over the relay".to_vec())
        .expect("queued");
    b.wait(|event| match event {
        Event::Frame { bytes, .. } => (bytes == b"over the relay").then_some(()),
        _ => None,
    })
    .await;
    // The relay counts what it gives a moment after those who have it.
    let counted = relay.handle.metrics();
    eventually(|| async { counted.relay_reservations.get() == 2 }).await;
    eventually(|| async { counted.relay_circuits.get() == 1 }).await;
    let metrics = counted.to_text(&Role::Relay(RelayLimits::default()));
    assert!(
        metrics.contains("vettid_relay_reservations 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("vettid_relay_circuits 1\n"), "{metrics}");

    // Somebody comes and goes who has reserved nothing.
    let open = counted.connections_open.get();
    let passer = Raw::start(&relay.address()).await;
    eventually(|| async { counted.connections_open.get() > open }).await;
    drop(passer);
    eventually(|| async { counted.connections_open.get() == open }).await;
    assert_eq!(counted.relay_reservations.get(), 2);
    // The relay admits nobody and is told nothing of who talks to whom.
    let b_status = b.status().await;
    assert_eq!(b_status.relays.len(), 1);

    // Whichever end goes, the circuit is carried no more.
    b.end().await;
    eventually(|| async { counted.relay_circuits.get() == 0 }).await;
}

/// Both name addresses of their own, which neither was told when they met, and which no hole needs to be
/// punched for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_met_at_a_relay_go_on_directly_once_one_names_where_it_listens() {
    let relay = Host::start(relay(), 100, ADMITS).await;
    let mut a = Host::start(hidden(&relay), 1, ADMITS).await;
    let listens = Config {
        listen: node().listen,
        ..hidden(&relay)
    };
    let mut b = Host::start(listens, 2, ADMITS).await;
    let addresses = b
        .wait(|event| match event {
            Event::Reachable { addresses } => {
                let relayed = addresses
                    .into_iter()
                    .filter(|a| a.ends_with("/p2p-circuit"));
                Some(relayed.collect::<Vec<_>>()).filter(|relayed| !relayed.is_empty())
            }
            _ => None,
        })
        .await;

    let home = HomeNode {
        addresses,
        ..b.home()
    };
    a.handle.dial(home).await.expect("runs");

    for path in [Path::Relayed, Path::Direct] {
        let standing = Standing::Admitted { node: b.node, path };
        a.standing(&b, |now| now == standing).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reservation_is_made_again_after_the_relay_was_away() {
    let port = 7_000_001;
    let at = |port: u64| Config {
        listen: vec![format!("/memory/{port}")],
        ..relay()
    };
    let first = Host::start(at(port), 100, ADMITS).await;
    let mut node = Host::start(hidden(&first), 1, ADMITS).await;
    node.circuit().await;

    first.end().await;
    node.until(|status| status.relays.is_empty() && status.reachable.is_empty())
        .await;
    let second = Host::start(at(port), 100, ADMITS).await;

    node.until(|status| status.relays.len() == 1 && !status.reachable.is_empty())
        .await;
    drop(second);
}

/// A relay that takes requests, and answers only when it is told to.
struct Slow {
    address: String,
    answers: watch::Sender<bool>,
    /// Connections that have ended.
    ended: watch::Receiver<u32>,
}

#[derive(NetworkBehaviour)]
struct Relaying {
    relay: Gated<libp2p::relay::Behaviour>,
    identify: identify::Behaviour,
}

impl Slow {
    async fn start() -> Self {
        let key = HostKey::generate().into_keypair();
        let own = key.public().to_peer_id();
        let gates = Gates::default();
        let (transport, _circuits) =
            transport::build(&key, true, HashSet::new(), PATIENCE).expect("transport");
        let relay = libp2p::relay::Behaviour::new(own, libp2p::relay::Config::default());
        let version = behaviour::network_version(&node());
        let relaying = Relaying {
            relay: Gated::new(relay, gates.clone(), Access::PEER),
            identify: identify::Behaviour::new(identify::Config::new(version, key.public())),
        };
        let settings =
            libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(PATIENCE);
        let mut swarm = Swarm::new(transport, relaying, own, settings);
        let any = "/memory/0".parse().expect("address");
        swarm.listen_on(any).expect("listens");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        swarm.add_external_address(address.clone());
        let (answers, told) = watch::channel(false);
        let (ending, ended) = watch::channel(0);
        tokio::spawn(serve(swarm, gates, told, ending));
        let address = format!("{address}/p2p/{own}");
        Self {
            address,
            answers,
            ended,
        }
    }
}

async fn serve(
    mut swarm: Swarm<Relaying>,
    gates: Gates,
    mut answers: watch::Receiver<bool>,
    ending: watch::Sender<u32>,
) {
    // Without the word that both sides are admitted the relay hears and is not polled.
    let access = |answers| match answers {
        true => Access::PEER.or(Access::MUTUAL),
        false => Access::PEER,
    };
    let mut open = HashSet::new();
    loop {
        tokio::select! {
            changed = answers.changed() => {
                if changed.is_err() {
                    return;
                }
                for id in &open {
                    gates.set(*id, access(*answers.borrow()));
                }
            }
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                    open.insert(connection_id);
                    gates.set(connection_id, access(*answers.borrow()));
                }
                SwarmEvent::ConnectionClosed { connection_id, .. } => {
                    open.remove(&connection_id);
                    ending.send_modify(|ended| *ended += 1);
                }
                _ => {}
            },
        }
    }
}

/// The library takes an answer to what it has given up for a fault of its own, and panics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_that_answers_too_late_is_asked_anew_on_another_connection() {
    let mut slow = Slow::start().await;
    let mut config = Config {
        listen: vec![],
        relays: vec![slow.address.clone()],
        ..node()
    };
    config.limits.reserving = Duration::from_millis(300);
    let node = Host::start(config, 1, ADMITS).await;
    let ended = slow.ended.wait_for(|ended| *ended > 0);
    timeout(PATIENCE, ended)
        .await
        .expect("in time")
        .expect("runs");

    slow.answers.send_replace(true);

    node.until(|status| status.relays.len() == 1 && !status.reachable.is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_relays_are_used_and_no_more_than_wanted() {
    let mut relays = Vec::new();
    for seed in 100..103 {
        relays.push(Host::start(relay(), seed, ADMITS).await);
    }
    let config = Config {
        listen: vec![],
        relays: relays.iter().map(Host::address).collect(),
        ..node()
    };
    let node = Host::start(config, 1, ADMITS).await;

    node.until(|status| status.relays.len() == 2 && status.reachable.len() == 2)
        .await;
    relays.retain(|relay| relay.handle.metrics().relay_reservations.get() == 1);
    assert_eq!(relays.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_that_is_full_refuses_and_another_serves() {
    let limits = RelayLimits {
        reservations: 0,
        ..RelayLimits::default()
    };
    let full = Host::start(config(Role::Relay(limits)), 100, ADMITS).await;
    let free = Host::start(relay(), 101, ADMITS).await;
    let config = Config {
        listen: vec![],
        relays: vec![full.address(), free.address()],
        ..node()
    };
    let node = Host::start(config, 1, ADMITS).await;

    node.until(|status| status.relays == [peer_text(free.handle.peer())])
        .await;
    eventually(|| async { full.handle.metrics().relay_reservations_refused.get() > 0 }).await;
}

/// A relay that comes and goes is nothing that every vault has to tell every contact each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_that_is_lost_for_a_moment_is_told_all_the_while() {
    let port = 7_000_002;
    let at = Config {
        listen: vec![format!("/memory/{port}")],
        ..relay()
    };
    let first = Host::start(at.clone(), 100, ADMITS).await;
    let mut config = hidden(&first);
    config.limits.lingering = PATIENCE * 2;
    let mut node = Host::start(config, 1, ADMITS).await;
    let told = node.circuit().await.addresses;
    first.end().await;
    node.until(|status| status.relays.is_empty()).await;

    assert_eq!(node.status().await.reachable, told);

    let second = Host::start(at, 100, ADMITS).await;
    node.until(|status| status.relays.len() == 1).await;
    assert_eq!(node.status().await.reachable, told);
    while let Ok(event) = node.told.try_recv() {
        assert!(!matches!(event, Event::Reachable { .. }), "{event:?}");
    }
    drop(second);
}
