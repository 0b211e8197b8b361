//! A node folder, a node on free ports, devices on its bus.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{AuthError, Client, ConnectOptions};
use data_encoding::BASE64;
use nkeys::KeyPair;
use tempfile::TempDir;
use tokio::time::timeout;
use vettid_crypto::sign::SigningKey;
use vettid_node::admin::{Reply, Request};
use vettid_node::bus::credentials::Credentials;
use vettid_node::clock::unix_seconds;
use vettid_node::config::Config;
use vettid_node::folder::{NodeFolder, write_private};
use vettid_node::node::Node;
use vettid_wire::cbor;
use vettid_wire::http::{Credentials as Issued, Enroll};
use vettid_wire::id::{DeviceRoute, NodeId, SpaceId};
use vettid_wire::invitation::{Halves, Invitation};
use vettid_wire::link::Hello;
use vettid_wire::network::{
    GovernanceKey, Network, ReferenceValue, ReleaseStatus, SignedNetwork, TrustRoot,
};
use vettid_wire::subject;

use crate::enclave::{Enclave, Listening};
use crate::http::post;

/// Longest wait for anything that should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(SOON, what).await.expect("in time")
}

/// A node folder with free ports and the address of an enclave that the test plays.
pub(crate) struct Place {
    pub(crate) folder: NodeFolder,
    pub(crate) socket: PathBuf,
    pub(crate) config: Config,
    _place: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        // Shown with a failure; only the first of a process counts.
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_env_filter("info")
            .try_init();
        let place = tempfile::tempdir().expect("a folder");
        let folder = NodeFolder::create(&place.path().join("node")).expect("created");
        let socket = place.path().join("played.sock");
        let config = config(&socket);
        Credentials::create(&folder.bus(), unix_seconds()).expect("keys");
        std::fs::write(folder.network(), network()).expect("network file");
        let place = Self {
            folder,
            socket,
            config,
            _place: place,
        };
        place.write_config();
        place
    }

    pub(crate) fn write_config(&self) {
        let text = toml::to_string(&self.config).expect("written");
        write_private(&self.folder.config(), text.as_bytes()).expect("written");
    }

    pub(crate) fn listen(&self) -> Listening {
        Listening::at(&self.socket)
    }

    pub(crate) async fn start(&self) -> Node {
        // Boxed: a test's thread has a small stack, and an unoptimized future is large.
        Box::pin(Node::start(self.folder.clone(), self.config.clone()))
            .await
            .expect("started")
    }
}

/// A ready node and the enclave beside it.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) enclave: Enclave,
    pub(crate) listening: Listening,
    pub(crate) place: Place,
}

impl Running {
    pub(crate) async fn start() -> Self {
        Box::pin(Self::start_in(Place::new())).await
    }

    pub(crate) async fn start_in(place: Place) -> Self {
        let listening = place.listen();
        let node = place.start().await;
        let enclave = soon(listening.accept()).await;
        soon(node.until_ready()).await;
        Self {
            node,
            enclave,
            listening,
            place,
        }
    }

    /// A node whose enclave greets as `node`; what it was told first.
    pub(crate) async fn start_as(place: Place, node: NodeId) -> (Self, Hello) {
        let listening = place.listen();
        let running = place.start().await;
        let (enclave, hello) = soon(listening.accept_as(node)).await;
        soon(running.health.until_ready()).await;
        let running = Self {
            node: running,
            enclave,
            listening,
            place,
        };
        (running, hello)
    }

