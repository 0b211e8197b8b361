//! `vettid-node init`: a folder that `run` can use.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tokio::process::Command;
use vettid_federation::listen::Place;
use vettid_wire::network::TrustRoot;

use super::made::Made;
use super::output::{Failure, say};
use crate::bus::credentials::Credentials;
use crate::clock::unix_seconds;
use crate::config::Config;
use crate::entropy::random;
use crate::folder::{NodeFolder, write_private};
use crate::network::NetworkFile;

/// Choices at the making of a node; all can be changed in `node.toml` later.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Port of the HTTP API; 0 takes a free one
    #[arg(long, default_value_t = 8440)]
    http_port: u16,
    /// Port of the bus; 0 takes a free one
    #[arg(long, default_value_t = 4222)]
    bus_port: u16,
    /// Port of the bus in a WebSocket; 0 takes a free one
    #[arg(long, default_value_t = 4223)]
    websocket_port: u16,
    /// Port of the metrics, on this machine only; 0 takes a free one
    #[arg(long, default_value_t = 9440)]
    metrics_port: u16,
    /// Port of the network of nodes, TCP and QUIC; 0 takes a free one
    #[arg(long, default_value_t = 4440)]
    federation_port: u16,
    /// Meet other nodes even if the network file names nobody to begin with
    #[arg(long)]
    federation: bool,
    /// Multiaddr at which other nodes reach this one for certain; repeatable
    #[arg(long)]
    external: Vec<String>,
    /// Address of the HTTP API as apps reach it, for invitations
    #[arg(long)]
    public_url: Option<String>,
    /// The nats-server to run
    #[arg(long)]
    nats_server: Option<PathBuf>,
    /// The emulated enclave to run
    #[arg(long)]
    enclave_program: Option<PathBuf>,
    /// An enclave that runs by itself, `vsock:CID:PORT`; needs --network
    #[arg(long, requires = "network")]
    enclave: Option<String>,
    /// Signed network file to join, instead of a new emulated network; needs --enclave or
    /// --development-root
    #[arg(long)]
    network: Option<PathBuf>,
    /// Folder `enclave` of a node of the emulated network to join: its development root is copied
    #[arg(long, requires = "network", conflicts_with = "enclave")]
    development_root: Option<PathBuf>,
}

impl Init {
    pub(super) async fn make(self, path: &Path, json: bool) -> Result<(), Failure> {
        if let Some(file) = &self.network {
            // Before anything is made.
            let network = NetworkFile::read(file)?;
            if let Some(root) = &self.development_root {
                check_root(root, file, &network)?;
            }
            if self.enclave.is_none() && self.development_root.is_none() {
                return Err(Failure::new(
                    "--network needs --enclave, or --development-root for an emulated network",
                ));
            }
        }
        NodeFolder::check_vacant(path)?;
        let made = Made::since(path)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        let (folder, network) = self.fill(path).await?;
        drop(made);
        let (shown, id) = (folder.path().display().to_string(), network.id.to_string());
        if json {
            say(json!({ "folder": shown, "network": id }));
        } else {
            say(format!("node folder  {shown}\nnetwork      {id}"));
            say(format!("next         vettid-node run --folder {shown}"));
            if self.enclave.is_none() {
                say(
                    "note         the enclave is emulated: root on this machine can read the vaults",
                );
            }
        }
        Ok(())
    }

    async fn fill(&self, path: &Path) -> Result<(NodeFolder, NetworkFile), Failure> {
        let folder = NodeFolder::create(path)?;
        let config = self.config()?;
        match (&self.network, &self.development_root) {
            (Some(file), None) => {
                std::fs::copy(file, folder.network())?;
            }
            (Some(file), Some(root)) => {
                let given = [
                    OsStr::new("join-network"),
                    OsStr::new("--network"),
                    file.as_os_str(),
                    OsStr::new("--development-root"),
                    root.as_os_str(),
                ];
                have_enclave(&config, &folder, &given).await?;
            }
            (None, _) => have_enclave(&config, &folder, &[OsStr::new("create-network")]).await?,
        }
        if self.enclave.is_none() {
            // One file, so that the two never differ.
            symlink("enclave/network.toml", folder.network())?;
        }
        let network = NetworkFile::read(&folder.network())?;
        Credentials::create(&folder.bus(), unix_seconds())?;
        // Last: a folder with a configuration is complete.
        write_private(&folder.config(), toml::to_string(&config)?.as_bytes())?;
        Ok((folder, network))
    }

    fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::default();
        let mut ports = Ports::default();
        config.http.listen = ports.address(self.listen, self.http_port)?;
        config.bus.tcp = ports.address(self.listen, self.bus_port)?;
        config.bus.websocket = ports.address(self.listen, self.websocket_port)?;
        config.metrics.listen =
            ports.address(IpAddr::V4(Ipv4Addr::LOCALHOST), self.metrics_port)?;
        config.federation.tcp = ports.address(self.listen, self.federation_port)?;
        config.federation.quic = config.federation.tcp;
        config.federation.enabled = self.federation.then_some(true);
        config.federation.external.clone_from(&self.external);
        // A node that listens on this machine only meets nobody otherwise.
        config.federation.private_addresses = self.listen.is_loopback();
        config.bus.program = self.nats_server.clone().unwrap_or_default();
        config.enclave.program = self.enclave_program.clone().unwrap_or_default();
        config.enclave.address = self.enclave.clone().unwrap_or_default();
        config.public_url = self
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", config.http.listen));
        // What is written must be readable.
        Ok(Config::parse(&toml::to_string(&config)?)?)
    }
}

/// Whether a folder holds the development root of a network.
fn check_root(root: &Path, file: &Path, network: &NetworkFile) -> Result<(), Failure> {
    let (place, root, file) = (root, root.display(), file.display());
    let TrustRoot::Emulated(certificate) = &network.trust_root else {
        return Err(Failure::new(format!(
            "{file}: a network of AWS Nitro has no development root: use --enclave instead"
        )));
    };
    for name in ["development-root.key", "development-root.der"] {
        if let Err(error) = std::fs::metadata(place.join(name)) {
            return Err(Failure::new(format!(
                "{root}: holds no development root ({name}: {error}): name the folder `enclave` of a \
                 node of that network"
            )));
        }
    }
    if std::fs::read(place.join("development-root.der"))? == *certificate {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{file} and {root} are of two networks: name the network file of the node whose development \
         root it is ({root}/network.toml), or the folder `enclave` of a node of that network"
    )))
}

/// Ports of one node that were chosen so far.
#[derive(Default)]
struct Ports(Vec<u16>);

impl Ports {
    fn address(&mut self, ip: IpAddr, port: u16) -> Result<SocketAddr, Failure> {
        let address = match port {
            0 => self.free(ip)?,
            port => SocketAddr::new(ip, port),
        };
        self.0.push(address.port());
        Ok(address)
    }

    fn free(&self, ip: IpAddr) -> Result<SocketAddr, Failure> {
        // Below the ports that the kernel lends to outgoing connections, so that none of those takes
        // it before the node runs.
        let ports = (0..TRIES).map(|_| LOWEST.saturating_add(u16::from_be_bytes(random()) % PORTS));
        let others = ports.filter(|port| !self.0.contains(port));
        let mut free = others
            .map(|port| SocketAddr::new(ip, port))
            .filter(|&address| {
                let places = [Place::tcp(address), Place::udp(address)];
                places.into_iter().all(|place| place.check_free().is_ok())
            });
        free.next()
            .ok_or_else(|| Failure::new(format!("no port of {ip} is free: name one")))
    }
}

/// Ports that a free one is taken from.
const LOWEST: u16 = 16_384;
const PORTS: u16 = 16_384;
/// How many are tried.
const TRIES: u32 = 256;

/// Has the emulated enclave fill its folder; the host never sees its keys.
async fn have_enclave(
    config: &Config,
    folder: &NodeFolder,
    given: &[&OsStr],
) -> Result<(), Failure> {
    let program = config.enclave_program();
    let made = Command::new(&program)
        .args(given)
        .arg("--folder")
        .arg(folder.enclave())
        .output()
        .await
        .map_err(|error| {
            let program = program.display();
            Failure::new(format!(
                "{program} cannot be run: {error}; build it, or name it with --enclave-program"
            ))
        })?;
    if made.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&made.stderr);
    Err(Failure::new(format!(
        "the emulated enclave has not filled its folder: {}",
        said.trim()
    )))
}
