//! The image's kernel: Debian's sources, a configuration of our own, nothing of the machine that
//! builds it. Kept in the tools cache under everything that decides what it is.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};

use super::inputs::Inputs;
use crate::command::{output, quiet};
use crate::tools::{Cache, debian, key};

/// What would differ between two machines or two days.
const FIXED: [(&str, &str); 7] = [
    ("KBUILD_BUILD_HOST", "vettid"),
    ("KBUILD_BUILD_TIMESTAMP", "1970-01-01 00:00:00 UTC"),
    ("KBUILD_BUILD_USER", "vettid"),
    ("KBUILD_BUILD_VERSION", "1"),
    ("LC_ALL", "C"),
    ("SOURCE_DATE_EPOCH", "0"),
    ("TZ", "UTC"),
];

/// Two thirds of the sources' bytes, of which no part of this kernel is made.
const LEFT_OUT: [&str; 8] = [
    "*.dts",
    "*.dtsi",
    "*.rst",
    "*.yaml",
    "*/drivers/gpu/drm/amd/include/*",
    "*/sound/*.c",
    "*/tools/perf/*",
    "*/tools/testing/*",
];

/// Written into the sources once they are complete and configured.
const CONFIGURED: &str = ".configured";

const BZIMAGE: &str = "arch/x86/boot/bzImage";

/// Which of two builds of the same kernel; each is made in a folder of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    /// The one that goes into images.
    First,
    /// The one that it is compared with.
    Second,
    /// The same, whether it was built before or not.
    Afresh,
}

/// Path of the kernel, built if it is not in the cache.
pub(crate) fn provide(cache: &Cache, inputs: &Inputs, which: Which) -> Result<PathBuf> {
    let fixed = format!("{FIXED:?}");
    let compilers = compilers()?;
    let source = &inputs.kernel;
    let key = key(&[
        source.package.as_bytes(),
        source.version.as_bytes(),
        source.sha256.as_bytes(),
        inputs.kernel_config.as_bytes(),
        fixed.as_bytes(),
        compilers.as_bytes(),
    ]);
    let name = match which {
        Which::First => "kernel",
        Which::Second | Which::Afresh => "kernel-again",
    };
    let name = format!("{name}-{key}");
    if which == Which::Afresh {
        cache.forget(&name)?;
    }
    let entry = cache.built(&name, |folder, work| build(folder, work, inputs))?;
    let how = if entry.fetched {
        "built, source's checksum verified"
    } else {
        "present"
    };
    eprintln!("{name}: {how}");
    Ok(entry.folder.join("bzImage"))
}

/// First lines of what compiler and linker say of themselves.
pub(crate) fn compilers() -> Result<String> {
    let mut lines = Vec::new();
    for program in ["gcc", "ld"] {
        let said = output(Command::new(program).arg("--version"))?;
        lines.push(said.lines().next().unwrap_or_default().to_owned());
    }
    Ok(lines.join(", "))
}

/// In `work`, where an interrupted build goes on.
fn build(folder: &Path, work: &Path, inputs: &Inputs) -> Result<()> {
    let source = &inputs.kernel;
    eprintln!("kernel {}: building, about five minutes", source.version);
    let tree = work.join("linux");
    if !tree.join(CONFIGURED).is_file() {
        fs::remove_dir_all(work)?;
        fs::create_dir_all(&tree)?;
        unpack(&work.join("download"), &tree, inputs)?;
        configure(&tree, &inputs.kernel_config)?;
        fs::write(tree.join(CONFIGURED), "")?;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    quiet(make(&tree).arg(format!("-j{cores}")).arg("bzImage"))?;
    fs::copy(tree.join(BZIMAGE), folder.join("bzImage")).context(BZIMAGE)?;
    fs::copy(tree.join(".config"), folder.join("config")).context("the kernel's configuration")?;
    Ok(())
}

fn unpack(download: &Path, tree: &Path, inputs: &Inputs) -> Result<()> {
    let source = &inputs.kernel;
    fs::create_dir(download)?;
    let package = debian::pinned(download, &source.package, &source.version, &source.sha256)?;
    debian::unpack(&package, download)?;
    let archive = format!("usr/src/{}.tar.xz", source.package);
    let mut unpack = Command::new("tar");
    unpack.arg("-C").arg(tree).args(["--strip-components=1"]);
    for pattern in LEFT_OUT {
        unpack.arg(format!("--exclude={pattern}"));
    }
    quiet(unpack.arg("-xf").arg(download.join(archive)))
}

fn configure(tree: &Path, wanted: &str) -> Result<()> {
    quiet(make(tree).arg("tinyconfig"))?;
    let config = tree.join(".config");
    let mut file = OpenOptions::new().append(true).open(&config)?;
    file.write_all(wanted.as_bytes())?;
    quiet(make(tree).arg("olddefconfig"))?;
    let missing = missing(wanted, &fs::read_to_string(&config)?);
    if !missing.is_empty() {
        bail!("kernel.config: without effect: {}", missing.join(", "));
    }
    Ok(())
}

fn make(tree: &Path) -> Command {
    let mut command = Command::new("make");
    command.current_dir(tree).arg("--silent");
    // Two dozen variables would change the kernel.
    command.env_clear().envs(FIXED);
    command.envs(env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Wanted lines that the configuration does not have: a dependency is missing or forces them.
fn missing<'a>(wanted: &'a str, config: &str) -> Vec<&'a str> {
    let is_off = |name: &str| {
        let on = format!("{name}=");
        !config.lines().any(|line| line.starts_with(&on))
    };
    let lines = wanted
        .lines()
        .filter(|line| line.starts_with("CONFIG_") || line.ends_with(" is not set"));
    lines
        .filter(|line| match line.split_whitespace().nth(1) {
            Some(name) if line.starts_with('#') => !is_off(name),
            _ => !config.lines().any(|have| have == *line),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_take_no_effect_are_found() {
        let wanted = "# -- devices --\nCONFIG_NSM=y\nCONFIG_NET=y\n\
                      # CONFIG_SWAP is not set\n# CONFIG_PCI is not set\n";
        let config = "CONFIG_NET=y\nCONFIG_SWAP=y\n# CONFIG_PCI is not set\n";

        assert_eq!(
            missing(wanted, config),
            ["CONFIG_NSM=y", "# CONFIG_SWAP is not set"]
        );
        assert_eq!(missing(config, config), Vec::<&str>::new());
    }
}
