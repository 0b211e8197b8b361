//! rustfmt, clippy and rustdoc, all warnings denied.

use anyhow::Result;

use crate::command::{cargo, quiet, run};
use crate::repository::Repository;

/// `cargo fmt --check`, the fuzz targets included.
pub(crate) fn format(repository: &Repository) -> Result<String> {
    quiet(cargo(repository.root()).args(["fmt", "--all", "--check", "--", "-l"]))?;
    let fuzz = repository.path("fuzz");
    quiet(cargo(&fuzz).args(["fmt", "--check", "--", "-l"]))?;
    Ok("rustfmt has nothing to change".to_owned())
}

/// `cargo clippy` on every target of the workspace.
pub(crate) fn clippy(repository: &Repository) -> Result<String> {
    let mut command = cargo(repository.root());
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    run(&mut command)?;
    Ok("clippy has nothing to say".to_owned())
}

/// `cargo doc`: a broken link is an error.
pub(crate) fn docs(repository: &Repository) -> Result<String> {
    let mut command = cargo(repository.root());
    command.args(["doc", "--no-deps", "--workspace", "--quiet"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok("documentation builds, links resolve".to_owned())
}
