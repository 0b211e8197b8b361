//! What is measured besides the programs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

const IMAGE: &str = "enclave/image/image.toml";
const KERNEL_CONFIG: &str = "enclave/image/kernel.config";

/// `enclave/image/image.toml` and the kernel's configuration beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Inputs {
    /// Number of the release.
    pub(crate) release: u32,
    /// What the kernel is told.
    pub(crate) command_line: String,
    /// Where the kernel comes from.
    pub(crate) kernel: KernelSource,
    /// Differences from the smallest configuration.
    #[serde(skip)]
    pub(crate) kernel_config: String,
}

/// A Debian package of kernel sources.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KernelSource {
    /// Name.
    pub(crate) package: String,
    /// Exact version.
    pub(crate) version: String,
    /// SHA-256 of the package's file, lower-case hex.
    pub(crate) sha256: String,
}

impl Inputs {
    /// Reads both files of the tree at `root`.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(IMAGE)).context(IMAGE)?;
        let mut inputs: Self = toml::from_str(&text).context(IMAGE)?;
        inputs.kernel_config =
            fs::read_to_string(root.join(KERNEL_CONFIG)).context(KERNEL_CONFIG)?;
        Ok(inputs)
    }
}
