//! Python: pip fetches wheels, and the S3 server of the tests runs in its own environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::quiet;

/// The system's Python 3.
pub(crate) fn python() -> Command {
    Command::new("python3")
}

/// A virtual environment below `folder` with exactly the pinned, hashed `requirements`.
pub(crate) fn environment(folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let environment = folder.join("environment");
    quiet(python().args(["-m", "venv"]).arg(&environment))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ]);
    quiet(
        pip.args(["--require-hashes", "--requirement"])
            .arg(requirements),
    )?;
    Ok(environment)
}
