//! The node folder: where everything lies, who may read it, and that only one node uses it.
//!
//! ```text
//! node.toml  network.toml  host.key  node.db  objects/
//! bus/       seeds and tokens of the bus, the server's file and its account folder
//! enclave/   state of the emulated enclave; the host never reads it
//! run/       lock, admin socket, enclave socket, process ids
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder of one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeFolder(PathBuf);

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// There is something already.
    #[error("{0} already holds a node: choose another folder")]
    AlreadyThere(PathBuf),
    /// The system refused.
    #[error("{path}: {cause}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another node runs here.
    #[error("another vettid-node runs in this folder: stop it first")]
    Locked,
    /// No node was made here.
    #[error("{0} is no node folder: make one with `vettid-node init --folder`")]
    NotANode(PathBuf),
    /// Others than the operator can read it.
    #[error("{path} can be read by others (mode {mode:03o}): chmod {wanted:03o} {path}")]
    Open {
        /// What is too open.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
}

impl NodeFolder {
    /// Refuses a place where a node is.
    pub fn check_vacant(path: &Path) -> Result<(), FolderError> {
        match Self(path.to_owned()).config().exists() {
            true => Err(FolderError::AlreadyThere(path.to_owned())),
            false => Ok(()),
        }
    }

    /// Makes a new folder, mode 0700, with its sub-folders.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        Self::check_vacant(path)?;
        fs::create_dir_all(path).map_err(blame(path))?;
        let path = path.canonicalize().map_err(blame(path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(blame(&path))?;
        let folder = Self(path);
        for part in [
            folder.objects(),
            folder.bus(),
            folder.enclave(),
            folder.run(),
        ] {
            create_private(&part).map_err(blame(&part))?;
        }
        Ok(folder)
    }

    /// Uses a folder that [`Self::create`] made.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let path = path
            .canonicalize()
            .map_err(|_| FolderError::NotANode(path.to_owned()))?;
        let folder = Self(path);
        if !folder.config().exists() {
            return Err(FolderError::NotANode(folder.0));
        }
        for part in [
            folder.objects(),
            folder.bus(),
            folder.enclave(),
            folder.run(),
        ] {
            create_private(&part).map_err(blame(&part))?;
        }
        Ok(folder)
    }

    /// Refuses a folder whose secrets others can read.
    pub fn check_permissions(&self) -> Result<(), FolderError> {
        check_mode(&self.0, 0o700)?;
        check_mode(&self.bus(), 0o700)?;
        check_mode(&self.enclave(), 0o700)?;
        if self.host_key().exists() {
            check_mode(&self.host_key(), 0o600)?;
        }
        for entry in fs::read_dir(self.bus()).map_err(blame(&self.bus()))? {
            let path = entry.map_err(blame(&self.bus()))?.path();
            if path.is_file() {
                check_mode(&path, 0o600)?;
            }
        }
        Ok(())
    }

    /// Takes the folder for this process until the lock is dropped.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.run().join("node.lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(blame(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock(file)),
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked),
            Err(TryLockError::Error(cause)) => Err(FolderError::Io { path, cause }),
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("node.toml")
    }

    /// Signed network file.
    #[must_use]
    pub fn network(&self) -> PathBuf {
        self.0.join("network.toml")
    }

    /// Key of this host on the network of nodes.
    #[must_use]
    pub fn host_key(&self) -> PathBuf {
        self.0.join("host.key")
    }

    /// Host database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("node.db")
    }

    /// Objects, where they are kept in a folder.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.0.join("objects")
    }

    /// Keys and state of the bus.
    #[must_use]
    pub fn bus(&self) -> PathBuf {
        self.0.join("bus")
    }

    /// State of the emulated enclave.
    #[must_use]
    pub fn enclave(&self) -> PathBuf {
        self.0.join("enclave")
    }

    /// What exists only while a node runs.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// Socket that the emulated enclave listens on.
    #[must_use]
    pub fn enclave_socket(&self) -> PathBuf {
        self.run().join("enclave.sock")
    }

    /// Socket of the running node for the operator's commands.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.run().join("admin.sock")
    }
}

/// Held by the one process that uses the folder; the system releases it when the process dies.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held, not read")] File);

/// Writes a file that only its owner can read; it appears at once and whole.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Reads a file and refuses it when others can read it too.
pub fn read_private(path: &Path) -> io::Result<String> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "others can read it: chmod 600",
        ));
    }
    fs::read_to_string(path)
}

/// Creates a folder of mode 0700 unless it is there.
pub fn create_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    }
}

fn check_mode(path: &Path, wanted: u32) -> Result<(), FolderError> {
    let mode = fs::metadata(path)
        .map_err(blame(path))?
        .permissions()
        .mode()
        & 0o777;
    if mode & !wanted == 0 {
        return Ok(());
    }
    Err(FolderError::Open {
        path: path.to_owned(),
        mode,
        wanted,
    })
}

fn blame(path: &Path) -> impl FnOnce(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |cause| FolderError::Io { path, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, NodeFolder) {
        let place = tempfile::tempdir().expect("temporary folder");
        let folder = NodeFolder::create(&place.path().join("node")).expect("created");
        fs::write(folder.config(), "").expect("config");
        (place, folder)
    }

    #[test]
    fn folder_that_others_can_read_is_refused() {
        let (_place, folder) = folder();
        assert!(folder.check_permissions().is_ok());

        fs::set_permissions(folder.bus(), fs::Permissions::from_mode(0o755)).expect("chmod");

        assert!(matches!(
            folder.check_permissions(),
            Err(FolderError::Open { mode: 0o755, .. })
        ));
    }

    #[test]
    fn key_file_that_others_can_read_is_refused() {
        let (_place, folder) = folder();
        let path = folder.bus().join("operator.seed");
        write_private(&path, b"seed").expect("written");
        assert_eq!(read_private(&path).expect("read"), "seed");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");

        let refused = read_private(&path).expect_err("refused");
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        assert!(matches!(
            folder.check_permissions(),
            Err(FolderError::Open { mode: 0o644, .. })
        ));
    }

    #[test]
    fn second_process_cannot_take_the_folder() {
        let (_place, folder) = folder();
        let held = folder.lock().expect("first");

        assert!(matches!(folder.lock(), Err(FolderError::Locked)));
        drop(held);
        assert!(folder.lock().is_ok());
    }

    #[test]
    fn folder_without_a_node_is_told_apart() {
        let place = tempfile::tempdir().expect("temporary folder");
        assert!(matches!(
            NodeFolder::open(place.path()),
            Err(FolderError::NotANode(_))
        ));
    }

    #[test]
    fn existing_node_is_not_overwritten() {
        let (_place, folder) = folder();
        assert!(matches!(
            NodeFolder::create(folder.path()),
            Err(FolderError::AlreadyThere(_))
        ));
    }
}
