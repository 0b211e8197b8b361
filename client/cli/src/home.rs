//! Where a device is kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vettid_sdk::keystore::FileKeystore;
use vettid_sdk::transport::Dialer;
use vettid_sdk::{Owner, SystemClock};

use crate::failure::Failure;

/// How long another command may take before this one gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The folder that is named, or the platform's place for such things.
pub(crate) fn folder(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder);
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || variable("HOME").map(PathBuf::from);
    let place = if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Application Support"))
    } else {
        let data = variable("XDG_DATA_HOME").map(PathBuf::from);
        data.or_else(|| home().map(|home| home.join(".local/share")))
    };
    place
        .map(|place| place.join("vettid"))
        .ok_or_else(|| Failure::usage("there is no home folder: name one with --home"))
}

/// Takes the folder for this command.
pub(crate) fn keystore(folder: &Path) -> Result<FileKeystore, Failure> {
    Ok(FileKeystore::open(folder, PATIENCE)?)
}

/// The enrolled device of the folder.
pub(crate) fn owner(folder: &Path) -> Result<Owner, Failure> {
    Ok(Owner::open(
        keystore(folder)?,
        Dialer,
        Arc::new(SystemClock),
    )?)
}
