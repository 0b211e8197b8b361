use super::*;
use crate::event::Verdict;
use vettid_wire::topic::Topic;

impl Host {
    /// Waits for a gossiped object and accepts it.
    async fn hear(&mut self) -> Vec<u8> {
        let (message, bytes) = self
            .wait(|event| match event {
                Event::Gossip { message, bytes, .. } => Some((message, bytes)),
                _ => None,
            })
            .await;
        self.handle
            .judge(message, Verdict::Accept)
            .await
            .expect("runs");
        bytes
    }
}

/// Publishes until somebody is there to hear it.
async fn publish_until_heard(from: &Host, to: &mut Host, object: &[u8]) {
    let heard = async {
        let mut tries = interval(Duration::from_millis(200));
        loop {
            tokio::select! {
                _ = tries.tick() => {
                    let publish = from.handle.publish(Topic::Release, object.to_vec());
                    publish.await.expect("runs");
                }
                event = to.told.recv() => {
                    let Some(Event::Gossip { message, bytes, .. }) = event else { continue };
                    to.handle.judge(message, Verdict::Accept).await.expect("runs");
                    if bytes == object {
                        return;
                    }
                }
            }
        }
    };
    timeout(PATIENCE, heard).await.expect("heard in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_goes_no_further_than_where_it_was_accepted() {
    let (a, mut b) = pair(node(), node()).await;
    let mut c = Host::start(node(), 3, ADMITS).await;
    b.dial(&c).await;
    b.admitted(&c).await;
    c.admitted(&b).await;

    publish_until_heard(&a, &mut b, b"first").await;
    assert_eq!(c.hear().await, b"first");

    a.handle
        .publish(Topic::Release, b"second".to_vec())
        .await
        .expect("runs");
    let rejected = b
        .wait(|event| match event {
            Event::Gossip { message, .. } => Some(message),
            _ => None,
        })
        .await;
    b.handle
        .judge(rejected, Verdict::Reject)
        .await
        .expect("runs");
    c.handle
        .publish(Topic::Release, b"third".to_vec())
        .await
        .expect("runs");
    assert_eq!(b.hear().await, b"third");
    while let Ok(event) = c.told.try_recv() {
        assert!(
            !matches!(event, Event::Gossip { .. }),
            "passed on: {event:?}"
        );
    }
    assert_eq!(b.handle.metrics().gossip_rejected.get(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_that_is_too_large_is_not_gossiped() {
    let (a, mut b) = pair(node(), node()).await;
    publish_until_heard(&a, &mut b, b"small").await;

    let large = vec![0; vettid_wire::limits::GOSSIP + 1];
    a.handle.publish(Topic::Release, large).await.expect("runs");
    a.handle
        .publish(Topic::Release, vec![1; vettid_wire::limits::GOSSIP])
        .await
        .expect("runs");

    assert_eq!(b.hear().await, vec![1; vettid_wire::limits::GOSSIP]);
}

/// One object reaches a hundred hosts, few of which get it more than three times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_hosts_hear_an_object_and_few_copies_of_it() {
    const HOSTS: u8 = 100;
    let mut hosts = Vec::new();
    for seed in 1..=HOSTS {
        hosts.push(Host::start(node(), seed, ADMITS).await);
    }
    // A ring with chords: every host has eight neighbors.
    let count = hosts.len();
    for (from, host) in hosts.iter().enumerate() {
        for step in [1, 7, 23, 41] {
            host.dial(&hosts[(from + step) % count]).await;
        }
    }
    for host in &hosts {
        host.until(|status| {
            let admitted = status.peers.iter().filter(|peer| peer.node.is_some());
            admitted.count() >= 8
        })
        .await;
    }
    let object = vec![5; vettid_wire::limits::GOSSIP];
    let (first, others) = hosts.split_first_mut().expect("hosts");
    let (next, others) = others.split_first_mut().expect("hosts");
    // Meshes form within a few heartbeats.
    publish_until_heard(first, next, b"warm").await;
    for host in others.iter_mut() {
        assert_eq!(host.hear().await, b"warm");
    }
    let before: u64 = others.iter().map(Host::copies).sum();

    first
        .handle
        .publish(Topic::Release, object.clone())
        .await
        .expect("runs");
    let mut hearing = tokio::task::JoinSet::new();
    for mut host in hosts.drain(1..) {
        let object = object.clone();
        hearing.spawn(async move {
            while host.hear().await != object {}
            host
        });
    }
    let hosts = hearing.join_all().await;

    let after: u64 = hosts.iter().skip(1).map(Host::copies).sum();
    let copies = after - before;
    assert!(copies <= 3 * u64::from(HOSTS), "{copies}");
}

impl Host {
    /// Copies of gossiped objects that have come, all told.
    fn copies(&self) -> u64 {
        self.handle.metrics().gossip_copies.get()
    }
}
