//! The machine under the enclave, in five parts: attester, sealer, listener, entropy, time.
//!
//! Two platforms, two binaries, never both in one; images for tests have a third, the hardware's
//! platform with the emulated one's signer. Each part fails closed: what a platform cannot give, it
//! refuses.

#[cfg(feature = "emulated")]
pub mod emulated;
#[cfg(feature = "nitro")]
pub mod nitro;

use std::io;
use std::os::fd::OwnedFd;

use vettid_attestation::Measurement;
use vettid_crypto::{Entropy, SealingRoot};
use vettid_wire::network::TrustRoot;
use vettid_wire::time::UnixMillis;

use crate::host_line::HostLine;
#[cfg(feature = "nitro")]
use crate::host_line::LineError;

/// All five parts.
pub trait Platform: Attester + Clock + EntropySource + Listener + Sealer {}

impl<P: Attester + Clock + EntropySource + Listener + Sealer> Platform for P {}

/// Says what booted here, and signs it.
pub trait Attester {
    /// What booted here.
    fn measurement(&self) -> Measurement;

    /// Number of the release that booted here, as the program says.
    fn release(&self) -> u32;

    /// What documents made here chain to.
    fn trust_root(&self) -> TrustRoot;

    /// Binds `digest` to this boot for good, before any socket opens.
    ///
    /// # Errors
    /// When the platform cannot; the enclave then does not start.
    fn commit(&mut self, digest: &[u8; 48]) -> Result<(), PlatformError>;

    /// A signed document over `user_data` and, where a verifier gave one, its `nonce`.
    ///
    /// # Errors
    /// When the platform cannot make one.
    fn document(
        &mut self,
        user_data: &[u8; 48],
        nonce: Option<&[u8; 32]>,
    ) -> Result<Vec<u8>, PlatformError>;
}

/// Keeps the one secret that outlives a boot.
pub trait Sealer {
    /// The secret that only this image on this platform gets, at this release. Whoever keeps it may be reached through
    /// the host alone.
    ///
    /// # Errors
    /// When the platform does not give it.
    fn sealing_root(&mut self, host: &mut HostLine<'_>) -> Result<SealingRoot, PlatformError>;
}

/// Where the host connects. One connection at a time.
pub trait Listener {
    /// Opens the socket.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn listen(&mut self) -> Result<(), PlatformError>;

    /// Waits for the host; returns its connection. Others are turned away.
    ///
    /// # Errors
    /// When nobody can be waited for any more.
    fn accept(&mut self) -> Result<OwnedFd, PlatformError>;
}

/// Vouches for the kernel's randomness, which all keys come from.
pub trait EntropySource {
    /// Checks where the kernel's random bytes come from.
    ///
    /// # Errors
    /// When they come from anywhere else than this platform promises.
    fn check_entropy(&mut self) -> Result<(), PlatformError>;
}

/// Time of day.
pub trait Clock {
    /// Now, as far as this platform can know.
    fn now(&self) -> UnixMillis;
}

/// Why a platform does not serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlatformError {
    /// The enclave runs in debug mode, where its host reads along.
    #[error("enclave runs in debug mode")]
    DebugMode,
    /// The kernel's random bytes do not come from where they must.
    #[error("random bytes do not come from the platform's own source")]
    EntropySource,
    /// The emulated enclave's folder is not as it must be.
    #[cfg(feature = "emulated")]
    #[error("enclave folder: {0}")]
    Folder(#[from] emulated::FolderError),
    /// The host did not answer what it was asked.
    #[cfg(feature = "nitro")]
    #[error(transparent)]
    Host(#[from] LineError),
    /// The key service does not give the sealing root.
    #[cfg(feature = "nitro")]
    #[error(transparent)]
    Kms(#[from] vettid_kms::KmsError),
    /// The socket for the host could not be opened or used.
    #[error("socket for the host: {0}")]
    Listen(io::ErrorKind),
    /// The secure module did not do what was asked.
    #[cfg(feature = "nitro")]
    #[error(transparent)]
    Module(#[from] nitro::module::ModuleError),
    /// No attestation document could be made.
    #[error("no attestation document could be made")]
    NoDocument,
    /// The document made here carries no time that could be read.
    #[error("attestation document carries no time")]
    NoTime,
    /// A socket was to be opened before the configuration was committed.
    #[error("configuration is not committed yet")]
    NotCommitted,
    /// The host knows of no key service.
    #[error("host gives no access to a key service: its log says why")]
    NoKeyService,
    /// The host did not keep a new sealing root.
    #[error("host did not keep the sealing root")]
    NotKept,
}

/// Random bytes of the kernel, for every key and nonce of this program. Keeps no state, so that
/// nothing can repeat after a fork.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelEntropy;

impl Entropy for KernelEntropy {
    /// Ends the process when the kernel gives none: there is no degraded mode.
    fn fill(&mut self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_entropy_differs_from_draw_to_draw() {
        assert_ne!(KernelEntropy.bytes::<32>(), KernelEntropy.bytes::<32>());
    }
}
