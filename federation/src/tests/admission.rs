use super::raw::Raw;
use super::*;
use crate::streams::Protocol;

fn hasty() -> Config {
    let mut config = node();
    config.limits.admission = Duration::from_millis(400);
    config
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
    let retry = a
        .wait(|event| match event {
            Event::Unreachable { node, retry } if node == b.node => Some(retry),
            _ => None,
        })
        .await;
    assert!(retry > Duration::from_secs(5));
    a.until(|status| status.peers.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_whose_enclave_never_answers_is_closed_in_time() {
    let mut a = Host::start(hasty(), 1, ADMITS).await;
    let b = Host::start(node(), 2, Enclave::Listens).await;

    a.dial(&b).await;

    a.standing(&b, |s| matches!(s, Standing::Refused { .. }))
        .await;
    a.until(|status| status.peers.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_that_names_another_node_than_was_wanted_is_refused() {
    let mut a = Host::start(node(), 1, ADMITS).await;
    let b = Host::start(node(), 2, ADMITS).await;
    let mut home = b.home();
    home.node = NodeId([8; 32]);

    a.handle.dial(home).await.expect("runs");

    let told = a
        .wait(|event| match event {
            Event::PeerChange {
                standing: Standing::Refused { .. },
                ..
            } => Some(true),
            Event::PeerChange {
                standing: Standing::Admitted { .. },
                ..
            } => Some(false),
            _ => None,
        })
        .await;
    assert!(told, "admitted as a node that it is not");
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
    async fn standing_of_anybody(&mut self) {
        self.wait(|event| matches!(event, Event::PeerChange { .. }).then_some(()))
            .await;
    }
}
