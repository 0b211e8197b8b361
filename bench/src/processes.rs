//! `fork` and `exec` of the least program there is, until it says that it is there.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

/// Milliseconds from starting `minimal` to its first byte.
pub(crate) fn fork_exec() -> Result<f64> {
    let start = Instant::now();
    let mut child = Command::new(beside("minimal")?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdout.take().context("output")?.read_exact(&mut [0])?;
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    drop(child.stdin.take());
    child.wait()?;
    Ok(elapsed)
}

/// A binary in the folder of this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("folder of the binary")?.join(name))
}
