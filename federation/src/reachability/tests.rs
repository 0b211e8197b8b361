use std::net::TcpListener;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{SwarmBuilder, autonat, identify, noise, tcp, yamux};
use tokio::time::timeout;

use super::*;

const PACE: Pace = Pace {
    look: Duration::from_millis(50),
    round: Duration::from_millis(400),
    first: Duration::from_millis(100),
    doubt: Duration::from_millis(200),
};

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
struct Asks {
    identify: identify::Behaviour,
    reachability: Reachability,
}

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
struct Checks {
    identify: identify::Behaviour,
    server: autonat::v2::server::Behaviour,
}

async fn listening<B: NetworkBehaviour + Send>(
    behaviour: impl FnOnce(identify::Behaviour) -> B,
) -> (Swarm<B>, ListenerId, Multiaddr) {
    let builder = SwarmBuilder::with_new_identity().with_tokio();
    let builder = builder.with_tcp(
        tcp::Config::default(),
        noise::Config::new,
        yamux::Config::default,
    );
    let built = builder.expect("TCP").with_behaviour(|key| {
        let config = identify::Config::new("/test/1".into(), key.public());
        behaviour(identify::Behaviour::new(config))
    });
    let mut swarm = built.expect("built").build();
    let any = "/ip4/127.0.0.1/tcp/0".parse().expect("address");
    let listener = swarm.listen_on(any).expect("listens");
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return (swarm, listener, address);
        }
    }
}

/// A host that checks addresses, and where it is.
async fn checker() -> (PeerId, Multiaddr) {
    let (mut checker, _, address) = listening(|identify| Checks {
        identify,
        server: autonat::v2::server::Behaviour::default(),
    })
    .await;
    let own = *checker.local_peer_id();
    tokio::spawn(async move { while checker.next().await.is_some() {} });
    (own, address)
}

/// A host that asks and believes one of those with whom it is connected; its listener and where that is.
async fn asker(believed: (PeerId, Multiaddr)) -> (Swarm<Asks>, ListenerId, Multiaddr) {
    let (checker, address) = believed;
    let (mut asker, listener, own) = listening(|identify| Asks {
        identify,
        reachability: Reachability::new(PACE, HashSet::from([checker])),
    })
    .await;
    asker.dial(address).expect("dials");
    (asker, listener, own)
}

/// What the host that asks finds out next that `wanted` wants.
async fn next<T>(
    asker: &mut Swarm<Asks>,
    wanted: impl Fn(SwarmEvent<AsksEvent>) -> Option<T>,
) -> T {
    let found = async {
        loop {
            if let Some(found) = wanted(asker.select_next_some().await) {
                return found;
            }
        }
    };
    timeout(Duration::from_secs(60), found)
        .await
        .expect("in time")
}

fn confirmed(event: SwarmEvent<AsksEvent>) -> Option<Multiaddr> {
    match event {
        SwarmEvent::ExternalAddrConfirmed { address } => Some(address),
        _ => None,
    }
}

#[tokio::test]
async fn address_is_checked_in_every_round_and_told_no_more_once_it_is_gone() {
    let (mut asker, listener, own) = asker(checker().await).await;
    for _ in 0..3 {
        assert_eq!(next(&mut asker, confirmed).await, own);
    }

    assert!(asker.remove_listener(listener));

    let gone = next(&mut asker, |event| match event {
        SwarmEvent::ExternalAddrExpired { address } => Some(address),
        _ => None,
    });
    assert_eq!(gone.await, own);
    assert_eq!(asker.external_addresses().count(), 0);
}

#[tokio::test]
async fn address_that_is_opened_later_is_found_out() {
    let (mut asker, _, own) = asker(checker().await).await;
    assert_eq!(next(&mut asker, confirmed).await, own);
    let own_ip = crate::tests::own_ip();
    let free = TcpListener::bind((own_ip, 0)).and_then(|taken| taken.local_addr());
    let port = free.expect("a port").port();
    let later: Multiaddr = format!("/ip4/{own_ip}/tcp/{port}")
        .parse()
        .expect("address");
    let candidate = NewExternalAddrCandidate { addr: &later };
    let candidate = FromSwarm::NewExternalAddrCandidate(candidate);
    asker.behaviour_mut().reachability.on_swarm_event(candidate);
    let refused = next(&mut asker, |event| match event {
        SwarmEvent::Behaviour(AsksEvent::Reachability(checked)) => {
            checked.result.is_err().then_some(checked.tested_addr)
        }
        _ => None,
    });
    assert_eq!(refused.await, later);

    asker.listen_on(later.clone()).expect("listens");

    let found = next(&mut asker, |event| confirmed(event).filter(|a| *a == later));
    assert_eq!(found.await, later);
}

#[tokio::test]
async fn who_is_no_checker_is_not_asked() {
    let (believed, address) = checker().await;
    let (_, other) = checker().await;
    let (mut asker, _, _) = asker((believed, address)).await;
    asker.dial(other).expect("dials");

    // Whom the library knows as checkers it asks in turns that are drawn.
    for _ in 0..12 {
        let server = next(&mut asker, |event| match event {
            SwarmEvent::Behaviour(AsksEvent::Reachability(checked)) => Some(checked.server),
            _ => None,
        });
        assert_eq!(server.await, believed);
    }
}
