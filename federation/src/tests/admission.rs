use super::raw::Raw;
use super::*;
use crate::streams::Protocol;

const HOUR: Duration = Duration::from_secs(3_600);

/// A node that gives others so long to be admitted.
fn admits_within(admission: Duration) -> Config {
    let mut config = node();
    config.limits.admission = admission;
    config
}

/// A node whose dials never end by themselves.
fn patient() -> Config {
    let mut config = node();
    config.limits.handshake = HOUR;
    config.limits.dialing = HOUR;
    config
}

/// Somebody who lets others connect and says nothing until it is dropped; the address.
fn silent() -> (std::net::TcpListener, String) {
    let silent = std::net::TcpListener::bind((own_ip(), 0)).expect("listens");
    let address = silent.local_addr().expect("address");
    (silent, format!("/ip4/{}/tcp/{}", own_ip(), address.port()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_peer_is_cut_off_and_kept_out() {
    let why = NotAdmitted::Measurement;
    let mut a = Host::start(node(), 1, Enclave::Refuses(why)).await;
    let mut b = Host::start(node(), 2, ADMITS).await;
    b.dial(&a).await;

    let refused = |standing| matches!(standing, Standing::Refused { .. });
    a.standing(&b, refused).await;
    b.standing(&a, refused).await;
    assert_eq!(a.status().await.refused, 1);

    // Neither side can begin anew while that lasts.
    a.dial(&b).await;
    let retry = a.unreachable(b.node).await;
    assert!(retry > Duration::from_secs(5));
    a.until(|status| status.peers.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_whose_enclave_never_answers_is_closed_in_time() {
    let config = admits_within(Duration::from_millis(400));
    let mut a = Host::start(config, 1, ADMITS).await;
    let b = Host::start(node(), 2, Enclave::Listens).await;

    a.dial(&b).await;

    a.standing(&b, |s| matches!(s, Standing::Refused { .. }))
        .await;
    a.until(|status| status.peers.is_empty()).await;
}

/// Somebody says that an honest host is that of another node: the host is not blamed for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_that_names_another_node_than_was_wanted_is_not_taken_for_it_nor_kept_out() {
    let mut a = Host::start(node(), 1, ADMITS).await;
    let mut b = Host::start(node(), 2, ADMITS).await;
    let wanted = NodeId([8; 32]);
    let untrue = HomeNode {
        node: wanted,
        ..b.home()
    };

    a.handle.dial(untrue.clone()).await.expect("runs");

    a.unreachable(wanted).await;
    let admitted = a.admitted(&b).await;
    assert!(matches!(admitted, Standing::Admitted { node, .. } if node == b.node));
    b.admitted(&a).await;
    assert_eq!(a.status().await.refused, 0);
    // It is not tried again for a while.
    a.handle.dial(untrue).await.expect("runs");
    assert!(a.unreachable(wanted).await > Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_that_somebody_made_up_for_a_host_does_not_keep_others_from_its_true_one() {
    let (silent, address) = silent();
    let mut a = Host::start(patient(), 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;
    let wanted = NodeId([8; 32]);
    let untrue = HomeNode {
        node: wanted,
        peers: b.home().peers,
        addresses: vec![address.clone()],
    };

    a.handle.dial(untrue).await.expect("runs");
    a.dial(&b).await;

    // That dial hangs meanwhile.
    a.admitted(&b).await;
    drop(silent);
    assert_eq!(a.status().await.refused, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_somebody_made_up_for_a_node_do_not_keep_others_from_its_true_ones() {
    let (silent, address) = silent();
    let mut a = Host::start(patient(), 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;
    for seed in 10..30 {
        let untrue = HomeNode {
            node: b.node,
            peers: vec![HostKey::from_seed([seed; 32]).peer().into()],
            addresses: vec![address.clone()],
        };
        a.handle.dial(untrue).await.expect("runs");
    }

    a.dial(&b).await;

    // Those dials hang meanwhile.
    a.admitted(&b).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_one_too_many_is_dialed_when_it_is_its_turn() {
    let (silent, address) = silent();
    let mut config = node();
    config.limits.dials = 1;
    let mut a = Host::start(config, 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;
    let hanging = HomeNode {
        node: NodeId([8; 32]),
        peers: vec![HostKey::from_seed([8; 32]).peer().into()],
        addresses: vec![address.clone()],
    };

    a.handle.dial(hanging).await.expect("runs");
    a.dial(&b).await;
    drop(silent);

    a.unreachable(NodeId([8; 32])).await;
    a.admitted(&b).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_waits_for_its_turn_while_other_protocols_have_all_dials_that_may_be_pending() {
    let (silent, address) = silent();
    let mut config = node();
    config.limits.connections_pending = 1;
    let hanging = HostKey::from_seed([8; 32]).peer();
    config.known = vec![format!("{address}/p2p/{}", peer_text(&hanging))];
    let mut a = Host::start(config, 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;

    a.dial(&b).await;
    // Whatever was told of the dial by now comes before what is to come.
    a.status().await;
    drop(silent);

    a.wait(|event| match event {
        Event::Unreachable { node, .. } => panic!("{node:?} was given up"),
        Event::PeerChange { standing, .. } => {
            matches!(standing, Standing::Admitted { node, .. } if node == b.node).then_some(())
        }
        _ => None,
    })
    .await;
}

/// Somebody names ever new hosts of a node, each at an address that does not answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dials_that_nobody_wants_any_more_leave_room_for_bootstrap_nodes() {
    let (silent, address) = silent();
    silent.set_nonblocking(true).expect("set");
    let silent = tokio::net::TcpListener::from_std(silent).expect("listens");
    let mut config = patient();
    config.limits.connections_pending = 12;
    config.limits.dials = 10;
    let late = "/memory/4001992";
    let bootstrap = HostKey::from_seed([100; 32]).peer();
    config.bootstrap = vec![format!("{late}/p2p/{}", peer_text(&bootstrap))];
    let a = Host::start(config, 1, ADMITS).await;
    for seed in 10..60 {
        let untrue = HomeNode {
            node: NodeId([8; 32]),
            peers: vec![HostKey::from_seed([seed; 32]).peer().into()],
            addresses: vec![address.clone()],
        };
        a.handle.dial(untrue).await.expect("runs");
    }
    let mut hanging = Vec::new();
    while hanging.len() < 10 {
        let accepted = timeout(PATIENCE, silent.accept()).await.expect("in time");
        hanging.push(accepted.expect("accepted"));
    }

    let mut there = super::config(Role::Bootstrap);
    there.listen = vec![late.into()];
    let _bootstrap = Host::start(there, 100, ADMITS).await;

    // Those dials hang meanwhile.
    a.until(|status| status.peers.iter().any(|peer| peer.introduces))
        .await;
    drop(hanging);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_blamed_for_what_this_side_lacks() {
    for why in [
        NotAdmitted::TooMany,
        NotAdmitted::Network,
        NotAdmitted::Slow,
        NotAdmitted::Unready,
    ] {
        let mut a = Host::start(node(), 1, Enclave::Refuses(why)).await;
        let b = Host::start(node(), 2, ADMITS).await;
        a.dial(&b).await;

        a.unreachable(b.node).await;

        a.until(|status| status.peers.is_empty()).await;
        assert_eq!(a.status().await.refused, 0, "{why:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_blamed_while_the_enclave_is_away_and_links_begin_when_it_is_back() {
    let config = admits_within(Duration::from_secs(3));
    let mut a = Host::start(config, 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;
    a.handle.enclave_away().await.expect("runs");
    b.dial(&a).await;
    a.standing(&b, |s| matches!(s, Standing::Connected { .. }))
        .await;
    a.standing(&b, |s| s == Standing::Gone).await;
    assert_eq!(a.status().await.refused, 0);

    a.handle.local_node(a.node).await.expect("runs");
    // The other has taken it for a refusal, and waits a little.
    let mut c = Host::start(node(), 3, ADMITS).await;
    c.dial(&a).await;
    c.admitted(&a).await;
}

/// A peer that gets nowhere costs the enclave one handshake a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stranger_whose_link_fails_loses_its_connection_with_all_other_links() {
    let a = Host::start(admits_within(HOUR), 1, Enclave::Listens).await;
    let mut raw = Raw::start(&a.listening[0]).await;
    let kept = raw.open(Protocol::Attest).await.expect("opened");
    let failing = raw.open(Protocol::Attest).await.expect("opened");

    drop(failing);

    timeout(PATIENCE, raw.closed)
        .await
        .expect("before its time for admission is over")
        .expect("closed");
    drop(kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_strangers_wait_for_their_turn() {
    let mut config = node();
    config.limits.links_at_once = 1;
    config.limits.links_per_second = 1;
    let mut a = Host::start(config, 1, ADMITS).await;
    let began = std::time::Instant::now();
    let mut others = Vec::new();
    for seed in 2..5 {
        let other = Host::start(node(), seed, ADMITS).await;
        other.dial(&a).await;
        others.push(other);
    }
    let mut waiting: Vec<_> = others.iter().map(|other| other.node).collect();
    a.wait(|event| {
        if let Event::PeerChange { standing, .. } = event
            && let Standing::Admitted { node, .. } = standing
        {
            waiting.retain(|other| *other != node);
        }
        waiting.is_empty().then_some(())
    })
    .await;
    assert!(began.elapsed() > Duration::from_millis(900));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_attestation_is_served_before_admission() {
    let mut a = Host::start(node(), 1, Enclave::Listens).await;
    let mut raw = Raw::start(&a.listening[0]).await;

    assert!(raw.open(Protocol::Attachment).await.is_none());
    assert!(raw.open(Protocol::Roster).await.is_none());
    assert!(raw.finds_nothing().await);
    let offered = raw.offered().await;
    assert!(offered.iter().any(|name| name == "/vettid/attest/1"));
    for forbidden in ["kad", "meshsub", "dcutr", "attachment", "circuit"] {
        assert!(
            !offered.iter().any(|name| name.contains(forbidden)),
            "{forbidden}: {offered:?}"
        );
    }
    assert!(raw.open(Protocol::Attest).await.is_some());
    a.standing_of_anybody().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_without_an_enclave_opens_no_link_until_it_has_one() {
    let (handle, mut events) = Federation::start(node(), HostKey::from_seed([1; 32]))
        .await
        .expect("starts");
    let mut b = Host::start(node(), 2, ADMITS).await;
    let home = HomeNode {
        node: NodeId([1; 32]),
        peers: vec![handle.peer().to_vec().into()],
        addresses: handle.status().await.expect("runs").listening,
    };
    b.handle.dial(home).await.expect("runs");
    eventually(|| async { !handle.status().await.expect("runs").peers.is_empty() }).await;

    handle.local_node(NodeId([1; 32])).await.expect("runs");

    b.link().await;
    let opened = async {
        while let Some(event) = events.recv().await {
            if let Event::LinkOpen { side, node, .. } = event {
                return Some((side, node));
            }
        }
        None
    };
    let opened = timeout(PATIENCE, opened).await.expect("in time");
    assert_eq!(opened, Some((Side::Responder, b.node)));
}

impl Host {
    /// Waits until a node is told unreachable; for how long.
    async fn unreachable(&mut self, wanted: NodeId) -> Duration {
        self.wait(|event| match event {
            Event::Unreachable { node, retry } if node == wanted => Some(retry),
            _ => None,
        })
        .await
    }

    async fn standing_of_anybody(&mut self) {
        self.wait(|event| matches!(event, Event::PeerChange { .. }).then_some(()))
            .await;
    }
}
