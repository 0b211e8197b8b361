//! First process of the image.
//!
//! ```text
//! mounts ─▶ precautions ─▶ randomness ─▶ heartbeat ─▶ powers ─▶ vettid-enclave ─▶ power off
//! ```
//!
//! Each step fails closed: what cannot be done ends the machine, and nothing is served. It takes no
//! arguments, reads no environment and nothing from the kernel's command line, to which the machine
//! below may append without measuring it.

mod heartbeat;
mod mounts;
mod powers;
mod precautions;
mod randomness;
mod refusal;
mod supervisor;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::getpid;

use refusal::Refusal;
use supervisor::End;

/// Exit code of a run that is no boot.
const NOT_FIRST: u8 = 2;

fn main() -> ExitCode {
    if getpid().as_raw() != 1 {
        say("this is the first process of an enclave image, and runs nowhere else");
        return ExitCode::from(NOT_FIRST);
    }
    match boot() {
        Ok(end) => say(&format!("enclave {end}")),
        Err(refusal) => say(&refusal.to_string()),
    }
    power_off()
}

/// Everything up to the enclave's end.
fn boot() -> Result<End, Refusal> {
    mounts::mount_all()?;
    precautions::check(Path::new("/proc"))?;
    precautions::limit()?;
    randomness::check(Path::new(randomness::SOURCE))?;
    heartbeat::send()?;
    mounts::seal_root()?;
    powers::drop_for_children()?;
    let enclave = supervisor::start(Path::new("/vettid-enclave"))?;
    powers::drop_own()?;
    supervisor::reap_until_end(enclave)
}

/// Restarting is how a machine without power management ends: its hypervisor takes it away.
fn power_off() -> ! {
    loop {
        let Err(error) = reboot(RebootMode::RB_AUTOBOOT);
        say(&format!("cannot power off: {error}"));
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// One line on the console, which only a machine in debug mode shows to anybody.
fn say(line: &str) {
    // A console that takes nothing is no reason to stop.
    let _ = writeln!(std::io::stderr(), "vettid-init: {line}");
}
