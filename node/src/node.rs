//! One running node: the parts, wired.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use vettid_wire::link::Hello;
use vettid_wire::version;

use crate::admin::{self, Operator, Running};
use crate::bus::credentials::{Credentials, CredentialsError};
use crate::bus::inbound::InboundFrames;
use crate::bus::outbound::OutboundFrames;
use crate::bus::revocation::{PublishError, Revocations, account_token};
use crate::bus::server::BusServer;
use crate::bus::{BusError, Listeners, ServerVersion, SignError, VersionError, connect};
use crate::child::{Life, Program, supervise};
use crate::clock::unix_seconds;
use crate::config::{Config, ConfigError, Tls};
use crate::database::{Database, OpenError, Options};
use crate::enclave_link::{BadAddress, EnclaveLink, LinkParts, LinkStatus};
use crate::folder::{FolderError, FolderLock, NodeFolder};
use crate::health::Health;
use crate::http::{self, Front, Listener, ListenerLimits, RateLimit, TlsError};
use crate::metrics::Metrics;
use crate::network::{NetworkFile, NetworkFileError};
use crate::object_store::{FolderStore, ObjectStore, S3Store};
use crate::shutdown::{Stop, Stopper};
use crate::space::Directory;
use crate::upkeep::Upkeep;
use crate::vault_log::{SqliteLog, VaultLog};

/// Commands waiting for the link.
const COMMANDS: usize = 64;

/// Time a part has to end.
const PART: Duration = Duration::from_secs(40);

/// A node that runs in this process. [`Node::stop`] ends it in order; dropping it does not.
pub struct Node {
    /// How it is.
    pub health: Health,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Where the HTTP API listens.
    pub http: SocketAddr,
    /// Where metrics are.
    pub metrics_address: SocketAddr,
    /// Carries out the operator's commands.
    pub operator: Arc<Operator>,
    client: Client,
    intake: (Stopper, Vec<JoinHandle<()>>),
    children: (Stopper, Vec<JoinHandle<()>>),
    _lock: FolderLock,
}

