use super::*;

fn with_bootstrap(bootstrap: &Host) -> Config {
    Config {
        bootstrap: vec![bootstrap.address()],
        ..node()
    }
}

impl Host {
    async fn find(&mut self, location: [u8; 32]) -> Vec<Vec<u8>> {
        self.handle.find_record(5, location).await.expect("runs");
        self.wait(|event| match event {
            Event::Homes {
                request: 5,
                records,
            } => Some(records),
            _ => None,
        })
        .await
    }

    /// Looks until a record is found.
    async fn find_until(&mut self, location: [u8; 32], record: &[u8]) {
        let found = async {
            let mut looks = interval(Duration::from_millis(100));
            while !self
                .find(location)
                .await
                .iter()
                .any(|found| found == record)
            {
                looks.tick().await;
            }
        };
        timeout(PATIENCE, found).await.expect("found in time");
    }

    async fn put(&self, location: [u8; 32], record: &[u8]) {
        let expires = UnixMillis(unix_millis() + 3_600_000);
        self.handle
            .put_record(location, record.to_vec(), expires)
            .await
            .expect("runs");
    }
}

/// Four nodes that have met through a bootstrap node.
async fn network_of_four() -> (Host, Vec<Host>) {
    let bootstrap = Host::start(config(Role::Bootstrap), 100, ADMITS).await;
    let mut nodes = Vec::new();
    for seed in 1..=4 {
        nodes.push(Host::start(with_bootstrap(&bootstrap), seed, ADMITS).await);
    }
    for node in &nodes {
        node.until(|status| {
            let admitted = status.peers.iter().filter(|peer| peer.node.is_some());
            admitted.count() == 3 && status.routed >= 4
        })
        .await;
    }
    (bootstrap, nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_meet_through_bootstrap_and_find_homes_when_it_is_gone() {
    let (bootstrap, mut nodes) = network_of_four().await;
    bootstrap.handle.stop().await;
    for node in &nodes {
        node.until(|status| status.peers.iter().all(|peer| !peer.introduces))
            .await;
    }

    nodes[0].put([1; 32], b"sealed home").await;

    nodes[3].find_until([1; 32], b"sealed home").await;
    assert!(nodes[2].find([2; 32]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poisoned_record_does_not_hide_the_true_one_and_a_newer_one_replaces_its_own() {
    let (_bootstrap, mut nodes) = network_of_four().await;
    nodes[1].put([1; 32], b"poison").await;
    nodes[3].find_until([1; 32], b"poison").await;
    nodes[0].put([1; 32], b"true, first").await;
    nodes[3].find_until([1; 32], b"true, first").await;

    nodes[0].put([1; 32], b"true, second").await;

    nodes[3].find_until([1; 32], b"true, second").await;
    let found = nodes[2].find([1; 32]).await;
    assert!(found.contains(&b"poison".to_vec()));
    assert!(found.contains(&b"true, second".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withdrawn_record_is_not_offered_to_who_comes_later() {
    let mut first = Host::start(node(), 1, ADMITS).await;
    first.put([1; 32], b"sealed home").await;
    first.put([2; 32], b"another home").await;
    first.find_until([1; 32], b"sealed home").await;

    first.handle.drop_record([1; 32]).await.expect("runs");

    let known = vec![first.address()];
    let mut later = Host::start(Config { known, ..node() }, 2, ADMITS).await;
    later.find_until([2; 32], b"another home").await;
    assert!(later.find([1; 32]).await.is_empty());
    assert!(first.find([1; 32]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_file_comes_from_bootstrap_nodes() {
    let bootstrap = Host::start(config(Role::Bootstrap), 100, ADMITS).await;
    bootstrap
        .handle
        .serve_network(b"signed file".to_vec())
        .await
        .expect("runs");
    let mut node = Host::start(with_bootstrap(&bootstrap), 1, ADMITS).await;

    let file = node
        .wait(|event| match event {
            Event::Network { bytes } => Some(bytes),
            _ => None,
        })
        .await;

    assert_eq!(file, b"signed file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn network_file_is_asked_for_anew_when_a_peer_is_in_another_policy() {
    let bootstrap = Host::start(config(Role::Bootstrap), 100, ADMITS).await;
    let serve = |file: &[u8]| bootstrap.handle.serve_network(file.to_vec());
    serve(b"old").await.expect("runs");
    let refuses = Enclave::Refuses(NotAdmitted::Network);
    let mut node = Host::start(with_bootstrap(&bootstrap), 1, refuses).await;
    let file = |event| match event {
        Event::Network { bytes } => Some(bytes),
        _ => None,
    };
    assert_eq!(node.wait(file).await, b"old");
    serve(b"new").await.expect("runs");

    // Not more often than every few seconds, whoever comes.
    let newer = async {
        for seed in 2.. {
            let peer = Host::start(config(Role::Node), seed, ADMITS).await;
            node.dial(&peer).await;
            let found = timeout(Duration::from_secs(2), node.wait(file)).await;
            if let Ok(found) = found {
                return found;
            }
        }
        unreachable!("peers enough")
    };

    let newer = timeout(PATIENCE, newer).await.expect("asked in time");
    assert_eq!(newer, b"new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_knows_peers_of_before_needs_no_bootstrap_node() {
    let (_bootstrap, mut nodes) = network_of_four().await;
    let known = nodes[0].status().await.known;
    assert!(!known.is_empty());
    let later = Config { known, ..node() };
    let mut newcomer = Host::start(later, 9, ADMITS).await;

    newcomer.put([3; 32], b"new here").await;

    nodes[1].find_until([3; 32], b"new here").await;
    newcomer.find_until([3; 32], b"new here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_beyond_those_at_once_wait_and_one_without_peers_finds_nothing() {
    let (_bootstrap, mut nodes) = network_of_four().await;
    nodes[0].put([1; 32], b"sealed home").await;
    nodes[1].find_until([1; 32], b"sealed home").await;
    let mut config = node();
    config.limits.searches = 1;
    config.known = nodes[0].status().await.known;
    let mut narrow = Host::start(config, 9, ADMITS).await;
    narrow.find_until([1; 32], b"sealed home").await;

    for request in 10..15 {
        narrow
            .handle
            .find_record(request, [1; 32])
            .await
            .expect("runs");
    }
    let mut found = Vec::new();
    narrow
        .wait(|event| {
            if let Event::Homes { request, records } = event
                && request >= 10
            {
                assert_eq!(records, [b"sealed home"]);
                found.push(request);
            }
            (found.len() == 5).then_some(())
        })
        .await;
    assert_eq!(found, [10, 11, 12, 13, 14]);

    let mut alone = Host::start(node(), 2, ADMITS).await;
    assert!(alone.find([1; 32]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_not_announced_outside_a_lab() {
    let public = Config {
        private_addresses: false,
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        ..node()
    };
    let host = Host::start(public, 1, ADMITS).await;
    let status = host.status().await;

    assert!(!status.listening.is_empty());
    assert_eq!(status.reachable, Vec::<String>::new());
}
