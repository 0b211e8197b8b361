//! `release.toml`: what a release is, for whoever checks it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::inputs::Inputs;
use super::kernel;
use super::pack::Registers;
use crate::command::output;
use crate::repository::Repository;

const LOCK: &str = "Cargo.lock";

/// Everything that decides the registers, and the registers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Release<'a> {
    /// Number of the release.
    release: u32,
    pcr0: &'a str,
    pcr1: &'a str,
    pcr2: &'a str,
    /// What the compiler says of itself.
    toolchain: String,
    /// SHA-256 of `Cargo.lock`, which names every crate with its checksum.
    dependencies: String,
    /// Package and version of the kernel's sources.
    kernel: String,
    /// C compiler and linker.
    compilers: String,
}

/// The file's text.
pub(crate) fn text(
    repository: &Repository,
    inputs: &Inputs,
    registers: &Registers,
) -> Result<String> {
    let [pcr0, pcr1, pcr2] = &registers.0;
    let lock = fs::read(repository.path(LOCK)).context(LOCK)?;
    let mut rustc = Command::new("rustc");
    let toolchain = output(rustc.current_dir(repository.root()).arg("--version"))?;
    let release = Release {
        release: inputs.release,
        pcr0,
        pcr1,
        pcr2,
        toolchain: toolchain.trim_end().to_owned(),
        dependencies: HEXLOWER.encode(&Sha256::digest(&lock)),
        kernel: format!("{} {}", inputs.kernel.package, inputs.kernel.version),
        compilers: kernel::compilers()?,
    };
    toml::to_string(&release).context("release.toml")
}
