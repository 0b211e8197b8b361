//! Hosts of one process that meet over memory, TCP and QUIC, each with a stand-in for its enclave.

mod admission;
mod attachments;
mod discovery;
mod gossip;
mod hostile;
mod links;
mod listen;
mod raw;
mod relayed;

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use vettid_wire::home::HomeNode;
use vettid_wire::id::{NetworkId, NetworkKind, NodeId};
use vettid_wire::link::federation::{NotAdmitted, Side};
use vettid_wire::time::UnixMillis;

use crate::config::{Config, Role};
use crate::event::{Event, Standing};
use crate::handle::Handle;
use crate::key::{HostKey, peer_text};
use crate::{Federation, Status};

/// Longest that anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the stand-in for an enclave does with a peer.
#[derive(Clone, Copy, Debug)]
enum Enclave {
    /// Admits whoever speaks to it, for so many ms.
    Admits(u64),
    /// Hears what it is told and does nothing.
    Listens,
    /// Refuses whoever speaks to it.
    Refuses(NotAdmitted),
}

const ADMITS: Enclave = Enclave::Admits(3_600_000);

/// A host and what it was told.
struct Host {
    handle: Handle,
    told: mpsc::Receiver<Event>,
    node: NodeId,
    listening: Vec<String>,
}

fn network() -> NetworkId {
    NetworkId {
        kind: NetworkKind::Emulated,
        anchors: [7; 32],
    }
}

fn config(role: Role) -> Config {
    let mut config = Config::new(network(), role);
    config.private_addresses = true;
    config.limits.lingering = Duration::ZERO;
    config.listen = vec!["/memory/0".into()];
    config
}

/// An address at which no other program takes a port: what they connect from is not of this process's
/// own part of the loopback network.
pub(crate) fn own_ip() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 0x40, middle, low)
}

fn node() -> Config {
    config(Role::Node)
}

impl Host {
    /// Starts a host whose key and node follow from `seed`.
    async fn start(config: Config, seed: u8, enclave: Enclave) -> Self {
        let key = HostKey::from_seed([seed; 32]);
        let (handle, events) = Federation::start(config, key).await.expect("starts");
        let node = NodeId([seed; 32]);
        let (sender, told) = mpsc::channel(65_536);
        tokio::spawn(stand_in(enclave, handle.clone(), events, sender));
        handle.local_node(node).await.expect("runs");
        let listening = handle.status().await.expect("runs").listening;
        Self {
            handle,
            told,
            node,
            listening,
        }
    }

    fn home(&self) -> HomeNode {
        let own = format!("/p2p/{}", peer_text(self.handle.peer()));
        HomeNode {
            node: self.node,
            peers: vec![self.handle.peer().to_vec().into()],
            addresses: self
                .listening
                .iter()
                .map(|address| address.trim_end_matches(&own).to_owned())
                .collect(),
        }
    }

    /// Its address with its PeerId.
    fn address(&self) -> String {
        let home = self.home();
        format!(
            "{}/p2p/{}",
            home.addresses[0],
            peer_text(self.handle.peer())
        )
    }

    /// Stops it and waits until nothing of it is left.
    async fn end(mut self) {
        self.handle.stop().await;
        let drain = async { while self.told.recv().await.is_some() {} };
        timeout(PATIENCE, drain).await.expect("ends in time");
    }

    async fn dial(&self, other: &Self) {
        self.handle.dial(other.home()).await.expect("runs");
    }

    /// The next event that `wanted` wants; others are passed over.
    async fn wait<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let event = self.told.recv().await.expect("runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("happens in time")
    }

    /// Number and side of the next link.
    async fn link(&mut self) -> (u64, Side) {
        self.wait(|event| match event {
            Event::LinkOpen { link, side, .. } => Some((link, side)),
            _ => None,
        })
        .await
    }

    /// Waits until a peer stands as `wanted` says.
    async fn standing(&mut self, of: &Self, wanted: impl Fn(Standing) -> bool) -> Standing {
        let of = of.handle.peer().to_vec();
        self.wait(|event| match event {
            Event::PeerChange { peer, standing } if peer == of && wanted(standing) => {
                Some(standing)
            }
            _ => None,
        })
        .await
    }

    async fn admitted(&mut self, of: &Self) -> Standing {
        self.standing(of, |standing| matches!(standing, Standing::Admitted { .. }))
            .await
    }

    async fn status(&self) -> Status {
        self.handle.status().await.expect("runs")
    }

    /// Waits until the status is as `wanted` says.
    async fn until(&self, wanted: impl Fn(&Status) -> bool) {
        eventually(|| async { wanted(&self.status().await) }).await;
    }
}

/// Looks again until something holds.
async fn eventually<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let looked = async {
        let mut looks = interval(Duration::from_millis(20));
        while !holds().await {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, looked).await.expect("happens in time");
}

/// Two hosts that have admitted each other.
async fn pair(first: Config, second: Config) -> (Host, Host) {
    let mut a = Host::start(first, 1, ADMITS).await;
    let mut b = Host::start(second, 2, ADMITS).await;
    a.dial(&b).await;
    a.admitted(&b).await;
    b.admitted(&a).await;
    (a, b)
}

fn unix_millis() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(elapsed.expect("clock").as_millis()).expect("fits")
}

const EVIDENCE: &[u8] = b"evidence";

/// Plays the enclave's part: the initiator speaks first, each admits the other when it hears it.
async fn stand_in(
    enclave: Enclave,
    handle: Handle,
    mut events: mpsc::Receiver<Event>,
    told: mpsc::Sender<Event>,
) {
    let mut fresh = std::collections::HashMap::new();
    while let Some(event) = events.recv().await {
        match (&event, enclave) {
            (
                Event::LinkOpen {
                    link, node, side, ..
                },
                _,
            ) => {
                fresh.insert(*link, (*node, *side));
                if *side == Side::Initiator && !matches!(enclave, Enclave::Listens) {
                    let _ = handle.frame(*link, EVIDENCE.to_vec());
                }
            }
            (Event::Frame { link, .. }, Enclave::Admits(time)) => {
                if let Some((node, side)) = fresh.remove(link) {
                    if side == Side::Responder {
                        let _ = handle.frame(*link, EVIDENCE.to_vec());
                    }
                    let expires = UnixMillis(unix_millis() + time);
                    let _ = handle.admitted(*link, node, expires).await;
                    continue;
                }
            }
            (Event::Frame { link, .. }, Enclave::Refuses(why)) => {
                let _ = handle.refuse(*link, why).await;
            }
            _ => {}
        }
        if told.send(event).await.is_err() {
            return;
        }
    }
}
