//! One node in a folder of its own: started, asked, killed, restarted.
//!
//! Every node has an address of its own in 127.0.0.0/8, so that ports never collide, and everything
//! that it started is ended by process id when it is dropped. The folder of a test that fails stays.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use toml::Table;

use crate::kms::{self, StandIn};
use crate::processes::{children, family, kill_now, recorded, send};
use crate::programs::{NATS_SERVER, nats_server, program};
use crate::spoken::Spoken;
use crate::wait;

/// A node that may be running.
pub struct Node {
    place: Option<TempDir>,
    folder: PathBuf,
    address: String,
    environment: Vec<(&'static str, &'static str)>,
    running: Option<Child>,
    spoken: Option<Spoken>,
}

impl Node {
    /// Makes a node and starts it.
    #[must_use]
    pub fn started() -> Self {
        let mut node = Self::made();
        node.start();
        node
    }

    /// Makes a node folder with a network of its own.
    #[must_use]
    pub fn made() -> Self {
        Self::made_with(&[])
    }

    /// Makes a node that meets others, with a network of its own.
    #[must_use]
    pub fn federated() -> Self {
        Self::made_with(&["--federation"])
    }

    /// Makes a node that meets others, in the emulated network of another one.
    ///
    /// # Panics
    /// When that one has no network, or paths that are no text.
    #[must_use]
    pub fn beside(other: &Self) -> Self {
        let (network, root) = (
            other.folder.join("network.toml"),
            other.folder.join("enclave"),
        );
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        let (network, root) = (text(&network), text(&root));
        Self::made_with(&[
            "--federation",
            "--network",
            &network,
            "--development-root",
            &root,
        ])
    }

    /// Makes a node whose enclave runs by itself, in the network of a file.
    ///
    /// # Panics
    /// When `vettid-node init` fails.
    #[must_use]
    pub fn of_enclave(address: &str, network: &Path) -> Self {
        let network = network.to_str().expect("text");
        Self::made_with(&["--federation", "--network", network, "--enclave", address])
    }

    fn made_with(more: &[&str]) -> Self {
        let place = tempfile::Builder::new()
            .prefix("vettid-test-")
            .tempdir()
            .expect("a folder");
        let folder = place.path().join("node");
        let mut node = Self::initialized(&folder, more);
        node.place = Some(place);
        node
    }

    /// Makes a node in a folder that somebody else looks after.
    ///
    /// # Panics
    /// When `vettid-node init` fails.
    #[must_use]
    pub fn made_in(folder: &Path) -> Self {
        Self::initialized(folder, &[])
    }

    fn initialized(folder: &Path, more: &[&str]) -> Self {
        let node = Self::of(folder);
        let init = ["init", "--listen", &node.address, "--public-url"];
        let url = format!("http://{}", node.http());
        node.expect(&[&init[..], &[&url], more].concat());
        node.configure(|config| {
            set(
                config,
                "metrics",
                "listen",
                node.metrics().to_string().into(),
            );
            set(config, "http", "requests_per_minute", 100_000.into());
        });
        node
    }

