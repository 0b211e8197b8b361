//! In the enclave's place in an image that tests boot: comes up on the hardware's platform as the
//! enclave does, then answers whoever connects.
//!
//! ```text
//! host                                     probe
//!   ─── connects ──────────────────────────▶
//!   ◀── 3 bytes, 1 where it is as it must be: no socket before the configuration is committed,
//!       registers locked after it, registers readable
//!   ◀── 1 MiB: what one large frame of the link looks like
//!   ─── 32 bytes: challenge ───────────────▶
//!   ◀── 8 bytes: time, ms · 4 bytes: length · document over SHA-384 of the challenge
//! ```
//!
//! No release has this program, and what it measures is no reference value of any network.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use vettid_crypto::digest::sha384;
use vettid_runtime::platform::nitro::{Nitro, tell_registers};
use vettid_runtime::platform::{Attester, Clock, EntropySource, Listener, PlatformError};

/// Stands for a configuration.
const CONFIGURATION: [u8; 48] = [0x42; 48];

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

fn gone(error: io::Error) -> PlatformError {
    PlatformError::Listen(error.kind())
}
