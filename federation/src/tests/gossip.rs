use std::collections::HashSet;

use vettid_wire::limits;
use vettid_wire::topic::Topic;

use super::*;
use crate::behaviour::MESH_HIGH;
use crate::event::{GossipId, Verdict};

impl Host {
    /// Accepts what is gossiped until an object is `wanted`.
    async fn hear(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        loop {
            let (message, bytes) = self.gossiped().await;
            let accept = self.handle.judge(message, Verdict::Accept);
            accept.await.expect("runs");
            if wanted(&bytes) {
                return bytes;
            }
        }
    }

    /// The next gossiped object, which waits to be judged.
    async fn gossiped(&mut self) -> (GossipId, Vec<u8>) {
        self.wait(|event| match event {
            Event::Gossip { message, bytes, .. } => Some((message, bytes)),
            _ => None,
        })
        .await
    }

    async fn publish(&self, object: &[u8]) {
        let publish = self.handle.publish(Topic::Release, object.to_vec());
        publish.await.expect("runs");
    }
}

/// Has a host publish small objects that begin with its node, until something is heard.
///
/// Each is another one: an object is published once only, to whoever is there by then.
async fn publish_until<T>(from: &Host, heard: impl Future<Output = T>) -> T {
    let publishes = async {
        let mut tries = interval(Duration::from_millis(200));
        for number in 0..=u32::MAX {
            tries.tick().await;
            let object = [&from.node.0[..], &number.to_be_bytes()].concat();
            from.publish(&object).await;
        }
    };
    tokio::select! {
        () = publishes => unreachable!("so many objects"),
        heard = heard => heard,
    }
}

