//! The S3 server that the object store is tested against: moto, in a Python environment.
//!
//! It honors `If-None-Match: *` on PutObject (412 when the object exists); some nearby releases
//! answer 500 there, so one from the `PATH` is never used.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::cache::Cache;
use super::python::environment;
use crate::repository::Repository;

const REQUIREMENTS: &str = "xtask/requirements-s3.txt";

/// Path of the `moto_server` command.
pub(crate) fn provide(repository: &Repository, cache: &Cache) -> Result<PathBuf> {
    let requirements = repository.path(REQUIREMENTS);
    let bytes = fs::read(&requirements).context(REQUIREMENTS)?;
    let digest = HEXLOWER.encode(&Sha256::digest(&bytes));
    let pin = digest.get(..16).unwrap_or(&digest);
    let entry = cache.entry(&format!("s3-server-{pin}"), |folder| {
        environment(folder, &requirements).map(|_| ())
    })?;
    let how = if entry.fetched {
        "fetched from PyPI, checksums verified"
    } else {
        "present"
    };
    eprintln!("S3 server (moto): {how}");
    Ok(entry.folder.join("environment/bin/moto_server"))
}
