//! Private memory of idle open vaults.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vettid_runtime::memory::private;
use vettid_sdk::Owner;

use crate::figure::Figure;
use crate::rounds::median;
use crate::size::Size;
use crate::system::System;

/// Vaults that are open.
const VAULTS: usize = 500;
/// From the last enrollment to the measurement: vaults give memory back when nothing has come for two
/// seconds.
const QUIET: Duration = Duration::from_secs(10);
/// What a bare forked process with an open SQLite database costs on this machine, MiB.
const BARE_FORK: f64 = 0.36;

/// Median private memory (USS) of an idle open vault's process, of [`VAULTS`] that are open.
pub(crate) fn idle_vault(size: Size) -> Result<Figure> {
    let open = size.of(VAULTS, 2);
    let system = System::with_owners(open)?;
    std::thread::sleep(QUIET);
    let vaults = system.node.vaults();
    ensure!(
        vaults.len() == open,
        "{} of {open} vaults are open",
        vaults.len()
    );
    let mut sizes = Vec::with_capacity(open);
    for pid in vaults {
        let bytes = private(pid, 0).context("a process has ended")?;
        sizes.push(f64::from(u32::try_from(bytes / 1024)?) / 1024.0);
    }
    system.runtime.block_on(all_are_unlocked(&system.owners))?;
    Ok(Figure::new(
        "idle_vault_uss_mib",
        median(&mut sizes),
        BARE_FORK,
        "MiB",
    ))
}

/// Asked after the measurement, since the answer takes memory.
async fn all_are_unlocked(owners: &[Owner]) -> Result<()> {
    for owner in owners {
        ensure!(owner.status().await?.open.is_some(), "a vault is locked");
    }
    Ok(())
}
