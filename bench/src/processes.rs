//! `fork` and `exec` of the least program there is, until it says that it is there.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use vettid_tests::programs::program;
use vettid_wire::id::SpaceId;
use vettid_wire::link::handover::Others;
use vettid_wire::link::sealing::{FromEnclave as Say, ToEnclave};
use vettid_wire::link::{self, Entry, FromEnclave, FromHost, Hello};
use vettid_wire::version;

use crate::figure::Figure;
use crate::rounds::{median, side_by_side};
use crate::size::Size;

/// Milliseconds from starting `minimal` to its first byte.
fn fork_exec() -> Result<f64> {
    let start = Instant::now();
    let mut child = Command::new(beside("minimal")?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child
        .stdout
        .take()
        .context("output")?
        .read_exact(&mut [0])?;
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    drop(child.stdin.take());
    child.wait()?;
    Ok(elapsed)
}

/// A binary in the folder of this one.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("folder of the binary")?.join(name))
}

/// Vault processes opened in one round.
const OPENINGS: usize = 40;

/// From asking the enclave for a space to its process being ready, against [`fork_exec`].
pub(crate) fn vault_open(size: Size) -> Result<Figure> {
    let mut enclave = BareEnclave::start()?;
    let (ours, reference) = side_by_side(size, || enclave.open_many(), || many(fork_exec))?;
    Ok(Figure::new(
        "vault_open_over_fork_exec",
        ours,
        reference,
        "ms",
    ))
}

fn many(mut once: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut times = (0..OPENINGS).map(|_| once()).collect::<Result<Vec<_>>>()?;
    Ok(median(&mut times))
}

/// An enclave without a node: this program is its host.
struct BareEnclave {
    process: Child,
    link: UnixStream,
    buffer: Vec<u8>,
    opened: u128,
    _folder: TempDir,
}

impl BareEnclave {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (state, socket) = (folder.path().join("enclave"), folder.path().join("socket"));
        let enclave = program("vettid-enclave-emulated");
        let made = Command::new(&enclave)
            .args(["create-network", "--folder"])
            .arg(&state)
            .stdout(Stdio::null())
            .status()?;
        ensure!(made.success(), "create-network failed");
        let network = fs::read_to_string(state.join("network.toml"))?;
        let mut process = Command::new(&enclave)
            .args(["run", "--socket"])
            .arg(&socket)
            .arg("--folder")
            .arg(&state)
            .stderr(Stdio::null())
            .spawn()?;
        let link = connect(&socket, &mut process)?;
        let mut bare = Self {
            process,
            link,
            buffer: Vec::new(),
            opened: 0,
            _folder: folder,
        };
        bare.say(&FromHost::Hello(Hello {
            version: version::LINK,
            network: signed_network(&network)?,
            max_open: 1_000,
            idle: 3_600_000,
            memory: 8 << 20,
            peers: Vec::new(),
        }))?;
        // Nothing of another release is there.
        bare.hear(|frame| matches!(frame, FromEnclave::Sealing(Say::Others(_))))?;
        let none = ToEnclave::Others(Some(Others::default()));
        bare.say(&FromHost::Sealing(none))?;
        bare.hear(|frame| matches!(frame, FromEnclave::Ready(_)))?;
        Ok(bare)
    }

    fn open_many(&mut self) -> Result<f64> {
        many(|| self.open())
    }

    fn open(&mut self) -> Result<f64> {
        self.opened = self.opened.saturating_add(1);
        let space = SpaceId(self.opened.to_be_bytes());
        let start = Instant::now();
        self.say(&FromHost::Open {
            space,
            entry: Entry::Fresh {
                token_hash: [0; 32],
            },
        })?;
        self.hear(|frame| *frame == FromEnclave::Opened { space })?;
        let elapsed = start.elapsed().as_secs_f64() * 1e3;
        self.say(&FromHost::Close { space })?;
        self.hear(|frame| matches!(frame, FromEnclave::Closed { .. }))?;
        Ok(elapsed)
    }

    fn say(&mut self, frame: &FromHost) -> Result<()> {
        let mut bytes = Vec::new();
        ensure!(link::write(frame, &mut bytes), "frame is too large");
        Ok(self.link.write_all(&bytes)?)
    }

    fn hear(&mut self, wanted: impl Fn(&FromEnclave) -> bool) -> Result<()> {
        let mut chunk = [0; 4096];
        loop {
            while let Some((frame, used)) = link::read::<FromEnclave>(&self.buffer)? {
                self.buffer.drain(..used);
                if wanted(&frame) {
                    return Ok(());
                }
            }
            let length = self.link.read(&mut chunk)?;
            ensure!(length > 0, "the enclave closed the link");
            self.buffer
                .extend_from_slice(chunk.get(..length).context("read")?);
        }
    }
}

impl Drop for BareEnclave {
    fn drop(&mut self) {
        let ended = self.process.kill().and_then(|()| self.process.wait());
        debug_assert!(ended.is_ok());
    }
}

fn connect(socket: &Path, process: &mut Child) -> Result<UnixStream> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match UnixStream::connect(socket) {
            Ok(link) => {
                link.set_read_timeout(Some(DEADLINE))?;
                return Ok(link);
            }
            Err(error) => {
                ensure!(process.try_wait()?.is_none(), "the enclave ended");
                ensure!(Instant::now() < deadline, "no enclave link: {error}");
                std::thread::yield_now();
            }
        }
    }
}

/// The encoding inside of `network.toml`.
fn signed_network(text: &str) -> Result<Vec<u8>> {
    let file: toml::Table = text.parse()?;
    let signed = file
        .get("signed")
        .and_then(toml::Value::as_str)
        .context("signed network")?;
    Ok(data_encoding::BASE64.decode(signed.as_bytes())?)
}

const DEADLINE: Duration = Duration::from_secs(20);
