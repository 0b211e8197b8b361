//! Kernel and programs become one file, and its registers are known.

use std::path::Path;

use anyhow::{Context, Result};

use super::inputs::Inputs;
use crate::command::{cargo, output};
use crate::repository::Repository;

/// PCR0 to PCR2, lower-case hex.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Registers(pub(crate) [String; 3]);

/// What goes into an image.
pub(crate) struct Parts<'a> {
    /// Kernel.
    pub(crate) kernel: &'a Path,
    /// First process.
    pub(crate) init: &'a Path,
    /// The enclave.
    pub(crate) program: &'a Path,
    /// Release that the program is.
    pub(crate) release: u32,
}

/// Writes the image to `out`.
pub(crate) fn pack(
    repository: &Repository,
    inputs: &Inputs,
    parts: &Parts<'_>,
    out: &Path,
) -> Result<Registers> {
    let mut pack = cargo(repository.root());
    pack.args(["run", "--quiet", "--package", "vettid-image", "--", "pack"]);
    for (name, path) in [
        ("--kernel", parts.kernel),
        ("--init", parts.init),
        ("--program", parts.program),
        ("--out", out),
    ] {
        pack.arg(name).arg(path);
    }
    pack.args(["--command-line", &inputs.command_line]);
    pack.args(["--release", &parts.release.to_string()]);
    parse(&output(&mut pack)?)
}

/// Reads `PCR0 <hex>` and so on.
fn parse(printed: &str) -> Result<Registers> {
    let register = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
            .with_context(|| format!("{name} was not printed"))
    };
    Ok(Registers([
        register("PCR0 ")?,
        register("PCR1 ")?,
        register("PCR2 ")?,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_registers_are_read_and_a_missing_one_is_told() {
        let read = parse("PCR0 aa\nPCR1 bb\nPCR2 cc\n").unwrap();

        assert_eq!(read.0, ["aa", "bb", "cc"]);
        let error = parse("PCR0 aa\nPCR1 bb\n").unwrap_err().to_string();
        assert_eq!(error, "PCR2  was not printed");
    }
}
