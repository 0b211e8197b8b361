//! The image once more, from a copy of the tree in another folder: a release that depends on where it
//! is built could be checked by nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::inputs::Inputs;
use super::kernel;
use super::pack::{Parts, Registers, pack};
use super::programs;
use super::run::ENCLAVE;
use crate::repository::Repository;
use crate::tools::Cache;

/// Builds kernel and programs a second time, in folders of their own, and leaves their image in
/// `images` below `elsewhere`. What has not changed since the last time is not built again.
pub(super) fn build(repository: &Repository, images: &Path) -> Result<Registers> {
    let place = repository.target().join("enclave-image-elsewhere");
    let (root, target) = (place.join("copy"), place.join("built"));
    copy(repository, &root)?;
    let inputs = Inputs::read(repository)?;
    let kernel = kernel::provide(&Cache::open()?, &inputs, kernel::Build::Second)?;
    let init = programs::build(&root, &target, &programs::INIT)?;
    let program = programs::build(&root, &target, &programs::ENCLAVE)?;
    let parts = Parts {
        kernel: &kernel,
        init: &init,
        program: &program,
    };
    let out = images.join("elsewhere");
    fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    pack(repository, &inputs, &parts, &out.join(ENCLAVE))
}

/// Makes the tree below `root` what the repository is. A file that is the same already keeps its time,
/// by which cargo tells what has to be compiled.
fn copy(repository: &Repository, root: &Path) -> Result<()> {
    let wanted: BTreeSet<PathBuf> = repository.files()?.into_iter().collect();
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
    remove_others(root, Path::new(""), &wanted)
}

/// Removes what is not wanted in one folder of the copy, and in those below it.
fn remove_others(root: &Path, folder: &Path, wanted: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(root, &path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_in_the_tree_is_not_in_its_copy_either() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str| place.path().join(name);
        fs::create_dir_all(file("a/b")).unwrap();
        for name in ["kept", "gone", "a/kept", "a/b/gone"] {
            fs::write(file(name), name).unwrap();
        }
        let wanted = ["kept", "a/kept"].map(PathBuf::from).into();

        remove_others(place.path(), Path::new(""), &wanted).unwrap();

        let there = ["kept", "gone", "a/kept", "a/b/gone"].map(|name| file(name).exists());
        assert_eq!(there, [true, false, true, false]);
    }
}
