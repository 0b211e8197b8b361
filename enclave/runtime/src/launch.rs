//! The one way in which both programs start.

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

use crate::boot::{BootError, Measured};
use crate::platform::{Platform, PlatformError};
use crate::supervisor::{Ended, Supervisor};
use crate::zygote::{Zygote, ZygoteError};

/// Virtual memory of a vault process, bytes: a full database twice over (it is copied for a
/// snapshot), hashing a PIN, and the program itself.
const ADDRESS_SPACE: u64 = 1024 * 1024 * 1024;

/// Why the program ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fate {
    /// It never served.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// It served and ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The kernel refused a precaution.
    #[error("process could not be protected: {0}")]
    Unprotected(#[from] nix::errno::Errno),
    /// The zygote could not be started.
    #[error(transparent)]
    Zygote(#[from] ZygoteError),
}

impl From<PlatformError> for Fate {
    fn from(error: PlatformError) -> Self {
        Self::Boot(error.into())
    }
}

impl Fate {
    /// Exit code of the program.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ended(Ended::Asked) => 0,
            Self::Boot(_) => 1,
            Self::Ended(Ended::Host(_)) => 3,
            Self::Zygote(_) | Self::Ended(Ended::Zygote(_) | Ended::System(_)) => 4,
            Self::Unprotected(_) => 5,
        }
    }
}

/// Runs an enclave on the platform that `platform` opens. Called first of all in `main`: the zygote
/// is forked before anything else is done.
#[must_use]
pub fn launch<P: Platform, T>(
    prepare: fn() -> Option<T>,
    life: fn(T, OwnedFd) -> u8,
    platform: impl FnOnce() -> Result<P, PlatformError>,
) -> ExitCode {
    let fate = run(prepare, life, platform);
    if fate != Fate::Ended(Ended::Asked) {
        eprintln!("{}: {fate}", env!("CARGO_PKG_NAME"));
    }
    ExitCode::from(fate.exit_code())
}

fn run<P: Platform, T>(
    prepare: fn() -> Option<T>,
    life: fn(T, OwnedFd) -> u8,
    platform: impl FnOnce() -> Result<P, PlatformError>,
) -> Fate {
    let zygote = match Zygote::start(ADDRESS_SPACE, prepare, life) {
        Ok(zygote) => zygote,
        Err(error) => return error.into(),
    };
    if let Err(error) = protect() {
        return error.into();
    }
    let serving = platform()
        .map_err(BootError::from)
        .and_then(Measured::new)
        .and_then(Measured::hear)
        .and_then(crate::boot::Heard::unseal);
    match serving {
        // The host wanted to know what earlier releases seal to, and nothing else.
        Ok(None) => Ended::Asked.into(),
        Ok(Some(serving)) => match Supervisor::new(serving, zygote) {
            Ok(supervisor) => supervisor.run().into(),
            Err(ended) => ended.into(),
        },
        Err(error) => error.into(),
    }
}

/// No core dumps, no debugger, no files for others, and as many sockets as there may be vaults.
/// Memory is never swapped: an enclave has no swap, and an emulated one protects nothing.
fn protect() -> nix::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}
