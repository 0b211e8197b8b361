//! Protocol crates do no I/O: they build for a target that has none.

use anyhow::{Result, bail};

use super::table::{IMPURE, Part, ROWS};
use crate::command::{cargo, output, quiet};
use crate::repository::Repository;
use crate::tools::{Need, Tools, WASM_TARGET};

/// Looks through each crate's portable tree; type-checks it too where the target is installed.
pub(crate) fn check(repository: &Repository, tools: &Tools) -> Result<String> {
    let protocol: Vec<&str> = ROWS
        .iter()
        .filter(|row| row.part == Part::Protocol)
        .map(|row| row.package)
        .collect();
    for package in &protocol {
        let mut tree = cargo(repository.root());
        tree.args([
            "tree",
            "--package",
            package,
            "--target",
            WASM_TARGET,
            "--edges",
            "normal",
        ]);
        tree.args([
            "--no-default-features",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ]);
        let wrong = impure(&output(&mut tree)?);
        if !wrong.is_empty() {
            bail!(
                "{package} reaches {} when built for {WASM_TARGET}",
                wrong.join(", ")
            );
        }
    }
    if !tools.has(Need::Wasm) {
        return Ok(format!(
            "no I/O crate below protocol/ (target {WASM_TARGET} is not to be had here)"
        ));
    }
    let mut command = cargo(repository.root());
    command.args([
        "check",
        "--quiet",
        "--target",
        WASM_TARGET,
        "--no-default-features",
    ]);
    for package in &protocol {
        command.args(["--package", package]);
    }
    quiet(&mut command)?;
    Ok(format!(
        "protocol/ builds for {WASM_TARGET} and reaches no I/O crate"
    ))
}

/// The names in a `cargo tree` listing that belong to crates with I/O.
fn impure(tree: &str) -> Vec<String> {
    let mut names: Vec<String> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| IMPURE.contains(name))
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_with_io_are_found_in_a_tree() {
        let tree =
            "vettid-wire v0.1.0 (/x)\nminicbor v2.3.0\ntokio v1.54.1\nmio v1.0.0 (*)\nmio v1.0.0\n";

        assert_eq!(impure(tree), ["mio", "tokio"]);
    }

    #[test]
    fn tree_of_pure_crates_passes() {
        assert_eq!(
            impure("vettid-wire v0.1.0 (/x)\nminicbor v2.3.0\n"),
            Vec::<String>::new()
        );
    }
}
