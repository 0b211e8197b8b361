//! Writes golden files, or writes them into a folder of its own and compares.
//!
//! The binaries `tables` and `vectors` of `vettid-tests` take one argument, the folder to write
//! below, and use the paths of the repository there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::ledger;
use crate::command::{cargo, run};
use crate::repository::Repository;

const TABLES: Set = Set {
    binary: "tables",
    command: "cargo xtask tables",
    folders: &["docs", "docs/ledgers"],
    owned: is_table,
};
const VECTORS: Set = Set {
    binary: "vectors",
    command: "cargo xtask vectors",
    folders: &["tests/vectors"],
    owned: |path, _| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    },
};

/// What the generated pages say of themselves.
const WRITTEN: &str = "\n\nWritten by `cargo xtask tables`";

/// Files that one binary writes.
struct Set {
    binary: &'static str,
    command: &'static str,
    folders: &'static [&'static str],
    /// Whether a file in the folders is one of the set: a stale one is a difference too.
    owned: fn(&Path, &[u8]) -> bool,
}

/// What to do with the files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Fail on a difference, change nothing.
    Compare,
    /// Bring the work tree up to date.
    Write,
}

impl Mode {
    /// From the `--check` switch.
    pub(crate) fn of(check: bool) -> Self {
        if check { Self::Compare } else { Self::Write }
    }
}

/// The golden tables under `docs/` and the ledgers of linked crates.
pub(crate) fn tables(repository: &Repository, mode: Mode) -> Result<()> {
    apply(repository, mode, &TABLES, |folder| {
        ledger::write(repository, folder)
    })
}

/// The vectors under `tests/vectors`.
pub(crate) fn vectors(repository: &Repository, mode: Mode) -> Result<()> {
    apply(repository, mode, &VECTORS, |_| Ok(()))
}

fn apply(
    repository: &Repository,
    mode: Mode,
    set: &Set,
    more: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir().context("temporary folder")?;
    for below in set.folders {
        fs::create_dir_all(folder.path().join(below)).context("temporary folder")?;
    }
    let mut generate = cargo(repository.root());
    generate.args([
        "run",
        "--quiet",
        "--package",
        "vettid-tests",
        "--bin",
        set.binary,
        "--",
    ]);
    run(generate.arg(folder.path()))?;
    more(folder.path())?;

    let fresh = read(folder.path(), set)?;
    let differences = differences(&read(repository.root(), set)?, &fresh);
    match mode {
        Mode::Write => write(repository.root(), &fresh, &differences),
        Mode::Compare if differences.is_empty() => Ok(()),
        Mode::Compare => {
            let paths: Vec<_> = differences
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            bail!("out of date: {}; run `{}`", paths.join(", "), set.command)
        }
    }
}

fn write(root: &Path, fresh: &BTreeMap<PathBuf, Vec<u8>>, differences: &[PathBuf]) -> Result<()> {
    for path in differences {
        let target = root.join(path);
        match fresh.get(path) {
            Some(bytes) => {
                if let Some(folder) = target.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(&target, bytes)?;
                println!("wrote {}", path.display());
            }
            None => {
                fs::remove_file(&target)?;
                println!("removed {}", path.display());
            }
        }
    }
    Ok(())
}

/// Paths that only one side has, or that differ.
fn differences(
    kept: &BTreeMap<PathBuf, Vec<u8>>,
    fresh: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    let mut paths: Vec<&PathBuf> = kept.keys().chain(fresh.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| kept.get(*path) != fresh.get(*path))
        .cloned()
        .collect()
}

/// The set's files below `root`, by path relative to it.
fn read(root: &Path, set: &Set) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for below in set.folders {
        let folder = root.join(below);
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = Path::new(below).join(entry?.file_name());
            if !root.join(&path).is_file() {
                continue;
            }
            let bytes = fs::read(root.join(&path))?;
            if (set.owned)(&path, &bytes) {
                files.insert(path, bytes);
            }
        }
    }
    Ok(files)
}

/// A ledger, or a page that says that it is written by the command.
fn is_table(path: &Path, bytes: &[u8]) -> bool {
    let page = String::from_utf8_lossy(bytes);
    path.parent() == Some(Path::new("docs/ledgers")) || page.contains(WRITTEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(files: &[(&str, &str)]) -> BTreeMap<PathBuf, Vec<u8>> {
        files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn changed_missing_and_stale_files_are_differences() {
        let kept = side(&[("a", "1"), ("b", "1"), ("d", "1")]);
        let fresh = side(&[("a", "1"), ("b", "2"), ("c", "1")]);

        assert_eq!(
            differences(&kept, &fresh),
            [PathBuf::from("b"), PathBuf::from("c"), PathBuf::from("d")]
        );
    }

    #[test]
    fn writing_brings_the_folder_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("docs")).unwrap();
        fs::write(
            folder.path().join("docs/labels.md"),
            format!("# Stale{WRITTEN}"),
        )
        .unwrap();
        fs::write(folder.path().join("docs/other.md"), "by hand").unwrap();
        let fresh = side(&[("docs/operations.md", &format!("# Table{WRITTEN}"))]);
        let kept = read(folder.path(), &TABLES).unwrap();

        write(folder.path(), &fresh, &differences(&kept, &fresh)).unwrap();

        assert_eq!(read(folder.path(), &TABLES).unwrap(), fresh);
        assert!(folder.path().join("docs/other.md").is_file());
    }
}
