//! Starting each part as the configuration says.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use vettid_wire::link::Hello;
use vettid_wire::version;

use super::StartError;
use super::failure::blame;
use crate::addresses::Taken;
use crate::bus::credentials::Credentials;
use crate::bus::revocation::account_token;
use crate::bus::server::BusServer;
use crate::bus::{Listeners, ServerVersion};
use crate::child::{Life, Program, supervise};
use crate::config::Config;
use crate::database::Database;
use crate::enclave_link::EnclaveLink;
use crate::folder::NodeFolder;
use crate::http::{self, Front, Listener, ListenerLimits};
use crate::network::NetworkPlace;
use crate::object_store::{FolderStore, ObjectStore, S3Store};
use crate::shutdown::Stop;

/// Opens the configured object store.
pub(super) async fn open_objects(
    folder: &NodeFolder,
    config: &Config,
) -> Result<Arc<dyn ObjectStore>, StartError> {
    match &config.objects.s3 {
        // Boxed: the SDK's future is large, and everybody who starts a node would carry it.
        Some(bucket) => Ok(Arc::new(
            Box::pin(S3Store::connect(&bucket.options())).await,
        )),
        None => {
            let opened = FolderStore::open(&folder.objects());
            Ok(Arc::new(opened.map_err(blame("the object folder"))?))
        }
    }
}

pub(super) struct RunningBus {
    pub(super) server: Arc<BusServer>,
    pub(super) task: JoinHandle<()>,
}

pub(super) async fn start_bus(
    folder: &NodeFolder,
    config: &Config,
    database: &Database,
    credentials: &Arc<Credentials>,
    stop: Stop,
) -> Result<RunningBus, StartError> {
    let program = config.bus_program();
    let version = ServerVersion::check(&program).await?;
    tracing::info!(%version, "nats-server");
    let listeners = Listeners::of(config);
    let token = account_token(database, credentials, listeners.max_connections).await?;
    let started = BusServer::start(
        program,
        folder,
        Arc::clone(credentials),
        listeners,
        &token,
        stop,
    );
    let (server, task) = started.await.map_err(blame("the bus configuration"))?;
    Ok(RunningBus {
        server: Arc::new(server),
        task,
    })
}

pub(super) struct RunningEnclave {
    pub(super) link: EnclaveLink,
    pub(super) task: Option<JoinHandle<()>>,
}

pub(super) fn start_enclave(
    folder: &NodeFolder,
    config: &Config,
    (network, peer): (&NetworkPlace, Option<Vec<u8>>),
    stop: Stop,
) -> Result<RunningEnclave, StartError> {
    let socket = folder.enclave_socket();
    let address = config.enclave_address(&socket)?;
    let hello = Hello {
        version: version::LINK,
        // As it is when the link begins.
        network: Vec::new(),
        max_open: config.enclave.max_open,
        idle: config.enclave.idle_seconds.saturating_mul(1_000),
        memory: config.enclave.memory_mib.saturating_mul(1_024),
        peers: peer.into_iter().map(Into::into).collect(),
    };
    if !config.starts_enclave() {
        let link = EnclaveLink {
            address,
            hello,
            network: network.changes(),
            key_service: config.enclave.kms.clone(),
            child: None,
        };
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
    let link = EnclaveLink {
        address,
        hello,
        network: network.changes(),
        // An emulated enclave keeps its own.
        key_service: None,
        child: Some((life, restart)),
    };
    Ok(RunningEnclave {
        link,
        task: Some(task),
    })
}

pub(super) async fn start_http(
    config: &Config,
    front: Arc<Front>,
    stop: &Stop,
) -> Result<(SocketAddr, SocketAddr, [JoinHandle<()>; 2]), StartError> {
    let tls = config.http.tls.as_ref();
    let tls = tls
        .map(|tls| http::acceptor(&tls.certificate, &tls.key))
        .transpose()?;
    let bounds = ListenerLimits {
        connections: config.http.max_connections,
    };
    let api = Listener::bind(
        config.http.listen,
        http::api(Arc::clone(&front)),
        tls,
        bounds,
    );
    let api = api
        .await
        .map_err(taken("http.listen", config.http.listen))?;
    let few = ListenerLimits { connections: 16 };
    let counts = Listener::bind(config.metrics.listen, http::metrics_api(front), None, few);
    let counts = counts
        .await
        .map_err(taken("metrics.listen", config.metrics.listen))?;
    let addresses = (
        api.address().map_err(blame("http.listen"))?,
        counts.address().map_err(blame("metrics.listen"))?,
    );
    let served = [
        tokio::spawn(api.serve(stop.clone())),
        tokio::spawn(counts.serve(stop.clone())),
    ];
    Ok((addresses.0, addresses.1, served))
}

fn taken(key: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> Taken {
    move |error| Taken {
        key,
        address,
        why: error.into(),
    }
}
