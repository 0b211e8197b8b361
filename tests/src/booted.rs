//! Home nodes whose enclaves are in booted images, in one emulated network that accepts that image alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use tempfile::TempDir;
use vettid_eif::Image;

use crate::kms::StandIn;
use crate::machine::{Machine, image};
use crate::node::Node;
use crate::programs::program;

/// The image around an emulated enclave.
const EMULATED: &str = "nitro-emulated.eif";

/// An emulated network whose one reference value is an image.
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
        network.make(&["create-network"], "first");
        network
    }

    /// Has the secrets of one enclave made.
    fn make(&self, verb: &[&str], name: &str) -> PathBuf {
        let folder = self.place.path().join(name);
        let made = Command::new(program("vettid-enclave-emulated"))
            .args(verb)
            .arg("--folder")
            .arg(&folder)
            .arg("--registers")
            .arg(&self.registers)
            .status();
        assert!(made.expect("vettid-enclave-emulated").success());
        folder
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("first/network.toml")
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
        self.home(&self.place.path().join("first"))
    }

    /// A home that joined it: booted, serving.
    ///
    /// # Panics
    /// When it does not boot or serve.
    #[must_use]
    pub fn second(&self) -> Home {
        let (file, root) = (self.file(), self.place.path().join("first"));
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        let (file, root) = (text(&file), text(&root));
        let join = [
            "join-network",
            "--network",
            &file,
            "--development-root",
            &root,
        ];
        self.home(&self.make(&join, "second"))
    }
}

/// What `vettid-image measure` prints.
fn told(image: &Path) -> String {
    let file = fs::read(image).expect("image");
    let registers = Image::parse(&file).expect("an image").registers();
    let [a, b, c] = [registers.pcr0, registers.pcr1, registers.pcr2].map(|r| HEXLOWER.encode(&r));
    format!("PCR0 {a}\nPCR1 {b}\nPCR2 {c}\n")
}
