//! Private memory of idle open vaults.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vettid_sdk::Owner;

use crate::figure::Figure;
use crate::rounds::median;
use crate::system::System;

/// Vaults that are open.
const VAULTS: usize = 500;
/// From the last enrollment to the measurement: vaults give memory back when nothing has come for two
/// seconds.
const QUIET: Duration = Duration::from_secs(10);
/// What a bare forked process with an open SQLite database costs on this machine, MiB.
const BARE_FORK: f64 = 0.36;

/// Median private memory (USS) of an idle open vault's process, of [`VAULTS`] that are open.
pub(crate) fn idle_vault() -> Result<Figure> {
    let system = System::with_owners(VAULTS)?;
    std::thread::sleep(QUIET);
    let vaults = system.node.vaults();
    ensure!(
        vaults.len() == VAULTS,
        "{} of {VAULTS} vaults are open",
        vaults.len()
    );
    let mut sizes = Vec::with_capacity(VAULTS);
    for pid in vaults {
        sizes.push(private_mib(pid)?);
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

/// Memory that only this process has, MiB.
fn private_mib(pid: i32) -> Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let mut kib = 0_u32;
    for line in rollup.lines().filter(|line| line.starts_with("Private_")) {
        let number = line.split_whitespace().nth(1).context("a size")?;
        kib = kib.saturating_add(number.parse()?);
    }
    Ok(f64::from(kib) / 1024.0)
}