    /// A copy of a stopped node's folder, at an address of its own: what a lying host makes.
    ///
    /// # Panics
    /// When the node runs or the disk refuses.
    #[must_use]
    pub fn copied(&self) -> Self {
        assert!(self.running.is_none(), "stop it before it is copied");
        let place = tempfile::Builder::new()
            .prefix("vettid-test-")
            .tempdir()
            .expect("a folder");
        let folder = place.path().join("node");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&self.folder)
            .arg(&folder)
            .status();
        assert!(copied.expect("cp").success(), "copy of a node's folder");
        let mut node = Self::of(&folder);
        node.place = Some(place);
        let address = |port: u16| format!("{}:{port}", node.address).into();
        node.configure(|config| {
            set(config, "http", "listen", address(HTTP));
            set(config, "bus", "tcp", address(BUS));
            set(config, "bus", "websocket", address(WEBSOCKET));
            set(config, "metrics", "listen", address(METRICS));
            config.insert(
                "public_url".to_owned(),
                format!("http://{}", node.http()).into(),
            );
        });
        node
    }

    fn of(folder: &Path) -> Self {
        static NODES: AtomicU32 = AtomicU32::new(2);
        let (own, number) = (std::process::id(), NODES.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.{}.{}.{number}", 1 + own / 250 % 250, 1 + own % 250);
        Self {
            place: None,
            folder: folder.to_owned(),
            address,
            environment: Vec::new(),
            running: None,
            spoken: None,
        }
    }

    /// Changes `node.toml` of a node that does not run.
    ///
    /// # Panics
    /// When there is none.
    pub fn configure(&self, change: impl FnOnce(&mut Table)) {
        let path = self.folder.join("node.toml");
        let mut config: Table = fs::read_to_string(&path)
            .expect("node.toml")
            .parse()
            .expect("TOML");
        change(&mut config);
        fs::write(&path, config.to_string()).expect("node.toml");
    }

    /// Has the enclave's sealing root be in a stand-in for AWS KMS.
    ///
    /// # Panics
    /// When there is no configuration.
    pub fn use_key_service(&mut self, service: &StandIn) {
        let kms = Table::from_iter([
            ("region".to_owned(), kms::REGION.into()),
            ("role".to_owned(), kms::ROLE.into()),
            ("endpoint".to_owned(), service.address.to_string().into()),
        ]);
        self.configure(|config| set(config, "enclave", "kms", kms.into()));
        self.environment = vec![
            ("AWS_ACCESS_KEY_ID", kms::ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", kms::SECRET_ACCESS_KEY),
            ("AWS_SESSION_TOKEN", kms::SESSION_TOKEN),
        ];
    }

    /// Starts the node and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(&mut self) {
        self.start_unready();
        self.wait_until_ready();
    }

    /// Starts the node without waiting.
    ///
    /// # Panics
    /// When there is no such program.
    pub fn start_unready(&mut self) {
        self.start_with(&[]);
    }

    /// Starts the node with more arguments, without waiting.
    ///
    /// # Panics
    /// When there is no such program.
    pub fn start_with(&mut self, more: &[&str]) {
        assert!(self.running.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("log");
        let mut command = self.command(&[&["run", "--json"], more].concat());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("vettid-node");
        self.spoken = Some(Spoken::by(&mut child));
        self.running = Some(child);
    }

    /// Waits until the node says that it is ready.
    ///
    /// # Panics
    /// When it ends or does not get ready.
    pub fn wait_until_ready(&mut self) {
        let spoken = self.spoken.as_ref().expect("started");
        let line = spoken.line();
        assert!(
            line.contains("\"ready\":true"),
            "not ready: {line}\n{}",
            self.end_of_log()
        );
    }

    /// Waits until the HTTP API says that bus, enclave and storage are there.
    ///
    /// # Panics
    /// When they do not come back.
    pub fn wait_until_healthy(&self) {
        wait::until("the node is ready again", || {
            let answer = self.get("/readyz")?;
            (answer.status == 200).then_some(())
        });
    }

    /// Kills the enclave and waits until the node serves with another one.
    ///
    /// # Panics
    /// When there is none, or none comes back.
    pub fn kill_enclave(&self) {
        let lost = || self.metric("vettid_node_enclave_links_lost_total");
        let before = lost();
        kill_now(self.enclave().expect("an enclave"));
        // Until the node has noticed, it takes itself for ready.
        wait::until("the node misses its enclave", || {
            (lost() > before).then_some(())
        });
        self.wait_until_healthy();
    }

    /// Asks the node to stop and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(&mut self) {
        let Some(mut child) = self.running.take() else {
            return;
        };
        send(pid_of(&child), Signal::SIGTERM);
        let status = wait::until("the node stops", || child.try_wait().expect("its status"));
        assert!(status.success(), "{status}\n{}", self.end_of_log());
    }

    /// Kills node, enclave and bus at once, as a power cut would.
    pub fn kill_all(&mut self) {
        let companions: Vec<i32> = [self.nats(), self.enclave()]
            .into_iter()
            .flatten()
            .flat_map(family)
            .collect();
        self.kill_node();
        companions.into_iter().for_each(kill_now);
    }

    /// Kills the node alone; what it started goes on.
    pub fn kill_node(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Process of the node.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.running.as_ref().map(pid_of)
    }

    /// Process of `nats-server`.
    #[must_use]
    pub fn nats(&self) -> Option<i32> {
        recorded(&self.folder.join("run/nats.pid"))
    }

    /// Process of the enclave's supervisor.
    #[must_use]
    pub fn enclave(&self) -> Option<i32> {
        recorded(&self.folder.join("run/enclave.pid"))
    }

    /// Processes of the open vaults.
    #[must_use]
    pub fn vaults(&self) -> Vec<i32> {
        let zygotes = self.enclave().map(children).unwrap_or_default();
        zygotes.into_iter().flat_map(children).collect()
    }

    /// Every process of this node.
    #[must_use]
    pub fn processes(&self) -> Vec<i32> {
        [self.pid(), self.nats(), self.enclave()]
            .into_iter()
            .flatten()
            .flat_map(family)
            .collect()
    }

    /// Folder of the node.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the node had to say.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    /// HTTP API.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.at(HTTP)
    }

    /// Metrics listener.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        self.at(METRICS)
    }

    /// NATS listener.
    #[must_use]
    pub fn bus(&self) -> SocketAddr {
        self.at(BUS)
    }

    /// NATS listener for WebSockets.
    #[must_use]
    pub fn websocket(&self) -> SocketAddr {
        self.at(WEBSOCKET)
    }

    /// The end of the log, to explain a failure.
    #[must_use]
    pub fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// A command line of the node's program.
    #[must_use]
    pub fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(program("vettid-node"));
        command.arg("--folder").arg(&self.folder).args(verb);
        command.env(NATS_SERVER, nats_server());
        command.envs(self.environment.iter().copied());
        command
    }

    fn at(&self, port: u16) -> SocketAddr {
        format!("{}:{port}", self.address)
            .parse()
            .expect("an address")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill_all();
        if thread::panicking()
            && let Some(place) = self.place.take()
        {
            eprintln!("kept: {}\n{}", place.keep().display(), self.end_of_log());
        }
    }
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a process id")
}

/// Sets one value in a table of `node.toml`.
pub fn set(config: &mut Table, table: &str, name: &str, value: toml::Value) {
    let entry = config.entry(table).or_insert_with(|| Table::new().into());
    entry
        .as_table_mut()
        .expect("a table")
        .insert(name.to_owned(), value);
}

const HTTP: u16 = 8440;
const BUS: u16 = 4222;
const WEBSOCKET: u16 = 4223;
const METRICS: u16 = 9440;
