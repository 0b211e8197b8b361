//! A keystore in a folder of files that only their owner can read.
//!
//! ```text
//!  <home>/          0700
//!    lock           held by the one program that uses the folder
//!    state          keys, credential, one-time keys, pending request   0600
//!    head           newest record seen                                 0600
//! ```
//!
//! The files are protected by their permissions and by nothing else: who can read them can act as
//! this device, but neither unlock the vault without the PIN nor use the credential without the
//! password, which are never stored. Sealing them under a key in another file beside them would
//! only look like more.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use vettid_crypto::WipedVec;
use vettid_wire::cbor::Wire;
use vettid_wire::request::Head;

use super::format::{self, LARGEST, Unreadable};
use super::{Kept, Keystore, KeystoreError, State};

/// A keystore in a folder. The folder is locked as long as this lives.
#[derive(Debug)]
pub struct FileKeystore {
    folder: PathBuf,
    _lock: File,
}

impl FileKeystore {
    /// Opens or makes a folder. Waits at most `patience` for another program to leave it.
    pub fn open(folder: &Path, patience: Duration) -> Result<Self, KeystoreError> {
        make_private(folder)?;
        let path = folder.join("lock");
        let lock = private().create(true).truncate(false).open(&path);
        let lock = lock.map_err(|error| io(&path, &error))?;
        let deadline = Instant::now().checked_add(patience);
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock)
                    if deadline.is_some_and(|deadline| Instant::now() < deadline) =>
                {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(KeystoreError::Busy(folder.to_path_buf()));
                }
                Err(TryLockError::Error(error)) => return Err(io(&path, &error)),
            }
        }
        Ok(Self {
            folder: folder.to_path_buf(),
            _lock: lock,
        })
    }

    fn write(&self, name: &str, value: &impl Wire) -> Result<(), KeystoreError> {
        replace(&self.folder, name, value)
    }
}

impl Keystore for FileKeystore {
    fn load(&mut self) -> Result<Option<Kept>, KeystoreError> {
        let Some(state) = read::<State>(&self.folder.join("state"))? else {
            return Ok(None);
        };
        let head = read::<Head>(&self.folder.join("head"))?;
        Ok(Some(Kept { state, head }))
    }

    fn save(&mut self, state: &State) -> Result<(), KeystoreError> {
        self.write("state", state)
    }

    fn save_head(&mut self, head: Head) -> Result<(), KeystoreError> {
        self.write("head", &head)
    }
}

/// What a private file holds, if it is there.
pub(crate) fn read<T: Wire>(path: &Path) -> Result<Option<T>, KeystoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(path, &error)),
    };
    check_private(path, &file)?;
    // Room for all of it, and for a look behind its end, at once: growing leaves copies behind.
    let size = file.metadata().map_err(|error| io(path, &error))?.len();
    let room = usize::try_from(size).unwrap_or(LARGEST).min(LARGEST);
    let mut bytes = WipedVec::new(Vec::with_capacity(room.saturating_add(64)));
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| io(path, &error))?;
    match format::parse(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(Unreadable::Damaged) => Err(KeystoreError::Damaged(path.to_path_buf())),
        Err(Unreadable::Foreign) => Err(KeystoreError::Foreign(path.to_path_buf())),
        Err(Unreadable::Newer) => Err(KeystoreError::Newer(path.to_path_buf())),
    }
}

/// Replaces a private file as a whole: after a crash it is the one or the other.
pub(crate) fn replace(folder: &Path, name: &str, value: &impl Wire) -> Result<(), KeystoreError> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.next")));
    let replace = || -> std::io::Result<()> {
        let mut file = private().create(true).truncate(true).open(&fresh)?;
        file.write_all(&format::to_bytes(value))?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        sync_folder(folder)
    };
    replace().map_err(|error| io(&path, &error))
}

fn io(path: &Path, error: &std::io::Error) -> KeystoreError {
    KeystoreError::Io {
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}

/// Makes a folder that nobody else can write to.
#[cfg(unix)]
pub(crate) fn make_private(folder: &Path) -> Result<(), KeystoreError> {
    use std::os::unix::fs::DirBuilderExt;

    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| io(folder, &error))?;
    let opened = File::open(folder).map_err(|error| io(folder, &error))?;
    check_mode(folder, &opened, 0o022)
}

/// Opens files for reading and writing, new ones for their owner alone.
#[cfg(unix)]
pub(crate) fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Whether nobody else can read an open file.
#[cfg(unix)]
pub(crate) fn check_private(path: &Path, file: &File) -> Result<(), KeystoreError> {
    check_mode(path, file, 0o077)
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File, forbidden: u32) -> Result<(), KeystoreError> {
    use std::os::unix::fs::PermissionsExt;

    let mode = file
        .metadata()
        .map_err(|error| io(path, &error))?
        .permissions()
        .mode();
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(KeystoreError::Open(path.to_path_buf()))
    }
}

/// Makes what appeared in a folder durable.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a new file belongs to its user, and folders cannot be synced.
#[cfg(not(unix))]
mod elsewhere {
    use super::*;

    pub(crate) fn make_private(folder: &Path) -> Result<(), KeystoreError> {
        DirBuilder::new()
            .recursive(true)
            .create(folder)
            .map_err(|error| io(folder, &error))
    }

    pub(crate) fn private() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options
    }

    pub(crate) fn check_private(_: &Path, _: &File) -> Result<(), KeystoreError> {
        Ok(())
    }

    pub(crate) fn sync_folder(_: &Path) -> std::io::Result<()> {
        Ok(())
    }
}
#[cfg(not(unix))]
pub(crate) use elsewhere::{check_private, make_private, private, sync_folder};
