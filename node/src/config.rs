//! `node.toml`: what an operator can choose. Every field has a default except the trust anchor,
//! which is the network file.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vettid_federation::listen::Twins;

use crate::addresses;
use crate::enclave_link::{Address, BadAddress, BadKeyService, KeyService};
use crate::folder::NodeFolder;
use crate::object_store::S3Options;

/// Names the program to use as `nats-server` when `bus.program` does not.
pub const NATS_SERVER: &str = "VETTID_NATS_SERVER";

/// Configuration of one node.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the HTTP API as apps reach it, for invitations: `https://node.example`.
    pub public_url: String,
    /// The NATS bus.
    pub bus: Bus,
    /// The enclave.
    pub enclave: Enclave,
    /// The network of nodes.
    pub federation: Federation,
    /// The HTTP API.
    pub http: Http,
    /// The metrics listener.
    pub metrics: MetricsListener,
    /// The object store.
    pub objects: Objects,
    /// The host database.
    pub database: DatabaseLimits,
}

/// The bus that apps connect to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bus {
    /// Address of the NATS listener.
    pub tcp: SocketAddr,
    /// Address of the WebSocket listener.
    pub websocket: SocketAddr,
    /// Where apps reach the bus, best first; empty: the two listeners.
    pub public: Vec<String>,
    /// Certificate and key of both listeners.
    pub tls: Option<Tls>,
    /// The `nats-server` to run; empty: `VETTID_NATS_SERVER`, then the PATH.
    pub program: PathBuf,
    /// Connections at once.
    pub max_connections: u32,
}

/// A certificate chain and its key, PEM files.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificates, the server's own first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// How the enclave is run or reached.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Enclave {
    /// `vsock:CID:PORT` or `unix:PATH` of an enclave that runs by itself; empty: the node starts
    /// an emulated one.
    pub address: String,
    /// The emulated enclave to run; empty: `vettid-enclave-emulated` beside this program.
    pub program: PathBuf,
    /// Vaults open at once.
    pub max_open: u32,
    /// A vault without requests is closed after this many seconds.
    pub idle_seconds: u64,
    /// Memory of all vault processes, MiB.
    pub memory_mib: u64,
    /// The key service of an enclave on AWS Nitro.
    pub kms: Option<KeyService>,
}

/// How this node meets others. Whom it meets first is in the network file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// Whether it meets others at all; absent: when the network file names somebody.
    pub enabled: Option<bool>,
    /// Address of the TCP listener.
    pub tcp: SocketAddr,
    /// Address of the QUIC listener.
    pub quic: SocketAddr,
    /// Multiaddrs at which this node is reached for certain; empty: they are found out.
    pub external: Vec<String>,
    /// Announce and dial private and loopback addresses: for a lab on one machine or network.
    pub private_addresses: bool,
    /// Listen nowhere: other nodes reach this one through relays alone.
    pub hidden: bool,
}

/// The HTTP API.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address of the listener.
    pub listen: SocketAddr,
    /// Certificate and key; without, a proxy in front must do TLS.
    pub tls: Option<Tls>,
    /// Connections at once.
    pub max_connections: u32,
    /// Requests a minute that one address may make.
    pub requests_per_minute: u32,
    /// Chunks of attachments a minute that one address may store or fetch.
    pub chunks_per_minute: u32,
}

/// The metrics listener, apart from the API so that it can stay private.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsListener {
    /// Its address.
    pub listen: SocketAddr,
}

/// Where snapshots and attachments lie.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Objects {
    /// A bucket; without, the node folder.
    pub s3: Option<Bucket>,
    /// Attachments that one vault may store here, MiB; copies of others' go first.
    pub attachments_mib: u64,
}

/// An S3 bucket. Credentials come from the environment or the AWS profile.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name; it must exist.
    pub bucket: String,
    /// Put before every name.
    #[serde(default)]
    pub prefix: String,
    /// Its region.
    pub region: String,
    /// Address of an S3 that is not AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// `endpoint/bucket/name` instead of `bucket.endpoint/name`.
    #[serde(default)]
    pub path_style: bool,
}

/// Bounds of the host database.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseLimits {
    /// Largest size of `node.db`, MiB; absent: the disk.
    pub max_mib: Option<u64>,
}

