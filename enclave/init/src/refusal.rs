//! Why an image does not start its enclave.

use std::io;

use nix::errno::Errno;

/// The step that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// This kernel can write a process's memory to a file.
    #[error("kernel writes core dumps")]
    CoreDumps,
    /// The host was not told that the enclave is up, or did not echo.
    #[error("heartbeat: {0}")]
    Heartbeat(io::ErrorKind),
    /// A resource limit could not be set.
    #[error("limits: {0}")]
    Limits(Errno),
    /// The enclave has ended without telling how.
    #[error("enclave is lost: {0}")]
    Lost(Errno),
    /// A file system could not be mounted, or the root not be sealed.
    #[error("mount of {0}: {1}")]
    Mount(&'static str, Errno),
    /// Powers could not be given up.
    #[error("powers: {0}")]
    Powers(Errno),
    /// The enclave could not be started.
    #[error("enclave does not start: {0}")]
    Program(io::ErrorKind),
    /// The kernel's random bytes do not come from the secure module.
    #[error("random bytes do not come from the secure module")]
    Randomness,
    /// This kernel can write memory to a disk.
    #[error("kernel can swap")]
    Swap,
}
