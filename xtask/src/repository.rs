//! The work tree this program belongs to.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, output};

/// Root folder of the work tree and where cargo puts what it builds.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    root: PathBuf,
    target: PathBuf,
}

impl Repository {
    /// Finds the root from cargo's word, or upwards from the current folder.
    pub(crate) fn find() -> Result<Self> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => env::current_dir().context("current folder")?,
        };
        let Some(root) = start
            .ancestors()
            .find(|folder| folder.join("xtask/Cargo.toml").is_file())
        else {
            bail!("{} is not inside the project's work tree", start.display());
        };
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => root.join(folder),
            None => root.join("target"),
        };
        Ok(Self {
            root: root.to_path_buf(),
            target,
        })
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.root.join(below)
    }

    /// The folder cargo builds in.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The folder with the binaries of one profile.
    pub(crate) fn binaries(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" })
    }

    /// Every file that is or would be committed, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut git = std::process::Command::new("git");
        git.current_dir(&self.root)
            .args(["ls-files", "-z", "--cached", "--others"]);
        let listed = output(git.arg("--exclude-standard"))?;
        let mut files: Vec<PathBuf> = listed
            .split('\0')
            .filter(|name| !name.is_empty() && self.root.join(name).is_file())
            .map(PathBuf::from)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// What cargo knows about the workspace; `more` are further arguments of `cargo metadata`.
    pub(crate) fn metadata(&self, more: &[&str]) -> Result<cargo_metadata::Metadata> {
        let mut command = cargo(&self.root);
        command
            .args(["metadata", "--format-version", "1"])
            .args(more);
        cargo_metadata::MetadataCommand::parse(output(&mut command)?).context("cargo metadata")
    }
}
