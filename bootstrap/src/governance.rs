//! Governance keys: made here, kept in files that only their holder can read, never named on a
//! command line.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use vettid_crypto::sign::SigningKey;
use vettid_crypto::{Entropy, Zeroizing};

use crate::fault::Fault;
use crate::file;

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
pub(crate) fn create(path: &Path) -> Result<SigningKey, Fault> {
    let key = SigningKey::generate(&mut OsEntropy);
    file::create(path, 0o600, |file| {
        key.expose_seed(|seed| {
            let text = Zeroizing::new(HEXLOWER.encode(seed));
            writeln!(file, "{}", *text)
        })
    })?;
    Ok(key)
}

/// Reads a key.
pub(crate) fn read(source: Source<'_>) -> Result<SigningKey, Fault> {
    let bytes = Zeroizing::new(match source {
        Source::File(path) => read_private(path)?,
        Source::Prompt => prompt().map_err(|error| Fault::Prompt(error.kind()))?,
    });
    let from = || match source {
        Source::File(path) => path.display().to_string(),
        Source::Prompt => "what was given".to_owned(),
    };
    parse(&bytes).ok_or_else(|| Fault::Key(from()))
}

fn prompt() -> io::Result<Vec<u8>> {
    if io::stdin().is_terminal() {
        let asks = "governance key (64 hexadecimal digits): ";
        return Ok(rpassword::prompt_password(asks)?.into_bytes());
    }
    let mut bytes = Vec::new();
    io::stdin().take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Option<SigningKey> {
    if let Ok(seed) = <[u8; 32]>::try_from(bytes) {
        return Some(SigningKey::from_seed(&Zeroizing::new(seed)));
    }
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(bytes.trim_ascii()).ok()?);
    let seed = Zeroizing::new(<[u8; 32]>::try_from(&bytes[..]).ok()?);
    Some(SigningKey::from_seed(&seed))
}

fn read_private(path: &Path) -> Result<Vec<u8>, Fault> {
    let open = File::open(path).and_then(|file| Ok((file.metadata()?.permissions().mode(), file)));
    let (mode, file) = open.map_err(Fault::read(path))?;
    if mode & 0o077 != 0 {
        return Err(Fault::Open(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST)
        .read_to_end(&mut bytes)
        .map_err(Fault::read(path))?;
    Ok(bytes)
}

/// Longest input that is read for a key, bytes.
const LONGEST: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::*;
    use crate::fault::READ;

    #[test]
    fn key_comes_back_from_its_file_which_is_private_and_never_overwritten() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("governance.key");
        let made = create(&path).expect("made");

        let read_back = read(Source::File(&path)).expect("read");
        assert_eq!(read_back.verifying_key(), made.verifying_key());
        let again = create(&path).map(|_| ());
        assert_eq!(again, Err(Fault::Exists(path)));
    }

    #[test]
    fn file_that_others_can_read_or_that_is_no_key_is_refused() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("governance.key");
        create(&path).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        let read = |path: &Path| read(Source::File(path)).map(|_| ());
        assert_eq!(read(&path), Err(Fault::Open(path.clone())));

        let missing = place.path().join("missing.key");
        let not_found = Fault::Io {
            path: missing.clone(),
            access: READ,
            cause: ErrorKind::NotFound,
        };
        assert_eq!(read(&missing), Err(not_found));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        fs::write(&path, "no key").expect("written");
        assert_eq!(read(&path), Err(Fault::Key(path.display().to_string())));

        assert!(parse(b"00").is_none());
        assert!(parse("g".repeat(64).as_bytes()).is_none());
        let key = |bytes: &[u8]| parse(bytes).expect("a key").verifying_key();
        let digits = format!(" {}\n", "aB".repeat(32));
        assert_eq!(key(digits.as_bytes()), key(&[0xab; 32]));
    }
}
