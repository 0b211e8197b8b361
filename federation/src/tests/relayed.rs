use super::raw::Raw;
use super::*;
use crate::config::RelayLimits;
use crate::event::Path;

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
    let role = Role::Relay(RelayLimits::default());
    let metrics = relay.handle.metrics().to_text(&role);
    assert!(
        metrics.contains("vettid_relay_reservations 2\n"),
        "{metrics}"
    );
    assert!(metrics.contains("vettid_relay_circuits 1\n"), "{metrics}");

    // Somebody comes and goes who has reserved nothing.
    let counted = relay.handle.metrics();
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
