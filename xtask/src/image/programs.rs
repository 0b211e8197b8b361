//! The image's two programs, static and without a trace of the folders they are built in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{cargo, cargo_home, output, run};

/// The platform of the image. Named, so that flags below are not for build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The profile in the root's `Cargo.toml`.
const PROFILE: &str = "image";

/// Flags of both programs. A static program does not find the kernel's `getrandom` by its name at run
/// time, and would look for a file instead, which a confined process must not open.
const FLAGS: &str = "-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"";

/// What cargo is told to build one program.
pub(crate) struct Program<'a> {
    /// Package, and whatever chooses features and target.
    pub(crate) arguments: &'a [&'a str],
    /// Path below the profile's folder.
    pub(crate) path: &'a str,
}

/// First process.
pub(crate) const INIT: Program<'_> = Program {
    arguments: &["--package", "vettid-init"],
    path: "vettid-init",
};

/// The enclave, with the hardware's platform and no other.
pub(crate) const ENCLAVE: Program<'_> = Program {
    arguments: &[
        "--package",
        "vettid-runtime",
        "--no-default-features",
        "--features",
        "nitro",
        "--bin",
        "vettid-enclave",
    ],
    path: "vettid-enclave",
};

/// Checks that nothing which only tests may use is built into the enclave.
pub(crate) fn check_features(root: &Path) -> Result<()> {
    let mut tree = cargo(root);
    tree.args([
        "tree",
        "--locked",
        "--edges",
        "features,normal",
        "--target",
        TARGET,
    ]);
    // All but what cargo's tree does not know.
    let built = ENCLAVE.arguments.iter();
    tree.args(built.take_while(|argument| **argument != "--bin"));
    let tree = output(&mut tree)?;
    for feature in ["emulated", "simulation", "stand-in", "vectors"] {
        let has_it = |line: &str| {
            line.contains(" vettid-") && line.contains(&format!("feature \"{feature}\""))
        };
        if let Some(line) = tree.lines().find(|line| has_it(line)) {
            bail!("the enclave would be built with what is for tests alone: {line}");
        }
    }
    Ok(())
}

/// Checks that cargo is told how to build by the tree and its user alone: it looks for configuration
/// in every folder above as well.
pub(crate) fn check_configuration(root: &Path) -> Result<()> {
    let home = cargo_home()?;
    let own = root.join(".cargo/config.toml");
    let folders = root.ancestors().map(|above| above.join(".cargo"));
    for folder in folders.filter(|folder| *folder != home) {
        for file in ["config", "config.toml"].map(|name| folder.join(name)) {
            if file != own && file.exists() {
                let file = file.display();
                bail!("{file} would decide how the image is built: remove it");
            }
        }
    }
    Ok(())
}

/// Builds `program` from the tree at `root` in the folder `target`.
pub(crate) fn build(root: &Path, target: &Path, program: &Program<'_>) -> Result<PathBuf> {
    let mut command = cargo(root);
    command.args(["build", "--quiet", "--locked", "--target", TARGET]);
    command.args(["--profile", PROFILE]).args(program.arguments);
    let renamed = renamed(root, target)?;
    let flags = renamed.iter().fold(FLAGS.to_owned(), |flags, (from, to)| {
        format!("{flags} --remap-path-prefix={}={to}", from.display())
    });
    let c_flags = renamed
        .iter()
        .map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()))
        .collect::<Vec<_>>()
        .join(" ");
    for inherited in ["CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
        command.env_remove(inherited);
    }
    command.env("CARGO_TARGET_DIR", target);
    command.env("CARGO_INCREMENTAL", "0");
    command.env("RUSTFLAGS", flags);
    command.env("CFLAGS_x86_64_unknown_linux_gnu", &c_flags);
    command.env("CXXFLAGS_x86_64_unknown_linux_gnu", &c_flags);
    run(&mut command)?;
    Ok(target.join(TARGET).join(PROFILE).join(program.path))
}

/// Folders whose names compilers write into programs, and what stands there instead.
fn renamed(root: &Path, target: &Path) -> Result<Vec<(PathBuf, &'static str)>> {
    let sysroot = output(
        Command::new("rustc")
            .current_dir(root)
            .args(["--print", "sysroot"]),
    )?;
    // Of two that fit, compilers take the last.
    Ok(vec![
        (cargo_home()?, "/cargo"),
        (PathBuf::from(sysroot.trim_end()), "/toolchain"),
        (root.to_owned(), "/vettid"),
        (target.to_owned(), "/target"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn configuration_above_the_tree_and_a_hidden_one_in_it_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("a/tree");
        fs::create_dir_all(root.join(".cargo")).unwrap();
        fs::write(root.join(".cargo/config.toml"), "").unwrap();
        check_configuration(&root).unwrap();

        for file in [
            root.join(".cargo/config"),
            place.path().join(".cargo/config.toml"),
        ] {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            let refused = check_configuration(&root).unwrap_err().to_string();
            assert!(refused.contains(file.to_str().unwrap()), "{refused}");
            fs::remove_file(&file).unwrap();
        }
        check_configuration(&root).unwrap();
    }
}
