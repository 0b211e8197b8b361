//! What the programs of bootstrap nodes and relays have in common: a configuration file, a key, a
//! network file, metrics, and running until they are stopped.

pub mod program;

use std::fs::{File, TryLockError};
use std::future::Future;
use std::io::ErrorKind;
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
use crate::listen::{self, Place};

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
    /// A file cannot be read.
    #[error("{what}: {cause}")]
    Io {
        /// What was touched.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The network file is signed by too few.
    #[error("network file {}: {why}", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: NetworkError,
    },
    /// The network file is none.
    #[error("network file {}: {why}", path.display())]
    NetworkText {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: NetworkTextError,
    },
    /// Addresses cannot be listened on; each with its key in the configuration.
    #[error("{}", .0.join("; "))]
    NotFree(Vec<String>),
    /// A host with this key serves already.
    #[error("{}: another process serves with this key: end it, or configure another key", .0.display())]
    Running(PathBuf),
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
    file: NetworkFile,
    _lock: KeyLock,
}

/// Held by the one process that serves with a key; the system releases it when the process ends.
#[derive(Debug)]
struct KeyLock(#[expect(dead_code, reason = "held, not read")] File);

/// A network file that may be replaced while it is handed out.
#[derive(Debug)]
struct NetworkFile {
    path: PathBuf,
    /// What was there at the last look, or why nothing was.
    seen: Option<Result<String, ErrorKind>>,
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
        let path = folder.join(&self.network);
        let text = std::fs::read_to_string(&path).map_err(blame(&path))?;
        let (file, _) = read_network(&path, &text)?;
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

    /// Refuses addresses that cannot be listened on. While a host with this key serves they are its
    /// own, and are not looked at.
    pub fn check_free(&self, folder: &Path) -> Result<(), HostError> {
        let key = folder.join(&self.key);
        match key.exists().then(|| KeyLock::take(&key)).transpose() {
            Err(HostError::Running(_)) => return Ok(()),
            lock => drop(lock?),
        }
        let listen = self.listen.iter();
        let listen = listen
            .filter_map(|text| Some((format!("host.listen: {text}"), Place::of(text)?)))
            .collect::<Vec<_>>();
        let metrics = format!("host.metrics: {}", self.metrics);
        let places = [listen, vec![(metrics, Place::tcp(self.metrics))]].concat();
        let taken = places.iter().filter_map(|(name, place)| {
            let why = place.check_free().err()?;
            Some(format!("{name}: {why}"))
        });
        let twins = listen::check_apart(&places).err();
        let twins = twins.map(|twins| twins.to_string());
        let wrong: Vec<_> = taken.chain(twins).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(HostError::NotFree(wrong))
    }

    /// Starts a host that introduces others; `metrics` is exposed beside its own. A key that was made
    /// for a start that fails is removed again.
    pub async fn start(&self, folder: &Path, role: Role) -> Result<Introducer, HostError> {
        let config = self.check(folder, role.clone())?;
        self.check_free(folder)?;
        let key_path = folder.join(&self.key);
        let is_new = !key_path.exists();
        let key = HostKey::load_or_create(&key_path).map_err(blame(&key_path))?;
        let lock = KeyLock::take(&key_path)?;
        let started = self.start_with(folder, role, (config, key, lock)).await;
        if is_new && started.is_err() {
            // Nobody knows its PeerId yet.
            let _ = std::fs::remove_file(&key_path);
        }
        started
    }

    async fn start_with(
        &self,
        folder: &Path,
        role: Role,
        (config, key, lock): (Config, HostKey, KeyLock),
    ) -> Result<Introducer, HostError> {
        let listener = TcpListener::bind(self.metrics).await;
        let listener = listener.map_err(|cause| HostError::Io {
            what: format!("host.metrics: {}", self.metrics),
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
            file: NetworkFile {
                path: folder.join(&self.network),
                seen: None,
            },
            _lock: lock,
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
        match self.file.changed() {
            Some(Ok(bytes)) => {
                // A driver that has stopped ends the loop.
                let _ = self.handle.serve_network(bytes).await;
            }
            Some(Err(error)) => tracing::warn!(%error, "network file is not handed out"),
            None => {}
        }
    }
}

impl KeyLock {
    fn take(key: &Path) -> Result<Self, HostError> {
        let file = File::open(key).map_err(blame(key))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(HostError::Running(key.to_owned())),
            Err(TryLockError::Error(cause)) => Err(blame(key)(cause)),
        }
    }
}

impl NetworkFile {
    /// What there is to hand out, or why there is nothing; once for each change of the file.
    fn changed(&mut self) -> Option<Result<Vec<u8>, HostError>> {
        let text = std::fs::read_to_string(&self.path);
        let seen = text.as_ref().map_err(std::io::Error::kind).cloned();
        if self.seen.as_ref() == Some(&seen) {
            return None;
        }
        self.seen = Some(seen);
        let text = text.map_err(blame(&self.path));
        Some(text.and_then(|text| Ok(read_network(&self.path, &text)?.1)))
    }
}

/// The network file of a text, and what is handed out of it: signed by enough.
fn read_network(path: &Path, text: &str) -> Result<(NetworkText, Vec<u8>), HostError> {
    let path = || path.to_owned();
    let file =
        NetworkText::parse(text).map_err(|why| HostError::NetworkText { path: path(), why })?;
    let signed = file.verified();
    let signed = signed.map_err(|why| HostError::Network { path: path(), why })?;
    Ok((file, signed))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_that_is_none_is_complained_of_once_for_each_change() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("network.toml");
        let mut file = NetworkFile {
            path: path.clone(),
            seen: None,
        };
        let mut look = || match file.changed()? {
            Ok(_) => panic!("it was handed out"),
            Err(error) => Some(error),
        };

        assert!(matches!(look(), Some(HostError::Io { .. })));
        assert!(look().is_none());
        for text in ["none", "none either"] {
            std::fs::write(&path, text).expect("written");
            let error = look().expect("complained of");
            assert!(matches!(error, HostError::NetworkText { .. }));
            assert!(error.to_string().contains(&path.display().to_string()));
            assert!(look().is_none());
        }
    }
}
