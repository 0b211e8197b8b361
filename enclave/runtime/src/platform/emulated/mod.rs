//! The emulated enclave: a Unix socket, documents under a development root, secrets in a folder.
//!
//! For development networks. Its host can read everything; nothing here protects anything from it.
//! Everything above this module is the code that runs on hardware.

#[cfg(feature = "nitro")]
pub mod booted;
pub mod command;
mod folder;
pub mod network;
mod registers;

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use vettid_attestation::emulated::{EmulatedAttester, measurement};
use vettid_attestation::{AttestedClaims, Attester as _, Measurement};
use vettid_crypto::SealingRoot;
use vettid_crypto::digest::Sha384Stream;
use vettid_wire::network::TrustRoot;
use vettid_wire::time::UnixMillis;

use super::{Attester, Clock, EntropySource, KernelEntropy, Listener, PlatformError, Sealer};
use crate::boot::RELEASE;
use crate::host_line::HostLine;
pub use folder::{Folder, FolderError};

/// The enclave ends when no host has connected after this long, so that none is left behind by a
/// host that died while starting it.
const HOST_WAIT: Duration = Duration::from_secs(60);

/// An emulated enclave over its folder and its socket's path.
#[derive(Debug)]
pub struct EmulatedPlatform {
    folder: Folder,
    socket: PathBuf,
    measurement: Measurement,
    release: u32,
    root_certificate: Vec<u8>,
    attester: EmulatedAttester,
    committed: bool,
    listener: Option<UnixListener>,
}

impl EmulatedPlatform {
    /// Opens the folder and measures this program, as the release that it says it is.
    ///
    /// # Errors
    /// When the folder is not there, not private or damaged.
    pub fn open(folder: &Path, socket: &Path, release: u32) -> Result<Self, PlatformError> {
        let folder = Folder::open(folder)?;
        let measurement = measure_program(release)?;
        let root = folder.development_root()?;
        let root_certificate = root.certificate().to_vec();
        let attester = EmulatedAttester::new(root, &measurement, &mut KernelEntropy);
        Ok(Self {
            folder,
            socket: socket.to_owned(),
            measurement,
            release,
            root_certificate,
            attester,
            committed: false,
            listener: None,
        })
    }
}

/// What this program measures as a release: the digest of its own file, and of the number where it is
/// not the program's own. So one program stands for several releases, which are several images.
///
/// # Errors
/// When it cannot be read.
pub fn measure_program(release: u32) -> Result<Measurement, PlatformError> {
    let mut file = File::open("/proc/self/exe").map_err(FolderError::from)?;
    let mut digest = Sha384Stream::default();
    let mut chunk = vec![0; 1024 * 1024];
    loop {
        let count = file.read(&mut chunk).map_err(FolderError::from)?;
        match chunk.get(..count) {
            Some([]) | None => break,
            Some(read) => digest.update(read),
        }
    }
    if release != RELEASE {
        digest.update(&release.to_be_bytes());
    }
    measurement(digest.finish()).map_err(|_| PlatformError::DebugMode)
}

/// Time of day by the host's clock.
#[must_use]
pub fn wall_clock() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Attester for EmulatedPlatform {
    fn measurement(&self) -> Measurement {
        self.measurement
    }

    fn release(&self) -> u32 {
        self.release
    }

    fn trust_root(&self) -> TrustRoot {
        TrustRoot::Emulated(self.root_certificate.clone())
    }

    fn commit(&mut self, _digest: &[u8; 48]) -> Result<(), PlatformError> {
        self.committed = true;
        Ok(())
    }

    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError> {
        let claims = AttestedClaims {
            user_data: Some(user_data),
            nonce: nonce.map(<[u8; 32]>::as_slice),
            public_key: None,
        };
        self.attester
            .attest(&claims, wall_clock())
            .map_err(|_| PlatformError::NoDocument)
    }
}

impl Sealer for EmulatedPlatform {
    fn sealing_root(&mut self, _: &mut HostLine<'_>) -> Result<SealingRoot, PlatformError> {
        Ok(self.folder.sealing_root(self.release)?)
    }
}

impl EntropySource for EmulatedPlatform {
    /// The kernel's own word is all there is.
    fn check_entropy(&mut self) -> Result<(), PlatformError> {
        Ok(())
    }
}

impl Clock for EmulatedPlatform {
    fn now(&self) -> UnixMillis {
        wall_clock()
    }
}

impl Listener for EmulatedPlatform {
    fn listen(&mut self) -> Result<(), PlatformError> {
        if !self.committed {
            return Err(PlatformError::NotCommitted);
        }
        self.listener = Some(bind(&self.socket).map_err(listen_error)?);
        Ok(())
    }

    fn accept(&mut self) -> Result<OwnedFd, PlatformError> {
        let listener = self.listener.take().ok_or(PlatformError::NotCommitted)?;
        let accepted = accept_own_user(&listener).map_err(listen_error);
        // One host, once: nobody else can connect from here on.
        let _ = fs::remove_file(&self.socket);
        accepted
    }
}

fn listen_error(error: io::Error) -> PlatformError {
    PlatformError::Listen(error.kind())
}

/// Binds the socket for its owner alone. What a dead enclave left behind is taken away; a living
/// one's socket is not.
fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for a host that runs as the same user; others are turned away.
fn accept_own_user(listener: &UnixListener) -> io::Result<OwnedFd> {
    let since = Instant::now();
    while let Some(left) = HOST_WAIT.checked_sub(since.elapsed()) {
        let mut waits = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut waits, wait) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        match listener.accept() {
            Ok((stream, _)) => {
                let peer = getsockopt(&stream, PeerCredentials)?;
                if peer.uid() == geteuid().as_raw() {
                    return Ok(stream.into());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_left_by_a_dead_enclave_is_replaced_and_a_living_ones_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("enclave.sock");
        drop(UnixListener::bind(&path).expect("dead enclave"));

        let living = bind(&path).expect("binds");

        assert_eq!(
            bind(&path).err().map(|e| e.kind()),
            Some(io::ErrorKind::AddrInUse)
        );
        let mode = fs::metadata(&path).expect("socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(living);
    }

    #[test]
    fn a_file_in_the_sockets_place_is_left_alone() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("enclave.sock");
        fs::write(&path, b"precious").expect("write");

        let bound = bind(&path);

        assert!(bound.is_err());
        assert_eq!(fs::read(&path).expect("read"), b"precious");
    }

    #[test]
    fn this_program_measures_the_same_twice() {
        let first = measure_program(RELEASE).expect("measures");

        assert_eq!(measure_program(RELEASE), Ok(first));
        assert_ne!(measure_program(RELEASE + 1), Ok(first));
    }
}
