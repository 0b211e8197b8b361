//! New files of an owner: private, whole or not at all, and never in the place of another.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::entropy::below;
use crate::keystore::file;

/// Writes a file of mode 0600 that appears at once, whole and durable.
///
/// `AlreadyExists` when there is something of that name; it stays as it is.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = folder(path).join(format!(".vettid-{:016x}.part", below(u64::MAX)));
    let mut written = file::private().create_new(true).open(&part)?;
    let outcome = written
        .write_all(content)
        .and_then(|()| appear(&written, &part, path));
    if outcome.is_err() {
        // It may be gone, or as stuck as what failed before.
        let _ = fs::remove_file(&part);
    }
    outcome
}

/// Gives a file that is whole its name, unless there is something of that name; `part` is where it
/// is until then, in the same folder.
pub(crate) fn appear(whole: &File, part: &Path, path: &Path) -> io::Result<()> {
    whole.sync_all()?;
    match fs::hard_link(part, path) {
        Ok(()) => fs::remove_file(part)?,
        Err(_) if fs::symlink_metadata(path).is_ok() => {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // Not every file system has links.
        Err(_) => fs::rename(part, path)?,
    }
    file::sync_folder(folder(path))
}

fn folder(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[cfg(unix)]
    #[test]
    fn new_file_is_whole_and_private_and_nothing_else_is_left() {
        use std::os::unix::fs::MetadataExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.json");

        write_new(&path, b"all of it").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"all of it");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["export.json"]);
    }

    #[test]
    fn file_that_is_there_stays_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.json");
        fs::write(&path, "mine").unwrap();

        let refused = write_new(&path, b"theirs").unwrap_err();

        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(names(folder.path()), ["export.json"]);
    }
}
