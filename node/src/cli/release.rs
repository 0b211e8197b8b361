//! `vettid-node release`: releases of the enclave image.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use vettid_eif::MAX_IMAGE;

use super::command_to;
use super::output::{Failure, print_reply};
use crate::admin::{Reply, Request};
use crate::folder::NodeFolder;
use crate::network::NetworkFile;
use crate::release;

/// What is asked about releases.
#[derive(Debug, Subcommand)]
pub(super) enum Release {
    /// Have the enclave of a later release say what this node's releases hand over to
    Prepare {
        /// Where it listens: vsock:CID:PORT or unix:PATH
        #[arg(long)]
        enclave: String,
    },
    /// List the network's releases, say which one runs here, and how many vaults are sealed for each
    Show,
    /// Measure an image and say which release of the network it is
    Verify {
        /// The image, as `cargo xtask image` builds it
        image: PathBuf,
    },
}

impl Release {
    pub(super) async fn execute(self, folder: &Path, json: bool) -> Result<(), Failure> {
        match self {
            Self::Prepare { enclave } => {
                let request = Request::ReleasePrepare { address: enclave };
                command_to(folder, json, request).await
            }
            Self::Show => command_to(folder, json, Request::ReleaseShow).await,
            Self::Verify { image } => verify(folder, json, &image),
        }
    }
}

/// Asks no node: a node that runs could say anything of an image.
fn verify(folder: &Path, json: bool, image: &Path) -> Result<(), Failure> {
    let network = NetworkFile::read(&NodeFolder::open(folder)?.network())?;
    let mut bytes = Vec::new();
    let read =
        File::open(image).and_then(|file| file.take(MAX_IMAGE as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::new(format!("{}: {error}", image.display())))?;
    let found = release::verify(&network, &bytes)?;
    let reply = Reply::Releases {
        running: None,
        releases: vec![found],
        here: Vec::new(),
    };
    print_reply(&reply, json);
    Ok(())
}
