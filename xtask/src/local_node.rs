//! A node on this machine, for `up` and `demo`: started, watched, and ended by process id.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::{cargo, output, quiet, run as run_command};
use crate::node_toml::NodeToml;
use crate::repository::Repository;
use crate::test::BINARIES;
use crate::tools::Tools;

/// How long a node may take to be ready, and to stop when asked.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Nodes on one machine must not meet.
const FREE_PORTS: [&str; 5] = [
    "--http-port=0",
    "--bus-port=0",
    "--websocket-port=0",
    "--metrics-port=0",
    "--federation-port=0",
];

/// What `up` and `demo` start.
const PROGRAMS: [&str; 5] = [
    "vettid-bootstrap",
    "vettid-cli",
    "vettid-node",
    "vettid-relay",
    "vettid-runtime",
];

/// The product's programs.
pub(crate) struct Binaries {
    folder: PathBuf,
}

/// One node: its folder, and its process while it runs. Ended when dropped.
pub(crate) struct LocalNode {
    folder: PathBuf,
    node: PathBuf,
    servers: Vec<(String, PathBuf)>,
    running: Option<Child>,
}

impl Binaries {
    /// Builds the node, the emulated enclave, the owner's command line, bootstrap node and relay,
    /// unless they were built elsewhere.
    pub(crate) fn build(repository: &Repository, release: bool) -> Result<Self> {
        if let Some(folder) = env::var_os(BINARIES).map(PathBuf::from) {
            return Ok(Self { folder });
        }
        let mut build = cargo(repository.root());
        build.args(["build", "--quiet"]);
        for program in PROGRAMS {
            build.args(["--package", program]);
        }
        if release {
            build.arg("--release");
        }
        run_command(&mut build)?;
        Ok(Self {
            folder: repository.binaries(release),
        })
    }

    /// Path of one program.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl LocalNode {
    /// Makes a node folder with a network of its own.
    pub(crate) fn init(binaries: &Binaries, tools: &Tools, folder: &Path) -> Result<Self> {
        Self::init_with(binaries, tools, folder, &[])
    }

    /// Makes a node folder in the emulated network of a signed file; `root` holds its development
    /// root.
    pub(crate) fn join(
        binaries: &Binaries,
        tools: &Tools,
        folder: &Path,
        network: &Path,
        root: &Path,
    ) -> Result<Self> {
        let more = [
            OsStr::new("--network"),
            network.as_os_str(),
            OsStr::new("--development-root"),
            root.as_os_str(),
        ];
        Self::init_with(binaries, tools, folder, &more)
    }

    fn init_with(
        binaries: &Binaries,
        tools: &Tools,
        folder: &Path,
        more: &[&OsStr],
    ) -> Result<Self> {
        let node = Self {
            folder: folder.to_path_buf(),
            node: binaries.path("vettid-node"),
            servers: tools.exports(),
            running: None,
        };
        if !folder.join("node.toml").is_file() {
            quiet(node.command(&["init"]).args(FREE_PORTS).args(more))?;
        }
        Ok(node)
    }

    /// The node's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Address of its HTTP API.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        NodeToml::read(&self.folder)?.http()
    }

    /// Where the node writes what it has to say.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("node.log")
    }

    /// Starts the node and waits until it is ready.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(&["run"]);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.running = Some(command.spawn().context("starting vettid-node")?);
        self.wait_until_ready()
    }

    /// A new invitation, as JSON; its `link` is what an owner gets.
    pub(crate) fn invitation(&self) -> Result<Value> {
        let text = output(&mut self.command(&["invitation", "create", "--json"]))?;
        serde_json::from_str(&text).context("invitation")
    }

    /// The nodes that this one has met, as JSON.
    pub(crate) fn peers(&self) -> Result<Value> {
        let text = output(&mut self.command(&["peer", "list", "--json"]))?;
        serde_json::from_str(&text).context("peers")
    }

    /// How the node is, as JSON.
    pub(crate) fn status(&self) -> Result<Value> {
        let text = output(&mut self.command(&["status", "--json"]))?;
        serde_json::from_str(&text).context("status")
    }

    /// A new invitation in words, with its code for a phone's camera.
    pub(crate) fn show_invitation(&self) -> Result<()> {
        run_command(&mut self.command(&["invitation", "create"]))
    }

    /// Waits for the node's process to end.
    pub(crate) fn wait(&mut self) -> Result<()> {
        if let Some(node) = &mut self.running {
            let status = node.wait().context("waiting for vettid-node")?;
            if !status.success() {
                bail!(
                    "vettid-node ended with {status}; its log is {}",
                    self.log().display()
                );
            }
        }
        Ok(())
    }

    /// Ends node, enclave and bus server at once, as a power cut would.
    pub(crate) fn kill_all(&mut self) -> Result<Vec<i32>> {
        let mut killed = self.companions();
        for pid in &killed {
            signal(*pid, Signal::SIGKILL);
        }
        if let Some(mut node) = self.running.take() {
            killed.insert(0, i32::try_from(node.id()).unwrap_or_default());
            node.kill().context("killing vettid-node")?;
            node.wait().context("waiting for vettid-node")?;
        }
        Ok(killed)
    }

    /// Leaves the node running when this value is gone.
    pub(crate) fn keep(mut self) {
        self.running = None;
    }

    fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        command.args(verb).arg("--folder").arg(&self.folder);
        command.envs(self.servers.iter().map(|(name, path)| (name, path)));
        command
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let address = self.address()?;
        loop {
            if is_ready(address) {
                return Ok(());
            }
            let ended = self
                .running
                .as_mut()
                .and_then(|node| node.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("vettid-node ended with {status}\n{}", self.end_of_log());
            }
            if Instant::now() > deadline {
                bail!(
                    "vettid-node is not ready after {PATIENCE:?}\n{}",
                    self.end_of_log()
                );
            }
            thread::sleep(PAUSE);
        }
    }

    fn end_of_log(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.len().saturating_sub(10);
        lines.get(start..).unwrap_or_default().join("\n")
    }

    /// Processes that the node started, from its `run/*.pid` files.
    fn companions(&self) -> Vec<i32> {
        let files = fs::read_dir(self.folder.join("run"))
            .into_iter()
            .flatten()
            .flatten();
        files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pid"))
            .filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
            .filter(|&pid| pid > 1)
            .collect()
    }

    /// Asks the node to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        let Some(mut node) = self.running.take() else {
            return;
        };
        if let Ok(pid) = i32::try_from(node.id()) {
            signal(pid, Signal::SIGTERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while matches!(node.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                self.running = Some(node);
                self.kill_all()
                    .map_or_else(|error| eprintln!("{error:#}"), |_| ());
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for LocalNode {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks `/readyz`.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, PAUSE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
        let mut line = [0; 12];
        stream.read_exact(&mut line)?;
        Ok(line.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// A process that is gone already is as good as one that was ended.
fn signal(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal)
        && error != nix::errno::Errno::ESRCH
    {
        eprintln!("cannot end process {pid}: {error}");
    }
}
