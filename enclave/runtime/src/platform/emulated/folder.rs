//! The emulated enclave's folder: the secrets that hardware would keep, in files of one user.
//!
//! | file | holds |
//! |---|---|
//! | `development-root.key`, `.der` | root that this network's documents chain to |
//! | `sealing-root.key` | what the sealing root of each release is derived from |
//! | `governance.key` | signs `network.toml`; only with the enclave that made the network |
//! | `network.toml` | the network file, public |

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use vettid_attestation::emulated::DevelopmentRoot;
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Label, SealingRoot, SecretBytes, Zeroize, Zeroizing, derive};
use vettid_wire::time::UnixMillis;

use crate::platform::KernelEntropy;

const ROOT_KEY: &str = "development-root.key";
const ROOT_CERTIFICATE: &str = "development-root.der";
const SEALING_ROOT: &str = "sealing-root.key";
const GOVERNANCE_KEY: &str = "governance.key";
const NETWORK: &str = "network.toml";

/// Largest file of the folder, bytes; a network file is the largest.
const FILE_LIMIT: u64 = 256 * 1024;

/// What is wrong with the folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FolderError {
    /// There is something at the place already; nothing is ever overwritten.
    #[error("is there already: name another folder, or --update its network file")]
    Exists,
    /// A file is missing or cannot be read or written.
    #[error("{0}")]
    Io(io::ErrorKind),
    /// A file of it cannot be read.
    #[error("{0}: {1}")]
    Unread(&'static str, io::ErrorKind),
    /// The network's file accepts other programs.
    #[error("does not accept this program: whoever signs it runs `create-network --update`")]
    NotAccepted,
    /// The development root is not the one of the network's file.
    #[error("its development root is of another network")]
    OtherRoot,
    /// A file does not hold what it should.
    #[error("is damaged, or is something else")]
    Damaged,
    /// Somebody else than its owner may read it.
    #[error("others may read it: make the folder 0700 and its keys 0600")]
    NotPrivate,
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => Self::Exists,
            kind => Self::Io(kind),
        }
    }
}

/// A folder that is private to its user.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes a folder with fresh secrets and the network file that `network` makes from them. It
    /// appears complete or not at all.
    ///
    /// # Errors
    /// When there is something already, or the disk refuses.
    pub fn create(
        path: &Path,
        now: UnixMillis,
        network: impl FnOnce(&DevelopmentRoot, &SigningKey) -> String,
    ) -> Result<Self, FolderError> {
        Self::appear(path, |draft| {
            let root = DevelopmentRoot::generate(now, &mut KernelEntropy);
            let governance = SigningKey::generate(&mut KernelEntropy);
            governance.expose_seed(|seed| draft.write(GOVERNANCE_KEY, seed))?;
            draft.fill(&root, &network(&root, &governance))
        })
    }

    /// Makes a folder for one more enclave of a network. It appears complete or not at all.
    ///
    /// # Errors
    /// When there is something already, or the disk refuses.
    pub fn join(path: &Path, root: &DevelopmentRoot, network: &str) -> Result<Self, FolderError> {
        Self::appear(path, |draft| draft.fill(root, network))
    }

    fn appear(
        path: &Path,
        fill: impl FnOnce(&Self) -> Result<(), FolderError>,
    ) -> Result<Self, FolderError> {
        let draft = Self(draft_of(path)?);
        let made = fill(&draft).and_then(|()| {
            // Onto nothing or an empty folder; a folder with anything in it stays as it is.
            fs::rename(&draft.0, path)?;
            sync_folder(parent_of(path))
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&draft.0);
        }
        made.map(|()| Self(path.to_owned()))
    }

    /// Opens a folder and checks that it is private.
    ///
    /// # Errors
    /// When it is not there, or others may read it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_dir() || metadata.permissions().mode() & 0o077 != 0 {
            return Err(FolderError::NotPrivate);
        }
        Ok(Self(path.to_owned()))
    }

    /// The root that documents chain to.
    ///
    /// # Errors
    /// When key or certificate cannot be read or do not belong together.
    pub fn development_root(&self) -> Result<DevelopmentRoot, FolderError> {
        let key: Zeroizing<[u8; 48]> = self.read_key(ROOT_KEY)?;
        let certificate = self.read(ROOT_CERTIFICATE)?;
        DevelopmentRoot::from_parts(&key, certificate).map_err(|_| FolderError::Damaged)
    }

    /// What vaults' sealing keys are derived from, at one release.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sealing_root(&self, release: u32) -> Result<SealingRoot, FolderError> {
        let root = self.read_key::<32>(SEALING_ROOT)?;
        let number = release.to_be_bytes();
        Ok(derive::from_bytes(
            &*root,
            &[],
            Label::EmulatedSealingRoot,
            &[&number],
        ))
    }

    /// The key that signs the network file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn governance_key(&self) -> Result<SigningKey, FolderError> {
        self.read_key::<32>(GOVERNANCE_KEY)
            .map(|seed| SigningKey::from_seed(&seed))
    }

    /// The network file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn network(&self) -> Result<String, FolderError> {
        String::from_utf8(self.read(NETWORK)?).map_err(|_| FolderError::Damaged)
    }

    /// Replaces the network file, at once and durably.
    ///
    /// # Errors
    /// When the disk refuses; the old file is then still there.
    pub fn replace_network(&self, text: &str) -> Result<(), FolderError> {
        let draft = format!("{NETWORK}.{}", std::process::id());
        self.write(&draft, text.as_bytes())?;
        fs::rename(self.0.join(&draft), self.0.join(NETWORK))?;
        sync_folder(&self.0)
    }

    fn fill(&self, root: &DevelopmentRoot, network: &str) -> Result<(), FolderError> {
        let sealing = SealingRoot::generate(&mut KernelEntropy);
        root.expose_key(|key| self.write(ROOT_KEY, key))?;
        self.write(ROOT_CERTIFICATE, root.certificate())?;
        sealing.expose(|key| self.write(SEALING_ROOT, key))?;
        self.write(NETWORK, network.as_bytes())?;
        sync_folder(&self.0)
    }

    /// Writes a file that must not be there yet, readable by its owner alone.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.0.join(name))?;
        file.write_all(bytes)?;
        Ok(file.sync_all()?)
    }

    fn read_key<const N: usize>(
        &self,
        name: &'static str,
    ) -> Result<Zeroizing<[u8; N]>, FolderError> {
        let metadata = fs::metadata(self.0.join(name)).map_err(unread(name))?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(FolderError::NotPrivate);
        }
        let mut bytes = self.read(name)?;
        let key = <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| FolderError::Damaged);
        bytes.zeroize();
        key.map(Zeroizing::new)
    }

    fn read(&self, name: &'static str) -> Result<Vec<u8>, FolderError> {
        let mut bytes = Vec::new();
        let read = File::open(self.0.join(name))
            .and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut bytes));
        read.map_err(unread(name))?;
        Ok(bytes)
    }
}

