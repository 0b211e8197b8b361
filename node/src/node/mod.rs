//! One running node: the parts, wired.

mod failure;
mod parts;
mod peering;

pub use failure::StartError;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::addresses;
use crate::admin::{self, Operator, Running};
use crate::attachment::Attachments;
use crate::bus::connect;
use crate::bus::credentials::Credentials;
use crate::bus::inbound::InboundFrames;
use crate::bus::outbound::OutboundFrames;
use crate::bus::revocation::Revocations;
use crate::bus::server::BusServer;
use crate::clock::unix_seconds;
use crate::config::{Config, ConfigError};
use crate::database::{Database, Options};
use crate::enclave_link::{LinkParts, LinkStatus};
use crate::federation::{Joined, LinkReport, is_wanted};
use crate::folder::{FolderLock, NodeFolder};
use crate::health::Health;
use crate::http::{Front, RateLimit};
use crate::metrics::Metrics;
use crate::network::{NetworkFile, NetworkPlace};
use crate::object_store::ObjectStore;
use crate::shutdown::{Stop, Stopper};
use crate::space::Directory;
use crate::upkeep::Upkeep;
use crate::vault_log::SqliteLog;
use failure::blame;
use parts::{RunningBus, open_objects, start_bus, start_enclave, start_http};

/// Commands waiting for the link.
const COMMANDS: usize = 64;

/// Time a part has to end.
const PART: Duration = Duration::from_secs(40);

/// Time the last replies have to leave.
const FLUSH: Duration = Duration::from_secs(2);

/// A node that runs in this process. [`Node::stop`] ends it in order.
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
    exchange: (Stopper, JoinHandle<()>),
    children: (Stopper, Vec<JoinHandle<()>>),
    _lock: FolderLock,
}

/// What is on the disk, opened.
struct Ground {
    lock: FolderLock,
    network: NetworkPlace,
    database: Database,
    credentials: Arc<Credentials>,
    objects: Arc<dyn ObjectStore>,
    metrics: Arc<Metrics>,
    directory: Directory,
}

impl Node {
    /// Starts everything; the bus and the enclave come up behind, see [`Node::until_ready`].
    pub async fn start(folder: NodeFolder, config: Config) -> Result<Self, StartError> {
        let ground = Ground::open(&folder, &config).await?;
        let ((intake, stop), (children, children_stop)) = (Stopper::new(), Stopper::new());
        let (database, credentials) = (&ground.database, &ground.credentials);
        let bus = start_bus(
            &folder,
            &config,
            database,
            credentials,
            children_stop.clone(),
        )
        .await?;
        let RunningBus { server, task: bus } = bus;
        let (client, connected) = connect_as_node(&server, credentials).await?;

        let peering = ground.start_peering(&folder, &config).await?;
        let known_as = (&ground.network, peering.peer);
        let enclave = start_enclave(&folder, &config, known_as, children_stop)?;
        let (commands, queue) = mpsc::channel(COMMANDS);
        let (status, link_status) = watch::channel(LinkStatus::default());
        let link = ground.link_parts(&client, queue, peering.reports).await?;
        let link = tokio::spawn(enclave.link.keep(link, status, stop.clone()));

        let health = Health::new(connected, server.life(), link_status, database.clone());
        let revocations = Revocations::new(
            database.clone(),
            Arc::clone(credentials),
            Arc::clone(&server),
        );
        let running = Running {
            homes: peering.homes,
            commands,
            revocations: Arc::new(revocations),
            health: health.clone(),
            metrics: Arc::clone(&ground.metrics),
        };
        let upkeep = tokio::spawn(ground.upkeep(&running).run(stop.clone()));
        let operator = ground
            .operator(&folder, &config, running, stop.clone())
            .await?;
        let shown = (peering.attachments, peering.joined);
        let front = ground.front(&config, health.clone(), shown);
        let (http, metrics_address, [api, counts]) = start_http(&config, front, &stop).await?;
        Ok(Self {
            health,
            metrics: ground.metrics,
            http,
            metrics_address,
            operator,
            client,
            intake: (intake, vec![api, counts, link, upkeep]),
            exchange: peering.task,
            children: (children, std::iter::once(bus).chain(enclave.task).collect()),
            _lock: ground.lock,
        })
    }

    /// Waits until bus and enclave are there and the node hears what apps publish.
    pub async fn until_ready(&self) {
        self.health.until_ready().await;
        // The connection counts as made before its subscriptions have left. It fails only if the
        // client has ended, and then the node is stopping.
        let _ = self.client.flush().await;
    }

