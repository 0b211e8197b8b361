//! Governance keys: made here, kept in files that only their holder can read, never named on a
//! command line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Entropy, Zeroizing};

/// Draws from the operating system.
struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            // Without randomness nothing here may go on: the key would be guessable.
            std::process::abort();
        }
    }
}

/// Where a governance key comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A file of 64 hexadecimal digits, or of the 32 bytes themselves.
    File(&'a Path),
    /// The terminal, without echo, or what is piped in.
    Prompt,
}

/// Makes a key and its file.
pub(crate) fn create(path: &Path) -> io::Result<SigningKey> {
    let key = SigningKey::generate(&mut OsEntropy);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    key.expose_seed(|seed| {
        let text = Zeroizing::new(HEXLOWER.encode(seed));
        writeln!(file, "{}", *text)
    })?;
    file.sync_all()?;
    Ok(key)
}

/// Reads a key.
pub(crate) fn read(source: Source<'_>) -> io::Result<SigningKey> {
    let bytes = Zeroizing::new(match source {
        Source::File(path) => read_private(path)?,
        Source::Prompt if io::stdin().is_terminal() => {
            rpassword::prompt_password("governance key (64 hexadecimal digits): ")?.into_bytes()
        }
        Source::Prompt => {
            let mut bytes = Vec::new();
            io::stdin().take(LONGEST).read_to_end(&mut bytes)?;
            bytes
        }
    });
    parse(&bytes).ok_or_else(|| {
        io::Error::new(
            ErrorKind::InvalidData,
            "a governance key is 64 hexadecimal digits, or their 32 bytes",
        )
    })
}

fn parse(bytes: &[u8]) -> Option<SigningKey> {
    if let Ok(seed) = <[u8; 32]>::try_from(bytes) {
        return Some(SigningKey::from_seed(&Zeroizing::new(seed)));
    }
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(bytes.trim_ascii()).ok()?);
    let seed = Zeroizing::new(<[u8; 32]>::try_from(&bytes[..]).ok()?);
    Some(SigningKey::from_seed(&seed))
}

fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "others can read the governance key: chmod 600",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Longest input that is read for a key, bytes.
const LONGEST: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_comes_back_from_its_file_which_is_private_and_never_overwritten() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("governance.key");
        let made = create(&path).expect("made");

        let read_back = read(Source::File(&path)).expect("read");
        assert_eq!(read_back.verifying_key(), made.verifying_key());
        let again = create(&path).map(|_| ());
        assert_eq!(again.expect_err("refused").kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn file_that_others_can_read_or_that_is_no_key_is_refused() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("governance.key");
        create(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let open = read(Source::File(&path)).map(|_| ());
        assert_eq!(
            open.expect_err("refused").kind(),
            ErrorKind::PermissionDenied
        );

        assert!(parse(b"00").is_none());
        assert!(parse("g".repeat(64).as_bytes()).is_none());
        let key = |bytes: &[u8]| parse(bytes).expect("a key").verifying_key();
        let digits = format!(" {}\n", "aB".repeat(32));
        assert_eq!(key(digits.as_bytes()), key(&[0xab; 32]));
    }
}
