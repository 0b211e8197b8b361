//! Two nodes that meet over loopback, with enclaves that the test plays.

use std::net::{SocketAddr, UdpSocket};

use vettid_node::admin::{Reply, Request};
use vettid_node::federation::{Listed, PeerState};
use vettid_wire::home::HomeNode;
use vettid_wire::id::NodeId;
use vettid_wire::link::federation::{
    Admitted, FromEnclave as FromUs, NotAdmitted, Side, ToEnclave,
};
use vettid_wire::time::{HOUR, UnixMillis};

use crate::attachments::{fetch, store};
use crate::fixture::{Place, Running, free_address, soon};

/// A node of the pair and what it tells others of itself.
struct Member {
    running: Running,
    home: HomeNode,
}

impl Member {
    async fn start(number: u8) -> Self {
        let mut place = Place::new();
        let (tcp, quic) = (free_address(), free_udp_address());
        place.config.federation.enabled = Some(true);
        place.config.federation.tcp = tcp;
        place.config.federation.quic = quic;
        place.config.federation.private_addresses = true;
        place.write_config();
        let node = NodeId([number; 32]);
        let (running, hello) = Box::pin(Running::start_as(place, node)).await;
        assert_eq!(hello.peers.len(), 1);
        let home = HomeNode {
            node,
            peers: hello.peers,
            addresses: vec![format!("/ip4/{}/tcp/{}", tcp.ip(), tcp.port())],
        };
        Self { running, home }
    }

    async fn dial(&mut self, other: &Self) {
        let dial = FromUs::Dial(other.home.clone());
        self.running.enclave.say(dial).await;
    }

    /// The next frame that is not about addresses.
    async fn hear(&mut self) -> ToEnclave {
        loop {
            match self.running.enclave.hear().await {
                ToEnclave::Reachable { .. } => {}
                other => return other,
            }
        }
    }

    /// The link that is opened next with `other`.
    async fn opened(&mut self, other: &Self, expected: Side) -> u64 {
        match self.hear().await {
            ToEnclave::Open {
                link,
                peer,
                node,
                side,
            } => {
                assert_eq!((node, side), (other.home.node, expected));
                assert_eq!(peer, *other.home.peers[0]);
                link
            }
            frame => panic!("no link but {frame:?}"),
        }
    }

    async fn send(&mut self, link: u64, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.running
            .enclave
            .say(FromUs::Frame { link, bytes })
            .await;
    }

    async fn received(&mut self, expected: u64) -> Vec<u8> {
        match self.hear().await {
            ToEnclave::Frame { link, bytes } if link == expected => bytes,
            frame => panic!("no message but {frame:?}"),
        }
    }

    async fn admit(&mut self, link: u64, other: &Self) {
        let peer = Admitted {
            node: other.home.node,
            release: 1,
            measurement: [3; 144],
            expires: now().plus(HOUR),
        };
        self.running
            .enclave
            .say(FromUs::Admitted { link, peer })
            .await;
    }

    /// The peers, once they are as `wanted`.
    async fn listed(&self, wanted: impl Fn(&[Listed]) -> bool) -> Vec<Listed> {
        soon(async {
            loop {
                match self.running.node.operator.answer(Request::PeerList).await {
                    Reply::Peers { peers, .. } if wanted(&peers) => return peers,
                    _ => tokio::task::yield_now().await,
                }
            }
        })
        .await
    }
}

fn now() -> UnixMillis {
    vettid_node::clock::unix_millis()
}

fn free_udp_address() -> SocketAddr {
    UdpSocket::bind((free_address().ip(), 0))
        .and_then(|socket| socket.local_addr())
        .expect("an address")
}

/// Two nodes whose enclaves have a link; its number at each.
async fn linked() -> (Member, Member, u64, u64) {
    let (mut a, mut b) = (Member::start(1).await, Member::start(2).await);
    a.dial(&b).await;
    let at_a = a.opened(&b, Side::Initiator).await;
    let at_b = b.opened(&a, Side::Responder).await;
    (a, b, at_a, at_b)
}

