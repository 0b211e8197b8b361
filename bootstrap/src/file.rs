//! Files that are whole, or are not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::fault::Fault;

/// Makes a file that is not there; of one that cannot be written nothing stays.
pub(crate) fn create(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), Fault> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    fill(path, file.map_err(Fault::create(path))?, write)
}

/// Writes a file in place of one that is there.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Fault> {
    let draft = path.with_extension("new");
    let file = File::create(&draft).map_err(Fault::write(&draft))?;
    fill(&draft, file, |file| file.write_all(text.as_bytes()))?;
    fs::rename(&draft, path).map_err(Fault::write(path))
}

fn fill(
    path: &Path,
    mut file: File,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), Fault> {
    let written = write(&mut file).and_then(|()| file.sync_all());
    if written.is_err() {
        // What is wrong with the disk is told already.
        let _ = fs::remove_file(path);
    }
    written.map_err(Fault::write(path))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn file_that_cannot_be_written_is_not_left_half_made() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("network.toml");

        let made = create(&path, 0o600, |file| {
            file.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });

        let full = Fault::write(&path)(ErrorKind::StorageFull.into());
        assert_eq!(made, Err(full));
        assert!(!path.exists());
    }

    #[test]
    fn file_that_was_there_stays_as_it_is() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("network.toml");
        create(&path, 0o600, |file| file.write_all(b"first")).expect("made");

        let again = create(&path, 0o600, |file| file.write_all(b"second"));

        assert_eq!(again, Err(Fault::Exists(path.clone())));
        assert_eq!(fs::read(&path).expect("there"), b"first");
        replace(&path, "third").expect("replaced");
        assert_eq!(fs::read(&path).expect("there"), b"third");
    }
}
