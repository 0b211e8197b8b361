use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use vettid_wire::id::{NetworkId, NetworkKind, NodeId};
use vettid_wire::link::federation::{FromEnclave, ToEnclave};
use vettid_wire::network::TrustRoot;

use super::super::driver::DriverParts;
use super::super::joined::Joined;
use super::super::report::LinkReport;
use super::*;
use crate::attachment::Attachments;
use crate::database::{Database, Options};
use crate::network::{NetworkFile, NetworkPlace};
use crate::object_store::FolderStore;
use crate::shutdown::Stopper;

const SOON: Duration = Duration::from_secs(30);
const NODE: NodeId = NodeId([5; 32]);

/// A driver that is in a network, and whose enclave the test plays.
struct Fixture {
    joined: Joined,
    reports: mpsc::Sender<LinkReport>,
    session: mpsc::Receiver<ToEnclave>,
    task: (Stopper, JoinHandle<()>),
    _folder: tempfile::TempDir,
}

fn config() -> config::Federation {
    // What other programs connect from is not of this process's own part of the loopback network.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x40, middle, low);
    let free = UdpSocket::bind((own, 0)).and_then(|socket| socket.local_addr());
    let mut config = config::Federation::default();
    (config.tcp, config.quic) = ((own, 0).into(), free.expect("an address"));
    config.private_addresses = true;
    config
}

fn network_place(folder: &Path) -> NetworkPlace {
    let file = NetworkFile {
        id: NetworkId {
            kind: NetworkKind::Emulated,
            anchors: [7; 32],
        },
        signed: Vec::new(),
        trust_root: TrustRoot::Nitro,
        images: Vec::new(),
        releases: Vec::new(),
        release_floor: 1,
        epoch: 1,
        bootstrap: Vec::new(),
        relays: Vec::new(),
    };
    NetworkPlace::new(folder.join("network.toml"), file)
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let database = Database::open(&folder.path().join("node.db"), Options::default());
    let (database, file) = (database.expect("opened"), network_place(folder.path()));
    let objects = FolderStore::open(&folder.path().join("objects")).expect("store");
    let joining = Joining {
        config: config(),
        key: folder.path().join("host.key"),
    };
    let current = file.current();
    let network = Network::join(&joining.config, &current, &joining.key, Vec::new());
    let network = network.await.expect("joined");
    let (joined, changes) = Joined::new(Some(network.handle().clone()));
    let attachments = Attachments::new(database.clone(), Arc::new(objects), Arc::default(), 1);
    let parts = DriverParts {
        database,
        metrics: Arc::default(),
        network: Some(network),
        joined: changes,
        joining,
        file,
        attachments,
    };
    let ((reports, heard), (stopper, stop)) = (mpsc::channel(16), Stopper::new());
    let driver = tokio::spawn(Driver::new(parts, heard).run(stop));
    let (to_session, session) = mpsc::channel(16);
    let up = LinkReport::Up {
        node: NODE,
        epoch: 1,
        session: to_session,
    };
    reports.send(up).await.expect("a driver");
    Fixture {
        joined,
        reports,
        session,
        task: (stopper, driver),
        _folder: folder,
    }
}

impl Fixture {
    /// Ends the network, and waits until the node is in another one.
    async fn end_network(&mut self) {
        self.joined.now().expect("a network").stop().await;
        loop {
            timeout(SOON, self.joined.changed()).await.expect("in time");
            if self.joined.now().is_some() {
                return;
            }
        }
    }

    /// Answer of the network to a search.
    async fn search(&mut self, request: u64) -> ToEnclave {
        let location = [1; 32];
        let find = FromEnclave::FindHome { request, location };
        let report = LinkReport::Frame(find);
        self.reports.send(report).await.expect("a driver");
        loop {
            match timeout(SOON, self.session.recv()).await.expect("in time") {
                Some(ToEnclave::Reachable { .. }) => {}
                other => return other.expect("a link"),
            }
        }
    }
}

#[tokio::test]
async fn network_that_ends_under_a_running_node_is_joined_again_and_again() {
    let mut fixture = fixture().await;
    for request in 1..=2 {
        fixture.end_network().await;

        let handle = fixture.joined.now().expect("a network");
        assert!(handle.status().await.is_ok());
        let records = Vec::new();
        let answer = fixture.search(request).await;
        assert_eq!(answer, ToEnclave::Homes { request, records });
    }
    let (stopper, driver) = fixture.task;
    stopper.stop();
    driver.await.expect("ended");
}

#[test]
fn pauses_grow_up_to_the_last_and_are_short_again_when_a_network_has_lasted() {
    let now = Instant::now();
    let mut pauses = Pauses::new(now);
    let drawn: Vec<_> = (0..13).map(|_| pauses.next(now)).collect();
    assert!(drawn[0] < FIRST && drawn[12] >= LAST / 2);

    pauses.joined = now;

    assert!(pauses.next(now + LASTED) < FIRST);
}