    pub(crate) async fn invite(&self) -> Invitation {
        // The identity is noted a moment after the enclave greets.
        loop {
            let request = Request::InvitationCreate {
                label: "test".into(),
                lifetime: 60,
            };
            match self.node.operator.answer(request).await {
                Reply::Invitation { link, .. } => return Invitation::parse(&link).expect("a link"),
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// Enrolls a device over HTTP.
    pub(crate) async fn enroll(&self) -> Device {
        let invitation = self.invite().await;
        let key = KeyPair::new_user();
        let body = enroll_body(&invitation, &key.public_key());
        let (status, answer) = post(self.node.http, "/v1/enroll", &body).await;
        assert_eq!(status, 200, "{answer}");
        Device::new(key, serde_json::from_str(&answer).expect("credentials"))
    }

    pub(crate) async fn stop(self) {
        let mut enclave = self.enclave;
        let stopping = tokio::spawn(self.node.stop());
        soon(enclave.until_shutdown()).await;
        drop(enclave);
        soon(stopping).await.expect("stopped");
    }
}

pub(crate) fn enroll_body(invitation: &Invitation, user: &str) -> String {
    let secret = invitation
        .secret
        .expose(|bytes| bytes.try_into().expect("32 bytes"));
    let halves = Halves::of(&vettid_crypto::SecretBytes::from_bytes(secret));
    let token = vettid_crypto::SecretBytes::expose(&halves.host, |bytes| {
        data_encoding::BASE64URL_NOPAD.encode(bytes)
    });
    serde_json::to_string(&Enroll {
        token,
        user: user.to_owned(),
    })
    .expect("JSON")
}

/// A device with bus credentials.
pub(crate) struct Device {
    pub(crate) key: KeyPair,
    pub(crate) issued: Issued,
    pub(crate) space: SpaceId,
    pub(crate) route: DeviceRoute,
}

impl Device {
    fn new(key: KeyPair, issued: Issued) -> Self {
        let (space, route) = (issued.space.parse(), issued.device.parse());
        Self {
            key,
            space: space.expect("a space"),
            route: route.expect("a route"),
            issued,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        let url = &self.issued.bus[0];
        connect_with(
            url,
            &self.issued.jwt,
            &self.key,
            &subject::inbox(self.route),
        )
        .await
        .expect("connected")
    }

    /// Renews over HTTP; status and body.
    pub(crate) async fn renew(&self, http: SocketAddr) -> (u16, String) {
        let time = unix_seconds() * 1_000;
        post(
            http,
            "/v1/credentials",
            &renew_body(&self.key, &self.key.public_key(), time),
        )
        .await
    }
}

pub(crate) fn renew_body(signer: &KeyPair, user: &str, time: u64) -> String {
    let signature = signer
        .sign(&vettid_wire::http::renewal_text(user, time))
        .expect("signed");
    let signature = data_encoding::BASE64URL_NOPAD.encode(&signature);
    let renew = vettid_wire::http::Renew {
        user: user.to_owned(),
        time,
        signature,
    };
    serde_json::to_string(&renew).expect("JSON")
}

/// Connects once, without retrying a refusal.
pub(crate) async fn connect_with(
    url: &str,
    jwt: &str,
    key: &KeyPair,
    inbox: &str,
) -> Result<Client, async_nats::ConnectError> {
    let signer = std::sync::Arc::new(KeyPair::from_seed(&key.seed().expect("seed")).expect("key"));
    ConnectOptions::with_jwt(jwt.to_owned(), move |nonce| {
        let signer = std::sync::Arc::clone(&signer);
        async move { signer.sign(&nonce).map_err(AuthError::new) }
    })
    .custom_inbox_prefix(inbox)
    .max_reconnects(1)
    .connect(url)
    .await
}

/// An address that nobody else takes: what other programs connect from is not of this process's own
/// part of the loopback network.
pub(crate) fn free_address() -> SocketAddr {
    let [address] = free_addresses();
    address
}

/// Several, each with a port of its own: they are free at the same time.
fn free_addresses<const COUNT: usize>() -> [SocketAddr; COUNT] {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x40, middle, low);
    let sockets = [(); COUNT].map(|()| TcpListener::bind((own, 0)).expect("a socket"));
    sockets.map(|socket| socket.local_addr().expect("an address"))
}

fn config(socket: &std::path::Path) -> Config {
    assert!(
        std::env::var_os("VETTID_NATS_SERVER").is_some(),
        "set VETTID_NATS_SERVER to a nats-server of 2.14 or newer (`cargo xtask setup` installs it)"
    );
    let mut config = Config::default();
    let [tcp, websocket, http, metrics] = free_addresses();
    (config.bus.tcp, config.bus.websocket) = (tcp, websocket);
    (config.http.listen, config.metrics.listen) = (http, metrics);
    config.http.requests_per_minute = 10_000;
    config.public_url = format!("http://{}", config.http.listen);
    config.enclave.address = format!("unix:{}", socket.display());
    config
}

fn network() -> String {
    network_file(1, 1)
}

/// Text of a network file, signed by the governance key of `seed`.
pub(crate) fn network_file(seed: u8, epoch: u64) -> String {
    network_file_naming(seed, epoch, Vec::new())
}

/// The same, which names bootstrap nodes.
pub(crate) fn network_file_naming(seed: u8, epoch: u64, bootstrap: Vec<String>) -> String {
    let key = SigningKey::from_seed(&[seed; 32]);
    let image = ReferenceValue {
        release: 1,
        pcr0: [1; 48],
        pcr1: [2; 48],
        pcr2: [3; 48],
        status: ReleaseStatus::Active,
    };
    let network = Network {
        trust_root: TrustRoot::Emulated(vec![1, 2, 3]),
        governance: vec![GovernanceKey(key.verifying_key().0)],
        threshold: 1,
        reference_values: vec![image],
        release_floor: 1,
        epoch,
        bootstrap,
        relays: Vec::new(),
    };
    let signed = cbor::encode(&SignedNetwork(vec![network.sign(&key)]));
    format!(
        "id = \"{}\"\nsigned = \"{}\"\n",
        network.id(),
        BASE64.encode(&signed)
    )
}