async fn admitted() -> (Member, Member, u64, u64) {
    let (mut a, mut b, at_a, at_b) = linked().await;
    a.admit(at_a, &b).await;
    b.admit(at_b, &a).await;
    let both = |peers: &[Listed]| peers.iter().any(|peer| peer.path == "direct");
    a.listed(both).await;
    b.listed(both).await;
    (a, b, at_a, at_b)
}

#[tokio::test]
async fn enclaves_of_two_nodes_talk_and_operators_see_who_was_admitted() {
    let (mut a, mut b, at_a, at_b) = linked().await;
    a.send(at_a, b"hello").await;
    assert_eq!(b.received(at_b).await, b"hello");
    b.send(at_b, b"hello to you").await;
    assert_eq!(a.received(at_a).await, b"hello to you");
    a.admit(at_a, &b).await;
    b.admit(at_b, &a).await;
    for (one, other) in [(&a, &b), (&b, &a)] {
        let direct = |peers: &[Listed]| peers.iter().any(|peer| peer.path == "direct");
        let listed = one.listed(direct).await;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].state, PeerState::Admitted);
        assert_eq!(listed[0].node, Some(other.home.node.to_string()));
        assert_eq!(listed[0].release, 1);
    }

    a.send(at_a, &[7; 60_000]).await;
    assert_eq!(b.received(at_b).await, [7; 60_000]);

    a.running.stop().await;
    assert!(matches!(b.hear().await, ToEnclave::Closed { .. }));
    let away = |peers: &[Listed]| peers.iter().any(|peer| peer.state == PeerState::Away);
    b.listed(away).await;
    b.running.stop().await;
}

#[tokio::test]
async fn refused_peer_is_cut_off_and_listed_with_the_reason() {
    let (mut a, mut b, _at_a, at_b) = linked().await;
    let why = NotAdmitted::Measurement;
    b.running
        .enclave
        .say(FromUs::Refused { link: at_b, why })
        .await;

    assert!(matches!(a.hear().await, ToEnclave::Closed { .. }));
    let refused = |peers: &[Listed]| peers.iter().any(|peer| peer.expires > 0);
    let listed = b.listed(refused).await;
    assert_eq!(listed[0].state, PeerState::Refused);
    assert!(listed[0].why.contains("image"), "{}", listed[0].why);
    a.running.stop().await;
    b.running.stop().await;
}

#[tokio::test]
async fn new_enclave_gets_new_links() {
    let (mut a, mut b, ..) = admitted().await;
    a.running.enclave.hang_up().await;
    let accepted = soon(a.running.listening.accept_as(a.home.node)).await;
    a.running.enclave = accepted.0;
    assert!(matches!(b.hear().await, ToEnclave::Closed { .. }));

    a.dial(&b).await;

    a.opened(&b, Side::Initiator).await;
    b.opened(&a, Side::Responder).await;
    a.running.stop().await;
    b.running.stop().await;
}

#[tokio::test]
async fn attachment_is_fetched_from_the_node_that_stores_it_and_kept_as_a_copy() {
    let (a, b, ..) = admitted().await;
    let (sender, receiver) = (a.running.enroll().await, b.running.enroll().await);
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(store(&sender, a.running.node.http, 0, &bytes).await, 201);

    let (status, _, body) = fetch(
        &receiver,
        b.running.node.http,
        0,
        Some(&a.home),
        Some(650_000),
    )
    .await;
    assert_eq!(status, 206);
    assert!(body == bytes[650_000..]);
    let (status, _, body) = fetch(&receiver, b.running.node.http, 0, Some(&a.home), None).await;
    assert_eq!(status, 200);
    assert!(body == bytes);
    let fetched = &b.running.node.metrics.attachments_fetched;
    soon(async {
        while fetched.get() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let home = a.home.clone();
    a.running.stop().await;

    let (status, _, body) = fetch(&receiver, b.running.node.http, 0, Some(&home), None).await;
    assert_eq!(status, 200);
    assert!(body == bytes);
    let (status, ..) = fetch(&receiver, b.running.node.http, 9, Some(&home), None).await;
    assert_eq!(status, 502);
    b.running.stop().await;
}
