//! Where the product's programs and `nats-server` are.

use std::env;
use std::path::PathBuf;

/// Names the folder of the product's programs; `cargo xtask test` sets it.
pub const BINARIES: &str = "VETTID_BINARIES";

/// Names the `nats-server` to use.
pub const NATS_SERVER: &str = "VETTID_NATS_SERVER";

/// A program of the product.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = env::var_os(BINARIES).map_or_else(beside_this_test, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there: run `cargo xtask test`, or `cargo build --workspace` before the tests",
        path.display()
    );
    path
}

/// The `nats-server` to use: the one that is named, that xtask fetched, or on the `PATH`.
#[must_use]
pub fn nats_server() -> PathBuf {
    env::var_os(NATS_SERVER)
        .map(PathBuf::from)
        .or_else(fetched)
        .unwrap_or_else(|| PathBuf::from("nats-server"))
}

/// Tests lie in `<target>/debug/deps`, programs one folder above.
fn beside_this_test() -> PathBuf {
    let own = env::current_exe().expect("own path");
    own.ancestors().nth(2).expect("a target folder").to_owned()
}

fn fetched() -> Option<PathBuf> {
    let tools = env::home_dir()?.join(".cache/vettid/tools");
    let folders = std::fs::read_dir(tools).ok()?.flatten();
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .starts_with("nats-server")
        })
        .map(|folder| folder.path().join("nats-server"))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found.pop()
}