fn unread(name: &'static str) -> impl Fn(io::Error) -> FolderError {
    move |error| FolderError::Unread(name, error.kind())
}

/// A private folder beside `path`, to be filled and then renamed.
fn draft_of(path: &Path) -> Result<PathBuf, FolderError> {
    let mut name = path
        .file_name()
        .ok_or(FolderError::Io(io::ErrorKind::InvalidInput))?
        .to_owned();
    name.push(format!(".{}", std::process::id()));
    let draft = path.with_file_name(name);
    DirBuilder::new().mode(0o700).create(&draft)?;
    Ok(draft)
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

fn sync_folder(path: &Path) -> Result<(), FolderError> {
    Ok(File::open(path)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(path: &Path) -> Result<Folder, FolderError> {
        Folder::create(path, UnixMillis(1_000_000_000_000), |_, _| {
            "network".to_owned()
        })
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_is_made_once_private_and_can_be_opened_again() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        create(&path).expect("creates");

        assert_eq!(mode(&path), 0o700);
        for file in fs::read_dir(&path).expect("list") {
            assert_eq!(mode(&file.expect("file").path()), 0o600);
        }
        let folder = Folder::open(&path).expect("opens");
        folder.development_root().expect("root");
        folder.sealing_root(1).expect("sealing root");
        folder.governance_key().expect("governance key");
        assert_eq!(folder.network(), Ok("network".to_owned()));
        assert_eq!(fs::read_dir(place.path()).expect("list").count(), 1);
    }

    #[test]
    fn what_is_there_is_never_overwritten() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        create(&path).expect("creates");
        let key = fs::read(path.join(SEALING_ROOT)).expect("key");

        assert_eq!(create(&path).err(), Some(FolderError::Exists));

        assert_eq!(fs::read(path.join(SEALING_ROOT)).expect("key"), key);
        assert_eq!(fs::read_dir(place.path()).expect("list").count(), 1);
    }

    #[test]
    fn an_empty_folder_is_filled() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        fs::create_dir(&path).expect("empty folder");

        create(&path).expect("creates");

        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn what_others_may_read_is_not_used() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        let folder = create(&path).expect("creates");
        fs::set_permissions(path.join(SEALING_ROOT), PermissionsExt::from_mode(0o640))
            .expect("chmod");
        assert_eq!(folder.sealing_root(1).err(), Some(FolderError::NotPrivate));

        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("chmod");

        assert_eq!(Folder::open(&path).err(), Some(FolderError::NotPrivate));
    }

    #[test]
    fn a_damaged_or_missing_key_is_named_as_such() {
        let place = tempfile::tempdir().expect("place");
        let path = place.path().join("enclave");
        let folder = create(&path).expect("creates");
        fs::write(path.join(SEALING_ROOT), [1; 31]).expect("write");
        fs::remove_file(path.join(GOVERNANCE_KEY)).expect("remove");

        assert_eq!(folder.sealing_root(1).err(), Some(FolderError::Damaged));
        assert_eq!(
            folder.governance_key().err(),
            Some(FolderError::Unread(
                "governance.key",
                io::ErrorKind::NotFound
            ))
        );
    }

    #[test]
    fn the_network_file_is_replaced_whole() {
        let place = tempfile::tempdir().expect("place");
        let folder = create(&place.path().join("enclave")).expect("creates");

        folder.replace_network("other").expect("replaces");

        assert_eq!(folder.network(), Ok("other".to_owned()));
    }
}