    /// Stops intake, closes vaults, lets the log settle, leaves the network, then ends the children.
    pub async fn stop(self) {
        let (intake, parts) = self.intake;
        intake.stop();
        join(parts).await;
        let (exchange, driver) = self.exchange;
        exchange.stop();
        join(vec![driver]).await;
        // Replies released last still have to leave; without a bus there is nobody to reach.
        let _ = tokio::time::timeout(FLUSH, self.client.flush()).await;
        let (children, parts) = self.children;
        children.stop();
        join(parts).await;
    }
}

impl Ground {
    async fn open(folder: &NodeFolder, config: &Config) -> Result<Self, StartError> {
        let lock = folder.lock()?;
        folder.check_permissions()?;
        let file = NetworkFile::read(&folder.network())?;
        addresses::check_apart(config, is_wanted(&config.federation, &file))
            .map_err(ConfigError::from)?;
        let network = NetworkPlace::new(folder.network(), file);
        let max_bytes = config
            .database
            .max_mib
            .map(|mib| mib.saturating_mul(1024 * 1024));
        let database = Database::open(&folder.database(), Options { max_bytes })?;
        let credentials = Arc::new(Credentials::load(&folder.bus())?);
        let objects = open_objects(folder, config).await?;
        let (metrics, directory) = (Arc::default(), Directory::new(database.clone()));
        Ok(Self {
            lock,
            network,
            database,
            credentials,
            objects,
            metrics,
            directory,
        })
    }

    async fn link_parts(
        &self,
        client: &Client,
        commands: mpsc::Receiver<crate::enclave_link::SpaceCommand>,
        reports: mpsc::Sender<LinkReport>,
    ) -> Result<LinkParts, StartError> {
        let frames = (
            InboundFrames::subscribe(client).await?,
            OutboundFrames::new(client.clone()),
        );
        let log = Arc::new(SqliteLog::new(self.database.clone()));
        let stores = (log as Arc<_>, Arc::clone(&self.objects));
        let metrics = Arc::clone(&self.metrics);
        Ok(LinkParts::new(
            frames,
            stores,
            self.directory.clone(),
            metrics,
            commands,
            (reports, self.database.clone()),
        ))
    }

    fn upkeep(&self, running: &Running) -> Upkeep {
        Upkeep {
            database: self.database.clone(),
            directory: self.directory.clone(),
            objects: Arc::clone(&self.objects),
            revocations: Arc::clone(&running.revocations),
            commands: running.commands.clone(),
            metrics: Arc::clone(&self.metrics),
            health: running.health.clone(),
        }
    }

    async fn operator(
        &self,
        folder: &NodeFolder,
        config: &Config,
        running: Running,
        stop: Stop,
    ) -> Result<Arc<Operator>, StartError> {
        let (database, network) = (self.database.clone(), self.network.clone());
        let operator = Arc::new(Operator::new(database, config, network, Some(running)));
        let served = admin::serve(&folder.admin_socket(), Arc::clone(&operator), stop).await;
        served.map_err(blame("the admin socket"))?;
        Ok(operator)
    }

    fn front(
        &self,
        config: &Config,
        health: Health,
        (attachments, joined): (Attachments, Joined),
    ) -> Arc<Front> {
        Arc::new(Front {
            directory: self.directory.clone(),
            credentials: Arc::clone(&self.credentials),
            network: self.network.changes(),
            bus: config.bus_urls(),
            health,
            metrics: Arc::clone(&self.metrics),
            joined,
            rate: RateLimit::new(config.http.requests_per_minute),
            chunk_rate: RateLimit::new(config.http.chunks_per_minute),
            attachments,
        })
    }
}

/// The node's own connection to its bus, and whether it holds.
async fn connect_as_node(
    server: &BusServer,
    credentials: &Credentials,
) -> Result<(Client, watch::Receiver<bool>), StartError> {
    let (sender, connected) = watch::channel(false);
    let user = credentials.node_user(unix_seconds())?;
    let client = connect(server.listeners(), user, NODE_INBOX, false, sender).await?;
    Ok((client, connected))
}

async fn join(parts: Vec<JoinHandle<()>>) {
    for part in parts {
        if tokio::time::timeout(PART, part).await.is_err() {
            tracing::error!("a part did not end in time");
        }
    }
}

/// The node's own inbox; it asks nothing over the bus.
const NODE_INBOX: &str = "_INBOX_node";
