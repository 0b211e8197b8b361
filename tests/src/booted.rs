//! Home nodes whose enclaves are in booted images, in one emulated network that accepts these images alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use tempfile::TempDir;
use vettid_eif::Image;
use vettid_runtime::boot::RELEASE;

use crate::kms::StandIn;
use crate::machine::{Machine, image};
use crate::node::{Node, set};
use crate::programs::program;
use crate::wait;

/// The image around an emulated enclave.
const EMULATED: &str = "nitro-emulated.eif";

/// The image around the same as the release after it.
const NEXT: &str = "nitro-next-release.eif";

/// Number of the release that the second image is.
pub const NEXT_RELEASE: u32 = RELEASE + 1;

/// An emulated network whose first reference value is an image.
#[derive(Debug)]
pub struct Network {
    place: TempDir,
    registers: PathBuf,
    image: PathBuf,
}

/// A node whose enclave is in a machine.
pub struct Home {
    /// The node.
    pub node: Node,
    /// The machine.
    pub machine: Machine,
    /// What its sealing root is under.
    pub key_service: StandIn,
}

impl Network {
    /// A new network.
    ///
    /// # Panics
    /// When there are no images, or the secrets of its first enclave cannot be made.
    #[must_use]
    pub fn of_image() -> Self {
        let place = tempfile::tempdir().expect("folder");
        let image = image(EMULATED);
        let registers = place.path().join("registers");
        fs::write(&registers, told(&image)).expect("registers");
        let network = Self {
            place,
            registers,
            image,
        };
        network.make(&["create-network"], "first", &network.registers);
        network
    }

    /// Has the secrets of one enclave made, or changed, for what measures so.
    fn make(&self, verb: &[&str], name: &str, registers: &Path) -> PathBuf {
        let folder = self.place.path().join(name);
        let made = Command::new(program("vettid-enclave-emulated"))
            .args(verb)
            .arg("--folder")
            .arg(&folder)
            .arg("--registers")
            .arg(registers)
            .status();
        assert!(made.expect("vettid-enclave-emulated").success());
        folder
    }

    /// The network's file, in its newest form.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.secrets().join("network.toml")
    }

    /// Secrets of the home that made the network.
    fn secrets(&self) -> PathBuf {
        self.place.path().join("first")
    }

    /// The network accepts the image of the next release as well.
    ///
    /// # Panics
    /// When there is no such image, or the network's file cannot be made.
    pub fn accept_next(&self) {
        let registers = self.place.path().join("registers of the next release");
        fs::write(&registers, told(&image(NEXT))).expect("registers");
        let release = NEXT_RELEASE.to_string();
        let update = ["create-network", "--update", "--release", &release];
        self.make(&update, "first", &registers);
    }

    /// A machine with the image of the next release, for the home that made the network: booted.
    ///
    /// # Panics
    /// When it does not boot.
    #[must_use]
    pub fn machine_of_next(&self, home: &Home) -> Machine {
        let authority = &home.key_service.authority;
        let machine = Machine::boot_with_secrets(&image(NEXT), &self.secrets(), authority);
        machine.heartbeat();
        machine
    }

    /// One more home: booted, serving.
    fn home(&self, secrets: &Path) -> Home {
        let root = fs::read(secrets.join("development-root.der")).expect("a root");
        let key_service = StandIn::start(&root);
        let mut machine = Machine::boot_with_secrets(&self.image, secrets, &key_service.authority);
        machine.heartbeat();
        let mut node = Node::of_enclave(&machine.link(), &self.file());
        node.use_key_service(&key_service);
        node.start();
        Home {
            node,
            machine,
            key_service,
        }
    }

    /// The home that made the network: booted, serving.
    ///
    /// # Panics
    /// When it does not boot or serve.
    #[must_use]
    pub fn first(&self) -> Home {
        self.home(&self.secrets())
    }

    /// A home that joined it: booted, serving.
    ///
    /// # Panics
    /// When it does not boot or serve.
    #[must_use]
    pub fn second(&self) -> Home {
        let (file, root) = (self.file(), self.secrets());
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        let (file, root) = (text(&file), text(&root));
        let join = [
            "join-network",
            "--network",
            &file,
            "--development-root",
            &root,
        ];
        self.home(&self.make(&join, "second", &self.registers))
    }
}

impl Home {
    /// Private memory of the supervisor in the machine, bytes, as it was told while a vault was open.
    #[must_use]
    pub fn supervisor_memory(&self) -> f64 {
        wait::until("the enclave says what it needs", || {
            let open = self.node.metric("vettid_node_vaults_open");
            // Both are of the same sign of life, or this one is of a later.
            let told = self.node.metric("vettid_node_supervisor_memory_bytes");
            Some(told).filter(|_| open >= 1.0)
        })
    }

    /// The machine loses its power and boots again.
    pub fn reboot(&mut self) {
        self.machine.cut_power();
        self.machine.start();
        self.machine.heartbeat();
    }

    /// Has another machine, which is up, serve in this one's place; the machine that served before.
    pub fn serve_with(&mut self, mut machine: Machine) -> Machine {
        self.node.kill_all();
        self.machine.cut_power();
        let link = machine.link();
        self.node
            .configure(|config| set(config, "enclave", "address", link.into()));
        self.node.start();
        std::mem::replace(&mut self.machine, machine)
    }
}

/// What `vettid-image measure` prints.
fn told(image: &Path) -> String {
    let file = fs::read(image).expect("image");
    let registers = Image::parse(&file).expect("an image").registers();
    let [a, b, c] = [registers.pcr0, registers.pcr1, registers.pcr2].map(|r| HEXLOWER.encode(&r));
    format!("PCR0 {a}\nPCR1 {b}\nPCR2 {c}\n")
}
