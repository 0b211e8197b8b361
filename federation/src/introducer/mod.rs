//! What the programs of bootstrap nodes and relays have in common: a configuration file, a key, a
//! network file, metrics, and running until they are stopped.

pub mod program;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vettid_wire::network::NetworkError;
use vettid_wire::network_file::{NetworkText, NetworkTextError};

use crate::address::{self, BadAddress};
use crate::config::{Config, Role};
use crate::driver::{Federation, StartError};
use crate::event::Event;
use crate::exposition::serve_metrics;
use crate::handle::Handle;
use crate::key::HostKey;

/// The `[host]` table of a configuration file. Paths are relative to the file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HostTable {
    /// Key of the host; made at the first start.
    pub key: PathBuf,
    /// Signed network file. There is no default for it: it says whom to trust.
    pub network: PathBuf,
    /// Multiaddrs to listen on.
    pub listen: Vec<String>,
    /// Multiaddrs at which it is reached from everywhere.
    #[serde(default)]
    pub external: Vec<String>,
    /// Address of the metrics, for a scraper beside the program.
    #[serde(default = "metrics_address")]
    pub metrics: SocketAddr,
    /// Connections of others at once.
    #[serde(default = "connections")]
    pub connections: u32,
    /// Announce and dial private and loopback addresses: for a lab only.
    #[serde(default)]
    pub private_addresses: bool,
}

/// Why a bootstrap node or relay does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A configured address is none.
    #[error("{address}: {why}")]
    Address {
        /// As it is configured.
        address: String,
        /// What is wrong with it.
        why: BadAddress,
    },
    /// A file cannot be read, or the metrics address is taken.
    #[error("{what}: {cause}")]
    Io {
        /// What was touched.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The network file is signed by too few.
    #[error("network file: {0}")]
    Network(#[from] NetworkError),
    /// The network file is none.
    #[error("network file: {0}")]
    NetworkText(#[from] NetworkTextError),
    /// It cannot join the network.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A bootstrap node or relay that runs.
#[derive(Debug)]
pub struct Introducer {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    metrics: JoinHandle<()>,
    exposed: SocketAddr,
    file: PathBuf,
    served: Vec<u8>,
}

impl HostTable {
    /// Everything that can be known to be wrong before a start; its configuration in the network.
    pub fn check(&self, folder: &Path, role: Role) -> Result<Config, HostError> {
        for text in self.listen.iter().chain(&self.external) {
            address::check(text).map_err(|why| HostError::Address {
                address: text.clone(),
                why,
            })?;
        }
        let file = read_network(&folder.join(&self.network))?;
        file.verified()?;
        let network = file.network();
        let mut config = Config::new(network.id(), role);
        config.listen.clone_from(&self.listen);
        config.external.clone_from(&self.external);
        config.bootstrap.clone_from(&network.bootstrap);
        config.private_addresses = self.private_addresses;
        config.limits.connections_inbound = self.connections;
        // It has room to dial when it is full.
        let own = (self.connections / 5).max(8);
        config.limits.connections = self.connections.saturating_add(own);
        Ok(config)
    }

    /// Starts a host that introduces others; `metrics` is exposed beside its own.
    pub async fn start(&self, folder: &Path, role: Role) -> Result<Introducer, HostError> {
        let config = self.check(folder, role.clone())?;
        let key_path = folder.join(&self.key);
        let key = HostKey::load_or_create(&key_path).map_err(blame(&key_path))?;
        let listener = TcpListener::bind(self.metrics).await;
        let listener = listener.map_err(|cause| HostError::Io {
            what: format!("metrics at {}", self.metrics),
            cause,
        })?;
        let exposed = listener.local_addr().unwrap_or(self.metrics);
        let (handle, events) = Federation::start(config, key).await?;
        let counted = handle.metrics().clone();
        let metrics = tokio::spawn(serve_metrics(listener, move || counted.to_text(&role)));
        Ok(Introducer {
            handle,
            events,
            metrics,
            exposed,
            file: folder.join(&self.network),
            served: Vec::new(),
        })
    }

    /// PeerId of a host that has started before, base58.
    pub fn peer(&self, folder: &Path) -> Result<String, HostError> {
        let path = folder.join(&self.key);
        let key = HostKey::load(&path).map_err(blame(&path))?;
        Ok(crate::key::peer_text(&key.peer()))
    }
}

impl Introducer {
    /// Asks things of the host.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Where the metrics are.
    #[must_use]
    pub const fn metrics(&self) -> SocketAddr {
        self.exposed
    }

    /// Serves until `stop` is ready. A network file that is replaced meanwhile is handed out from
    /// then on; one that does not verify is not.
    pub async fn serve(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut looks = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = looks.tick() => self.hand_out().await,
                event = self.events.recv() => if event.is_none() { break },
            }
        }
        self.handle.stop().await;
        while self.events.recv().await.is_some() {}
        self.metrics.abort();
    }

    async fn hand_out(&mut self) {
        match read_network(&self.file).and_then(|file| Ok(file.verified()?)) {
            Ok(bytes) if bytes != self.served => {
                self.served.clone_from(&bytes);
                // A driver that has stopped ends the loop.
                let _ = self.handle.serve_network(bytes).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "network file is not handed out"),
        }
    }
}

fn read_network(path: &Path) -> Result<NetworkText, HostError> {
    let text = std::fs::read_to_string(path).map_err(blame(path))?;
    Ok(NetworkText::parse(&text)?)
}

fn blame(path: &Path) -> impl FnOnce(std::io::Error) -> HostError + use<> {
    let what = path.display().to_string();
    move |cause| HostError::Io { what, cause }
}

fn metrics_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9450))
}

const fn connections() -> u32 {
    10_000
}

/// Pause between looks at the network file.
const LOOK: Duration = Duration::from_secs(10);
