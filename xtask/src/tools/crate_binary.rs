//! Programs built from crates.io when no prebuilt one is at hand.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::cache::Cache;
use crate::command::{cargo, quiet};

/// One program of one exact crate version, built with the dependencies its author locked.
pub(crate) struct CrateBinary {
    /// Name on crates.io, and of the program.
    pub(crate) package: &'static str,
    /// Exact version.
    pub(crate) version: &'static str,
    /// Further arguments of `cargo install`.
    pub(crate) arguments: &'static [&'static str],
}

impl CrateBinary {
    /// Path of the program, built if it is not in the cache.
    pub(crate) fn provide(&self, cache: &Cache, work: &Path) -> Result<PathBuf> {
        let name = format!("{}-{}", self.package, self.version);
        let entry = cache.entry(&name, |folder| self.build(folder, work))?;
        let how = if entry.fetched {
            "built from crates.io, locked"
        } else {
            "present"
        };
        eprintln!("{} {}: {how}", self.package, self.version);
        Ok(entry.folder.join("bin").join(self.package))
    }

    /// Unoptimized: these tools run for seconds and would take minutes to optimize.
    fn build(&self, folder: &Path, work: &Path) -> Result<()> {
        eprintln!(
            "{} {}: building, about a minute",
            self.package, self.version
        );
        let mut install = cargo(work);
        install.args([
            "install",
            self.package,
            "--version",
            self.version,
            "--locked",
            "--debug",
        ]);
        install
            .args(["--config", "profile.dev.debug=false", "--root"])
            .arg(folder);
        install.args(self.arguments);
        install.env(
            "CARGO_TARGET_DIR",
            env::temp_dir().join(format!("vettid-{}", self.package)),
        );
        quiet(&mut install)
    }
}
