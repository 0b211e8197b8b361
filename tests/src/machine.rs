//! The emulated Nitro machine: boots one image under QEMU, with the host's end of its vsock.
//!
//! ```text
//! test ══ Unix sockets ══ vhost-device-vsock ══ QEMU, machine nitro-enclave ══ image
//!   <folder>/vm             host dials the image: `CONNECT <port>`
//!   <folder>/vm_9000        the image dials its launcher
//!   <folder>/vm_5001        an emulated enclave fetches its secrets
//!   <folder>/link           a node dials the image's link
//! ```
//!
//! Software emulation: it shows that an image boots, measures and speaks, and protects nothing.
//! Only processes that were started here are ended, by their ids.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::door::Door;
use crate::wait;

/// Names the folder of the emulated machine's programs; `cargo xtask test` sets it.
pub const EMULATOR: &str = "VETTID_EMULATOR";

/// Names the folder of the images to boot; `cargo xtask test` sets it.
pub const IMAGES: &str = "VETTID_IMAGES";

/// The byte that an image sends when it is up.
pub const BEAT: u8 = 0xb7;

/// Port of the image's link to its host.
pub const LINK: u32 = 5000;

/// Anything a machine does is done within this time, on a machine that builds something beside.
const DEADLINE: Duration = Duration::from_secs(60);

/// An image whose heartbeat has come listens within this time.
const LISTENING: Duration = Duration::from_secs(5);

/// What stands for an instance and its enclave in documents.
const MODULE: &str = "i-0123456789abcdef0-enc0123456789abcdef";

/// The file of an image that is built.
///
/// # Panics
/// When no images were built.
#[must_use]
pub fn image(name: &str) -> PathBuf {
    let path = folder(IMAGES).join(name);
    assert!(path.is_file(), "{} is not there", path.display());
    path
}

fn folder(variable: &str) -> PathBuf {
    env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
        panic!("{variable} names no folder: run `cargo xtask test`, which builds what is in it")
    })
}

/// One machine, which boots one image again and again. Dropped, it is gone.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    image: PathBuf,
    launcher: Option<UnixListener>,
    doors: Vec<Door>,
    running: Option<Running>,
}

/// What of a machine ends with its power.
#[derive(Debug)]
struct Running {
    backend: Child,
    emulator: Child,
    started: Instant,
}

impl Machine {
    /// Boots an image; somebody listens for its heartbeat.
    ///
    /// # Panics
    /// When a program cannot be started.
    #[must_use]
    pub fn boot(image: &Path) -> Self {
        let mut machine = Self::of(image, true);
        machine.start();
        machine
    }

    /// Boots an image whose emulated enclave has its secrets from `enclave`, a folder that
    /// `vettid-enclave-emulated` has made, and believes a key service under `authority`.
    ///
    /// # Panics
    /// When the folder is not whole or a program cannot be started.
    #[must_use]
    pub fn boot_with_secrets(image: &Path, enclave: &Path, authority: &[u8]) -> Self {
        let read = |file: &str| fs::read(enclave.join(file)).expect("a secret");
        let length = u16::try_from(authority.len()).expect("a short certificate");
        let secrets = [
            read("development-root.key"),
            length.to_be_bytes().to_vec(),
            authority.to_vec(),
            read("development-root.der"),
        ];
        let secrets = secrets.concat();
        let mut machine = Self::of(image, true);
        let at = machine.folder.path().join("vm_5001");
        machine.doors.push(Door::open(&at, move |mut caller| {
            // A machine may lose its power at any moment.
            let _ = caller.write_all(&secrets);
        }));
        machine.start();
        machine
    }

    /// Boots an image whose launcher is gone.
    ///
    /// # Panics
    /// When a program cannot be started.
    #[must_use]
    pub fn boot_without_launcher(image: &Path) -> Self {
        let mut machine = Self::of(image, false);
        machine.start();
        machine
    }

    fn of(image: &Path, launcher: bool) -> Self {
        let folder = tempfile::tempdir().expect("folder of a machine");
        let launcher = launcher.then(|| {
            let listener = UnixListener::bind(folder.path().join("vm_9000"));
            let listener = listener.expect("launcher's socket");
            listener.set_nonblocking(true).expect("launcher's socket");
            listener
        });
        Self {
            folder,
            image: image.to_owned(),
            launcher,
            doors: Vec::new(),
            running: None,
        }
    }