/// Why a node does not start. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The enclave's address is none.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The node cannot use its bus.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// `node.toml` is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Keys of the bus are not usable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The folder is not usable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// An address cannot be bound, or a file not written.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The network file is not usable.
    #[error(transparent)]
    Network(#[from] NetworkFileError),
    /// The account of the bus cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A bus key cannot sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A certificate is not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `nats-server` is missing or too old.
    #[error(transparent)]
    Version(#[from] VersionError),
}

impl Node {
    /// Starts everything; the bus and the enclave come up behind, see [`Health::until_ready`].
    pub async fn start(folder: NodeFolder, config: Config) -> Result<Self, StartError> {
        let lock = folder.lock()?;
        folder.check_permissions()?;
        let network = NetworkFile::read(&folder.network())?;
        let max_bytes = config.database.max_mib.map(|mib| mib.saturating_mul(1024 * 1024));
        let database = Database::open(&folder.database(), Options { max_bytes })?;
        let credentials = Arc::new(Credentials::load(&folder.bus())?);
        let objects = open_objects(&folder, &config).await?;
        let metrics = Arc::new(Metrics::default());
        let directory = Directory::new(database.clone());
        let ((intake, intake_stop), (children, children_stop)) = (Stopper::new(), Stopper::new());

        let bus = start_bus(&folder, &config, &database, &credentials, children_stop.clone()).await?;
        let (connected_sender, connected) = watch::channel(false);
        let user = credentials.node_user(unix_seconds())?;
        let client =
            connect(bus.server.listeners(), user, "_INBOX_node", false, connected_sender).await?;
        let frames =
            (InboundFrames::subscribe(&client).await?, OutboundFrames::new(client.clone()));

        let (commands, command_queue) = mpsc::channel(COMMANDS);
        let log: Arc<dyn VaultLog> = Arc::new(SqliteLog::new(database.clone()));
        let parts = LinkParts::new(
            frames,
            (log, Arc::clone(&objects)),
            directory.clone(),
            Arc::clone(&metrics),
            command_queue,
        );
        let enclave = start_enclave(&folder, &config, &network, children_stop)?;
        let (status, link_status) = watch::channel(LinkStatus::default());
        let link = tokio::spawn(enclave.link.keep(parts, status, intake_stop.clone()));

        let health = Health::new(connected, bus.server.life(), link_status, database.clone());
        let revocations = Revocations::new(database.clone(), Arc::clone(&credentials), bus.server);
        let revocations = Arc::new(revocations);
        let running = Running {
            commands: commands.clone(),
            revocations: Arc::clone(&revocations),
            health: health.clone(),
            metrics: Arc::clone(&metrics),
        };
        let url = config.public_url.clone();
        let operator = Operator::new(database.clone(), url, network.id, Some(running));
        let operator = Arc::new(operator);
        admin::serve(&folder.admin_socket(), Arc::clone(&operator), intake_stop.clone())
            .await
            .map_err(blame("the admin socket"))?;

        let front = Arc::new(Front {
            directory: directory.clone(),
            credentials,
            network,
            bus: config.bus_urls(),
            health: health.clone(),
            metrics: Arc::clone(&metrics),
            rate: RateLimit::new(config.http.requests_per_minute),
        });
        let (http, metrics_address, served) = start_http(&config, front, &intake_stop).await?;
        let upkeep = Upkeep {
            database,
            directory,
            objects,
            revocations,
            commands,
            metrics: Arc::clone(&metrics),
            health: health.clone(),
        };
        let upkeep = tokio::spawn(upkeep.run(intake_stop));
        let [api, counts] = served;
        Ok(Self {
            health,
            metrics,
            http,
            metrics_address,
            operator,
            client,
            intake: (intake, vec![api, counts, link, upkeep]),
            children: (children, std::iter::once(bus.task).chain(enclave.task).collect()),
            _lock: lock,
        })
    }

    /// Stops intake, closes vaults, lets the log settle, then ends the children.
    pub async fn stop(self) {
        let (intake, parts) = self.intake;
        intake.stop();
        join(parts).await;
        // Replies released last still have to leave; without a bus there is nobody to reach.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.client.flush()).await;
        let (children, parts) = self.children;
        children.stop();
        join(parts).await;
    }
}

async fn join(parts: Vec<JoinHandle<()>>) {
    for part in parts {
        if tokio::time::timeout(PART, part).await.is_err() {
            tracing::error!("a part did not end in time");
        }
    }
}

/// Opens the configured object store.
pub async fn open_objects(
    folder: &NodeFolder,
    config: &Config,
) -> Result<Arc<dyn ObjectStore>, StartError> {
    match &config.objects.s3 {
        // Boxed: the SDK's future is large, and everybody who starts a node would carry it.
        Some(bucket) => Ok(Arc::new(Box::pin(S3Store::connect(&bucket.options())).await)),
        None => {
            let opened = FolderStore::open(&folder.objects());
            Ok(Arc::new(opened.map_err(blame("the object folder"))?))
        }
    }
}

struct RunningBus {
    server: Arc<BusServer>,
    task: JoinHandle<()>,
}

async fn start_bus(
    folder: &NodeFolder,
    config: &Config,
    database: &Database,
    credentials: &Arc<Credentials>,
    stop: Stop,
) -> Result<RunningBus, StartError> {
    let program = config.bus_program();
    let version = ServerVersion::check(&program).await?;
    tracing::info!(%version, "nats-server");
    let paths = |tls: &Tls| (tls.certificate.clone(), tls.key.clone());
    let listeners = Listeners {
        tcp: config.bus.tcp,
        websocket: config.bus.websocket,
        tls: config.bus.tls.as_ref().map(paths),
        max_connections: config.bus.max_connections,
    };
    let token = account_token(database, credentials, listeners.max_connections).await?;
    let started =
        BusServer::start(program, folder, Arc::clone(credentials), listeners, &token, stop);
    let (server, task) = started.map_err(blame("the bus configuration"))?;
    Ok(RunningBus { server: Arc::new(server), task })
}

struct RunningEnclave {
    link: EnclaveLink,
    task: Option<JoinHandle<()>>,
}

fn start_enclave(
    folder: &NodeFolder,
    config: &Config,
    network: &NetworkFile,
    stop: Stop,
) -> Result<RunningEnclave, StartError> {
    let socket = folder.enclave_socket();
    let address = config.enclave_address(&socket)?;
    let hello = Hello {
        version: version::LINK,
        network: network.signed.clone(),
        max_open: config.enclave.max_open,
        idle: config.enclave.idle_seconds.saturating_mul(1_000),
        memory: config.enclave.memory_mib.saturating_mul(1_024),
    };
    if !config.starts_enclave() {
        let link = EnclaveLink { address, hello, child: None };
        return Ok(RunningEnclave { link, task: None });
    }
    let (restart, restarts) = watch::channel(0);
    let (life_sender, life) = watch::channel(Life::default());
    let program = Program {
        name: "vettid-enclave-emulated",
        path: config.enclave_program(),
        arguments: vec![
            OsString::from("run"),
            OsString::from("--socket"),
            socket.clone().into_os_string(),
            OsString::from("--folder"),
            folder.enclave().into_os_string(),
        ],
        mark: socket.into_os_string(),
        pid_file: folder.run().join("enclave.pid"),
        line: |line| tracing::info!(line, "vettid-enclave-emulated"),
    };
    let task = tokio::spawn(supervise(program, life_sender, restarts, stop));
    let link = EnclaveLink { address, hello, child: Some((life, restart)) };
    Ok(RunningEnclave { link, task: Some(task) })
}

async fn start_http(
    config: &Config,
    front: Arc<Front>,
    stop: &Stop,
) -> Result<(SocketAddr, SocketAddr, [JoinHandle<()>; 2]), StartError> {
    let tls = config.http.tls.as_ref();
    let tls = tls.map(|tls| http::acceptor(&tls.certificate, &tls.key)).transpose()?;
    let bounds = ListenerLimits { connections: config.http.max_connections };
    let api = Listener::bind(config.http.listen, http::api(Arc::clone(&front)), tls, bounds);
    let api = api.await.map_err(blame("http.listen"))?;
    let few = ListenerLimits { connections: 16 };
    let counts = Listener::bind(config.metrics.listen, http::metrics_api(front), None, few);
    let counts = counts.await.map_err(blame("metrics.listen"))?;
    let addresses = (
        api.address().map_err(blame("http.listen"))?,
        counts.address().map_err(blame("metrics.listen"))?,
    );
    let served = [tokio::spawn(api.serve(stop.clone())), tokio::spawn(counts.serve(stop.clone()))];
    Ok((addresses.0, addresses.1, served))
}

fn blame(what: &'static str) -> impl FnOnce(std::io::Error) -> StartError {
    move |cause| StartError::Io { what, cause }
}

