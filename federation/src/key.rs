//! The host's transport key. Its PeerId is named in the enclave's evidence; it opens nothing.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use libp2p::identity::Keypair;
use vettid_crypto::Zeroizing;

/// Ed25519 key of a host, for libp2p transports only.
pub struct HostKey(Keypair);

/// Text is not a PeerId.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a PeerId")]
pub struct NotAPeerId;

impl HostKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        Self(Keypair::generate_ed25519())
    }

    /// The key that follows from 32 bytes.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut seed = Zeroizing::new(seed);
        match Keypair::ed25519_from_bytes(&mut seed[..]) {
            Ok(key) => Self(key),
            // Every 32 bytes are an Ed25519 seed.
            Err(_) => Self::generate(),
        }
    }

    /// Reads the key of a file that only its owner can read; makes both when there is none.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match Self::load(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(path),
            outcome => outcome,
        }
    }

    /// PeerId of the host, as the transport proves it.
    #[must_use]
    pub fn peer(&self) -> Vec<u8> {
        self.peer_id().to_bytes()
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.0.public().to_peer_id()
    }

    pub(crate) fn into_keypair(self) -> Keypair {
        self.0
    }

    /// Reads the key of a file that only its owner can read.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(io::Error::new(
                ErrorKind::PermissionDenied,
                "others can read the host key: chmod 600",
            ));
        }
        let bytes = Zeroizing::new(fs::read(path)?);
        let seed = <[u8; 32]>::try_from(&bytes[..])
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, DAMAGED))?;
        Ok(Self::from_seed(seed))
    }

    /// Makes the key of a file that is not there. The file is whole or is not there at all, whenever
    /// the host crashes: what there is of it before is beside it, under a name that is its own.
    fn create(path: &Path) -> io::Result<Self> {
        let key = Self::generate();
        let draft = key.draft(path)?;
        // Unlike a rename, this replaces nothing.
        let placed = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        placed?;
        let folder = path.parent().filter(|at| !at.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
        Ok(key)
    }

    fn draft(&self, path: &Path) -> io::Result<PathBuf> {
        let pair = self.0.clone().try_into_ed25519();
        let pair = pair.map_err(|error| io::Error::other(error.to_string()))?;
        let mut draft = path.as_os_str().to_owned();
        draft.push(format!(".{}", peer_text(&self.peer())));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let written = file.write_all(pair.secret().as_ref());
        if let Err(error) = written.and_then(|()| file.sync_all()) {
            // A host that is started again and again on a full disk leaves one each time.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        Ok(draft.into())
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostKey(..)")
    }
}

/// Text form of a PeerId, base58; empty when the bytes are none.
#[must_use]
pub fn peer_text(peer: &[u8]) -> String {
    PeerId::from_bytes(peer).map_or_else(|_| String::new(), |peer| peer.to_base58())
}

/// Bytes of a PeerId's text form.
pub fn parse_peer(text: &str) -> Result<Vec<u8>, NotAPeerId> {
    let peer: PeerId = text.parse().map_err(|_| NotAPeerId)?;
    Ok(peer.to_bytes())
}

/// The PeerId of a host is told to others: whether to give it up is for its operator to say.
const DAMAGED: &str = "host key is damaged: restore it, or remove it for a new PeerId";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_not_printed() {
        assert_eq!(format!("{:?}", HostKey::from_seed([1; 32])), "HostKey(..)");
    }

    #[test]
    fn same_file_gives_the_same_peer() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("host.key");

        let made = HostKey::load_or_create(&path).expect("made");
        let read = HostKey::load_or_create(&path).expect("read");

        assert_eq!(made.peer(), read.peer());
        let mode = fs::metadata(&path).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn file_that_others_can_read_or_that_is_damaged_is_refused() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("host.key");
        HostKey::load_or_create(&path).expect("made");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let open = HostKey::load_or_create(&path).expect_err("refused");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        fs::write(&path, [1; 31]).expect("damaged");
        let short = HostKey::load_or_create(&path).expect_err("refused");

        assert_eq!(open.kind(), ErrorKind::PermissionDenied);
        assert_eq!(short.kind(), ErrorKind::InvalidData);
        assert_eq!(short.to_string(), DAMAGED);
    }

    #[test]
    fn host_that_crashed_while_its_key_was_written_starts_with_a_whole_one() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("host.key");
        HostKey::from_seed([1; 32]).draft(&path).expect("written");
        assert!(!path.exists());

        let made = HostKey::load_or_create(&path).expect("made");
        let other = HostKey::create(&path).expect_err("there is one");

        assert_eq!(other.kind(), ErrorKind::AlreadyExists);
        let read = HostKey::load(&path).expect("read");
        assert_eq!(read.peer(), made.peer());
        // The draft of the crash and the key.
        assert_eq!(place.path().read_dir().expect("folder").count(), 2);
    }

    #[test]
    fn peer_comes_back_from_its_text() {
        let peer = HostKey::from_seed([1; 32]).peer();

        assert_eq!(parse_peer(&peer_text(&peer)), Ok(peer));
        assert_eq!(parse_peer("peer"), Err(NotAPeerId));
        assert_eq!(peer_text(&[1, 2]), "");
    }
}