    /// Turns the power on.
    ///
    /// # Panics
    /// When it is on, or a program cannot be started.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let programs = folder(EMULATOR);
        let at = |name: &str| self.folder.path().join(name);
        for left in ["device", "vm"] {
            let _ = fs::remove_file(at(left));
        }
        // A packet of the image must fit one piece of its memory: the backend takes no two.
        let sockets = format!(
            "guest-cid=16,tx-buffer-size=16384,socket={},uds-path={}",
            at("device").display(),
            at("vm").display()
        );
        let log = File::create(at("backend.log")).expect("log");
        let backend = Command::new(programs.join("vhost-device-vsock"))
            .args(["--vm", &sockets])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("vhost-device-vsock starts");
        wait::until("vsock of the host", || at("device").exists().then_some(()));
        let started = Instant::now();
        let emulator = emulator(&programs, self.folder.path(), &self.image);
        self.running = Some(Running {
            backend,
            emulator,
            started,
        });
    }

    /// Takes the power away.
    pub fn cut_power(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        for child in [&mut running.emulator, &mut running.backend] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Address for a node of the image's link: what dials it is passed on to the image, as often as
    /// it boots.
    pub fn link(&mut self) -> String {
        let (at, image) = (
            self.folder.path().join("link"),
            self.folder.path().join("vm"),
        );
        let address = format!("unix:{}", at.display());
        if at.exists() {
            return address;
        }
        self.doors.push(Door::open(&at, move |node| {
            // Where the image does not listen in time, the node tries again.
            if let Some(image) = wait::within(LISTENING, || dial(&image, LINK).ok()) {
                pass_on(node, image);
            }
        }));
        address
    }

    /// Waits for the heartbeat and echoes it; how long after the start it came.
    ///
    /// # Panics
    /// When none comes, or another byte.
    pub fn heartbeat(&self) -> Duration {
        let launcher = self.launcher.as_ref().expect("a launcher");
        let mut image = self.until("a heartbeat", || launcher.accept().ok()).0;
        image.set_nonblocking(false).expect("socket");
        image.set_read_timeout(Some(DEADLINE)).expect("socket");
        let mut beat = [0];
        image.read_exact(&mut beat).expect("a heartbeat");
        assert_eq!(beat, [BEAT]);
        let after = self.age();
        image.write_all(&beat).expect("an echo");
        after
    }

    /// Dials a port of the image until somebody listens there.
    ///
    /// # Panics
    /// When nobody does.
    pub fn dial(&self, port: u32) -> UnixStream {
        let path = self.folder.path().join("vm");
        self.until("the image to listen", || dial(&path, port).ok())
    }

    /// Waits for the machine to power off; how long after its start.
    ///
    /// # Panics
    /// When it goes on.
    pub fn wait_for_end(&mut self) -> Duration {
        let emulator = &mut self.running.as_mut().expect("it runs").emulator;
        let ended = wait::within(DEADLINE, || emulator.try_wait().expect("emulator"));
        assert!(ended.is_some(), "the machine goes on:\n{}", self.console());
        self.age()
    }

    /// How long it has been running.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.running.as_ref().expect("it runs").started.elapsed()
    }

    /// What the image has said on its console.
    #[must_use]
    pub fn console(&self) -> String {
        let bytes = fs::read(self.folder.path().join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        wait::within(DEADLINE, look)
            .unwrap_or_else(|| panic!("waited for {what}; console:\n{}", self.console()))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power();
        if thread::panicking() {
            eprintln!("console of the machine:\n{}", self.console());
        }
    }
}

fn emulator(programs: &Path, folder: &Path, image: &Path) -> Child {
    let log = File::create(folder.join("emulator.log")).expect("log");
    let at = |name: &str| folder.join(name).display().to_string();
    Command::new(programs.join("qemu-system-x86_64"))
        .arg("-L")
        .arg(programs.join("firmware"))
        .args(["-M", &format!("nitro-enclave,vsock=vsock,id={MODULE}")])
        .arg("-kernel")
        .arg(image)
        .args(["-nographic", "-nodefaults", "-no-reboot"])
        .args(["-serial", &format!("file:{}", at("console.log"))])
        .args(["-m", "512M", "-smp", "1", "-accel", "tcg"])
        // Its secure module may otherwise look for a request's answer buffer too early.
        .args(["-global", "virtio-mmio.ioeventfd=off"])
        .args([
            "-chardev",
            &format!("socket,id=vsock,path={}", at("device")),
        ])
        // A restart by the keyboard's line may come up again instead of ending the emulator.
        .args(["-append", "reboot=t"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("log"))
        .stderr(log)
        .spawn()
        .expect("QEMU starts")
}

/// Carries bytes both ways until one side has ended.
fn pass_on(node: UnixStream, image: UnixStream) {
    let halves = [
        (
            node.try_clone().expect("socket"),
            image.try_clone().expect("socket"),
        ),
        (image, node),
    ];
    for (mut from, mut to) in halves {
        thread::spawn(move || {
            // An end in one direction is the end of both.
            let _ = io::copy(&mut from, &mut to);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

fn dial(path: &Path, port: u32) -> io::Result<UnixStream> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("CONNECT {port}\n").as_bytes())?;
    let mut answer = String::new();
    // One byte at a time: what follows the line is the image's.
    BufReader::with_capacity(1, &stream).read_line(&mut answer)?;
    if !answer.starts_with("OK ") {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}