/// Waits until what one host publishes reaches another.
async fn hears_of(to: &mut Host, from: &Host) {
    publish_until(from, to.hear(|object| object.starts_with(&from.node.0))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_goes_no_further_than_where_it_was_accepted() {
    let (a, mut b) = pair(node(), node()).await;
    let mut c = Host::start(node(), 3, ADMITS).await;
    b.dial(&c).await;
    b.admitted(&c).await;
    c.admitted(&b).await;
    hears_of(&mut c, &b).await;
    hears_of(&mut b, &a).await;
    a.publish(b"first").await;
    b.hear(|object| object == b"first").await;
    c.hear(|object| object == b"first").await;

    a.publish(b"second").await;
    let (rejected, bytes) = b.gossiped().await;
    b.handle
        .judge(rejected, Verdict::Reject)
        .await
        .expect("runs");

    assert_eq!(bytes, b"second");
    // What is passed on comes in order.
    b.publish(b"third").await;
    let next = c.hear(|object| object == b"second" || object == b"third");
    assert_eq!(next.await, b"third");
    assert_eq!(b.handle.metrics().gossip_rejected.get(), 1);
}

/// Of two connections that are made at once one is closed, perhaps the one on which the library
/// has said what it wants to hear.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_hear_each_other_after_dials_that_crossed() {
    for round in 0..8_u8 {
        let mut a = Host::start(node(), 2 * round + 1, ADMITS).await;
        let mut b = Host::start(node(), 2 * round + 2, ADMITS).await;
        tokio::join!(a.dial(&b), b.dial(&a));
        a.admitted(&b).await;
        b.admitted(&a).await;
        for host in [&a, &b] {
            host.until(|status| status.peers.len() == 1 && status.peers[0].node.is_some())
                .await;
        }
        hears_of(&mut b, &a).await;
        hears_of(&mut a, &b).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_that_is_too_large_is_not_gossiped() {
    let (a, mut b) = pair(node(), node()).await;
    hears_of(&mut b, &a).await;

    a.publish(&vec![0; limits::GOSSIP + 1]).await;
    a.publish(&vec![1; limits::GOSSIP]).await;

    let next = b.hear(|object| object.len() >= limits::GOSSIP).await;
    assert_eq!(next, vec![1; limits::GOSSIP]);
}

/// Objects reach a hundred hosts, and however busy the machine is, none of them hands an object on to
/// more than its mesh.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_hosts_hear_an_object_and_few_copies_of_it() {
    const OBJECTS: u8 = 4;
    // What a mesh grows to, without whom the object came from. How many it is in practice is measured.
    const FEW: usize = MESH_HIGH - 1;
    let mut hosts = ring_with_chords().await;
    let handles: Vec<_> = hosts.iter().map(|host| host.handle.clone()).collect();
    let first = hosts.swap_remove(0);
    let mut heard = Heard::by(hosts);
    publish_until(
        &first,
        heard.all(|object| object.starts_with(&first.node.0)),
    )
    .await;
    // What is still under way from before comes ahead of this on every link.
    heard.publish(&first, vec![0; limits::GOSSIP]).await;
    let before = copies(&handles);

    for number in 1..=OBJECTS {
        heard.publish(&first, vec![number; limits::GOSSIP]).await;
    }

    let copies = copies(&handles) - before;
    // It came to the first one from nobody.
    let most = (FEW * handles.len() + 1) * usize::from(OBJECTS);
    assert!(copies <= most, "{copies} copies, {most} at most");
}

/// A hundred hosts, each connected with eight others.
async fn ring_with_chords() -> Vec<Host> {
    let mut hosts = Vec::new();
    for seed in 1..=100 {
        hosts.push(Host::start(unlisted(), seed, ADMITS).await);
    }
    let homes: Vec<_> = hosts.iter().map(Host::home).collect();
    // One host at a time: all at once would keep the machine busy for longer than a handshake or
    // an admission may take.
    for (from, host) in hosts.iter_mut().enumerate() {
        let others = [1, 7, 23, 41].map(|step| homes[(from + step) % homes.len()].clone());
        host.meet_all(others.to_vec()).await;
    }
    for host in &hosts {
        host.until(|status| {
            let admitted = status.peers.iter().filter(|peer| peer.node.is_some());
            admitted.count() == 8
        })
        .await;
    }
    hosts
}

/// A node that names an address which nobody can use: no search leads to it, so that it is
/// connected with those that are meant and no others.
fn unlisted() -> Config {
    Config {
        external: vec!["/ip4/127.0.0.1/tcp/0".into()],
        ..node()
    }
}

impl Host {
    /// Dials nodes and waits until it has admitted all of them.
    async fn meet_all(&mut self, mut others: Vec<HomeNode>) {
        for other in &others {
            self.handle.dial(other.clone()).await.expect("runs");
        }
        self.wait(|event| {
            if let Event::PeerChange { standing, .. } = event
                && let Standing::Admitted { node, .. } = standing
            {
                others.retain(|other| other.node != node);
            }
            others.is_empty().then_some(())
        })
        .await;
    }
}

/// What many hosts hear, each of which accepts all of it at once.
struct Heard {
    hosts: usize,
    objects: mpsc::Receiver<(NodeId, Vec<u8>)>,
}

impl Heard {
    fn by(hosts: Vec<Host>) -> Self {
        let (sender, objects) = mpsc::channel(1_024);
        let count = hosts.len();
        for host in hosts {
            tokio::spawn(accept_all(host, sender.clone()));
        }
        Self {
            hosts: count,
            objects,
        }
    }

    /// Waits until every host has heard one of the objects that are `wanted`.
    async fn all(&mut self, wanted: impl Fn(&[u8]) -> bool) {
        let mut nodes = HashSet::new();
        let all = async {
            while nodes.len() < self.hosts {
                let (node, object) = self.objects.recv().await.expect("hosts run");
                if wanted(&object) {
                    nodes.insert(node);
                }
            }
        };
        timeout(PATIENCE, all).await.expect("heard in time");
    }

    /// Publishes an object and waits until every host has heard it.
    async fn publish(&mut self, from: &Host, object: Vec<u8>) {
        from.publish(&object).await;
        self.all(|heard| heard == object).await;
    }
}

async fn accept_all(mut host: Host, heard: mpsc::Sender<(NodeId, Vec<u8>)>) {
    while let Some(event) = host.told.recv().await {
        let Event::Gossip { message, bytes, .. } = event else {
            continue;
        };
        let accepted = host.handle.judge(message, Verdict::Accept).await;
        if accepted.is_err() || heard.send((host.node, bytes)).await.is_err() {
            return;
        }
    }
}

/// Copies of gossiped objects that have come to hosts, all told.
fn copies(hosts: &[Handle]) -> usize {
    let copies = hosts.iter().map(|host| host.metrics().gossip_copies.get());
    usize::try_from(copies.sum::<u64>()).expect("fits")
}
