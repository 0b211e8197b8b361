//! A copy of the tree in another folder: a release that depends on where it is built could be checked by
//! nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::repository::Repository;

/// Makes the tree below `root` what the repository is. A file that is the same already keeps its time,
/// by which cargo tells what has to be compiled.
pub(super) fn copy(repository: &Repository, root: &Path) -> Result<()> {
    let wanted: BTreeSet<PathBuf> = repository.files()?.into_iter().collect();
    fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    remove_others(root, Path::new(""), &wanted)?;
    for file in &wanted {
        let (from, to) = (repository.path(file), root.join(file));
        let bytes = fs::read(&from).with_context(|| from.display().to_string())?;
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&to, bytes).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

/// Removes what is no wanted file, and no folder of one, from one folder of the copy and those below.
fn remove_others(root: &Path, folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        // A link is neither.
        let kind = entry.file_type()?;
        if kind.is_dir() && wanted.iter().any(|file| is_below(file, &path)) {
            remove_others(root, &path, wanted)?;
        } else if kind.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if !kind.is_file() || !wanted.contains(&path) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_below(file: &Path, folder: &Path) -> bool {
    file != folder && file.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_longer_in_the_tree_is_not_in_its_copy_either() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str| place.path().join(name);
        for folder in ["a/b", "was-folder/b"] {
            fs::create_dir_all(file(folder)).unwrap();
        }
        let there = ["kept", "gone", "a/kept", "a/b/gone", "was-file"];
        for name in there {
            fs::write(file(name), name).unwrap();
        }
        symlink(file("kept"), file("linked")).unwrap();
        let wanted = ["kept", "a/kept", "was-file/kept", "was-folder", "linked"];
        let wanted = wanted.map(PathBuf::from).into();

        remove_others(place.path(), Path::new(""), &wanted).unwrap();

        let left = there.map(|name| file(name).exists());
        assert_eq!(left, [true, false, true, false, false]);
        let gone = ["a/b", "was-folder", "linked"].map(|name| file(name).exists());
        assert_eq!(gone, [false; 3]);
    }
}
