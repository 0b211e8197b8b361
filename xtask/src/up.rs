//! `cargo xtask up`: a node to play with.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

use crate::local_node::{Binaries, LocalNode};
use crate::repository::Repository;
use crate::tools::{Need, provide};

/// Where the node lives and how it is built.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The node's folder, kept afterwards; a temporary one if it is not given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Optimized binaries
    #[arg(long)]
    release: bool,
}

/// Builds, starts a node, prints an invitation, and stays until the node ends.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<()> {
    let tools = provide(repository, &[Need::Build, Need::NatsServer])?;
    let binaries = Binaries::build(repository, options.release)?;
    let temporary = tempfile::tempdir().context("temporary folder")?;
    let folder = match &options.folder {
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            fs::canonicalize(folder)?
        }
        None => temporary.path().join("node"),
    };

    let mut node = LocalNode::init(&binaries, &tools, &folder)?;
    node.start()?;
    println!("node folder: {}", node.folder().display());
    println!("node log:    {}", node.log().display());
    println!("address:     http://{}", node.address()?);
    node.show_invitation()?;
    println!(
        "\nenroll with: {} --home FOLDER enroll LINK",
        binaries.path("vettid").display()
    );
    println!("stop with:   Ctrl-C");
    println!(
        "\nThe enclave is emulated: whoever is root on this machine can read the vaults. Only to try it."
    );
    // The terminal sends interrupt and hang-up to the node too, which stops by itself; this program
    // outlives it to remove the temporary folder.
    let mut held = SigSet::empty();
    held.add(Signal::SIGINT);
    held.add(Signal::SIGHUP);
    held.thread_block().context("holding back the interrupt")?;
    node.wait()
}
