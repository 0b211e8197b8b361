//! Files of Debian's packages, fetched by apt, which checks them against the signed index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::verify;
use crate::command::{output, quiet, succeeds};

/// Fetches a binary package into `folder`: exactly `version`, or what the system would install.
pub(crate) fn binary(folder: &Path, package: &str, version: Option<&str>) -> Result<PathBuf> {
    let wanted = version.map_or_else(
        || package.to_owned(),
        |version| format!("{package}={version}"),
    );
    let download = || {
        let mut command = Command::new("apt-get");
        command
            .current_dir(folder)
            .args(["download", "--quiet", &wanted]);
        command
    };
    if !succeeds(&mut download()) {
        // An index may be old or not there yet; without root it stays as it is.
        succeeds(Command::new("apt-get").args(["update", "--quiet"]));
        quiet(&mut download()).with_context(|| {
            format!("{wanted} is not to be had; Debian keeps only the newest version for long")
        })?;
    }
    file_with_end(folder, ".deb")
}

/// As [`binary`], and compares it with its pinned SHA-256 (lower-case hex).
pub(crate) fn pinned(folder: &Path, package: &str, version: &str, sha256: &str) -> Result<PathBuf> {
    let file = binary(folder, package, Some(version))?;
    verify(&file, sha256)?;
    Ok(file)
}

/// Unpacks a binary package into `folder` without installing it.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Result<()> {
    quiet(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder))
}

/// Sources of `package` as a newer suite than the system's has them, Debian's changes applied, in
/// `folder`.
///
/// The system's own lists of sources stay as they are.
pub(crate) fn source(folder: &Path, suite: &str, package: &str) -> Result<PathBuf> {
    let at = folder.join("apt");
    for below in ["lists/partial", "archives/partial", "parts"] {
        fs::create_dir_all(at.join(below))?;
    }
    let list = at.join("sources.list");
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let line = format!("deb-src [signed-by={keys}] {} {suite} main\n", mirror()?);
    fs::write(&list, line)?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.current_dir(folder).arg("--quiet");
        for (name, path) in [
            ("Dir::Cache", at.clone()),
            ("Dir::Etc::sourcelist", list.clone()),
            ("Dir::Etc::sourceparts", at.join("parts")),
            ("Dir::State::lists", at.join("lists")),
        ] {
            command.arg("-o").arg(format!("{name}={}", path.display()));
        }
        command
    };
    quiet(apt().arg("update"))?;
    quiet(apt().args(["source", package]))?;
    let mut folders = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    folders
        .find(|path| path.join("debian/changelog").is_file())
        .with_context(|| format!("sources of {package} were not unpacked"))
}

/// Where the system has its Debian packages from.
fn mirror() -> Result<String> {
    let listed = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
        "Label: Debian",
    ]))?;
    match listed.lines().next() {
        Some(mirror) => Ok(mirror.to_owned()),
        None => bail!("this system has no packages of Debian"),
    }
}

fn file_with_end(folder: &Path, end: &str) -> Result<PathBuf> {
    let mut files = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(end));
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file),
        _ => bail!("{} does not hold exactly one *{end}", folder.display()),
    }
}
