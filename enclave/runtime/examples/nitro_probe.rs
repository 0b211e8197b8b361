//! In the enclave's place in an image that tests boot: comes up on the hardware's platform as the
//! enclave does, then answers whoever connects.
//!
//! ```text
//! host                                     probe
//!   ─── connects ──────────────────────────▶
//!   ◀── 3 bytes, 1 where it is as it must be: no socket before the configuration is committed,
//!       registers locked after it, registers readable
//!   ◀── 16 bytes: the signal that ended a vault process at each attempt to reach outside
//!   ◀── 4 bytes: length · what the kernel says of a vault process
//!   ◀── 1 MiB: what one large frame of the link looks like
//!   ─── 32 bytes: challenge ───────────────▶
//!   ◀── 8 bytes: time, ms · 4 bytes: length · document over SHA-384 of the challenge
//! ```
//!
//! No release has this program, and what it measures is no reference value of any network.

#[path = "../tests/escape/mod.rs"]
mod escape;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use escape::{ATTEMPTS, attempt};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vettid_crypto::digest::sha384;
use vettid_runtime::platform::nitro::{Nitro, tell_registers};
use vettid_runtime::platform::{Attester, Clock, EntropySource, Listener, PlatformError};
use vettid_runtime::slot::Slot;
use vettid_runtime::zygote::{Ending, Report, Zygote};

/// Stands for a configuration.
const CONFIGURATION: [u8; 48] = [0x42; 48];

/// Virtual memory of a confined process, bytes.
const ADDRESS_SPACE: u64 = 512 * 1024 * 1024;

/// Bytes of the large frame.
const FRAME: usize = 1024 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nitro_probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), PlatformError> {
    let zygote = Zygote::start(ADDRESS_SPACE, || Some(()), obey);
    let mut nitro = Nitro::open()?;
    tell_registers(&nitro.measurement());
    nitro.check_entropy()?;
    let closed_before = nitro.listen() == Err(PlatformError::NotCommitted);
    nitro.commit(&CONFIGURATION)?;
    let locked_after = nitro.commit(&CONFIGURATION).is_err();
    let readable = Nitro::open()?.measurement() == nitro.measurement();
    nitro.listen()?;
    let mut host = File::from(nitro.accept()?);
    let flags = [closed_before, locked_after, readable].map(u8::from);
    host.write_all(&flags).map_err(gone)?;
    let tried = zygote.ok().and_then(|zygote| try_all(&zygote));
    host.write_all(&tried.unwrap_or_default()).map_err(gone)?;
    host.write_all(&vec![0xa5; FRAME]).map_err(gone)?;
    let mut challenge = [0; 32];
    while host.read_exact(&mut challenge).is_ok() {
        let document = nitro.document(&sha384(&challenge), Some(&challenge))?;
        let length = u32::try_from(document.len()).unwrap_or(u32::MAX);
        let parts = [
            &nitro.now().0.to_be_bytes()[..],
            &length.to_be_bytes(),
            &document,
        ];
        host.write_all(&parts.concat()).map_err(gone)?;
    }
    Ok(())
}

/// Has one confined process make each attempt, and says what the kernel made of it.
fn try_all(zygote: &Zygote) -> Option<Vec<u8>> {
    let mut ended = Vec::new();
    for (slot, order) in (0..).zip(ATTEMPTS) {
        let mut confined = File::from(zygote.fork(Slot::new(slot)).ok()?);
        confined.write_all(&[order]).ok()?;
        ended.push(match (report(zygote)?, report(zygote)?) {
            (Report::Started(..), Report::Ended(_, Ending::Killed(signal))) => signal,
            _ => 0,
        });
    }
    let mut confined = File::from(zygote.fork(Slot::new(9)).ok()?);
    let Report::Started(_, pid) = report(zygote)? else {
        return None;
    };
    // It is started before it is confined, and answers after.
    confined.write_all(b".").ok()?;
    confined.read_exact(&mut [0]).ok()?;
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let length = u32::try_from(status.len()).ok()?.to_be_bytes();
    Some([&ended[..], &length, &status].concat())
}

/// The next report, within ten seconds.
fn report(zygote: &Zygote) -> Option<Report> {
    loop {
        if let Some(report) = zygote.next_report().ok()? {
            return Some(report);
        }
        let mut waits = [PollFd::new(zygote.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waits, PollTimeout::from(10_000_u16)) == Ok(0) {
            return None;
        }
    }
}

/// A vault process that makes the attempt it is told, and is left if it can go on.
fn obey((): (), socket: OwnedFd) -> u8 {
    let mut socket = File::from(socket);
    let mut order = [0];
    while socket.read_exact(&mut order).is_ok() {
        attempt(u8::from_be_bytes(order));
        if socket.write_all(&order).is_err() {
            return 1;
        }
    }
    0
}

fn gone(error: io::Error) -> PlatformError {
    PlatformError::Listen(error.kind())
}
