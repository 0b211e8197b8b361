//! Who is in the networks: bootstrap node and relay on the public side, a node in each home.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::lab::Lab;
use super::namespace::Namespace;
use crate::command_line::CommandLine;
use crate::node::set;
use crate::operator::metric;
use crate::processes::send;
use crate::programs::{NATS_SERVER, nats_server, program};
use crate::spoken::Spoken;
use crate::wait::{self, PATIENCE};

/// The public side, with the network that it serves.
pub struct Public<'a> {
    lab: &'a Lab,
    place: TempDir,
    running: Vec<Running>,
}

/// A node in a home, and its owner.
pub struct Home<'a> {
    network: &'a Namespace,
    folder: PathBuf,
    /// Its owner's device.
    pub owner: CommandLine,
    running: Option<Running>,
}

/// A program that has said that it is ready; asked to stop when dropped.
struct Running(Child);

impl<'a> Public<'a> {
    /// Founds a network, and starts a bootstrap node and a relay that its file names.
    ///
    /// # Panics
    /// When something of that fails.
    #[must_use]
    pub fn founded(lab: &'a Lab) -> Self {
        let place = tempfile::Builder::new().prefix("vettid-nat-").tempdir();
        let mut public = Self {
            lab,
            place: place.expect("a folder"),
            running: Vec::new(),
        };
        let mut enclave = Command::new(program("vettid-enclave-emulated"));
        let enclave = enclave.args(["create-network", "--folder"]);
        let made = enclave.arg(public.path("root")).status().expect("enclave");
        assert!(made.success(), "create-network");

        let shown = public.network(&["show", &public.path("root/network.toml")]);
        let image = &shown["images"][0];
        let part = |name: &str| image[name].as_str().expect("a register").to_owned();
        let image = [
            image["release"].to_string(),
            part("pcr0"),
            part("pcr1"),
            part("pcr2"),
        ];
        let key = public.network(&["key", "--out", &public.path("governance")]);
        let key = key["governance"].as_str().expect("a key");
        let root = public.path("root/development-root.der");
        let anchors = [
            "--governance",
            key,
            "--threshold",
            "1",
            "--trust-root",
            &root,
        ];
        public.sign(
            "first.toml",
            &[&anchors[..], &["--image", &image.join(":")]].concat(),
        );

        let mut named = vec!["--from".to_owned(), public.path("first.toml")];
        for (name, address) in [("bootstrap", Lab::BOOTSTRAP), ("relay", Lab::RELAY)] {
            let peer = public.introduce(name, address);
            for address in listening(address) {
                named.extend([format!("--{name}"), format!("{address}/p2p/{peer}")]);
            }
        }
        public.sign(
            "network.toml",
            &named.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        public
    }

    /// Starts a node in each home.
    ///
    /// # Panics
    /// When one does not start.
    #[must_use]
    pub fn homes(&self) -> [Home<'a>; 2] {
        [0, 1].map(|number| {
            let name = ["ada", "ben"][number];
            let mut home = Home {
                network: &self.lab.homes[number],
                folder: self.place.path().join(format!("node-of-{name}")),
                owner: CommandLine::at(&self.place.path().join(name)),
                running: None,
            };
            let (file, root) = (self.path("network.toml"), self.path("root"));
            home.node(&["init", "--network", &file, "--development-root", &root]);
            home.live_at(&Lab::home(number));
            home.start();
            home
        })
    }

    /// Circuits that the relay has carried.
    ///
    /// # Panics
    /// When it does not tell.
    #[must_use]
    pub fn circuits(&self) -> u64 {
        let mut relay = Command::new(program("vettid-relay"));
        relay.args(["--json", "--config", &self.path("relay.toml"), "status"]);
        let status = asked(&self.lab.public, &mut relay);
        status["circuits_opened"].as_u64().expect("a number")
    }

    /// Makes a network file and signs it.
    fn sign(&self, name: &str, says: &[&str]) {
        let file = self.path(name);
        self.network(&[&["create", "--out", &file], says].concat());
        let key = self.path("governance");
        let signed = self.network(&["sign", &file, "--key-file", &key]);
        assert_eq!(signed["complete"], true, "{signed}");
    }

    /// Starts a bootstrap node or relay at a public address; its PeerId.
    fn introduce(&mut self, name: &str, address: &str) -> String {
        let config = self.path(&format!("{name}.toml"));
        let addresses = format!("{:?}", listening(address));
        let text = format!(
            "[host]\nkey = \"{name}.key\"\nnetwork = \"first.toml\"\nlisten = {addresses}\n\
             external = {addresses}\nmetrics = \"{address}:9450\"\n"
        );
        fs::write(&config, text).expect("its configuration");
        let mut command = Command::new(program(&format!("vettid-{name}")));
        command.args(["run", "--json", "--config", &config]);
        let (running, ready) = Running::start(&self.lab.public, command, &self.path(name));
        self.running.push(running);
        ready["peer"].as_str().expect("a PeerId").to_owned()
    }

    fn network(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(program("vettid-bootstrap"));
        command.args(["--json", "network"]).args(arguments);
        asked(&self.lab.public, &mut command)
    }

    fn path(&self, name: &str) -> String {
        let path = self.place.path().join(name);
        path.to_str().expect("text").to_owned()
    }
}

impl Home<'_> {
    /// Has the owner enroll at his own node.
    pub fn enroll(&self, pin: &str, password: &str) {
        let link = self.node(&["invitation", "create"]);
        let link = link["link"].as_str().expect("a link");
        self.ask(&["enroll", link], &[pin, password]);
    }

