//! One node whose enclaves run beside it, release after release, over one folder of secrets.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::command_line::{Answered, CommandLine};
use crate::node::{Node, set};
use crate::programs::program;
use crate::wait;

/// PIN of a [`Keeper`].
const PIN: &str = "418302";

const PASSWORD: &str = "nine paper herons walk";

/// An owner at the command line who keeps a note.
pub struct Keeper(pub CommandLine);

impl Keeper {
    /// An owner who was invited, with a device in a new folder.
    #[must_use]
    pub fn enrolled(node: &Node, place: &Path) -> Self {
        let owner = CommandLine::at(place);
        owner.expect(&["enroll", &node.invitation()], &[PIN, PASSWORD]);
        let put = ["item", "put", "--name", "Card", "--sensitivity", "data"];
        owner.expect(&[&put[..], &["--field", "text:word=heron"]].concat(), &[]);
        Self(owner)
    }

    /// Whether the note is there.
    #[must_use]
    pub fn has_note(&self) -> bool {
        let listed = self.0.expect(&["item", "list"], &[]);
        listed.to_string().contains("Card")
    }

    /// Opens the vault.
    ///
    /// # Errors
    /// The code that it is refused with.
    pub fn unlock(&self) -> Result<(), String> {
        let answered = self.0.run(&["unlock"], &[PIN]);
        match answered.code {
            0 => Ok(()),
            _ => Err(answered.error().to_owned()),
        }
    }

    /// Lets the vault move to a release.
    pub fn approve(&self, release: u32) {
        let release = release.to_string();
        self.0
            .expect(&["release", "approve", &release], &[PASSWORD]);
    }

    /// Asks for what is refused.
    #[must_use]
    pub fn tries_to_approve(&self, release: u32) -> Answered {
        let release = release.to_string();
        self.0.run(&["release", "approve", &release], &[PASSWORD])
    }

    /// What the owner sees of releases.
    #[must_use]
    pub fn releases(&self) -> Value {
        self.0.expect(&["release", "status"], &[])
    }
}

/// A node, and the emulated enclave that stands for one release or another.
pub struct Upgraded {
    /// The node. It never starts an enclave itself.
    pub node: Node,
    enclave: Option<Enclave>,
    place: TempDir,
}

impl Upgraded {
    /// A node at the first release of a network that knows no other.
    #[must_use]
    pub fn first() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("enclave");
        create_network(&folder, &[]);
        let enclave = Enclave::start(place.path(), 1);
        let node = Node::of_enclave(&enclave.address, &folder.join("network.toml"));
        let mut upgraded = Self {
            node,
            enclave: Some(enclave),
            place,
        };
        upgraded.node.start();
        upgraded
    }

    /// The network accepts a later release, too, and the node has the newer file.
    pub fn publish(&self, release: u32) {
        let folder = self.place.path().join("enclave");
        create_network(&folder, &["--update", "--release", &release.to_string()]);
        let file = folder.join("network.toml");
        self.node
            .expect(&["network", "join", file.to_str().expect("text")]);
    }

    /// Has the enclave of a later release make its offer; what the operator is told.
    pub fn prepare(&self, release: u32) -> Value {
        let mut enclave = Enclave::start(self.place.path(), release);
        let told = self
            .node
            .expect(&["release", "prepare", "--enclave", &enclave.address]);
        enclave.wait();
        told
    }

    /// Ends node and enclave, and starts both again with the enclave of a release, without waiting.
    pub fn restart_unready(&mut self, release: u32) {
        self.node.kill_all();
        self.enclave = None;
        let enclave = Enclave::start(self.place.path(), release);
        let address = enclave.address.clone();
        self.node
            .configure(|config| set(config, "enclave", "address", address.into()));
        self.enclave = Some(enclave);
        self.node.start_unready();
    }

    /// The same, and waits until the node is ready.
    pub fn restart(&mut self, release: u32) {
        self.restart_unready(release);
        self.node.wait_until_ready();
    }

    /// What the operator sees of a release.
    ///
    /// # Panics
    /// When the node knows none of that number.
    #[must_use]
    pub fn known(&self, release: u32) -> Value {
        let shown = self.node.expect(&["release", "show"]);
        let known = shown["here"].as_array().expect("a list").iter();
        let mut known = known.filter(|known| known["release"] == release);
        known.next().expect("a known release").clone()
    }

    /// Identity of the node.
    #[must_use]
    pub fn identity(&self) -> String {
        let status = self.node.expect(&["status"]);
        status["node"].as_str().expect("an identity").to_owned()
    }
}

/// A process of the emulated enclave. It serves one host, once.
struct Enclave {
    address: String,
    child: Child,
}

impl Enclave {
    fn start(place: &Path, release: u32) -> Self {
        let socket = place.join(format!("release-{release}.sock"));
        // Of one that was killed before any host came.
        let _ = std::fs::remove_file(&socket);
        let log = File::options()
            .create(true)
            .append(true)
            .open(place.join("enclave.log"));
        let mut command = emulated(&["run", "--release", &release.to_string()]);
        command.arg("--folder").arg(place.join("enclave"));
        command.arg("--socket").arg(&socket);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(log.expect("log")).spawn();
        let child = child.expect("an enclave");
        wait::until("the enclave listens", || socket.exists().then_some(()));
        Self {
            address: format!("unix:{}", socket.display()),
            child,
        }
    }

    fn wait(&mut self) {
        let child = &mut self.child;
        let ended = wait::until("the enclave ends", || child.try_wait().expect("its status"));
        assert!(ended.success(), "{ended}");
    }
}

impl Drop for Enclave {
    fn drop(&mut self) {
        // It may have ended with its host.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create_network(folder: &PathBuf, more: &[&str]) {
    let mut command = emulated(&["create-network", "--folder"]);
    let made = command.arg(folder).args(more).output().expect("a network");
    assert!(made.status.success(), "{made:?}");
}

fn emulated(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("vettid-enclave-emulated"));
    command.args(arguments);
    command
}
