//! The bare WebAssembly target that proves the protocol crates free of I/O.

use std::path::Path;
use std::process::Command;

use crate::command::{output, succeeds};

/// The target's name.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Whether code can be checked for the target; tries to install it once.
pub(crate) fn is_available(work: &Path) -> bool {
    is_installed(work) || {
        succeeds(rustup(work).args(["target", "add", TARGET])) && is_installed(work)
    }
}

fn is_installed(work: &Path) -> bool {
    output(rustup(work).args(["target", "list", "--installed"]))
        .is_ok_and(|list| list.lines().any(|line| line.trim() == TARGET))
}

fn rustup(work: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(work);
    command
}