/// Why `node.toml` is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The enclave's address is none.
    #[error("node.toml, enclave.address: {0}")]
    Address(#[from] BadAddress),
    /// The key service is none.
    #[error("node.toml, enclave.kms: {0}")]
    KeyService(#[from] BadKeyService),
    /// The file cannot be read.
    #[error("node.toml cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The public address is missing or is not one.
    #[error("node.toml, public_url: begin with http:// or https://, at most 300 characters")]
    PublicUrl,
    /// Two addresses are the same.
    #[error("node.toml: {0}")]
    Twins(#[from] Twins),
    /// Not TOML, or a key that is not known.
    #[error("node.toml: {0}")]
    Syntax(#[from] toml::de::Error),
}

impl Config {
    /// Reads and checks the file of `folder`.
    pub fn read(folder: &NodeFolder) -> Result<Self, ConfigError> {
        Self::parse(&std::fs::read_to_string(folder.config())?)
    }

    /// Reads and checks the text of a file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        let url = &config.public_url;
        let is_web = url.starts_with("http://") || url.starts_with("https://");
        if !is_web || url.len() > vettid_wire::invitation::ADDRESS {
            return Err(ConfigError::PublicUrl);
        }
        config.enclave_address(Path::new("/"))?;
        if let Some(service) = &config.enclave.kms {
            service.check()?;
            if config.starts_enclave() {
                return Err(BadKeyService::Emulated.into());
            }
        }
        // Whether it meets others where that is not said, its network file decides.
        let meets_others = config.federation.enabled == Some(true);
        addresses::check_apart(&config, meets_others)?;
        Ok(config)
    }

    /// Where the enclave is; `socket` is used for one that the node starts.
    pub fn enclave_address(&self, socket: &Path) -> Result<Address, BadAddress> {
        if self.enclave.address.is_empty() {
            return Ok(Address::Unix(socket.to_owned()));
        }
        self.enclave.address.parse()
    }

    /// Whether the node starts the enclave itself.
    #[must_use]
    pub fn starts_enclave(&self) -> bool {
        self.enclave.address.is_empty()
    }

    /// The program to run as emulated enclave.
    #[must_use]
    pub fn enclave_program(&self) -> PathBuf {
        if !self.enclave.program.as_os_str().is_empty() {
            return self.enclave.program.clone();
        }
        let name = "vettid-enclave-emulated";
        std::env::current_exe().map_or_else(|_| PathBuf::from(name), |own| own.with_file_name(name))
    }

    /// The program to run as bus.
    #[must_use]
    pub fn bus_program(&self) -> PathBuf {
        if !self.bus.program.as_os_str().is_empty() {
            return self.bus.program.clone();
        }
        std::env::var_os(NATS_SERVER).map_or_else(on_path, PathBuf::from)
    }

    /// Where apps reach the bus, best first.
    #[must_use]
    pub fn bus_urls(&self) -> Vec<String> {
        if !self.bus.public.is_empty() {
            return self.bus.public.clone();
        }
        let (tcp, websocket) = if self.bus.tls.is_some() {
            ("tls", "wss")
        } else {
            ("nats", "ws")
        };
        vec![
            format!("{tcp}://{}", self.bus.tcp),
            format!("{websocket}://{}", self.bus.websocket),
        ]
    }
}

impl Federation {
    /// Multiaddrs to listen on.
    #[must_use]
    pub fn listen(&self) -> Vec<String> {
        if self.hidden {
            return Vec::new();
        }
        let ip = |address: SocketAddr| match address.ip() {
            IpAddr::V4(ip) => format!("/ip4/{ip}"),
            IpAddr::V6(ip) => format!("/ip6/{ip}"),
        };
        vec![
            format!("{}/tcp/{}", ip(self.tcp), self.tcp.port()),
            format!("{}/udp/{}/quic-v1", ip(self.quic), self.quic.port()),
        ]
    }
}

impl Bucket {
    /// As the store takes it.
    #[must_use]
    pub fn options(&self) -> S3Options {
        S3Options {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            path_style: self.path_style,
        }
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self {
            tcp: local(4222),
            websocket: local(4223),
            public: Vec::new(),
            tls: None,
            program: PathBuf::new(),
            max_connections: 10_000,
        }
    }
}

impl Default for Enclave {
    fn default() -> Self {
        Self {
            address: String::new(),
            program: PathBuf::new(),
            max_open: 1_000,
            idle_seconds: 900,
            memory_mib: 2_048,
            kms: None,
        }
    }
}

impl Default for Federation {
    fn default() -> Self {
        Self {
            enabled: None,
            tcp: local(4440),
            quic: local(4440),
            external: Vec::new(),
            private_addresses: false,
            hidden: false,
        }
    }
}

impl Default for Objects {
    fn default() -> Self {
        Self {
            s3: None,
            attachments_mib: 2_048,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = local(8440);
        Self {
            listen,
            tls: None,
            max_connections: 1_000,
            requests_per_minute: 60,
            chunks_per_minute: 600,
        }
    }
}

impl Default for MetricsListener {
    fn default() -> Self {
        Self {
            listen: local(9440),
        }
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The bus server of the `PATH`, looked for here: it is started without one.
fn on_path() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    found_in(&path).unwrap_or_else(|| PathBuf::from("nats-server"))
}

fn found_in(path: &OsStr) -> Option<PathBuf> {
    let mut places = std::env::split_paths(path).map(|folder| folder.join("nats-server"));
    places.find(|place| place.is_file())
}

#[cfg(test)]
mod tests {
    use vettid_wire::key_arn::BadRegion;

    use super::*;

    const SMALLEST: &str = "public_url = \"http://127.0.0.1:8440\"";

    #[test]
    fn bus_server_is_the_first_of_the_path() {
        let place = tempfile::tempdir().expect("folder");
        let folder = |name: &str| {
            let folder = place.path().join(name);
            std::fs::create_dir(&folder).expect("made");
            folder
        };
        let (empty, first, second) = (folder("empty"), folder("first"), folder("second"));
        for folder in [&first, &second] {
            std::fs::write(folder.join("nats-server"), "").expect("written");
        }

        let path = std::env::join_paths([&empty, &first, &second]).expect("a path");
        assert_eq!(found_in(&path), Some(first.join("nats-server")));
        assert_eq!(found_in(empty.as_os_str()), None);
    }

    #[test]
    fn defaults_listen_on_this_machine_only() {
        let config = Config::parse(SMALLEST).expect("accepted");
        let listeners = [
            config.bus.tcp,
            config.bus.websocket,
            config.federation.tcp,
            config.federation.quic,
            config.http.listen,
            config.metrics.listen,
        ];
        assert!(listeners.iter().all(|address| address.ip().is_loopback()));
        assert_eq!(
            config.bus_urls(),
            ["nats://127.0.0.1:4222", "ws://127.0.0.1:4223"]
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let config = Config::parse(SMALLEST).expect("accepted");
        let text = toml::to_string(&config).expect("written");
        assert_eq!(Config::parse(&text).expect("read"), config);
    }

    #[test]
    fn unknown_keys_and_bad_addresses_are_refused() {
        for bad in [
            "",
            "public_url = \"node.example\"",
            "public_url = \"http://a\"\nspeed = 1",
            "public_url = \"http://a\"\n[enclave]\naddress = \"tcp:1\"",
            "public_url = \"http://a\"\n[bus]\ntcp = \"4222\"",
            "public_url = \"http://a\"\n[enclave.kms]\nregion = \"eu-central-1\"",
        ] {
            assert!(Config::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_the_federation_count_where_it_is_certain_that_it_listens() {
        let of = |federation: &str| {
            Config::parse(&format!(
                "{SMALLEST}\n[http]\nlisten = \"127.0.0.1:4440\"\n[federation]\n{federation}"
            ))
        };
        let twins = of("enabled = true").expect_err("twins").to_string();
        assert!(twins.contains("http.listen and federation.tcp"), "{twins}");
        for free in ["", "enabled = false", "enabled = true\nhidden = true"] {
            assert!(of(free).is_ok(), "{free}");
        }
        let bus = "[bus]\ntcp = \"0.0.0.0:1\"\nwebsocket = \"[::1]:1\"";
        assert!(Config::parse(&format!("{SMALLEST}\n{bus}")).is_err());
    }

    #[test]
    fn listeners_of_the_federation_are_multiaddrs() {
        let text = format!(
            "{SMALLEST}\n[federation]\ntcp = \"0.0.0.0:1\"\nquic = \"[::1]:2\"\nenabled = true"
        );
        let federation = Config::parse(&text).expect("accepted").federation;
        assert_eq!(
            federation.listen(),
            ["/ip4/0.0.0.0/tcp/1", "/ip6/::1/udp/2/quic-v1"]
        );
        assert_eq!(federation.enabled, Some(true));

        let hidden = format!("{SMALLEST}\n[federation]\nhidden = true");
        let federation = Config::parse(&hidden).expect("accepted").federation;
        assert!(federation.listen().is_empty());
    }

    #[test]
    fn tls_on_the_bus_shows_in_its_addresses() {
        let text = format!("{SMALLEST}\n[bus.tls]\ncertificate = \"/c\"\nkey = \"/k\"");
        let config = Config::parse(&text).expect("accepted");
        assert_eq!(
            config.bus_urls(),
            ["tls://127.0.0.1:4222", "wss://127.0.0.1:4223"]
        );
    }

    #[test]
    fn key_service_is_checked_before_anything_starts() {
        let parse = |address: &str, kms: &str| {
            let enclave = format!("[enclave]\naddress = \"{address}\"\n[enclave.kms]\n{kms}");
            match Config::parse(&format!("{SMALLEST}\n{enclave}")) {
                Err(ConfigError::KeyService(why)) => Err(why),
                other => Ok(other.expect("accepted").enclave.kms),
            }
        };
        let role = "role = \"arn:aws:iam::111122223333:role/vettid-node\"";
        let good = format!("region = \"eu-central-1\"\n{role}");

        let accepted = parse("vsock:16:5000", &good).expect("accepted");
        assert_eq!(accepted.expect("there").region, "eu-central-1");
        assert_eq!(parse("", &good), Err(BadKeyService::Emulated));
        for (kms, why) in [
            (
                good.replace("eu-central-1", "s3"),
                BadKeyService::Region(BadRegion),
            ),
            (
                good.replace(":role/", ":user/"),
                BadKeyService::Role("role"),
            ),
            (
                format!("{good}\nretirement = \"root\""),
                BadKeyService::Role("retirement"),
            ),
            (
                format!("{good}\nendpoint = \"kms\""),
                BadKeyService::Endpoint,
            ),
            (
                format!("{good}\nendpoint = \"kms:x\""),
                BadKeyService::Endpoint,
            ),
            (
                format!("{good}\nendpoint = \":443\""),
                BadKeyService::Endpoint,
            ),
        ] {
            assert_eq!(parse("vsock:16:5000", &kms), Err(why), "{kms}");
        }
    }
}
