//! What the making of a node leaves behind when it fails: nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use crate::folder::NodeFolder;

/// Knows what was in a folder before a node was made there. When this goes and there is no node, what
/// has come since is removed: entries of the folder, and of folders that were in it.
pub(super) struct Made {
    folder: PathBuf,
    /// Folders that were not there, innermost first.
    missing: Vec<PathBuf>,
    /// Permissions of the folder, if it was there.
    permissions: Option<Permissions>,
    /// What was in the folder, and in each folder in it that could be looked into.
    before: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Made {
    /// Looks at a folder that is there, or is to be made.
    pub(super) fn since(folder: &Path) -> io::Result<Self> {
        let missing = folder
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let missing: Vec<_> = missing.map(Path::to_owned).collect();
        let (mut permissions, mut before) = (None, BTreeMap::new());
        if missing.is_empty() {
            permissions = Some(fs::metadata(folder)?.permissions());
            let found = entries(folder)?;
            for entry in found.iter().filter(|entry| is_folder(entry)) {
                if let Ok(inside) = entries(entry) {
                    before.insert(entry.clone(), inside);
                }
            }
            before.insert(folder.to_owned(), found);
        }
        Ok(Self {
            folder: folder.to_owned(),
            missing,
            permissions,
            before,
        })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Complete, whoever has made it.
        if NodeFolder::check_vacant(&self.folder).is_err() {
            return;
        }
        // What cannot be removed is not told: the command has failed for a reason of its own.
        for (folder, before) in &self.before {
            for entry in entries(folder).unwrap_or_default().difference(before) {
                let _ = match is_folder(entry) {
                    true => fs::remove_dir_all(entry),
                    false => fs::remove_file(entry),
                };
            }
        }
        if let Some((folder, above)) = self.missing.split_first() {
            let _ = fs::remove_dir_all(folder);
            for folder in above {
                let _ = fs::remove_dir(folder);
            }
        }
        if let Some(permissions) = &self.permissions {
            let _ = fs::set_permissions(&self.folder, permissions.clone());
        }
    }
}

/// What is behind a link is elsewhere.
fn is_folder(entry: &Path) -> bool {
    fs::symlink_metadata(entry).is_ok_and(|found| found.is_dir())
}

fn entries(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Makes what a command makes.
    fn work(folder: &Path) {
        fs::create_dir_all(folder.join("bus")).expect("made");
        fs::create_dir_all(folder.join("enclave/deep")).expect("made");
        fs::write(folder.join("bus/key"), "new").expect("written");
        fs::write(folder.join("enclave/deep/root"), "new").expect("written");
        symlink("enclave/deep/root", folder.join("link")).expect("linked");
        fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("set");
    }

    fn left(folder: &Path) -> Vec<PathBuf> {
        entries(folder).expect("readable").into_iter().collect()
    }

    #[test]
    fn folder_that_was_not_there_goes_with_those_above_it() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("a/b");

        let made = Made::since(&folder).expect("looked");
        work(&folder);
        drop(made);

        assert!(left(place.path()).is_empty());
    }

    #[test]
    fn what_was_there_stays_as_it_was() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path();
        fs::create_dir(folder.join("bus")).expect("made");
        fs::write(folder.join("bus/mine"), "mine").expect("written");
        fs::write(folder.join("notes"), "mine").expect("written");
        fs::set_permissions(folder, Permissions::from_mode(0o750)).expect("set");

        let made = Made::since(folder).expect("looked");
        work(folder);
        drop(made);

        assert_eq!(left(folder), [folder.join("bus"), folder.join("notes")]);
        assert_eq!(left(&folder.join("bus")), [folder.join("bus/mine")]);
        let mode = fs::metadata(folder).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
    }

    #[test]
    fn node_that_is_complete_stays() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("node");

        let made = Made::since(&folder).expect("looked");
        work(&folder);
        fs::write(folder.join("node.toml"), "").expect("written");
        drop(made);

        assert_eq!(left(&folder).len(), 4);
    }
}