    /// Runs a command of the owner's that must be done.
    pub fn ask(&self, arguments: &[&str], secrets: &[&str]) -> Value {
        self.network
            .within(|| self.owner.expect(arguments, secrets))
    }

    /// How the other node is connected, while it is admitted.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let listed = self.node(&["peer", "list"]);
        let mut peers = listed["peers"].as_array().expect("a list").iter();
        let admitted = peers.find(|peer| peer["state"] == "admitted")?;
        admitted["path"].as_str().map(str::to_owned)
    }

    /// Hole punches that this side has given up.
    #[must_use]
    pub fn failed_punches(&self) -> f64 {
        self.network
            .within(|| metric(METRICS, "vettid_federation_punches_failed_total"))
    }

    /// Waits until the other node is admitted, and connected in this way.
    ///
    /// # Panics
    /// When that does not come about; tells how peers are listed then.
    pub fn wait_for(&self, path: &str) {
        let there = wait::within(MEETING, || {
            (self.path().as_deref() == Some(path)).then_some(())
        });
        assert!(
            there.is_some(),
            "not {path}: {}",
            self.node(&["peer", "list"])
        );
    }

    /// Meets others from here, and is asked by its owner and operator on this machine alone.
    fn live_at(&self, address: &str) {
        let path = self.folder.join("node.toml");
        let text = fs::read_to_string(&path).expect("node.toml");
        let mut config = text.parse().expect("TOML");
        for listener in ["tcp", "quic"] {
            let address = format!("{address}:4440");
            set(&mut config, "federation", listener, address.into());
        }
        set(&mut config, "metrics", "listen", METRICS.to_string().into());
        set(&mut config, "federation", "private_addresses", false.into());
        set(&mut config, "http", "requests_per_minute", 100_000.into());
        fs::write(&path, config.to_string()).expect("node.toml");
    }

    fn start(&mut self) {
        let command = self.command(&["run"]);
        let log = self.folder.with_extension("log");
        let (running, _) = Running::start(self.network, command, log.to_str().expect("text"));
        self.running = Some(running);
    }

    fn node(&self, arguments: &[&str]) -> Value {
        asked(self.network, &mut self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("vettid-node"));
        command.arg("--json").args(arguments);
        command.arg("--folder").arg(&self.folder);
        command.env(NATS_SERVER, nats_server());
        command
    }
}

impl Running {
    /// Starts a program in a network; what it says when it is ready.
    fn start(network: &Namespace, mut command: Command, log: &str) -> (Self, Value) {
        let written = File::create(Path::new(log)).expect("a log");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(written);
        let mut child = network.within(|| command.spawn()).expect("started");
        let spoken = Spoken::by(&mut child);
        let running = Self(child);
        let line = spoken.line();
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let said = || fs::read_to_string(log).unwrap_or_default();
        assert_eq!(ready["ready"], true, "not ready: {line}\n{}", said());
        (running, ready)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        send(
            i32::try_from(self.0.id()).expect("a process id"),
            Signal::SIGTERM,
        );
        let ended = wait::within(PATIENCE, || self.0.try_wait().ok().flatten());
        if ended.is_none() {
            // It hangs: then it is not asked.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Longest that nodes take until they are connected as they can be: the direct way is tried 5, 10, 20,
/// 40, 80 and 160 s after they have met at the relay, and on a busy machine not every try succeeds.
const MEETING: Duration = Duration::from_secs(180);

/// Where nodes show what they count; each is alone in its network.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_440);

/// Where a host at a public address listens.
fn listening(address: &str) -> [String; 2] {
    [
        format!("/ip4/{address}/tcp/4001"),
        format!("/ip4/{address}/udp/4001/quic-v1"),
    ]
}

/// Runs a command in a network that must succeed; what it answers.
fn asked(network: &Namespace, command: &mut Command) -> Value {
    let output = network.within(|| command.output()).expect("started");
    let (out, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}: {out}{said}");
    let last = out.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{command:?}: {out}"))
}
